"""Numbers that describe a mask and its effect on an image."""

import math

import numpy as np

from loupe_tf.checks import check_integer, invalid
from loupe_tf.masks.patterns import distance_from_dc


def density_profile(mask, bins=16):
    """Compute the share of acquired entries by distance from DC.

    Args:
        mask: `SamplingMask`.
        bins: Positive integer, the number of rings of equal width, from
            distance 0 to the largest one.

    Returns:
        A pair of float arrays. The `bins + 1` edges are distances relative to
        half the width and height of k-space. The `bins` shares are NaN where a
        ring is empty.
    """
    bins = check_integer("bins", bins, at_least=1)
    distance = distance_from_dc(mask.shape)
    if mask.lines:  # The axis of size 1 does not count.
        size = mask.array.size
        distance = np.abs(np.arange(size) - size // 2) / (size / 2)
    distance = distance.ravel()
    edges = np.linspace(0, max(distance.max(), 1e-9), bins + 1)
    total, _ = np.histogram(distance, edges)
    taken, _ = np.histogram(distance[mask.array.ravel()], edges)
    shares = np.full(bins, np.nan)
    np.divide(taken, total, out=shares, where=total > 0)
    return edges, shares


def acquired_lines(mask):
    """Find which lines around DC have no gap, and the outermost lines.

    Args:
        mask: `SamplingMask` of lines.

    Returns:
        A dictionary. `first` and `last` are the ends of the run of acquired
        lines around DC, in lines from DC, and `number` is how many it has: 0,
        with `None` for the ends, if DC is not acquired. `lowest` and `highest`
        are the ends of all acquired lines, and `farthest` is the largest
        distance of any of them.

    Example:

    >>> acquired_lines(SamplingMask([[1, 0, 1, 1, 1, 1, 0]]))
    {'first': -1, 'last': 2, 'number': 4, 'lowest': -3, 'highest': 2, ...}
    """
    if not mask.lines or not mask.acquired:
        raise invalid(
            "mask", "lines, of which some are acquired", found=str(mask)
        )
    array = mask.array.ravel()
    centre = array.size // 2
    place = np.flatnonzero(array) - centre
    extent = {
        "lowest": int(place.min()),
        "highest": int(place.max()),
        "farthest": int(np.abs(place).max()),
    }
    if not array[centre]:
        return {"first": None, "last": None, "number": 0, **extent}
    gaps = np.flatnonzero(~array) - centre
    first = int(max(gaps[gaps < 0], default=-centre - 1)) + 1
    last = int(min(gaps[gaps > 0], default=array.size - centre)) - 1
    return {
        "first": first,
        "last": last,
        "number": last - first + 1,
        **extent,
    }


def resolution_text(mask):
    """Say how far out the lines of a mask go, and which have no gap.

    The extent of `n` of the `N` lines has pixels of the field of view divided
    by `n`. Where it has gaps, the image of its lines has aliases. The lines
    around DC without a gap have none, and pixels of their own.

    Args:
        mask: `SamplingMask`.

    Returns:
        A text, `""` for points, and for a mask that acquires nothing.

    Example:

    >>> resolution_text(SamplingMask([[1, 0, 1, 1, 1, 0, 0]]))
    'columns -3 to 1, 71 % of the resolution along W; -1 to 1 without a gap...'
    """
    if not mask.lines or not mask.acquired:
        return ""
    size = mask.array.size
    axis = 1 if mask.lines == "columns" else 0
    found = acquired_lines(mask)

    def resolves(number):
        if mask.field_of_view is None:
            return f"{100 * number / size:.0f} % of the resolution"
        return f"{mask.field_of_view[axis] / number:.2f} mm"

    low, high = found["lowest"], found["highest"]
    text = f"{mask.lines} {low} to {high}"
    extent = high - low + 1
    whole = found["number"] == extent
    text += f"{' without a gap' * whole}, {resolves(extent)} along {'HW'[axis]}"
    if mask.field_of_view is not None:
        text += f" where the matrix has {resolves(size)}"
    if whole:
        return text
    if not found["number"]:
        return f"{text}; no {mask.lines[:-1]} at DC"
    return (
        f"{text}; {found['first']} to {found['last']} without a gap, "
        f"{resolves(found['number'])}: beyond, gaps cause aliases that coils "
        "or a network must remove"
    )


def point_spread(mask):
    """Compute the point-spread function of the zero-filled reconstruction.

    This is the magnitude of the inverse Fourier transform of the mask, divided
    by its peak (Lustig, Donoho and Pauly, MRM 58, 2007).

    Args:
        mask: `SamplingMask`.

    Returns:
        Float array with the shape of the mask, over pixels, with the peak 1 at
        `N // 2`. All zeros for a mask that acquires nothing.
    """
    spread = np.fft.fftshift(np.abs(np.fft.ifft2(mask.array)))
    return spread * mask.array.size / max(mask.acquired, 1)


def side_lobe(mask):
    """Find the largest side lobe of the point-spread function.

    A side lobe is a pixel outside the centre that is at least as high as its
    eight neighbours (two for lines), with the image repeated at its edges.

    Args:
        mask: `SamplingMask`.

    Returns:
        A dictionary with three entries. `height` is relative to the peak.
        `place` is the offset `(rows, columns)` from the peak in pixels; lobes
        come in pairs, and this is the one of lower flat index. `off_peak` is
        the largest value outside the peak pixel, usually on the flank of the
        main lobe (the SPR of Lustig, Donoho and Pauly).

    Example:

    >>> side_lobe(SamplingMask([[1, 0, 1, 0, 1, 0, 1, 0]]))  # aliasing
    {'height': 1.0, 'place': (0, -4), 'off_peak': 1.0}
    """
    spread = point_spread(mask)
    centre = tuple(n // 2 for n in mask.shape)
    # Do not take rounding errors for maxima.
    spread = np.where(spread > 1e-9, spread, 0)
    around = np.zeros_like(spread)
    for rows in (-1, 0, 1):
        for columns in (-1, 0, 1):
            if rows or columns:
                moved = np.roll(spread, (rows, columns), axis=(0, 1))
                # Along an axis of size 1, a pixel would be its own neighbour.
                if (rows and mask.shape[0] == 1) or (
                    columns and mask.shape[1] == 1
                ):
                    continue
                around = np.maximum(around, moved)
    lobes = np.where(spread >= around - 1e-9, spread, 0)
    lobes[centre] = 0
    others = spread.copy()
    others[centre] = 0
    index = np.unravel_index(_first_largest(lobes), lobes.shape)
    return {
        "height": float(lobes[index]),
        "place": tuple(int(i - c) for i, c in zip(index, centre, strict=True)),
        "off_peak": float(others.max()),
    }


def side_lobe_text(mask):
    """Say how high the largest side lobe is, and where.

    The height is in percent of the peak, of the magnitudes, not of their
    squares.

    Args:
        mask: `SamplingMask`.

    Returns:
        A text, `"none"` if the point-spread function has no side lobe.

    Example:

    >>> side_lobe_text(SamplingMask([[1, 0, 1, 0, 1, 0, 1, 0]]))
    '100.0 % of the peak, 4 pixels away along W'
    """
    lobe = side_lobe(mask)
    if not lobe["height"]:
        return "none"
    rows, columns = lobe["place"]
    if mask.lines:
        away = abs(rows or columns)
        axis = "H" if mask.lines == "rows" else "W"
        place = f"{away} pixel{'s' * (away > 1)} away along {axis}"
    else:
        place = f"at ({rows}, {columns}) pixels along (H, W)"
    return f"{_percent(lobe['height'])}, {place}"


def off_peak_text(mask):
    """Say how high the flank of the main lobe is, in a pixel beside the peak.

    The largest value outside the peak is either a side lobe or in a pixel
    beside the peak: every pixel that is no lobe has a higher neighbour, which
    then is the peak.

    Args:
        mask: `SamplingMask`.

    Returns:
        A text, `""` if the largest value outside the peak is a side lobe, which
        `side_lobe_text` states.

    Example:

    >>> off_peak_text(SamplingMask([[0, 1, 1, 1, 0, 0]]))
    '66.7 % of the peak, in a neighbouring pixel'
    """
    lobe = side_lobe(mask)
    if lobe["off_peak"] <= lobe["height"] + 1e-9:
        return ""
    return f"{_percent(lobe['off_peak'])}, in a neighbouring pixel"


def overlap(mask, other):
    """Compare the entries that two masks acquire.

    Lines extend over the whole of k-space, so they can be compared with
    points.

    Args:
        mask, other: Two `SamplingMask`s.

    Returns:
        A dictionary. `intersection` and `union` are numbers of entries, and
        `jaccard` is their ratio. `share` is the part of `mask` that `other`
        acquires too, and `other_share` the reverse. `expected_share` is the
        value of `share` expected by chance: the share of k-space that `other`
        acquires. Shares of an empty mask are NaN.

    Raises:
        ValueError: If the sizes of the masks do not match.
    """
    sizes = {m.matrix for m in (mask, other)} - {None}
    fits = all(
        1 in pair or len(set(pair)) == 1
        for pair in zip(mask.shape, other.shape)
    )
    if len(sizes) > 1 or not fits:
        raise invalid(
            "other",
            f"a mask of shape {mask.shape}, matrix {mask.matrix}, or of its "
            "lines",
            found=f"one of shape {other.shape}, matrix {other.matrix}",
        )
    first, second = np.broadcast_arrays(mask.array, other.array)
    both = int(np.sum(first & second))
    union = int(np.sum(first | second))

    def share(part, whole):
        return float(part / whole) if whole else math.nan

    return {
        "intersection": both,
        "union": union,
        "jaccard": share(both, union),
        "share": share(both, int(first.sum())),
        "other_share": share(both, int(second.sum())),
        "expected_share": float(second.mean()),
    }


def _percent(height):
    return f"{100 * height:.1f} % of the peak"


def _first_largest(values):
    """Return the flat index of the largest value; ties go to the lowest."""
    # Values that differ only by rounding count as equal.
    return int(np.flatnonzero(values.ravel() >= values.max() - 1e-9)[0])
