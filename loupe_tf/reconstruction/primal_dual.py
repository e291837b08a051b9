"""Least squares with a penalty of the magnitudes of a linear transform."""

import numpy as np

from loupe_tf.reconstruction.sigpy_problem import import_sigpy

MUCH, SOME, LONGEST = 0.2, 0.8, 0.36
"""When to restart: after much progress, after some that has ended, or after
this share of all iterations."""

SINGLE = 400
"""After so many iterations, rounding limits single precision: the next restart
goes on in double, which takes twice the time."""


def minimize_magnitudes(
    operator, measured, transform, weight, norm, dual_step, iterations
):
    """Solve `min over x of ½ ‖A x - y‖₂² + λ ‖G x‖₁`.

    It is the primal-dual method of Chambolle and Pock with reflected Halpern
    iterations that are restarted when their residual has fallen (Lu and Yang,
    "Restarted Halpern PDHG for linear programming", 2024). At each restart, the
    ratio of the step sizes moves halfway to that of the distances that both
    variables have come since the last one (Applegate et al., "Practical
    large-scale linear programming using primal-dual hybrid gradient", 2021),
    but not below its first value, which suits masks without a centre.

    Args:
        operator: `sigpy.linop.Linop` A.
        measured: Complex array y, the output of A.
        transform: `sigpy.linop.Linop` G.
        weight: Float of at least 0, λ.
        norm: Float, an upper bound of `‖A‖² + ‖G‖²`.
        dual_step: Float, the first step size of the dual variables.
        iterations: Positive integer.

    Returns:
        Array x, complex.
    """
    both = import_sigpy().linop.Vstack([operator, transform])
    measured = measured.ravel()

    def proximal(dual, step):
        samples, edges = np.split(dual, [measured.size])
        samples = (samples - step * measured) / (1 + step)
        size = np.maximum(np.abs(edges), max(weight, 1e-30))
        return np.concatenate([samples, edges * (weight / size)])

    least = dual_step
    step = 1 / (norm * dual_step)
    # An image, its dual variables, and what the adjoint makes of these.
    point = start = (
        np.zeros(both.ishape, measured.dtype),
        np.zeros(both.oshape, measured.dtype),
        np.zeros(both.ishape, measured.dtype),
    )
    since, first, before = 0, None, None
    for iteration in range(1, iterations + 1):
        image, dual, pulled = point
        moved = image - step * pulled
        ahead = both(2 * moved - image)
        dual = proximal(dual + dual_step * ahead, dual_step)
        reached = moved, dual, both.H(dual)
        residual = _residual(reached, point, step, dual_step)
        first = residual if since == 0 else first
        if since > 0 and (
            residual <= MUCH * first
            or before < residual <= SOME * first
            or since >= max(LONGEST * iteration, 10)
        ):
            ratio = _distances(reached, start) / norm**0.5
            halfway = (dual_step * ratio) ** 0.5
            dual_step = max(min(halfway, 10 * dual_step), least)
            step = 1 / (norm * dual_step)
            if iteration >= SINGLE:
                reached = tuple(part.astype(np.complex128) for part in reached)
            point = start = reached
            since = 0
        else:
            share = (since + 1) / (since + 2)
            point = tuple(
                share * (2 * new - old) + (1 - share) * anchor
                for new, old, anchor in zip(reached, point, start)
            )
            since += 1
        before = residual
    return moved


def _residual(reached, point, step, dual_step):
    """The distance between points, in the norm that the iteration contracts."""
    image, dual, pulled = (new - old for new, old in zip(reached, point))
    crossed = float(np.sum((image.conj() * pulled).real))
    square = _square(image) / step + _square(dual) / dual_step - 2 * crossed
    return max(square, 0.0) ** 0.5


def _distances(reached, start):
    """How far the dual variables have come, for one unit of the image."""
    image, dual, _ = (new - old for new, old in zip(reached, start))
    return (_square(dual) / max(_square(image), 1e-30)) ** 0.5


def _square(array):
    # BLAS would start threads for it, which a busy machine waits for.
    return float(np.sum(array.real**2 + array.imag**2))
