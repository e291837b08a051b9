"""The metrics of one volume as fastMRI defines them, in double precision."""

import numpy as np

from loupe_tf.checks import invalid

WINDOW = 7
"""Side of the window of SSIM."""


def fastmri_metrics(volume, output):
    """Compute PSNR, SSIM and NMSE of one volume as fastMRI does.

    The fastMRI paper (Zbontar et al., arXiv:1811.08839, section 6.2) treats the
    volume as one image. With v the true volume, v̂ its reconstruction and N
    voxels,

        NMSE = ‖v̂ - v‖² / ‖v‖²,    PSNR = 10 log10(N max(v)² / ‖v̂ - v‖²)

    SSIM has the 7×7 uniform window and the maximum of the volume as the range,
    and is averaged over slices. All values are computed in float64.

    Args:
        volume: True magnitude images of one volume, `(slices, H, W)` or
            `(slices, H, W, 1)`, in any unit.
        output: Reconstructions, same shape and unit.

    Returns:
        Dictionary of the floats `"psnr"` (at most 100), `"ssim"` and `"nmse"`.

    Raises:
        ValueError: If the shapes differ, or if the volume is not finite or
            zero everywhere, for which the metrics are not defined.
    """
    volume, output, peak = _checked(volume, output)
    error = float(np.mean((output - volume) ** 2))
    return {
        "psnr": -10 * float(np.log10(max(error / peak**2, 1e-10))),
        "ssim": float(np.mean(_similarity(volume / peak, output / peak))),
        "nmse": error / float(np.mean(volume**2)),
    }


def foreground(volume):
    """Find the pixels of a volume that are not background, by Otsu's method.

    The threshold splits the histogram of all pixels, in 256 bins from the
    smallest to the largest value, into two classes of pixels whose means
    differ most,

        t = argmax w₀(t) w₁(t) (μ₀(t) - μ₁(t))²

    with w the shares of the classes (N. Otsu, "A threshold selection method
    from gray-level histograms", IEEE Trans. SMC 1979).

    Args:
        volume: Magnitude images, `(slices, H, W)`, or an array of any other
            shape.

    Returns:
        Boolean array of the same shape, `True` above the threshold, the edge
        between two bins.

    Raises:
        ValueError: If values are not finite or all equal.
    """
    volume = np.asarray(volume, "float64")
    low, high = volume.min(), volume.max()
    if not (np.isfinite(volume).all() and low < high):
        raise invalid(
            "volume",
            "finite values that differ",
            found=f"values from {low} to {high}",
        )
    counts, edges = np.histogram(volume, 256)
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above, rest = below[-1] - below, sums[-1] - sums
    # The last bin leaves none above.
    below, above, sums, rest = (x[:-1] for x in (below, above, sums, rest))
    between = below * above * (sums / below - rest / above) ** 2
    return volume >= edges[1 + np.argmax(between)]


def foreground_ssim(volume, output):
    """Compute the SSIM of fastMRI where a volume is not background.

    Noise in the background is as large a part of the SSIM of a whole image as
    the background is of its area, though no reader looks at it. This is the
    mean over the positions whose window is centred in `foreground(volume)`.

    Args:
        volume, output: As for `fastmri_metrics`.

    Returns:
        Float.

    Raises:
        ValueError: As `fastmri_metrics`, and if all values of the volume are
            equal.
    """
    volume, output, peak = _checked(volume, output)
    edge = WINDOW // 2
    inside = foreground(volume)[:, edge:-edge, edge:-edge]
    return float(np.mean(_similarity(volume / peak, output / peak)[inside]))


def _checked(volume, output):
    """Return the pair as float64 `(slices, H, W)`, and the maximum."""
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
    if min(volume.shape[1:]) < WINDOW:
        raise invalid(
            "volume",
            f"H and W of at least {WINDOW}, the width of the window",
            found=f"shape={volume.shape}",
        )
    return volume, output, float(peak)


def _similarity(x, y):
    """Return SSIM at each position of the window, for the range 1.

    The definition is that of `loupe_tf.metrics.ssim` with the uniform window.

    Args:
        x, y: Float64 arrays `(slices, H, W)`.

    Returns:
        Float64 array `(slices, H - 6, W - 6)`.
    """
    mean_x, mean_y = _local_mean(x), _local_mean(y)
    bias = WINDOW**2 / (WINDOW**2 - 1)
    squares, product = mean_x**2 + mean_y**2, mean_x * mean_y
    variances = bias * (_local_mean(x * x + y * y) - squares)
    covariance = bias * (_local_mean(x * y) - product)
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * product + c1) * (2 * covariance + c2)) / (
        (squares + c1) * (variances + c2)
    )


def _local_mean(x):
    """Return the mean of each window that lies inside the images."""
    for axis in (1, 2):
        size = x.shape[axis] - WINDOW + 1
        x = sum(
            np.take(x, range(i, i + size), axis=axis) for i in range(WINDOW)
        )
        x = x / WINDOW
    return x
