"""Choose the best regularization of classical methods for a mask."""

import numpy as np

from loupe_tf.checks import check_choice, invalid
from loupe_tf.evaluation.judging import measure, to_complex
from loupe_tf.masks.centre import judging
from loupe_tf.reconstruction import (
    Grappa,
    Sense,
    TotalVariation,
    WaveletL1,
    ZeroFilled,
    choose_regularization,
)

CLASSICAL = {
    "zero_filled": ZeroFilled(),
    "wavelet_l1": WaveletL1(0.005),
    "total_variation": TotalVariation(0.005),
}
"""Reconstructors that need no training and no second coil, by name.

`tune`, `loupe-tf evaluate` and `loupe-tf reconstruct` look them up here. The
regularization is the one that `loupe-tf reconstruct` takes by default.
"""

OF_COILS = {"sense": Sense(0.01), "grappa": Grappa()}
"""Reconstructors that need several coils and no training, by name.

The same functions and commands look them up here.
"""

REGULARIZATIONS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Values that `tune` tries, relative to the brightest zero-filled pixel.

For `"sense"` they are compared with 1, and for `"grappa"` with the mean
eigenvalue of its calibration.
"""


@judging
def tune(
    method,
    mask,
    images,
    candidates=REGULARIZATIONS,
    slices=4,
    maps=None,
    kspace=None,
):
    """Return a classical reconstructor with its regularization tuned.

    The function calls `choose_regularization` with PSNR on a few validation
    slices, spread evenly over the images. A few are enough: the best value
    hardly differs between slices, and each trial costs a reconstruction.

    Args:
        method: String, a key of `CLASSICAL` or, with maps, of `OF_COILS`.
        mask: `SamplingMask`, or an array with one of its shapes.
        images: Validation images, `(n, H, W, 1)` or `(n, H, W, 2)`. Constant
            images are left out.
        candidates: Sequence of numbers of at least 0.
        slices: Integer, the largest number of images to use.
        maps, kspace: (Optional) sensitivity maps, and k-space with noise; see
            `loupe_tf.evaluation.reconstruct`.

    Returns:
        A pair: the reconstructor, and a dictionary of the mean PSNR by
        candidate, which is empty if there is nothing to choose.

    Raises:
        ValueError: If the method is unknown, if the mask is for another matrix
            size, or if there is no image to choose on.
        ImportError: If sigpy is not installed (the extra `reconstruction`).
    """
    known = CLASSICAL if maps is None else {**CLASSICAL, **OF_COILS}
    reconstructor = known[check_choice("method", method, known)]
    if not hasattr(reconstructor, "regularization"):
        return reconstructor, {}
    images = np.asarray(images)
    rows = spread_slices(images, slices)
    chosen = to_complex(images[rows])
    measured = [
        measure(image, mask, maps, kspace, index)
        for index, image in zip(rows, chosen, strict=True)
    ]
    return choose_regularization(
        reconstructor,
        candidates,
        [samples for samples, _ in measured],
        np.asarray(mask),
        list(np.abs(chosen)),
        [own_maps for _, own_maps in measured],
    )


def spread_slices(images, slices=4):
    """Choose a few images to tune on, spread evenly over all.

    Args:
        images: Array `(n, H, W, 1)` or `(n, H, W, 2)`. Images that are constant
            or not finite are left out.
        slices: Integer, the largest number of images to choose.

    Returns:
        List of the rising indices of the images.

    Raises:
        ValueError: If there is no image to choose.
    """
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    usable = np.flatnonzero(finite & (np.ptp(images, axis=(1, 2, 3)) > 0))
    if not len(usable):
        raise invalid(
            "images",
            "validation images that are not constant",
            found=f"none among {len(images)}",
        )
    # Take the middles of equal parts: the first and last slices show little.
    parts = np.array_split(usable, min(slices, len(usable)))
    return [part[len(part) // 2] for part in parts]
