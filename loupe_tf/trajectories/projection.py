"""Projection of curves onto what hardware can run."""

import numpy as np

from loupe_tf.checks import check_integer, invalid

# Second differences are halved, so that both have a norm of at most 2.
HALF = 0.5
# ‖D‖² + ‖D² / 2‖² + ‖I‖² ≤ 4 + 4 + 1.
BEND = 9.0
# Just inside of k-space, which ends at 1/2.
EXTENT = 0.5 - 1e-6
# Rounding near 1/2 moves differences by less.
ROUNDING = {"float32": 4e-7, "float64": 1e-14}
# Share of the speed left to files, which round a gradient's peak to six digits.
FILES = 3e-5
TINY = 1e-30


def project(curves, limits, constraint=None, iterations=200, duals=None):
    """Project curves onto those that hardware can run.

    The control points c of a shot are feasible if

        |c_{j+1} - c_j| ≤ speed,  |c_{j-1} - 2 c_j + c_{j+1}| ≤ acceleration,
        |c_j| ≤ 1/2 along each axis,  A c = t

    The closest feasible ones are found by accelerated gradient descent on the
    dual problem (Chauffert et al., "A projection algorithm for gradient
    waveforms design in magnetic resonance imaging", IEEE TMI, 2016); the
    acceleration of a shot starts anew when it leads astray (O'Donoghue and
    Candès, "Adaptive restart for accelerated gradient schemes", 2015).

    What any number of iterations leaves beyond a limit is removed in the end:
    such a shot is moved towards a curve at rest, by as little as it takes. So
    no limit is ever broken, also after rounding to float32.

    Args:
        curves: `(shots, samples, axes)`, control points, see `control_points`.
            A NumPy array is projected in float64, a tensor in float32.
        limits: `Limits`, see `Hardware.limits`.
        constraint: (Optional) `LinearConstraint`, such as `Pins`.
        iterations: Integer. From a feasible curve with noise that breaks the
            limits 7 times, 50 leave an excess of 1 % before the end; 80 times,
            400.
        duals: (Optional) the duals of an earlier projection, of similar curves.

    Returns:
        Pair: the projected curves, and duals for the next projection.
    """
    check_integer("iterations", iterations, at_least=1)
    problem = _Problem(curves, limits, constraint)
    if duals is None:
        duals = problem.zeros()
    step, state = problem.step, (*duals, *duals, problem.ones())
    if problem.xp is np:
        for _ in range(iterations):
            state = step(*state)
    else:
        state = problem.xp.fori_loop(
            0, iterations, lambda _, s: step(*s), state
        )
    duals = state[:3]
    return problem.mend(problem.curves_of(duals)), duals


def mend(curves, limits, constraint=None):
    """Move shots that break a limit towards rest, by as little as it takes.

    The result is differentiable in the curves, with the share of the way held.

    Args:
        curves: `(shots, samples, axes)`, control points that obey the
            constraint.
        limits, constraint: See `project`.
    """
    return _Problem(curves, limits, constraint).mend(curves)


