"""Curves that hardware can run, with the samples where a density wants them."""

import dataclasses

import numpy as np

from loupe_tf.checks import check_choice, check_integer, invalid
from loupe_tf.trajectories.density import distance_to_density, standardize
from loupe_tf.trajectories.fields import Field, refined, repulsion, spread
from loupe_tf.trajectories.hardware import standardize_hardware
from loupe_tf.trajectories.linear_constraint import Pins
from loupe_tf.trajectories.patterns import GOLDEN_ANGLE
from loupe_tf.trajectories.projection import project
from loupe_tf.trajectories.trajectory import Trajectory
from loupe_tf.trajectories.waveforms import (
    control_gradient,
    control_points,
    curve_positions,
)

# More samples than this are summed on a grid.
MOST_PAIRS = 10_000
# Length of the first step where a force of 1 pulls, in cycles per pixel; what
# it is multiplied by after each step, and where the energy rises. The energy
# may rise by a little: else shots soon stand still, held by their limits.
STEP = 0.4
SMALLER = 0.97
SHORTER = 0.6
RISE = 1e-5
PROJECTION = 60
# Samples of a shot at the coarsest level.
LEAST = 16


def sparkling(
    density,
    shots,
    samples,
    hardware,
    field_of_view,
    dwell,
    echo="middle",
    matrix=None,
    start=None,
    iterations=40,
    levels=4,
    summation="auto",
    seed=0,
    verbose=False,
    provenance=None,
):
    """Make a trajectory whose samples follow a density, within hardware limits.

    The samples are attracted by the density and repel each other; see
    `loupe_tf.trajectories.fields` for the energy. After each step along the
    forces, the shots are projected onto what the hardware can run (Lazarus et
    al., "SPARKLING: variable-density k-space filling curves for accelerated
    T2*-weighted MRI", MRM, 2019). It begins with few samples in each shot, and
    doubles their number level by level.

    Args:
        density: Array `(H, W)`, not negative, of any sum, with DC at
            `(H // 2, W // 2)`: for example from `learned_density`.
        shots: Integer, number of shots.
        samples: Integer, number of samples in each.
        hardware: `Hardware`, or one of the names of `HARDWARE`.
        field_of_view: Tuple `(H, W)`, size of the image in mm.
        dwell: Float, time between two samples in seconds, a multiple of the
            hardware's raster.
        echo: Index of the sample that all shots take at DC, `"middle"` for
            `samples // 2`, or `None` for shots that need not cross DC.
        matrix: (Optional) tuple `(H, W)`, size of the image. By default that of
            the density.
        start: (Optional) `Trajectory` of this size to begin with. By default,
            spokes through DC that are slightly bent.
        iterations: Integer, number of steps at each level.
        levels: Integer, number of levels, fewer where a shot would have less
            than 16 samples; `1` for the given samples only. The first levels
            decide which shot goes where: with few, an even density is missed.
        summation: `"pairs"` to sum over all pairs of samples, `"grid"` to sum
            by FFT, with each sample shared among four points of a grid, or
            `"auto"` for pairs up to 10 000 samples.
        seed: Integer, seed of the bends.
        verbose: Boolean, whether to show progress and energy.
        provenance: (Optional) dictionary that JSON can store, with facts about
            the density.

    Returns:
        A `Trajectory`. Its provenance has the arguments, and in `"energy"` the
        lowest energy at the last level, before the first step and after each;
        in `"distance"`, the `distance_to_density` of the curves that it began
        with, and of those that it returns, in 16 × 16 cells.

    Raises:
        ValueError: If the density has NaN or negative numbers, or if the shots
            are too short to reach it from DC; the message says what would do.

    Example:

    >>> density = loupe_tf.trajectories.decaying_density((64, 64))
    >>> trajectory = sparkling(
    ...     density, shots=8, samples=128, hardware="prisma",
    ...     field_of_view=(220, 220), dwell=2e-5, iterations=5,
    ... )
    >>> loupe_tf.trajectories.HARDWARE["prisma"].check(trajectory).ok
    True
    """
    density = standardize(density, "density")
    shots = check_integer("shots", shots, at_least=1)
    samples = check_integer("samples", samples, at_least=2)
    check_integer("iterations", iterations, at_least=1)
    check_integer("levels", levels, at_least=1)
    check_choice("summation", summation, ("auto", "pairs", "grid"))
    hardware = standardize_hardware(hardware)
    matrix = density.shape if matrix is None else tuple(matrix)
    voxel_size = tuple(mm / n for mm, n in zip(field_of_view, matrix))
    if echo is not None:
        echo = samples // 2 if echo == "middle" else echo
        echo = check_integer("echo", echo, at_least=0)
        if echo >= samples:
            raise invalid("echo", f"an index below {samples}", echo)
        _check_reach(density, samples, echo, hardware, voxel_size, dwell)
    if start is None:
        speed = hardware.limits(voxel_size, dwell).speed
        curves = _spokes(shots, samples, echo, speed, seed)
    else:
        curves = control_points(start.positions)
        if curves.shape != (shots, samples, 2):
            raise invalid("start", f"{shots} shots of {samples} samples", start)

    import tqdm  # Commands start without it.

    field, energies = Field(refined(density)), []
    while levels > 1 and samples >> (levels - 1) < LEAST:
        levels -= 1
    bar = tqdm.tqdm(
        total=levels * iterations, disable=not verbose, desc="SPARKLING"
    )
    first = curves
    curves = _resampled(curves, samples >> (levels - 1))
    for level in range(levels - 1, -1, -1):
        count = samples >> level
        curves = _resampled(curves, count)
        # Samples of a coarse level are further apart in time.
        limits, stretch = hardware.limits(voxel_size, dwell), samples / count
        limits = dataclasses.replace(
            limits,
            speed=stretch * limits.speed,
            acceleration=stretch**2 * limits.acceleration,
        )
        pins = None
        if echo is not None:
            pins = Pins(count, {echo * count // samples: (0, 0)})
        curves, _ = project(curves, limits, pins, 5 * PROJECTION)
        energy, force = _energy(field, curves, summation)
        energies, step = [float(energy)], STEP
        best = state = energy, force, curves, None
        for _ in range(iterations):
            energy, force, curves, duals = state
            moved = project(
                curves - step * force, limits, pins, PROJECTION, duals
            )
            energy, force = _energy(field, moved[0], summation)
            state = energy, force, *moved
            if energy < best[0]:
                best = state
            if energy < (1 + RISE) * best[0]:
                step *= SMALLER
            else:
                # The duals of another step would move curves at rest.
                state, step = (*best[:3], None), step * SHORTER
            energies.append(float(best[0]))
            bar.update()
            bar.set_postfix(samples=count, energy=f"{best[0]:.6f}")
        curves = best[2]
    bar.close()
    return Trajectory(
        curve_positions(curves),
        matrix=matrix,
        field_of_view=field_of_view,
        dwell=dwell,
        provenance={
            "pattern": "sparkling",
            "seed": seed,
            "echo": echo,
            "hardware": vars(hardware),
            "iterations": iterations,
            "levels": levels,
            "energy": energies,
            "distance": [_distance(each, density) for each in (first, curves)],
            **(provenance or {}),
        },
    )


def _distance(curves, density):
    """Return the distance from the density, in 16 × 16 cells if it has them."""
    # k and k + 1 are the same; the trajectory would warn once more.
    inside = (curve_positions(curves) + 0.5) % 1 - 0.5
    cells = min(16, *density.shape)
    return distance_to_density(Trajectory(inside), density, cells)


def _energy(field, curves, summation):
    """Return the energy, and M times its gradient in the control points."""
    positions = curve_positions(curves)
    flat = positions.reshape(-1, 2)
    count = len(flat)
    attraction, pull = field.at(flat)
    if summation == "grid" or (summation == "auto" and count > MOST_PAIRS):
        # About four points of the grid for each sample, were they even.
        points = int(np.clip(2 * np.sqrt(count), 128, 2048))
        size = (points, points)
        potential, push = Field(spread(flat, size)).at(flat)
    else:
        potential, push = repulsion(flat)
    energy = attraction.mean() - potential.sum() / (2 * count**2)
    force = (pull - push / count).reshape(positions.shape)
    return energy, control_gradient(force)


def _resampled(curves, count):
    """Interpolate the control points at another number of samples."""
    samples = curves.shape[1]
    if count == samples:
        return curves
    at = np.minimum(np.arange(count) * samples / count, samples - 1)
    low = np.minimum(at.astype(int), samples - 2)
    share = (at - low)[:, None]
    return (1 - share) * curves[:, low] + share * curves[:, low + 1]


def _spokes(shots, samples, echo, speed, seed):
    """Spokes at golden angles that bend a little: equal shots stay equal."""
    rng = np.random.default_rng(check_integer("seed", seed, at_least=0))
    centre = samples // 2 if echo is None else echo
    time = np.arange(samples) - centre
    longest = np.abs(time).max()
    radius = time / longest * min(0.45, 0.9 * speed * longest)
    bends = rng.normal(size=(shots, 2, 1))
    phase = np.pi * time / longest
    bend = 0.1 * (bends[:, 0] * np.sin(phase) + bends[:, 1] * np.cos(phase))
    angle = GOLDEN_ANGLE * np.arange(shots)[:, None] + bend
    curves = radius * np.exp(1j * angle)
    return np.stack([curves.imag, curves.real], axis=-1)


def _check_reach(density, samples, echo, hardware, voxel_size, dwell):
    """Refuse shots that cannot come from DC to where the density is."""
    rows, columns = ((np.arange(n) - n // 2) / n for n in density.shape)
    radius = np.hypot(rows[:, None], columns).ravel()
    order = np.argsort(radius)
    share = np.cumsum(density.ravel()[order])
    wanted = radius[order][np.searchsorted(share, 0.95)]
    speed = hardware.limits(voxel_size, dwell).speed
    steps = max(echo, samples - 1 - echo)
    if steps * speed < wanted:
        need = wanted / speed
        longer = hardware.raster * np.ceil(
            dwell * need / steps / hardware.raster
        )
        raise invalid(
            "samples",
            f"at least {int(np.ceil(samples * need / steps)) + 1} samples in "
            f"each shot, or dwell={longer:g}: 95 % of the density lie within "
            f"|k| = {wanted:.3g}",
            found=f"samples={samples}, dwell={dwell:g}: the gradient takes a "
            f"shot from DC to |k| = {steps * speed:.3g} at most",
        )
