"""Measure the non-uniform Fourier transform beside other packages.

`loupe_tf.operators.NonUniform` and those of its peers that are installed
transform the same coil images along the same golden-angle spokes: forward,
adjoint, and the gradient of `½ ‖F x‖²` in the positions. They take turns in one
process, in random order, round after round. The script prints the median and
the quartiles of the ratios of their seconds within a round, ours over theirs,
and the relative error of each on 300 samples, from the exact sum.

    python scripts/benchmarks/nufft.py
    python scripts/benchmarks/nufft.py --quick
    python scripts/benchmarks/nufft.py --size 320 --samples 100000 --coils 8

Positions are fixed for forward and adjoint, and what depends on them alone is
computed before the clock starts; for the gradient they change at each step, so
that it is part of the time. FINUFFT has no gradient of its own: its row is the
analytic one, a second transform of the image times the coordinates. The peers
are not required; what is missing is left out:

    pip install finufft torchkbnufft sigpy
"""

import importlib.util
import json
import os
import pathlib
import sys
import time

import numpy as np

import loupe_tf
from loupe_tf.command_line import argument_parser
from loupe_tf.numpy_fourier import nudft
from loupe_tf.provenance import environment

# Size, number of samples, number of coils.
PRESETS = [
    (128, 10_000, 1),
    (128, 10_000, 8),
    (320, 30_000, 1),
    (320, 30_000, 8),
    (320, 100_000, 1),
]
QUICK = [(16, 200, 2)]
OPERATIONS = ("forward", "adjoint", "gradient")
CHECKED = 300
# The width of the kernel, in peers that have no accuracy to ask for.
WIDTH = 6


def spokes(samples):
    """Golden-angle spokes of about this many samples, `(samples, 2)`."""
    along = max(1, round(samples**0.5))
    trajectory = loupe_tf.trajectories.radial(
        samples // along, along, golden=True
    )
    return trajectory.positions.reshape(-1, 2)


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


def of_loupe_tf(positions, image, samples, accuracy):
    """The three operations, compiled, of this package."""
    import keras
    from keras import ops

    from loupe_tf.operators import NonUniform

    size = image.shape[1:]
    fixed = NonUniform(positions[None], size, accuracy=accuracy)

    def pairs(x):
        return np.stack([x.real, x.imag], axis=-1)

    def energy(positions, image):
        scan = NonUniform(positions, size, accuracy=accuracy)
        return ops.sum(ops.square(scan.forward(image))) / 2

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def gradient(positions, image):
            with tf.GradientTape() as tape:
                tape.watch(positions)
                value = energy(positions, image)
            return tape.gradient(value, positions)

        compiled = [
            tf.function(function, jit_compile=True)
            for function in (fixed.forward, fixed.adjoint, gradient)
        ]
    else:
        import jax

        compiled = [
            jax.jit(function)
            for function in (fixed.forward, fixed.adjoint, jax.grad(energy))
        ]
    forward, adjoint, gradient = compiled
    x = ops.convert_to_tensor(pairs(image))
    y = ops.convert_to_tensor(pairs(samples)[:, None])
    k = ops.convert_to_tensor(positions[None], "float32")
    one = np.array([1, 1j], np.complex64)
    return {
        "forward": lambda: np.asarray(forward(x))[:, 0] @ one,
        "adjoint": lambda: np.asarray(adjoint(y)) @ one,
        "gradient": lambda: np.asarray(gradient(k, x))[0],
    }