class _Problem:
    """The dual problem: its duals are of both differences, and of the place."""

    def __init__(self, curves, limits, constraint):
        self.xp, cast, self.dtype = np, np.asarray, "float64"
        if not isinstance(curves, np.ndarray):
            from keras import ops  # Arrays need only NumPy.

            self.xp, cast, self.dtype = ops, ops.cast, "float32"
        self.curves = cast(curves, self.dtype)
        self.scale = cast(np.array(limits.scale), self.dtype)
        self.by = limits.by
        self.constraint = constraint
        rounding = ROUNDING[self.dtype] + FILES * limits.speed
        if limits.acceleration < 2 * rounding:
            raise invalid(
                "dwell",
                "a longer dwell time, for differences that float32 can hold",
                found=f"second differences below {limits.acceleration:.2g}",
            )
        self.most = (
            limits.speed - rounding,
            limits.acceleration - rounding,
            EXTENT,
        )

    def zeros(self):
        shots, samples, axes = self.curves.shape
        return tuple(
            self.xp.zeros((shots, max(samples - n, 0), axes), dtype=self.dtype)
            for n in (1, 2, 0)
        )

    def ones(self):
        return self.xp.ones((self.curves.shape[0], 1, 1), dtype=self.dtype)

    def differences(self, curves):
        """Return first and second differences."""
        first = self.xp.diff(curves, axis=1) * self.scale
        return first, self.xp.diff(first, axis=1)

    def curves_of(self, duals):
        """Return the curves at which the Lagrangian of the duals is least."""
        first, second, place = duals
        total = first - HALF * self._difference_adjoint(second)
        curves = self.curves - place
        curves = curves + self._difference_adjoint(total * self.scale)
        if self.constraint is not None:
            curves = self.constraint.nearest(curves, self.xp)
        return curves

    def step(self, *state):
        """Do one iteration: extrapolated duals to duals, and extrapolate."""
        xp, old, ahead, momentum = self.xp, state[:3], state[3:6], state[6]
        curves = self.curves_of(ahead)
        first, second = self.differences(curves)
        first_most, second_most, extent = self.most
        new = (
            self._shrunk(ahead[0] + first / BEND, first_most / BEND),
            self._shrunk(
                ahead[1] + second * (HALF / BEND), second_most * HALF / BEND
            ),
            self._beyond(ahead[2] + curves / BEND, extent / BEND),
        )
        moves = [n - o for n, o in zip(new, old)]
        astray = sum(
            xp.sum((a - n) * move, axis=(1, 2), keepdims=True)
            for a, n, move in zip(ahead, new, moves)
        )
        momentum = xp.where(astray > 0, xp.ones_like(momentum), momentum)
        following = (1 + xp.sqrt(1 + 4 * momentum * momentum)) / 2
        factor = (momentum - 1) / following
        ahead = [n + factor * move for n, move in zip(new, moves)]
        return (*new, *ahead, following)

    def mend(self, curves):
        """Move shots towards a curve at rest until they break no limit."""
        xp = self.xp
        inside = xp.clip(curves, -self.most[2], self.most[2])
        rest = xp.mean(inside, axis=1, keepdims=True)
        if self.constraint is not None:
            point = self.constraint.constant()
            if point is not None:
                rest = xp.zeros_like(rest) + point.astype(self.dtype)
        share = self.ones()
        first, second = self.differences(curves)
        for values, most, resting in (
            (self._size(first), self.most[0], 0.0),
            (self._size(second), self.most[1], 0.0),
            (xp.abs(curves), self.most[2], xp.abs(rest)),
        ):
            if values.shape[1]:
                # The size is convex along the way from rest.
                beyond = xp.maximum(values - resting, TINY)
                allowed = (most - resting) / beyond
                # At a pin on the border, a curve can only rest.
                allowed = xp.where(values > most, xp.maximum(allowed, 0), 1.0)
                least = xp.min(allowed, axis=(1, 2), keepdims=True)
                share = xp.minimum(share, least)
        if xp is not np:
            share = xp.stop_gradient(share)
        return rest + share * (curves - rest)

    def _size(self, vectors):
        if self.by == "axis":
            return self.xp.abs(vectors)
        square = self.xp.sum(vectors * vectors, axis=-1, keepdims=True)
        return self.xp.sqrt(square)

    def _shrunk(self, vectors, by):
        size = self.xp.maximum(self._size(vectors), TINY)
        return vectors * self.xp.maximum(1 - by / size, 0)

    def _beyond(self, values, most):
        return values - self.xp.clip(values, -most, most)

    def _difference_adjoint(self, values):
        """Return the transpose of `diff`, negative."""
        padded = self.xp.pad(values, ((0, 0), (1, 1), (0, 0)))
        return self.xp.diff(padded, axis=1)
