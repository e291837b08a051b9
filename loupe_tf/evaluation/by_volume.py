"""Quality of reconstructions, volume by volume.

Slices of one volume are nearly the same image, so means and deviations are
taken over volumes, not over slices.
"""

import numpy as np

from loupe_tf.evaluation.statistics import mean_and_deviation


def per_volume(images, outputs, volumes):
    """Compute the mean PSNR, SSIM and NMSE over the slices of each volume.

    Args:
        images: True images, `(n, H, W, 1)`, divided by the maximum of their
            volume.
        outputs: Reconstructions, same shape.
        volumes: Array `(n,)`, the name of the volume of each slice.

    Returns:
        A dictionary with an entry for each volume, by name. Each entry is a
        dictionary of the floats `"psnr"` (`-10 log10(MSE)`), `"ssim"` and
        `"nmse"`; see `loupe_tf.metrics`.
    """
    from keras import ops

    from loupe_tf import metrics

    volumes = np.asarray(volumes)
    values = {
        "psnr": metrics.psnr(images, outputs),
        "ssim": metrics.ssim(images, outputs),
        "nmse": metrics.nmse(images, outputs),
    }
    values = {k: ops.convert_to_numpy(v) for k, v in values.items()}
    return {
        str(volume): {
            name: float(np.mean(value[volumes == volume]))
            for name, value in values.items()
        }
        for volume in np.unique(volumes)
    }


def worse_than_zero_filled(name, result, zero_filled, trained=True):
    """Describe a reconstruction that is worse than zero filling.

    Args:
        name: String, name of the reconstruction, the subject of the sentence.
        result: The result of `per_volume` for the reconstruction.
        zero_filled: The result of `per_volume` for the zero-filled images of
            the same mask.
        trained: Boolean, whether the reconstruction comes from training, which
            decides what the reasons may be.

    Returns:
        A string of a few sentences, or `None` if neither PSNR nor SSIM is
        below that of zero filling.
    """
    worse = []
    for metric, unit, digits in (("psnr", " dB", 2), ("ssim", "", 4)):
        own, other = (
            mean_and_deviation(each, metric)[0]
            for each in (result, zero_filled)
        )
        if not own >= other:
            worse.append(
                f"{metric.upper()} {own:.{digits}f}{unit} instead of "
                f"{other:.{digits}f}{unit}"
            )
    if not worse:
        return None
    reasons = (
        "too few epochs, a learning rate that is too high or too low, images "
        "normalised differently from the training images, and images of "
        "another kind, such as with a phase that those of the training lack"
        if trained
        else "a method that does not fit this mask, and a regularization that "
        "does not fit these images"
    )
    return (
        f"{name} is worse than zero filling with the same mask: "
        f"{', '.join(worse)}. Likely reasons are {reasons}. Such figures say "
        "nothing about the mask."
    )
