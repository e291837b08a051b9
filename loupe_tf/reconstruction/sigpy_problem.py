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
