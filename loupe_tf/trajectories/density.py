"""Densities of samples, for SPARKLING."""

import numpy as np

from loupe_tf.checks import (
    check_choice,
    check_integer,
    check_number,
    invalid,
)

RULES = ("share", "rate")


def learned_density(probability, rule="rate", smoothing=None):
    """Make a density of samples from the probabilities of a learned mask.

    A probability cannot exceed 1: a mask acquires each point of the grid once
    at most, where a curve can pass as often as it likes. So probabilities that
    are all near 1 hide how much more samples the centre is worth.

    - `"rate"`: `-log(1 - P)`, the mean number of samples in a cell that is hit
      at least once with the probability P, if samples fall independently. P is
      cut off at 0.99, which is a rate of 4.6.
    - `"share"`: P itself, divided by its sum (Chaithya, Ramzi and Ciuciu,
      "Learning the sampling density in 2D SPARKLING MRI acquisition for
      optimized image reconstruction", EUSIPCO 2021).

    A mask that is learned to the end is nearly binary, and says which points to
    acquire, not how densely. Averaged over a neighbourhood, it is the share of
    points that are acquired there.

    Args:
        probability: Array `(H, W)` of numbers from 0 to 1 with DC at
            `(H // 2, W // 2)`, such as from
            `loupe_tf.masks.probability_from_model`.
        rule: `"rate"` or `"share"`.
        smoothing: (Optional) float, standard deviation of the Gaussian that P
            is averaged with before the rule, in points of the grid. Defaults to
            a 32nd of the shorter axis; 0 leaves P as it is.

    Returns:
        Array `(H, W)` that sums to 1.

    Example:

    >>> density = learned_density([[0.1, 0.5], [0.5, 1.0]])
    >>> density.round(2)
    array([[0.02, 0.11],
           [0.11, 0.76]])
    """
    check_choice("rule", rule, RULES)
    probability = standardize(probability, "probability", scale=False)
    if probability.max() > 1:
        raise invalid(
            "probability",
            "numbers from 0 to 1",
            found=f"{probability.max():.4g}",
        )
    if smoothing is None:
        smoothing = default_smoothing(probability.shape)
    if check_number("smoothing", smoothing, at_least=0):
        from scipy import ndimage  # Commands start without it.

        probability = ndimage.gaussian_filter(
            probability, smoothing, mode="nearest"
        )
    if rule == "rate":
        probability = -np.log1p(-np.minimum(probability, 0.99))
    return probability / probability.sum()


def default_smoothing(size):
    """The `smoothing` of `learned_density` for a size `(H, W)`."""
    return min(size) / 32


def decaying_density(size, decay=2.0, cutoff=0.1):
    """Make a density that is constant in the centre and falls off outside.

    It is proportional to `min(1, cutoff / |k|)^decay`, |k| in cycles per pixel,
    and 0 outside of the circle |k| = 1/2.

    Args:
        size: Tuple `(H, W)`.
        decay: Float, the power; 0 for a uniform disc.
        cutoff: Float, radius of the constant centre.

    Returns:
        Array `(H, W)` that sums to 1, with DC at `(H // 2, W // 2)`.
    """
    check_number("decay", decay, at_least=0)
    check_number("cutoff", cutoff, above=0, at_most=0.5)
    rows, columns = ((np.arange(n) - n // 2) / n for n in size)
    radius = np.hypot(rows[:, None], columns)
    density = (cutoff / np.maximum(radius, cutoff)) ** decay
    return standardize(np.where(radius <= 0.5, density, 0), "density")


def uniform_density(size):
    """Make a density that is the same in all of k-space, `(H, W)`."""
    return standardize(np.ones(size), "density")


def distance_to_density(trajectory, density, cells=16):
    """Compute how far the samples of a trajectory are from a density.

    It is the total variation `½ Σ |n_c / M - ρ_c|` over square cells of
    k-space: the share of the samples that would have to move, from 0 to 1. Even
    M samples that are drawn from the density are not at 0, but at about
    `0.4 √(C / M)` for C cells of an even density.

    Args:
        trajectory: `Trajectory` of two axes.
        density: Array `(H, W)`, not negative, of any sum, with DC at
            `(H // 2, W // 2)`.
        cells: Integer, number of cells along each axis, at most H and W. Their
            sizes differ by a row if it does not divide H or W.

    Returns:
        Float.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(shots=16, samples=64)
    >>> round(distance_to_density(spokes, uniform_density((64, 64))), 2)
    0.33
    """
    density = standardize(density, "density")
    cells = check_integer("cells", cells, at_least=1)
    size = np.array(density.shape)
    if cells > size.min():
        raise invalid("cells", f"at most {size.min()}, as the density", cells)
    if trajectory.axes != 2:
        raise invalid("trajectory", "two axes", trajectory)
    # A sample belongs to the nearest entry; k and k + 1 are the same.
    nearest = np.rint(trajectory.positions.reshape(-1, 2) * size).astype(int)
    counts = np.zeros(density.shape)
    np.add.at(counts, tuple(((nearest + size // 2) % size).T), 1)
    apart = counts / counts.sum() - density
    for axis, n in enumerate(size):
        first = -(-np.arange(cells) * n // cells)
        apart = np.add.reduceat(apart, first, axis=axis)
    return float(np.abs(apart).sum() / 2)


def standardize(density, name, scale=True):
    """Check a density; return it in float64, with the sum 1."""
    if np.iscomplexobj(density):
        raise invalid(
            name,
            "real numbers, such as the magnitudes of k-space",
            found=f"dtype={np.asarray(density).dtype}",
        )
    density = np.asarray(density, dtype=np.float64)
    if density.ndim != 2 or min(density.shape) < 2:
        raise invalid(
            name, "shape (H, W)", found=f"shape={tuple(density.shape)}"
        )
    for problem, wrong in (
        ("NaN or inf", ~np.isfinite(density)),
        ("negative numbers", density < 0),
    ):
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise invalid(
                name,
                "finite numbers that are not negative",
                found=f"{problem}, {wrong.sum()} in all, the first at {place}",
            )
    if not density.any():
        raise invalid(name, "one that is not 0 everywhere", found="only zeros")
    return density / density.sum() if scale else density
