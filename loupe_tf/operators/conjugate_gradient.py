from keras import ops

# The squared residual, relative to that of `x = 0`, at which an example stops:
# float32 has no more digits.
CONVERGED = 1e-12


def conjugate_gradient(normal, right_side, start=None, iterations=10):
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

    Args:
        normal: Function N from a tensor of the shape of `right_side` to one of
            the same shape.
        right_side: Real tensor `(batch, ...)`, b.
        start: (Optional) tensor of the same shape to start from; 0 by default.
        iterations: Integer, the number of iterations.

    Returns:
        Tensor of the shape of `right_side`, x.

    Example:

    >>> scan = loupe_tf.operators.Cartesian(mask, maps)
    >>> image = conjugate_gradient(
    ...     lambda x: scan.normal(x) + 0.1 * x, scan.adjoint(kspace)
    ... )
    """
    if start is None:
        x, residual = ops.zeros_like(right_side), right_side
    else:
        x, residual = start, right_side - normal(start)
    enough = CONVERGED * _dot(right_side, right_side)
    direction = residual
    power = _dot(residual, residual)
    for _ in range(iterations):
        product = normal(direction)
        curvature = _dot(direction, product)
        goes_on = ops.logical_and(power > enough, curvature > 0)
        step = _divide(power, curvature, goes_on)
        x = x + step * direction
        residual = residual - step * product
        last, power = power, _dot(residual, residual)
        direction = residual + _divide(power, last, goes_on) * direction
    return x


def _dot(x, y):
    """Return the scalar product of each example, `(batch, 1, ..., 1)`."""
    return ops.sum(x * y, tuple(range(1, len(x.shape))), keepdims=True)


def _divide(x, y, where):
    """Divide where a condition holds; elsewhere return 0, gradients too."""
    return ops.where(where, x, 0.0) / ops.where(where, y, 1.0)
