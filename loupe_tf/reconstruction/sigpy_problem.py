"""What the reconstructors that stand on sigpy share."""

import numpy as np

from loupe_tf.numpy_operators import adjoint


def import_sigpy():
    """Return sigpy, or say how to install it."""
    try:
        import sigpy.mri
    except ImportError as error:
        raise ImportError(
            "Compressed sensing, SENSE and ESPIRiT require sigpy and "
            'PyWavelets. Install them with: pip install "loupe-tf'
            '[reconstruction]"'
        ) from error
    return sigpy


def weights(mask):
    """The mask as sigpy takes it.

    Not given one, sigpy calls acquired what is not zero in some coil.
    """
    return mask.astype(np.float32)


def seen(maps):
    """Booleans `(H, W)`: where some coil sees anything.

    Elsewhere samples say nothing, and a penalty would fill in what is cheap.
    """
    return np.any(maps != 0, axis=0)


def largest_eigenvalue(maps):
    """An upper bound of `S^H F^H M F S`, which is that of `S^H S`.

    sigpy would estimate one by a power iteration that begins from NumPy's
    global random numbers.
    """
    return max(float(np.max(np.sum(np.abs(maps) ** 2, axis=0))), 1e-30)


def largest_pixel(kspace, mask, maps):
    """Largest magnitude of the adjoint image, the unit of λ."""
    return float(np.max(np.abs(adjoint(kspace, mask, maps))))
