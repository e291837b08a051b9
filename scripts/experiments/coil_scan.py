"""A scan with several coils."""

import numpy as np

from loupe_tf.formats import load_coils
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


def load_scan(path, key=None):
    """A scan to try lines on, of which all samples were acquired.

    Args:
        path, key: As `loupe_tf.formats.load_coils` takes them.

    Returns:
        A pair: k-space, complex `(coils, H, W)`, and what
        `image_of_all_samples` returns of it.

    Raises:
        ValueError: If samples are missing.
    """
    kspace = load_coils(path, key)
    truth = image_of_all_samples(kspace)
    if truth is None:
        raise ValueError(
            f"Invalid file {path}. Expected fully sampled k-space, to compare "
            "with. Received: samples that are zero in all coils"
        )
    return kspace, truth


def fit_size(slices, size):
    """Bring images to the matrix of a scan.

    Args:
        slices: `loupe_tf.datasets.Slices`.
        size: Tuple, `(H, W)`. The k-space of larger images is cropped, smaller
            ones get a background of zeros.

    Returns:
        A pair: the images `(n, H, W, 1)`, and the volumes they belong to.
    """
    from loupe_tf.datasets.resize import center_crop_or_pad

    height, width = slices.images.shape[1:3]
    slices = slices.crop_to_acquired(
        (min(height, size[0]), min(width, size[1]))
    )
    images = center_crop_or_pad(slices.images[..., 0], size)[..., None]
    return images, slices.volumes
