"""Detect from images how far out k-space was acquired."""

import numpy as np

from loupe_tf.numpy_fourier import fft2c

# A fall of the spectrum counts as an edge if the power falls by DROP (in
# decades) within WINDOW, a share of the distance from the centre to Nyquist,
# and behind it falls at no more than SLOWER times that rate.
WINDOW = 0.06
DROP = 0.5
SLOWER = 0.45
# Closer to the centre than this share, an edge must be higher, quadratically.
STEEP = 0.5
# Minimum distance of an edge from Nyquist, as a share: a closer edge looks like
# a filter.
OUTSIDE = 0.03
# A line counts as acquired if its power is at least twice the floor, and if it
# exceeds the floor by at least this share of the fall.
ABOVE_FLOOR = np.log10(2)
SHARE = 0.2


def log_power(images):
    """Return the mean log-power spectrum of images.

    The mean of the logarithms is not dominated by a few bright slices, and it
    falls by decades where nothing was acquired.

    Args:
        images: Array of shape `(n, H, W)`, magnitude or complex. Images that
            are zero everywhere are skipped.

    Returns:
        A float64 array of shape `(H, W)`, the mean of `log10(|F x|²)`, with DC
        at `(H // 2, W // 2)`, and the number of images in the mean. The array
        is NaN if there are none.
    """
    total, count = np.zeros(np.shape(images)[1:]), 0
    for image in images:
        power = np.abs(fft2c(image)) ** 2
        largest = power.max()
        if largest > 0:
            # Smaller powers are rounding errors.
            total += np.log10(np.maximum(power, 1e-18 * largest))
            count += 1
    return (total / count if count else np.full_like(total, np.nan)), count


def acquired_extent(spectrum, count, is_complex=False):
    """Find the acquired, centred part of k-space.

    Along each axis this looks for the line behind which the power has fallen to
    a floor, abruptly or by a steep filter. Zero-filled lines are not exactly
    zero in magnitude images, because taking the magnitude spreads a little
    power everywhere.

    A border cannot be seen if it is narrower than 3 % of the axis (or than two
    lines) on either side, or if the signal drops into the noise or the floor
    before the border starts. Images that were interpolated or strongly blurred
    also count as bordered: their spectrum falls steeply into noise, and there
    is nothing beyond.

    Args:
        spectrum: Array of shape `(H, W)`, as returned by `log_power`.
        count: Integer, the number of images in the mean.
        is_complex: Boolean, whether the images are complex. The two sides of
            an axis are then examined separately.

    Returns:
        A tuple `(h, w)`: the number of acquired lines along each axis, `H` or
        `W` if there is no border.
    """
    return tuple(
        acquired_lines(
            axis_profile(spectrum, axis),
            count * spectrum.shape[1 - axis],
            is_complex,
        )
        for axis in (0, 1)
    )


