"""A scan with several coils."""

import numpy as np

from loupe_tf.formats import load_coils
from loupe_tf.reconstruction import adjoint, espirit_maps


def image_of_all_samples(kspace):
    """Return the reference image for reconstructions from fewer samples.

    Args:
        kspace: Complex array `(coils, H, W)`. Samples that are zero in all
            coils count as not acquired.

    Returns:
        Array `(H, W)`, the magnitudes of the SENSE combination with ESPIRiT
        maps; `None` if not all samples were acquired.
    """
    acquired = np.any(kspace != 0, axis=0)
    if not acquired.all():
        return None
    return np.abs(adjoint(kspace, acquired, espirit_maps(kspace, acquired)))


def load_scan(path, key=None):
    """Load a fully sampled scan to test lines on.

    Args:
        path, key: Arguments of `loupe_tf.formats.load_coils`.

    Returns:
        A pair: k-space, complex `(coils, H, W)`, and the result of
        `image_of_all_samples`.

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
    """Bring images to the matrix size of a scan.

    Args:
        slices: `loupe_tf.datasets.Slices`.
        size: Tuple, `(H, W)`. The k-space of larger images is cropped, and
            smaller images are zero-padded.

    Returns:
        A pair: the images `(n, H, W, 1)`, and their volumes.
    """
    from loupe_tf.datasets.resize import center_crop_or_pad

    height, width = slices.images.shape[1:3]
    slices = slices.crop_to_acquired(
        (min(height, size[0]), min(width, size[1]))
    )
    images = center_crop_or_pad(slices.images[..., 0], size)[..., None]
    return images, slices.volumes
