from keras import ops

from loupe_tf.fixed_point.anderson import Anderson
from loupe_tf.fixed_point.gradients import gradient_of


def find_fixed_point(
    function, start, parameters=(), solver=None, gradient="exact"
):
    """Find `x = f(x, θ)`, differentiable in θ.

    Args:
        function: Callable f from x `(batch, ...)` and the parameters to a
            tensor of the shape of x. Gradients flow to the parameters alone,
            so it must not depend on other tensors that are watched.
        start: Tensor `(batch, ...)`, where the search begins.
        parameters: Sequence of tensors θ.
        solver: (Optional) `Solver`, by default `Anderson`. SHINE needs
            `Broyden`.
        gradient: `Gradient`, or a name: `"exact"`, `"jacobian_free"`,
            `"phantom"`, `"shine"` or `"shine_refined"`.

    Returns:
        A tensor of the shape of x, and the `FixedPoint` of the search. The
        tensor is f applied to the fixed point.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> x, found = find_fixed_point(
    ...     lambda x, a: x / 2 + a / x,
    ...     start=np.ones((1, 1), "float32"),
    ...     parameters=[np.float32(2) / 2],
    ... )
    >>> np.round(x, 4)
    array([[1.4142]], dtype=float32)
    """
    gradient = gradient_of(gradient)
    stopped = [ops.stop_gradient(each) for each in parameters]

    def frozen(x):
        return function(x, *stopped)

    found = (Anderson() if solver is None else solver)(frozen, start)
    return gradient(lambda x: function(x, *parameters), frozen, found), found