def acquired_lines(profile, number, is_complex=False):
    """Find the acquired lines along one axis.

    Args:
        profile: Array of shape `(N,)`, as returned by `axis_profile`.
        number: Integer, the number of images times the number of entries
            across the axis.
        is_complex: As in `acquired_extent`.

    Returns:
        An integer, the number of lines, `N` if there is no border.
    """
    n = len(profile)
    low, high = profile[n // 2 :: -1], profile[n // 2 :]
    # The profile uses a quarter of the entries; real images have each twice.
    error = _error(number / 8)
    if is_complex:
        edges = [_edge(half, error, n / 2) for half in (low, high)]
        if None in edges:
            return n
        # The smallest centred extent that includes both sides.
        return max(2 * edges[0][0], 2 * edges[1][0] + 1)
    # The spectrum of real images is the same on both sides.
    shorter = min(len(low), len(high))
    edge = _edge((low[:shorter] + high[:shorter]) / 2, error, n / 2)
    return n if edge is None else 2 * edge[0] + n % 2


def corner_radius(spectrum, count, extent):
    """Find a circle or an ellipse outside which k-space is empty.

    Args:
        spectrum, count: As in `acquired_extent`.
        extent: Tuple `(h, w)`, the acquired lines along the axes.

    Returns:
        `None`, or a tuple `(radii, share)`: the semi-axes as fractions of
        Nyquist, and the share of the acquired rectangle outside the ellipse.
    """
    distances = [np.abs(np.arange(n) - n // 2) for n in spectrum.shape]
    # Exclude the filtered rim of the rectangle.
    inside = np.logical_and.outer(
        *(d < 0.47 * m for d, m in zip(distances, extent))
    )
    rectangle = np.logical_and.outer(
        *(d <= m / 2 for d, m in zip(distances, extent))
    )
    found = []
    for scale in {spectrum.shape, tuple(extent)}:
        radius = np.hypot.outer(*(2 * d / m for d, m in zip(distances, scale)))
        bins = min(spectrum.shape) // 2
        index = np.floor(radius[inside] * bins).astype(int)
        number = np.bincount(index)
        last = np.flatnonzero(number >= 4).max(initial=0) + 1
        sums = np.bincount(index, spectrum[inside])
        # Each bin has at least one entry: bins are at least one line wide.
        profile = (sums / np.maximum(number, 1))[:last]
        edge = _edge(profile, _error(4 * count), bins)
        if edge is not None and edge[0] >= 0.75 * bins:
            at = (edge[0] + 0.5) / bins
            radii = tuple(at * m / n for m, n in zip(scale, spectrum.shape))
            share = float(np.mean(radius[rectangle] > at))
            found.append((edge[1], radii, share))
    if not found:
        return None
    _, radii, share = max(found)
    return radii, share


def axis_profile(spectrum, axis):
    """Return the mean spectrum along an axis, near the centre of the other.

    Far from the centre, a circular filter would look like a border.
    """
    n = spectrum.shape[1 - axis]
    distance = np.abs(np.arange(n) - n // 2)
    # Skip the line through DC, which has the sharp edges of the field of view.
    keep = (distance <= max(n / 8, 1)) & (distance > 0)
    return np.compress(keep, spectrum, axis=1 - axis).mean(axis=1 - axis)


def _error(number):
    """Standard deviation of the mean of `number` log10-powers of noise."""
    # The power of complex Gaussian noise is exponentially distributed.
    return 0.557 / np.sqrt(max(number, 1))


def _edge(profile, error, nyquist):
    """Find where a profile from the centre outwards falls to a floor.

    Args:
        profile: Array, the mean log10-power at each distance from the centre.
        error: Float, the standard deviation of the profile for pure noise.
        nyquist: Float, the distance of Nyquist from the centre.

    Returns:
        `None`, or the last index above the floor and the height of the fall in
        decades.
    """
    last = len(profile) - 1
    width = max(2, round(WINDOW * nyquist))
    outside = max(2, int(np.ceil(OUTSIDE * nyquist)))
    places = np.arange(2 * width, last - outside + 2)
    if len(places) == 0:
        return None
    before = (profile[places - width] - profile[places]) / width
    reach = np.minimum(width, last - places)
    after = (profile[places] - profile[places + reach]) / reach
    # Near the centre every spectrum is steep.
    least = DROP * np.maximum(1, STEEP * nyquist / places) ** 2
    sharp = (before * width >= np.maximum(least, 8 * error)) & (
        after <= SLOWER * before
    )
    if not sharp.any():
        return None
    best = np.argmax(np.where(sharp, before - after, -np.inf))
    place, drop = places[best], before[best] * width
    beyond = np.arange(place, min(place + 3 * width, last) + 1)
    slope, level = 0.0, np.median(profile[beyond])
    if len(beyond) >= 6:
        slope, level = np.polyfit(beyond - place, profile[beyond], 1)
    above = max(ABOVE_FLOOR, SHARE * drop)
    while place > 0:
        if profile[place] > level + slope * (place - beyond[0]) + above:
            break
        place -= 1
    return int(place), float(drop)
