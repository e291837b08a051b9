"""What reconstructions are worth, volume by volume.

Slices of one volume are nearly the same image, so that volumes, not slices,
are what a mean and a deviation are taken over.
"""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.evaluation.statistics import mean_and_deviation


def per_volume(images, outputs, volumes):
    """Mean PSNR, SSIM and NMSE over the slices of each volume.

    Args:
        images: True images, `(n, H, W, 1)`, divided by their volume's maximum.
        outputs: Reconstructions, same shape.
        volumes: Array `(n,)`, the volume that each slice belongs to.

    Returns:
        A dict, by the name of the volume, of dicts with the floats `"psnr"`
        (`-10 log10(MSE)`), `"ssim"` and `"nmse"`; see `loupe_tf.metrics`.
    """
    from keras import ops

    from loupe_tf import metrics

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


def fastmri_metrics(volume, output):
    """PSNR, SSIM and NMSE of one volume in the convention of fastMRI.

    Its paper (Zbontar et al., arXiv:1811.08839, section 6.2) takes the volume
    as one image: with v the true volume, v̂ its reconstruction and N voxels,

        NMSE = ‖v̂ - v‖² / ‖v‖²,    PSNR = 10 log10(N max(v)² / ‖v̂ - v‖²)

    and SSIM, with the 7×7 uniform window, is the mean over slices with the
    maximum of the volume as the range.

    Args:
        volume: True magnitude images of one volume, `(slices, H, W)` or
            `(slices, H, W, 1)`, in any unit.
        output: Reconstructions, same shape and unit.

    Returns:
        Dict of the floats `"psnr"` (at most 100), `"ssim"` and `"nmse"`.

    Raises:
        ValueError: If the shapes differ, the volume is not finite, or is zero
            everywhere, for which none of the three is defined.
    """
    from keras import ops

    from loupe_tf import metrics

    volume, output = (
        np.asarray(x, "float64").reshape(np.shape(x)[:3])
        for x in (volume, output)
    )
    if volume.shape != output.shape:
        raise invalid(
            "output", f"shape {volume.shape}", found=f"shape={output.shape}"
        )
    peak = volume.max()
    if not (np.isfinite(volume).all() and peak > 0):
        raise invalid(
            "volume",
            "finite magnitudes that are not zero everywhere",
            found=f"values from {volume.min()} to {peak}",
        )
    error = float(np.mean((output - volume) ** 2))
    ssim = metrics.ssim(
        volume[..., None] / peak, output[..., None] / peak, window="uniform"
    )
    return {
        "psnr": -10 * float(np.log10(max(error / peak**2, 1e-10))),
        "ssim": float(np.mean(ops.convert_to_numpy(ssim))),
        "nmse": error / float(np.mean(volume**2)),
    }


def worse_than_zero_filled(name, result, zero_filled):
    """What to say of a reconstruction that is no better than none.

    Args:
        name: String, of the reconstruction: the subject of the sentence.
        result: What `per_volume` returns of it.
        zero_filled: The same of the zero-filled images of the same mask.

    Returns:
        A string, a sentence or two; `None` where PSNR and SSIM are not below
        those of zero filling.
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
    return (
        f"{name} is worse than zero filling with the same mask: "
        f"{', '.join(worse)}. Likely reasons are too few epochs, a learning "
        "rate that is too high or too low, images normalised in another way "
        "than those of the training, and other data than those. Such figures "
        "say nothing of the mask."
    )
