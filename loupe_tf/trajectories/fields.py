"""Forces that draw samples to a density, and away from each other.

The potential of two points is their distance, so that forces have the length 1
at any distance: samples k with the density ρ have the energy

    F = 1/M Σ_i ∫ |x - k_i| ρ(x) dx - 1/(2M²) Σ_i Σ_j |k_i - k_j|

Attraction by the density less repulsion of each pair (Boyer et al., "On the
generation of sampling schemes for magnetic resonance imaging", SIAM J. Imaging
Sci., 2016). Its least value is where the samples halftone the density.
"""

import functools

import numpy as np

# Pairs that are computed at once: 16 MB.
CHUNK = 2_000_000
MOST_REFINED = 400


class Field:
    """Potential and force of charges on a grid, anywhere in k-space.

    The sums over all charges are convolutions with `|x|` and `x / |x|`, by FFT;
    between the points of the grid they are interpolated linearly.

    Args:
        charges: Array `(H, W)`; the entry `(i, j)` lies at
            `((i - H // 2) / H, (j - W // 2) / W)`.
    """

    def __init__(self, charges):
        from scipy.fft import irfft2, rfft2  # Commands start without it.

        self.size = charges.shape
        grid, kernels = _kernels(self.size)
        transformed = rfft2(charges, grid)
        maps = [
            irfft2(transformed * kernel, grid)[: self.size[0], : self.size[1]]
            for kernel in kernels
        ]
        self.maps = np.stack(maps, axis=-1)

    def at(self, positions):
        """Return potential `(M,)` and its gradient `(M, 2)` at positions."""
        index, weights = corners(positions, self.size)
        values = self.maps.reshape(-1, 3)[index]
        values = (weights[..., None] * values).sum(axis=0)
        return values[:, 0], values[:, 1:]


def refined(density):
    """Spread each entry of a density over its cell: 3 × 3 entries.

    Samples are then drawn to a cell rather than to its centre. A position
    beyond -1/2 comes in again at 1/2, where the same samples are. A density of
    more than `MOST_REFINED` entries along an axis is fine enough.

    Args:
        density: Array `(H, W)`.

    Returns:
        Array `(3 H, 3 W)` of the same sum, or the density.
    """
    if max(density.shape) > MOST_REFINED:
        return density
    index = []
    for n in density.shape:
        places = (np.arange(3 * n) - 3 * n // 2) / 3
        index.append((np.rint(places).astype(int) + n // 2) % n)
    return density[np.ix_(*index)] / 9


def spread(positions, size):
    """Share unit charges among the points of the grid around them.

    Args:
        positions: Array `(M, 2)`.
        size: Tuple `(H, W)`.

    Returns:
        Array `(H, W)`, with the sum M.
    """
    index, weights = corners(positions, size)
    total = np.bincount(index.ravel(), weights.ravel(), size[0] * size[1])
    return total.reshape(size)


@functools.lru_cache(maxsize=2)
def _kernels(size):
    """Return the padded grid, and the transforms of `|x|` and `x / |x|`."""
    from scipy.fft import next_fast_len, rfft2

    grid = tuple(next_fast_len(2 * n, real=True) for n in size)
    rows, columns = (
        (np.arange(g) - g * (np.arange(g) >= n)) / n for n, g in zip(size, grid)
    )
    rows, columns = np.meshgrid(rows, columns, indexing="ij")
    distance = np.hypot(rows, columns)
    across = np.where(distance > 0, distance, 1.0)
    return grid, [
        rfft2(kernel) for kernel in (distance, rows / across, columns / across)
    ]


def corners(positions, size):
    """Return the four grid points around positions, and their weights.

    Returns:
        Two arrays `(4, M)`: flat indices, and weights that sum to 1.
    """
    places = positions * size + np.array([n // 2 for n in size])
    places = np.clip(places, 0, np.array(size) - 1)
    low = np.minimum(places.astype(int), np.array(size) - 2)
    share = places - low
    index, weights = [], []
    for down in (0, 1):
        for right in (0, 1):
            at = low + (down, right)
            index.append(at[:, 0] * size[1] + at[:, 1])
            part = np.abs(1 - np.array([down, right]) - share)
            weights.append(part.prod(axis=1))
    return np.stack(index), np.stack(weights)


def repulsion(positions):
    """Sum over all pairs.

    Args:
        positions: Array `(M, 2)`.

    Returns:
        Potential `(M,)`, `Σ_j |k_i - k_j|`, and its gradient `(M, 2)`.
    """
    from scipy.spatial.distance import cdist

    potential = np.empty(len(positions))
    force = np.empty_like(positions)
    rows = max(CHUNK // len(positions), 1)
    with_one = np.concatenate([positions, np.ones((len(positions), 1))], 1)
    for start in range(0, len(positions), rows):
        part = positions[start : start + rows]
        distances = cdist(part, positions)
        potential[start : start + rows] = distances.sum(axis=1)
        # A sample does not push itself, nor one at the same place.
        np.divide(1, distances, out=distances, where=distances > 1e-9)
        sums = distances @ with_one
        force[start : start + rows] = part * sums[:, 2:] - sums[:, :2]
    return potential, force
