"""Measure the projection of curves onto what hardware can run.

Spokes that differ from feasible ones by noise, as after a step of an
optimizer, are projected by compiled code. The script prints the fastest and the
median time of some rounds, and the largest excess over a limit that is left, in
float64.

    python scripts/benchmarks/projection.py
    python scripts/benchmarks/projection.py --shots 64 --backend jax
    python scripts/benchmarks/projection.py --quick
"""

import os
import sys
import time

import numpy as np

from loupe_tf.command_line import argument_parser
from loupe_tf.provenance import environment

DWELL = 1e-5
VOXEL = (1.8, 1.8)
NOISE = 1e-3


def spokes(shots, samples, rng):
    """Spokes with noise, `(shots, samples, 2)`."""
    radius = np.linspace(-0.45, 0.45, samples)
    angle = np.pi * np.arange(shots)[:, None] / shots
    curves = radius * np.exp(1j * angle)
    curves = np.stack([curves.imag, curves.real], axis=-1)
    return curves + NOISE * rng.normal(size=curves.shape)


def excess(curves, limits):
    """The largest difference over its limit, minus 1."""
    first = np.diff(np.float64(curves), axis=1)
    second = np.diff(first, axis=1)
    return max(
        np.linalg.norm(first, axis=-1).max() / limits.speed,
        np.linalg.norm(second, axis=-1).max() / limits.acceleration,
    ) - 1  # fmt: skip


def compiled(function):
    """A function of a tensor, compiled by XLA."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def measure(options):
    """Project again and again; return seconds, and excess before and after."""
    from keras import ops

    from loupe_tf.trajectories import HARDWARE
    from loupe_tf.trajectories.linear_constraint import Pins
    from loupe_tf.trajectories.projection import project

    limits = HARDWARE["sparkling"].limits(VOXEL, DWELL)
    pins = Pins(options.samples, {options.samples // 2: (0, 0)})
    rng = np.random.default_rng(0)
    curves = spokes(options.shots, options.samples, rng).astype("float32")

    run = compiled(
        lambda x: project(x, limits, pins, iterations=options.iterations)[0]
    )
    tensor = ops.convert_to_tensor(curves)
    found, seconds = np.asarray(run(tensor)), []
    for _ in range(options.rounds):
        start = time.perf_counter()
        np.asarray(run(tensor))
        seconds.append(time.perf_counter() - start)
    return seconds, excess(curves, limits), excess(found, limits)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--shots", type=int, default=64, help="(%(default)s)")
    add("--samples", type=int, default=512, help="(%(default)s)")
    add("--iterations", type=int, default=50, help="(%(default)s)")
    add("--rounds", type=int, default=20, help="(%(default)s)")
    add(
        "--backend",
        choices=("tensorflow", "jax"),
        default="tensorflow",
        help="%(choices)s (%(default)s)",
    )
    add("--quick", action="store_true", help="a toy: does it run at all?")
    parser.presets = {
        "--quick": {"shots": 2, "samples": 32, "iterations": 5, "rounds": 2}
    }
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    # Keras reads its backend when it is imported.
    os.environ["KERAS_BACKEND"] = options.backend
    print("; ".join(environment(options.backend).values()))
    seconds, before, after = measure(options)
    print(
        f"{options.shots} shots × {options.samples} samples, "
        f"{options.iterations} iterations: fastest "
        f"{1000 * min(seconds):.1f} ms, median "
        f"{1000 * np.median(seconds):.1f} ms; largest excess "
        f"{100 * before:.0f} % before, {100 * after:.3f} % after"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
