"""A scan with several coils."""

import numpy as np

from loupe_tf.reconstruction import adjoint, espirit_maps


def image_of_all_samples(kspace):
    """What reconstructions of fewer samples are compared with.

    Args:
        kspace: Complex array `(coils, H, W)`. Samples that are zero in all
            coils are taken for not acquired.

    Returns:
        Array `(H, W)`, the magnitudes of the SENSE combination with ESPIRiT's
        maps; `None` if not all samples were acquired.
    """
    acquired = np.any(kspace != 0, axis=0)
    if not acquired.all():
        return None
    return np.abs(adjoint(kspace, acquired, espirit_maps(kspace, acquired)))
