"""Simulated scans of images along curves."""

import math

import numpy as np

from loupe_tf import simulation, trajectories
from loupe_tf.numpy_fourier import nudft

SHOTS = 3
"""Shots of a spiral; more are shorter."""
IN_OUT_TURNS = {"in_out_spiral": 3, "one_turn_spiral": 1}
"""Turns of the spirals that go in and out."""
OVERSAMPLING = 2
"""Samples along a curve for each point of the grid that it passes."""


def make_trajectory(name, size, acceleration):
    """Make a trajectory with 1/R of the curves that sample all of k-space.

    N pixels need π/2 · N spokes, or N / 2 turns of a spiral. The paper's
    spirals go in and out in three turns, and R counts them as it counts lines.

    Successive samples of a curve are at most 1/FOV apart, except for
    the paper's spirals: those have as many samples as a spoke, which is so few
    that no receiver would take them.

    Args:
        name: `"radial"`, `"spiral"`, `"in_out_spiral"`, the paper's, or
            `"one_turn_spiral"`, which goes in and out in one turn.
        size: Tuple `(H, W)`.
        acceleration: Float R.

    Returns:
        A `Trajectory` with the matrix `size`.
    """
    n = max(size)
    if name == "radial":
        spokes = max(round(math.pi / 2 * n / acceleration), 1)
        return trajectories.radial(
            spokes, OVERSAMPLING * n, golden=True, matrix=size
        )
    if name == "in_out_spiral":
        return trajectories.spiral(
            max(round(n / acceleration), 1),
            OVERSAMPLING * n,
            IN_OUT_TURNS[name],
            direction="in_out",
            matrix=size,
        )
    if name == "one_turn_spiral":
        turns = IN_OUT_TURNS[name]
        # Either side is `t/2 exp(πi · turns · t)`, which is fastest at t = 1.
        side = OVERSAMPLING * n / 2 * math.hypot(1, math.pi * turns)
        return trajectories.spiral(
            max(round(n / 2 / turns / acceleration), 1),
            2 * math.ceil(side),
            turns,
            direction="in_out",
            matrix=size,
        )
    turns = n / 2 / acceleration / SHOTS
    # The length of a spiral is about half that of as many circles of its
    # largest radius, N / 2 points.
    samples = math.ceil(OVERSAMPLING * math.pi * turns * n / 2)
    return trajectories.spiral(SHOTS, samples, turns, matrix=size)


def with_phase(images, seed):
    """Give magnitudes `(n, H, W, 1)` a smooth phase: `(n, H, W, 2)`."""
    rng = np.random.default_rng(seed)
    size = images.shape[1:3]
    phases = np.stack([simulation.smooth_phase(size, 1.0, rng) for _ in images])
    found = images[..., 0] * phases
    return np.stack([found.real, found.imag], -1).astype("float32")


def coil_maps(size, coils):
    """Sensitivity maps `(coils, H, W)` on a circle; `None` for one coil."""
    return simulation.birdcage_maps(size, coils) if coils > 1 else None


def model_inputs(images, maps=None):
    """Make the inputs of a `loupe_model` from images `(n, H, W, 2)`.

    Returns:
        The images themselves for one coil, else k-space and maps of all coils.
    """
    if maps is None:
        return images
    return simulation.simulate_kspace(images, maps, phase=0)[:2]


def measure(images, trajectory, maps=None):
    """Return the exact samples of images `(n, H, W, 2)`, by the sum itself.

    The networks compute them by FFT and interpolation: a test with their own
    operator would be too easy.

    Returns:
        Complex64 array `(n, coils, shots, samples)`; one coil without maps.
    """
    coils = (images @ np.array([1, 1j]))[:, None]
    if maps is not None:
        coils = maps * coils
    found = [nudft(each, trajectory.positions) for each in coils]
    return np.stack(found).astype("complex64")
