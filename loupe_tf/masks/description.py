"""What a mask does to an image, in figures."""

import math

import numpy as np

from loupe_tf.checks import check_integer, invalid
from loupe_tf.masks.patterns import distance_from_dc


def density_profile(mask, bins=16):
    """Share of entries acquired, by their distance from DC.

    Args:
        mask: `SamplingMask`.
        bins: Positive integer, the rings of equal width into which distances
            are divided, from 0 to the largest one.

    Returns:
        A pair of float arrays: `bins + 1` edges, in halves of the width and
        height of k-space, and `bins` shares, NaN where a ring is empty.
    """
    bins = check_integer("bins", bins, at_least=1)
    distance = distance_from_dc(mask.shape)
    if mask.lines:  # The axis of size 1 is no distance.
        size = mask.array.size
        distance = np.abs(np.arange(size) - size // 2) / (size / 2)
    distance = distance.ravel()
    edges = np.linspace(0, max(distance.max(), 1e-9), bins + 1)
    total, _ = np.histogram(distance, edges)
    taken, _ = np.histogram(distance[mask.array.ravel()], edges)
    shares = np.full(bins, np.nan)
    np.divide(taken, total, out=shares, where=total > 0)
    return edges, shares


def point_spread(mask):
    """What a zero-filled reconstruction makes of a point.

    The magnitude of the inverse Fourier transform of the mask, divided by its
    peak (Lustig, Donoho and Pauly, MRM 58, 2007).

    Args:
        mask: `SamplingMask`.

    Returns:
        Float array of the shape of the mask, in pixels, 1 at `N // 2`; zeros
        for a mask that acquires nothing.
    """
    spread = np.fft.fftshift(np.abs(np.fft.ifft2(mask.array)))
    return spread * mask.array.size / max(mask.acquired, 1)


def side_lobe(mask):
    """The largest side lobe of the point-spread function.

    A side lobe is a local maximum outside the centre, over the eight
    neighbours of a pixel (two for lines), the image repeated at its edges.

    Args:
        mask: `SamplingMask`.

    Returns:
        A dictionary: `height`, as a share of the peak; `place`, its distance
        `(rows, columns)` from the peak in pixels (of the two at either side
        the one of lower flat index); `off_peak`, the largest of all values but
        the peak, which is mostly the flank of the main lobe (the SPR of
        Lustig, Donoho and Pauly).

    Example:

    >>> side_lobe(SamplingMask([[1, 0, 1, 0, 1, 0, 1, 0]]))  # aliasing
    {'height': 1.0, 'place': (0, -4), 'off_peak': 1.0}
    """
    spread = point_spread(mask)
    centre = tuple(n // 2 for n in mask.shape)
    # Rounding errors are no maxima.
    spread = np.where(spread > 1e-9, spread, 0)
    around = np.zeros_like(spread)
    for rows in (-1, 0, 1):
        for columns in (-1, 0, 1):
            if rows or columns:
                moved = np.roll(spread, (rows, columns), axis=(0, 1))
                # Along an axis of size 1 a pixel is its own neighbour.
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


def overlap(mask, other):
    """What two masks acquire in common.

    Lines are taken along the whole of k-space, so that they can be compared
    with points.

    Args:
        mask, other: Two `SamplingMask`.

    Returns:
        A dictionary: `intersection` and `union`, numbers of entries; `jaccard`,
        the one over the other; `share` and `other_share`, the part of each
        that the other acquires too; `expected_share`, what `share` would be
        by chance, the share of k-space that `other` acquires. Shares of
        nothing are NaN.

    Raises:
        ValueError: If they are not of one size.
    """
    sizes = {m.matrix for m in (mask, other)} - {None}
    fits = all(
        1 in pair or len(set(pair)) == 1
        for pair in zip(mask.shape, other.shape)
    )
    if len(sizes) > 1 or not fits:
        raise invalid(
            "other",
            f"a mask of shape {mask.shape}, matrix {mask.matrix}, or lines of "
            "it",
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


def _first_largest(values):
    """Flat index of the largest value, the lowest of equal ones."""
    # Equal but for rounding.
    return int(np.flatnonzero(values.ravel() >= values.max() - 1e-9)[0])
