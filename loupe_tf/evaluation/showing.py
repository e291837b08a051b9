"""Choose slices of volumes to show."""

import numpy as np


def middle_slice(volumes, volume=None):
    """Return the index of the middle slice of a volume.

    Args:
        volumes: Array `(n,)`, the name of the volume of each slice.
        volume: Name of the volume. Defaults to that of the first slice.
    """
    # As strings, which results have in the place of numbers.
    names = np.array([str(name) for name in np.asarray(volumes)])
    rows = np.flatnonzero(
        names == (names[0] if volume is None else str(volume))
    )
    return int(rows[len(rows) // 2])


def central_slices(volumes, count=3):
    """Return the indices of slices in the middle of different volumes.

    Args:
        volumes: Array `(n,)`, the name of the volume of each slice.
        count: Integer, number of slices. If there are fewer volumes, several
            slices of each are taken, around the middle.

    Returns:
        A list of `count` integers, or of all `n` if there are fewer.
    """
    volumes = np.asarray(volumes)
    rows = [np.flatnonzero(volumes == name) for name in np.unique(volumes)]
    rows = rows[:count]
    # First the middle, then a sixth of the volume below and above it, and so
    # on. Each slice is taken once.
    places = (0.5, 1 / 3, 2 / 3, 0.25, 0.75)
    order = [int(each[int(p * len(each))]) for p in places for each in rows]
    order += [int(i) for each in rows for i in each]
    return sorted(list(dict.fromkeys(order))[:count])
