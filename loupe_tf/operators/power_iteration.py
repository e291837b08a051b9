import numpy as np
from keras import ops


def power_iteration(normal, shape, iterations=20, seed=0):
    """Estimate the largest eigenvalue of a linear operator by its powers.

    For `N = Aᴴ A` this is the squared norm of A, the largest factor by which
    `½ ‖A x - y‖²` bends; gradient steps on it converge if they are shorter
    than 2 over that. The estimate is a lower bound that grows with the number
    of iterations.

    Args:
        normal: Function N from a tensor of `shape` to one of the same shape,
            linear, Hermitian and positive semidefinite.
        shape: Tuple `(batch, ...)` of integers. Examples are independent.
        iterations: Integer ≥ 1, the number of iterations.
        seed: Integer, seed of the random start.

    Returns:
        Tensor `(batch,)`, float32, one eigenvalue per example; 0 if N is 0.

    Example:

    >>> scan = loupe_tf.operators.Cartesian(mask, maps)
    >>> norm = power_iteration(scan.normal, image.shape) ** 0.5
    """
    x = leading_vector(normal, shape, iterations, seed)
    return ops.sqrt(ops.sum(ops.square(x), tuple(range(1, len(shape)))))


def leading_vector(normal, shape, iterations=20, seed=0):
    """Estimate an eigenvector of the largest eigenvalue, as its multiple.

    Args:
        normal, shape, iterations, seed: As for `power_iteration`.

    Returns:
        Tensor of `shape`, float32, whose norm estimates the eigenvalue.
    """
    start = np.random.default_rng(seed).normal(size=shape)
    x = ops.convert_to_tensor(start.astype("float32"))
    axes = tuple(range(1, len(shape)))

    def step(_, x):
        size = ops.sqrt(ops.sum(ops.square(x), axes, keepdims=True))
        return normal(x / ops.where(size > 0, size, 1.0))

    # A loop of the backend, so that compilers do not see each iteration. The
    # first shows the batch that the loop keeps, which may be unknown.
    return ops.fori_loop(1, iterations, step, step(0, x))
