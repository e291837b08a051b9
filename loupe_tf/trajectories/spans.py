"""Curves of several resolutions, as projections onto spans of splines."""

import numpy as np


def spans(samples, levels, constraint=None):
    """Return the projections onto coarse curves.

    Args:
        samples: Integer, number of control points.
        levels: Integer. Level l has the span of quadratic splines that are
            `2^l` control points apart; level 0 has all curves.
        constraint: (Optional) `LinearConstraint` with values 0, which all
            curves of all spans obey.

    Returns:
        Float64 array `(levels, samples, samples)`, symmetric and idempotent.
    """
    found = []
    for level in range(levels):
        basis = splines(samples, 2**level) if level else np.eye(samples)
        if constraint is not None:
            # Combinations of the basis that obey.
            _, values, rows = np.linalg.svd(constraint.matrix @ basis)
            rank = (values > 1e-10).sum()
            basis = basis @ rows[rank:].T
        left, values, _ = np.linalg.svd(basis, full_matrices=False)
        left = left[:, values > 1e-8 * values.max()]
        found.append(left @ left.T)
    return np.stack(found)


def splines(samples, step):
    """Return quadratic B-splines `step` samples apart, `(samples, splines)`."""
    count = -(-(samples - 1) // step) + 3
    at = np.arange(samples)[:, None] / step - (np.arange(count) - 1)
    distance = np.abs(at)
    inner, outer = 0.75 - distance**2, 0.5 * (1.5 - distance) ** 2
    return np.where(
        distance <= 0.5, inner, np.where(distance < 1.5, outer, 0.0)
    )
