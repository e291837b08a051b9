from keras import ops

from loupe_tf.backward import with_backward, with_gradient_of

# The squared residual, relative to that of `x = 0`, at which an example stops:
# float32 has no more digits.
CONVERGED = 1e-12


def conjugate_gradient(
    normal, right_side, start=None, iterations=10, tensors=None
):
    """Solve `N x = b` by conjugate gradients, for each example of a batch.

    N is linear, Hermitian and positive semidefinite, such as
    `Cartesian.normal` plus a multiple of the identity (Hestenes and Stiefel,
    "Methods of conjugate gradients for solving linear systems", 1952). The
    real scalar product of (real, imaginary) pairs is the real part of the
    complex one, so complex images need no special treatment.

    The number of iterations is fixed, and the result is differentiable in b,
    in `start` and in the tensors that N depends on. Examples do not influence
    each other. One whose residual has fallen to the precision of float32, or
    whose right side is 0, stays as it is and has finite gradients.

    With `tensors`, the gradient is that of the solution, by the implicit
    function theorem: one more solve with as many iterations gives

        u = N⁻¹ v    for the gradient v in x,

    which is the gradient in b; that in a tensor θ of N is `-uᵀ (∂N/∂θ) x`, and
    that in `start` is 0. Memory then does not depend on the number of
    iterations. Both gradients agree as far as the iterations have converged.

    Args:
        normal: Function N from a tensor of the shape of `right_side` to one of
            the same shape.
        right_side: Real tensor `(batch, ...)`, b.
        start: (Optional) tensor of the same shape to start from; 0 by default.
        iterations: Integer, the number of iterations.
        tensors: (Optional) list of the tensors that N depends on, which
            `normal` then takes after x.

    Returns:
        Tensor of the shape of `right_side`, x.

    Example:

    >>> scan = loupe_tf.operators.Cartesian(mask, maps)
    >>> image = conjugate_gradient(
    ...     lambda x: scan.normal(x) + 0.1 * x, scan.adjoint(kspace)
    ... )
    """
    right_side = ops.convert_to_tensor(right_side)
    if start is not None:
        start = ops.convert_to_tensor(start)
    if tensors is None:
        state, iterate = _begin(normal, right_side, start)
        for _ in range(iterations):
            state = iterate(*state)
        return state[0]

    def solve(right_side, *tensors, start=None):
        state, iterate = _begin(
            lambda x: normal(x, *tensors), right_side, start
        )
        return ops.fori_loop(
            0, iterations, lambda _, state: iterate(*state), state
        )[0]

    frozen = [ops.stop_gradient(ops.convert_to_tensor(x)) for x in tensors]
    if start is not None:
        start = ops.stop_gradient(start)
    found = solve(ops.stop_gradient(right_side), *frozen, start=start)
    found = ops.stop_gradient(found)
    # The residual has the gradient that `found` lacks.
    residual = right_side - normal(found, *tensors)
    return with_gradient_of(with_backward(residual, solve, *frozen), found)


def _begin(normal, right_side, start):
    """Return the first state `(x, residual, direction, power)`, and a step."""
    if start is None:
        x, residual = ops.zeros_like(right_side), right_side
    else:
        x, residual = start, right_side - normal(start)
    enough = CONVERGED * _dot(right_side, right_side)

    def iterate(x, residual, direction, power):
        product = normal(direction)
        curvature = _dot(direction, product)
        goes_on = ops.logical_and(power > enough, curvature > 0)
        step = _divide(power, curvature, goes_on)
        x = x + step * direction
        residual = residual - step * product
        last, power = power, _dot(residual, residual)
        direction = residual + _divide(power, last, goes_on) * direction
        return x, residual, direction, power

    return (x, residual, residual, _dot(residual, residual)), iterate


def _dot(x, y):
    """Return the scalar product of each example, `(batch, 1, ..., 1)`."""
    return ops.sum(x * y, tuple(range(1, len(x.shape))), keepdims=True)


def _divide(x, y, where):
    """Divide where a condition holds; elsewhere return 0, gradients too."""
    return ops.where(where, x, 0.0) / ops.where(where, y, 1.0)
