import dataclasses

import numpy as np
from keras import ops
from scipy import ndimage, stats

from loupe_tf.checks import check_integer, check_number, invalid


@dataclasses.dataclass(frozen=True)
class Detail:
    """Evidence of the samples and the scan for a detail; see `check_detail`.

    Attributes:
        contrast: Array `(n,)`, of each sample: the mean modulus in the region,
            less that of the ring around it.
        probability: Float, the share of a normal distribution with the mean and
            the deviation of these numbers that has the sign of their mean:
            1 for a detail that is certain, 0.5 for one that is not known.
        interval: Pair of floats, the interval of 95 % of the contrast.
        measured_share: Float, `‖A d‖² / ‖d‖²` with d the mean less its removal:
            how much of the detail the scan can see. `None` without a scan.
        evidence: Float, the logarithm of the likelihood of the mean over that
            without the detail. Negative if the measurement is more likely
            without. `None` without a scan.
    """

    contrast: np.ndarray
    probability: float
    interval: tuple
    measured_share: float | None = None
    evidence: float | None = None


def check_detail(
    samples, region, width=2, scan=None, measurement=None, sigma=None
):
    """Ask whether a detail of an image is supported, or invented.

    The posterior of the contrast of a region against the ring around it tells
    how sure the detail is. With the scan, the mean image is compared with its
    removal, in which the region continues its ring smoothly (Laplace's
    equation): the gain in log-likelihood

        (‖y - A x̃‖² - ‖y - A x̄‖²) / 2σ²

    is what the measurement says, and the measured share how much it can say. A
    detail of which little is measured comes from the prior.

    Args:
        samples: `PosteriorSamples` of one image, or an array
            `(n, 1, H, W, 1 or 2)`.
        region: Boolean array `(H, W)`, the detail.
        width: Integer ≥ 1, width of the ring in pixels. It ends where the
            image does.
        scan: (Optional) the forward operator.
        measurement: (Optional) array, what was measured; with `scan`.
        sigma: (Optional) number > 0, the noise level. Defaults to that of
            `PosteriorSamples`.

    Returns:
        `Detail`.

    Raises:
        ValueError: If an argument is invalid, or no pixel is around the region.

    Example:

    >>> draws = np.zeros((5, 1, 32, 32, 2))
    >>> draws[:, :, 10:13, 10:13, 0] = np.linspace(0.9, 1.1, 5).reshape(
    ...     5, 1, 1, 1
    ... )
    >>> region = draws[2, 0, ..., 0] > 0
    >>> detail = loupe_tf.posterior.check_detail(draws, region)
    >>> round(detail.probability, 2)
    1.0
    """
    check_integer("width", width, at_least=1)
    if sigma is None:
        sigma = getattr(samples, "sigma", None)
    draws = np.asarray(getattr(samples, "samples", samples), "float64")
    region = np.asarray(region, bool)
    if draws.ndim != 5 or draws.shape[1] != 1 or len(draws) < 3:
        raise invalid(
            "samples",
            "three samples or more of one image, (n, 1, H, W, 1 or 2)",
            found=f"shape={draws.shape}",
        )
    if region.shape != draws.shape[2:4] or not region.any():
        raise invalid(
            "region",
            f"a boolean array of shape {draws.shape[2:4]}, not empty",
            found=f"shape={region.shape}, {region.sum()} pixels",
        )
    ring = ndimage.binary_dilation(region, iterations=width) & ~region
    if not ring.any():
        raise invalid("region", "pixels around it", found="the whole image")
    modulus = np.linalg.norm(draws[:, 0], axis=-1)
    contrast = modulus[:, region].mean(1) - modulus[:, ring].mean(1)
    mean, spread = contrast.mean(), contrast.std(ddof=1)
    spread *= np.sqrt(1 + 1 / len(contrast))
    free = len(contrast) - 1
    sure = 1.0 if spread == 0 else float(stats.t.cdf(abs(mean) / spread, free))
    half = float(stats.t.ppf(0.975, free) * spread)
    found = Detail(contrast, sure, (float(mean - half), float(mean + half)))
    if scan is None:
        return found
    if measurement is None or sigma is None:
        raise invalid(
            "scan", "`measurement` and `sigma` with it", found="not both"
        )
    check_number("sigma", sigma, above=0)
    image = draws.mean(0)
    without = remove(image, region)
    y = ops.convert_to_numpy(measurement)
    with_it, removed = (_forward(scan, each) for each in (image, without))
    gain = np.sum((y - removed) ** 2) - np.sum((y - with_it) ** 2)
    share = np.sum((with_it - removed) ** 2) / np.sum((image - without) ** 2)
    return dataclasses.replace(
        found,
        measured_share=float(share),
        evidence=float(gain / (2 * sigma**2)),
    )


def remove(image, region, iterations=2000):
    """Let a region continue what surrounds it, by Laplace's equation.

    Args:
        image: Array `(batch, H, W, C)`.
        region: Boolean array `(H, W)`.
        iterations: Integer, steps of Jacobi's method.
    """
    image = np.array(image, "float64")
    ring = ndimage.binary_dilation(region) & ~region
    image[:, region] = image[:, ring].mean(1, keepdims=True)
    kernel = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    top, left = (np.flatnonzero(region.any(axis))[0] for axis in (1, 0))
    end, right = (np.flatnonzero(region.any(axis))[-1] for axis in (1, 0))
    box = (
        slice(None),
        slice(max(top - 1, 0), end + 2),
        slice(max(left - 1, 0), right + 2),
    )
    part, inside = image[box], region[box[1:]]
    for _ in range(iterations):
        smooth = ndimage.convolve(
            part, kernel[None, :, :, None], mode="nearest"
        )
        part[:, inside] = smooth[:, inside]
    return image


def _forward(scan, image):
    tensor = ops.convert_to_tensor(image.astype("float32"))
    return ops.convert_to_numpy(scan.forward(tensor)).astype("float64")
