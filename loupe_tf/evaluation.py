"""What reconstructions are worth, volume by volume.

Slices of one volume are nearly the same image, so that volumes, not slices,
are what a mean and a deviation are taken over.
"""

import numpy as np
from keras import ops

from loupe_tf import metrics

__all__ = ["mean_and_deviation", "paired_difference", "per_volume"]


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


def mean_and_deviation(result, metric):
    """Mean and standard deviation of a metric over volumes.

    Args:
        result: What `per_volume` returns.
        metric: String, `"psnr"`, `"ssim"` or `"nmse"`.
    """
    values = np.array([volume[metric] for volume in result.values()])
    return float(values.mean()), float(values.std())


def paired_difference(result, other, metric="psnr"):
    """By how much one result is above another in each of the same volumes.

    Args:
        result, other: What `per_volume` returns, for the same volumes.
        metric: String, `"psnr"`, `"ssim"` or `"nmse"`.

    Returns:
        Array `(volumes,)`.
    """
    return np.array([result[v][metric] - other[v][metric] for v in result])
