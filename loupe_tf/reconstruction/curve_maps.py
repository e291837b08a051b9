"""Sensitivity maps from the centre of the samples of a non-Cartesian scan."""

import numpy as np

from loupe_tf.checks import check_integer, invalid
from loupe_tf.numpy_fourier import fft2c
from loupe_tf.numpy_operators import check_complex, to_channels
from loupe_tf.reconstruction.calibration import center
from loupe_tf.reconstruction.espirit import espirit_maps

# The region is gridded with this margin, whose k-space is less exact.
MARGIN = 8
ITERATIONS = 20
# Regularisation compared with 1: keeps noise low where no samples are.
REGULARIZATION = 1e-3


def curve_maps(samples, trajectory, calibration=24, **options):
    """Estimate sensitivity maps from the samples near DC, with ESPIRiT.

    The samples within the central square of k-space are those of images of
    few pixels, which conjugate gradients rebuild coil by coil. Their k-space
    is Cartesian, and `espirit_maps` estimates the maps from it.

    Args:
        samples: Complex array `(coils, shots, samples)`.
        trajectory: `Trajectory` of two axes with a matrix.
        calibration: Integer, the side of the central square.
        **options: Those of `espirit_maps`: `kernel_size`, `threshold`, `crop`
            and `iterations`.

    Returns:
        Complex64 array `(coils, H, W)`, see `espirit_maps`.

    Raises:
        ValueError: If an argument is invalid, or if there are fewer samples in
            the square than it has points.

    Example:

    >>> maps = loupe_tf.reconstruction.curve_maps(samples, trajectory)
    >>> image = loupe_tf.reconstruction.CgSense()(samples, trajectory, maps)
    """
    samples = check_complex("samples", samples)
    expected = trajectory.positions.shape[:2]
    if samples.ndim != 3 or samples.shape[1:] != expected:
        raise invalid(
            "samples", f"shape (coils, *{expected})", found=samples.shape
        )
    if trajectory.axes != 2 or trajectory.matrix is None:
        raise invalid("trajectory", "two axes and a matrix", trajectory)
    check_integer("calibration", calibration, at_least=1)
    size = trajectory.matrix
    sides = tuple(min(calibration, n) for n in size)
    gridded = tuple(min(s + MARGIN, n) for s, n in zip(sides, size))
    # In cycles per pixel of the small image.
    positions = trajectory.positions * size / gridded
    inside = (abs(positions) < 0.5).all(axis=-1)
    if inside.sum() < np.prod(gridded):
        raise invalid(
            "trajectory",
            f"at least {np.prod(gridded)} samples in the central "
            f"{gridded[0]}×{gridded[1]} of k-space, to estimate maps from",
            found=f"{inside.sum()}",
        )
    images = _solve(samples[:, inside], positions[inside], gridded)
    kspace = np.zeros((len(samples), *size), np.complex64)
    center(kspace, sides)[...] = center(fft2c(images), sides)
    acquired = np.zeros(size, bool)
    center(acquired[None], sides)[...] = True
    return espirit_maps(kspace, acquired, min(sides), **options)


def _solve(samples, positions, size):
    """Rebuild each coil: samples `(coils, n)` to images `(coils, *size)`."""
    from keras import ops

    from loupe_tf.operators import (
        NonUniform,
        Toeplitz,
        conjugate_gradient,
        density_compensation,
    )

    scan = NonUniform(positions[None], size)
    density = density_compensation(scan)
    fast = Toeplitz(scan, density)
    # Each coil is an example of one coil.
    samples = to_channels(samples)[0][:, None]
    images = conjugate_gradient(
        lambda image: fast.normal(image) + REGULARIZATION * image,
        scan.adjoint(density * samples),
        iterations=ITERATIONS,
    )
    return ops.convert_to_numpy(images) @ np.array([1, 1j])
