"""Helpers of the reconstructors that use sigpy."""

import numpy as np

from loupe_tf.numpy_operators import adjoint


def import_sigpy():
    """Return sigpy, or say how to install it."""
    try:
        import sigpy.mri
    except ImportError as error:
        raise ImportError(
            "Compressed sensing and SENSE require sigpy and PyWavelets. "
            'Install them with: pip install "loupe-tf[reconstruction]"'
        ) from error
    return sigpy


def weights(mask):
    """Return the mask in sigpy's form.

    Without a mask, sigpy takes samples that are not zero in some coil for
    acquired.
    """
    return mask.astype(np.float32)


def curve_problems(scan, density, samples):
    """Yield the problem of each example of a non-Cartesian scan.

    Args:
        scan, density, samples: Arguments of `CurveReconstructor.solve`.

    Yields:
        A tuple: sigpy's operator `√D F S`, the samples times √D, the maps, and
        the largest pixel of the adjoint image, the unit of λ.
    """
    from keras import ops

    sigpy = import_sigpy()
    adjoint = ops.convert_to_numpy(scan.adjoint(density * samples))
    scales = np.abs(to_complex(adjoint)).reshape(len(adjoint), -1).max(axis=1)
    maps = np.ones((1, *scan.size), np.complex64)
    if scan.maps is not None:
        maps = to_complex(scan.maps)[0]
    weights = ops.convert_to_numpy(density)[0, 0, ..., 0]
    sensitivities = sigpy.linop.Multiply(scan.size, maps)
    sampling = _sampling(scan, len(maps))
    weigh = sigpy.linop.Multiply(sampling.oshape, np.sqrt(weights))
    operator = weigh * sampling * sensitivities
    for measured, scale in zip(to_complex(samples), scales):
        yield operator, np.sqrt(weights) * measured, maps, float(scale)


def _sampling(scan, coils):
    """Return F as an operator of sigpy, with the scan's own interpolation.

    sigpy's takes several times as long.
    """
    from scipy import fft  # Data sets are made without it.

    sigpy = import_sigpy()
    shape, size = scan.gridding.shape, scan.size
    inside = (..., *(slice(n) for n in size))
    # The FFT has its origin at the first pixel, the scan at N // 2.
    waves = 1.0
    for n, points in zip(size, shape):
        wave = np.exp(2j * np.pi * (n // 2) * np.arange(points) / points)
        waves = np.multiply.outer(waves, wave)
    waves = waves.ravel().astype(np.complex64)
    matrix = scan.gridding.matrix().multiply(waves).tocsr()
    back = matrix.conj().T.tocsr()
    axes = tuple(range(-len(size), 0))

    class Sampling(sigpy.linop.Linop):
        def _apply(self, image):
            grid = fft.fftn(scan.scale * image, shape, axes)
            return (matrix @ grid.reshape(coils, -1).T).T.reshape(self.oshape)

        def _adjoint_linop(self):
            return Spreading(self.ishape, self.oshape)

    class Spreading(sigpy.linop.Linop):
        def _apply(self, samples):
            grid = (back @ samples.reshape(coils, -1).T).T
            grid = grid.reshape(coils, *shape)
            images = fft.ifftn(grid, axes=axes, norm="forward")
            return scan.scale * images[inside]

        def _adjoint_linop(self):
            return Sampling(self.ishape, self.oshape)

    samples = scan.positions.shape[1:-1]
    return Sampling((coils, *samples), (coils, *size))


def to_complex(channels):
    """Return complex64 for (real, imaginary) along the last axis."""
    channels = np.asarray(channels)
    return (channels[..., 0] + 1j * channels[..., 1]).astype(np.complex64)


def seen(maps):
    """Return a boolean array `(H, W)`, `True` where some map is not zero.

    The samples do not determine the other pixels, so a penalty would fill them
    arbitrarily.
    """
    return np.any(maps != 0, axis=0)


def largest_eigenvalue(maps):
    """Return an upper bound for the eigenvalues of `S^H F^H M F S`.

    It is the largest eigenvalue of `S^H S`. sigpy would estimate one by a power
    iteration that starts from NumPy's global random numbers.
    """
    return max(float(np.max(np.sum(np.abs(maps) ** 2, axis=0))), 1e-30)


def largest_pixel(kspace, mask, maps):
    """Return the largest magnitude of the adjoint image, the unit of λ."""
    return float(np.max(np.abs(adjoint(kspace, mask, maps))))
