"""Which slices of volumes to show."""

import numpy as np


def middle_slice(volumes, volume=None):
    """Index of the middle slice of a volume: one to show.

    Args:
        volumes: Array `(n,)`, the volume that each slice belongs to.
        volume: Name of the volume; by default that of the first slice.
    """
    volumes = np.asarray(volumes)
    rows = np.flatnonzero(volumes == (volumes[0] if volume is None else volume))
    return int(rows[len(rows) // 2])


def central_slices(volumes, count=3):
    """Indices of slices to show: those in the middle of different volumes.

    Args:
        volumes: Array `(n,)`, the volume that each slice belongs to.
        count: Integer, how many slices. Where there are fewer volumes,
            several slices of each are taken, around its middle.

    Returns:
        A list of `count` integers, or of `n`, if there are fewer.
    """
    volumes = np.asarray(volumes)
    rows = [np.flatnonzero(volumes == name) for name in np.unique(volumes)]
    rows = rows[:count]
    # The middle first, then a sixth of the volume below and above it, and so
    # on; each slice once.
    places = (0.5, 1 / 3, 2 / 3, 0.25, 0.75)
    order = [int(each[int(p * len(each))]) for p in places for each in rows]
    order += [int(i) for each in rows for i in each]
    return sorted(list(dict.fromkeys(order))[:count])
