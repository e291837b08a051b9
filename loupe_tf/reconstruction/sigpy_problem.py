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
    scales = np.abs(to_complex(adjoint)).max(axis=(1, 2))
    maps = np.ones((1, *scan.size), np.complex64)
    if scan.maps is not None:
        maps = to_complex(scan.maps)[0]
    weights = ops.convert_to_numpy(density)[0, 0, ..., 0]
    sensitivities = sigpy.linop.Multiply(scan.size, maps)
    # Its positions are in cycles per field of view, and its defaults have an
    # error of 1 %.
    sampling = sigpy.linop.NUFFT(
        maps.shape, scan.positions[0] * scan.size, oversamp=2, width=5
    )
    weigh = sigpy.linop.Multiply(sampling.oshape, np.sqrt(weights))
    operator = weigh * sampling * sensitivities
    for measured, scale in zip(to_complex(samples), scales):
        yield operator, np.sqrt(weights) * measured, maps, float(scale)


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
