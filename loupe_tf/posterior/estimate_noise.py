import numpy as np

from loupe_tf.checks import invalid

# Fewer samples do not tell a standard deviation.
ENOUGH = 32
# The median modulus of a standard normal number.
MEDIAN = 0.6744897501960817


def estimate_noise(kspace, mask=None, corners=True):
    """Estimate the noise of a Cartesian scan from the corners of its k-space.

    The corners are outside the ellipse that touches the edges of k-space. The
    median modulus of real and imaginary parts there, over 0.6745, is the
    standard deviation of Gaussian noise, and a few strong samples do not
    change it. Signal in the corners is counted as noise, so in a scan of high
    quality this is an upper bound. A noise scan, one without a pulse, is better
    if there is one: all of it counts then, on any trajectory.

    Args:
        kspace: Array `(batch, coils, H, W, 2)`, (real, imaginary), with DC at
            `(H // 2, W // 2)`, 0 where nothing was acquired.
        mask: (Optional) array `(1 or batch, H or 1, W or 1, 1)`. By default,
            samples that are not 0 count as acquired.
        corners: Boolean. `False` for a noise scan, `(batch, coils, ..., 2)`,
            of which all samples that are not 0 count.

    Returns:
        Float, σ of the real and of the imaginary part.

    Raises:
        ValueError: If fewer than 32 samples are acquired there.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(scale=0.1, size=(1, 4, 32, 32, 2))
    >>> round(loupe_tf.posterior.estimate_noise(noise), 2)
    0.1
    """
    kspace = np.asarray(kspace)
    if not corners:
        values = np.abs(kspace[kspace != 0])
        if len(values) < ENOUGH or not np.isfinite(values).all():
            raise invalid(
                "kspace",
                f"a noise scan of {ENOUGH} finite numbers or more",
                found=f"shape={kspace.shape}",
            )
        return float(np.median(values) / MEDIAN)
    if kspace.ndim < 4 or kspace.shape[-1] != 2:
        raise invalid(
            "kspace",
            "shape (batch, coils, H, W, 2)",
            found=f"shape={kspace.shape}",
        )
    height, width = kspace.shape[-3:-1]
    y, x = ((np.arange(n) - n // 2) / (n / 2) for n in (height, width))
    corner = np.hypot(y[:, None], x) > 1
    acquired = (kspace != 0).any(-1) & corner
    if mask is not None:
        mask = np.asarray(mask)[..., 0] > 0
        missing = kspace.ndim - 1 - mask.ndim
        mask = mask.reshape(mask.shape[:1] + (1,) * missing + mask.shape[1:])
        acquired = np.broadcast_to(mask & corner, kspace.shape[:-1])
    values = np.abs(kspace[acquired])
    if len(values) < ENOUGH:
        raise invalid(
            "sigma",
            f"the noise level, since fewer than {ENOUGH} samples are acquired "
            "in the corners of k-space, from which it could be estimated",
            found=f"{len(values)} samples there",
        )
    return float(np.median(values) / MEDIAN)
