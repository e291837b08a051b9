from typing import Any, NamedTuple


class FixedPoint(NamedTuple):
    """Result of a search for a fixed point `x = f(x)`, for each example.

    It is the iterate with the smallest residual `‖f(x) - x‖ / ‖f(x)‖`.

    Attributes:
        x: Tensor `(batch, ...)`, the iterate.
        value: Tensor of the same shape, `f(x)`.
        residual: Tensor `(batch,)`; infinite if no residual was finite.
        iterations: Integer tensor `(batch,)`, the number of iterations until
            the example reached the tolerance, or until the end.
        rate: Tensor `(batch,)`, the mean factor by which an iteration changed
            the residual. 1 means that none made it smaller: f does not
            contract there.
        inverse: `LowRank`, the estimate of the inverse Jacobian of
            `f(x) - x`, or `()` if the solver makes none.
    """

    x: Any
    value: Any
    residual: Any
    iterations: Any
    rate: Any
    inverse: Any = ()
