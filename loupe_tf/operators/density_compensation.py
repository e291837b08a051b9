"""Weights of non-Cartesian samples, for their uneven density."""

import numpy as np
from keras import ops

from loupe_tf.checks import check_choice, check_integer
from loupe_tf.operators.non_uniform import NonUniform
from loupe_tf.operators.power_iteration import leading_vector
from loupe_tf.operators.toeplitz import Toeplitz

# More do not change the estimate by a percent.
POWER_ITERATIONS = 30


def density_compensation(
    scan, method="pipe", iterations=10, differentiable=False
):
    """Compute weights D of samples such that `A^H D y` is close to an image.

    A trajectory takes more samples in some places than in others; its adjoint
    `A^H y` is blurred for that reason. The methods are

    - `"pipe"`: the fixed point `w ← w / (C w)`, where C sums the weights of
      neighbours under the kernel that interpolates (Pipe and Menon, "Sampling
      density compensation in MRI: rationale and an iterative numerical
      solution", 1999). It serves any trajectory.
    - `"ramp"`: the distance from DC, for spokes at equal or golden angles. A
      sample at DC has a quarter of the weight of its neighbour, which is its
      share of the area.
    - `"uniform"`: no compensation, the same weight for all samples.

    The weights are scaled such that the largest eigenvalue of `F^H D F`, F
    without maps, is 1. Then a step of length 1 along `A^H D (A x - y)` does not
    overshoot, for maps whose squares sum to at most 1. The eigenvalue is found
    by power iteration, which is about a percent too low.

    Args:
        scan: `NonUniform`.
        method: `"pipe"`, `"ramp"` or `"uniform"`.
        iterations: Integer, number of iterations of `"pipe"`.
        differentiable: Boolean. If `True`, gradients flow through the weights
            to learned positions: through all iterations, and through the
            eigenvalue λ by `dλ = vᴴ d(F^H D F) v`, with its eigenvector v. If
            `False`, the weights are constants for gradients, as is common.

    Returns:
        Float32 tensor `(1 or batch, 1, ..., 1)`, positive, for products with
        samples.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(shots=16, samples=64)
    >>> scan = loupe_tf.operators.NonUniform(
    ...     spokes.positions[None], (32, 32), maps
    ... )
    >>> density = density_compensation(scan)
    >>> image = scan.adjoint(density * scan.forward(image))
    """
    check_choice("method", method, ("pipe", "ramp", "uniform"))
    check_integer("iterations", iterations, at_least=1)
    scan = scan.with_maps(None) if differentiable else _constant(scan)
    shape = ops.shape(scan.positions)
    weights = ops.ones((shape[0], scan.gridding.samples, 1), "float32")
    if method == "pipe":

        def step(_, weights):
            grid = scan.gridding.spread(weights)
            return weights / scan.gridding.interpolate(grid)

        if differentiable:
            # TensorFlow has no gradient of a loop under XLA.
            for index in range(iterations):
                weights = step(index, weights)
        else:
            weights = ops.fori_loop(0, iterations, step, weights)
    elif method == "ramp":
        weights = _ramp(scan.positions)
    weights = ops.reshape(weights, (shape[0], 1, *shape[1:-1], 1))
    normal = Toeplitz(scan, weights).normal
    batch = (shape[0], *scan.size, 2)
    image = leading_vector(
        # Each example has its own eigenvalue, also if their number is unknown.
        lambda image: normal(ops.broadcast_to(image, batch)),
        (1, *scan.size, 2),
        iterations=POWER_ITERATIONS,
    )
    axes = tuple(range(1, len(batch)))
    largest = ops.sqrt(ops.sum(ops.square(image), axes, keepdims=True))
    if differentiable:
        # The eigenvector is a constant: λ is stationary in it.
        image = ops.stop_gradient(image / largest)
        largest = ops.sum(image * normal(image), axes)
    largest = ops.reshape(largest, (-1,) + (1,) * (len(weights.shape) - 1))
    return weights / largest


def _constant(scan):
    """Return the scan without maps, and cut off from learned positions.

    So no gradient goes through the iterations, and they keep no memory for it.
    """
    if isinstance(scan.positions, np.ndarray):
        return scan.with_maps(None)
    positions = ops.stop_gradient(scan.positions)
    return NonUniform(positions, scan.size, accuracy=scan.accuracy)


def _ramp(positions):
    positions = ops.cast(positions, "float32")
    square = ops.sum(ops.square(positions), -1)
    # The root has no derivative at 0.
    radii = ops.sqrt(ops.where(square > 0, square, 1.0))
    radii = ops.where(square > 0, radii, 0.0)
    outside = ops.where(radii > 1e-6, radii, np.inf)
    axes = tuple(range(1, len(radii.shape)))
    step = ops.min(outside, axis=axes, keepdims=True)
    return ops.maximum(radii, step / 4)