def of_finufft(positions, image, samples, accuracy):
    """The same of FINUFFT, in single precision."""
    import finufft

    size, coils = image.shape[1:], len(image)
    angles = np.ascontiguousarray(2 * np.pi * positions.T, np.float32)
    scale = np.float32(1 / np.sqrt(np.prod(size)))

    def plan(kind, count):
        sign = -1 if kind == 2 else 1
        return finufft.Plan(
            kind, size, count, accuracy, isign=sign, dtype="complex64"
        )

    forward, adjoint, both = plan(2, coils), plan(1, coils), plan(2, 3 * coils)
    forward.setpts(*angles)
    adjoint.setpts(*angles)
    moments = [
        (-2j * np.pi * (i - n // 2)).astype(np.complex64) * image
        for i, n in zip(np.indices(size), size)
    ]
    stacked = np.concatenate([image, *moments])

    def gradient():
        both.setpts(*angles)
        y, *slopes = np.split(scale * both.execute(stacked), 3)
        return np.stack([(y.conj() * s).real.sum(0) for s in slopes], -1)

    return {
        "forward": lambda: scale * forward.execute(image).reshape(coils, -1),
        "adjoint": lambda: scale * adjoint.execute(samples),
        "gradient": gradient,
    }


def of_torchkbnufft(positions, image, samples, accuracy):
    """Forward and adjoint of torchkbnufft; it has no gradient in positions."""
    import torch
    import torchkbnufft

    size = image.shape[1:]
    options = {"im_size": size, "numpoints": WIDTH}
    forward = torchkbnufft.KbNufft(**options)
    adjoint = torchkbnufft.KbNufftAdjoint(**options)
    omega = torch.tensor((2 * np.pi * positions.T).astype(np.float32))
    x, y = torch.tensor(image[None]), torch.tensor(samples[None])
    # "ortho" divides by the root of the grid's points, of which there are four
    # times as many as pixels.
    return {
        "forward": lambda: 2 * forward(x, omega, norm="ortho").numpy()[0],
        "adjoint": lambda: 2 * adjoint(y, omega, norm="ortho").numpy()[0],
    }


def of_sigpy(positions, image, samples, accuracy):
    """Forward and adjoint of sigpy; it has no gradient in positions."""
    import sigpy

    size = image.shape[1:]
    places = (positions * size).astype(np.float32)
    options = {"oversamp": 2, "width": WIDTH}
    return {
        "forward": lambda: sigpy.nufft(image, places, **options),
        "adjoint": lambda: sigpy.nufft_adjoint(
            samples, places, image.shape, **options
        ),
    }


PEERS = {
    "finufft": of_finufft,
    "torchkbnufft": of_torchkbnufft,
    "sigpy": of_sigpy,
}


def measure(setting, accuracy, rounds):
    """Errors and seconds of all, `{name: {operation: ...}}`."""
    size, samples, coils = setting
    rng = np.random.default_rng(0)
    positions = spokes(samples)
    data = (
        positions,
        draw(rng, coils, size, size),
        draw(rng, coils, len(positions)),
        accuracy,
    )
    makers = {"loupe_tf": of_loupe_tf}
    for name, maker in PEERS.items():
        if importlib.util.find_spec(name) is not None:
            makers[name] = maker
    every = {name: maker(*data) for name, maker in makers.items()}
    checked = rng.permutation(len(positions))[:CHECKED]
    exact = nudft(data[1], positions[checked])
    errors, seconds = {}, {}
    for name, operations in every.items():
        found = operations["forward"]()[:, checked]
        error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        errors[name] = float(error)
        for operation in operations.values():
            operation()
        seconds[name] = {operation: [] for operation in operations}
    turns = [(name, o) for name in every for o in every[name]]
    for _ in range(rounds):
        for i in rng.permutation(len(turns)):
            name, operation = turns[i]
            begin = time.perf_counter()
            every[name][operation]()
            seconds[name][operation].append(time.perf_counter() - begin)
    return {"samples": len(positions), "errors": errors, "seconds": seconds}


def compare(seconds):
    """The rows of the table: ratios of seconds, ours over theirs."""
    rows = []
    for peer, theirs in seconds.items():
        if peer == "loupe_tf":
            continue
        for operation, times in theirs.items():
            ratios = np.divide(seconds["loupe_tf"][operation], times)
            low, median, high = np.percentile(ratios, [25, 50, 75]).tolist()
            rows.append(
                {
                    "peer": peer,
                    "operation": operation,
                    "ratio": median,
                    "quartiles": [low, high],
                }
            )
    return rows


def table(results):
    line = "  {:<14}{:<10}{:>7}  {}".format
    lines = []
    for result in results:
        size, _, coils = result["setting"]
        lines.append(
            f"{size}×{size}, {result['samples']} samples, coils: {coils}"
        )
        ours = result["seconds"]["loupe_tf"]
        times = ", ".join(
            f"{o} {1000 * np.median(ours[o]):.1f} ms" for o in OPERATIONS
        )
        lines.append(f"  loupe_tf: {times}")
        errors = result["errors"].items()
        text = ", ".join(f"{name} {error:.1e}" for name, error in errors)
        lines.append(f"  error: {text}")
        lines.append(line("over", "", "ratio", "quartiles"))
        for row in result["ratios"]:
            quartiles = "{:.2f}-{:.2f}".format(*row["quartiles"])
            ratio = f"{row['ratio']:.2f}"
            lines.append(line(row["peer"], row["operation"], ratio, quartiles))
        lines.append("")
    return "\n".join(text.rstrip() for text in lines)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, help="H and W of the images (320)")
    add("--samples", type=int, help="number of samples, about (30000)")
    add("--coils", type=int, help="number of coil images (1)")
    add("--accuracy", type=float, default=1e-5, help="(%(default)s)")
    add("--rounds", type=int, help="times of each operation (15)")
    add(
        "--backend",
        choices=("tensorflow", "jax"),
        default="tensorflow",
        help="%(choices)s (%(default)s)",
    )
    add("--json", metavar="OUT", help="file for the ratios and every time")
    add("--quick", action="store_true", help="a toy: does it run at all?")
    options = parser.parse_args(arguments)
    for name in ("size", "samples", "coils", "rounds"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be at least 1, not {value}")
    return options


def chosen_settings(options):
    given = (options.size, options.samples, options.coils)
    if given == (None, None, None):
        return QUICK if options.quick else PRESETS
    default = QUICK[0] if options.quick else (320, 30_000, 1)
    return [tuple(a or b for a, b in zip(given, default))]


def main(arguments=None):
    options = parse_arguments(arguments)
    # Keras reads its backend when it is imported.
    os.environ["KERAS_BACKEND"] = options.backend
    rounds = options.rounds or (3 if options.quick else 15)
    where = "; ".join(environment(options.backend).values())
    print(f"{where}\n", flush=True)
    results = []
    for setting in chosen_settings(options):
        result = measure(setting, options.accuracy, rounds)
        result = {"setting": setting, **result}
        result["ratios"] = compare(result["seconds"])
        results.append(result)
        print(table([result]), flush=True)
    if options.json:
        report = {
            "environment": where,
            "accuracy": options.accuracy,
            "results": results,
        }
        text = json.dumps(report, indent=2) + "\n"
        pathlib.Path(options.json).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
