"""Measure the non-uniform Fourier transform beside other packages.

`loupe_tf.operators.NonUniform` and those of its peers that are installed
transform the same coil images along the same golden-angle spokes, or cones in
volumes: forward, adjoint, and the gradient of `½ ‖F x‖²` in the positions. They
take turns in one process, in random order, round after round. The script prints
the median and the quartiles of the ratios of their seconds within a round, ours
over theirs, and the relative error of each from the exact sum, at 100 samples,
pixels and positions.

    python scripts/benchmarks/nufft.py
    python scripts/benchmarks/nufft.py --quick
    python scripts/benchmarks/nufft.py --size 320 --samples 100000 --coils 8
    python scripts/benchmarks/nufft.py --size 64 --axes 3 --samples 50000

Positions are fixed for forward and adjoint, and what depends on them alone is
computed before the clock starts; for the gradient they change at each step, so
that it is part of the time. FINUFFT has no gradient of its own: its row is the
analytic one, a second transform of the image times the coordinates. BART is a
program: its time includes its start and its files. The peers are not required;
what is missing is left out:

    pip install finufft jax-finufft mri-nufft torchkbnufft sigpy

mri-nufft's gradient also needs torch, deepinv and torchvision.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

import loupe_tf
from loupe_tf.command_line import argument_parser
from loupe_tf.numpy_fourier import nudft
from loupe_tf.provenance import environment

# Size of the image, number of samples, number of coils.
PRESETS = [
    ((128, 128), 10_000, 1),
    ((128, 128), 10_000, 8),
    ((320, 320), 10_000, 1),
    ((320, 320), 30_000, 1),
    ((320, 320), 30_000, 8),
    ((320, 320), 100_000, 1),
    ((320, 320), 100_000, 8),
    ((64, 64, 64), 50_000, 1),
]
QUICK = [((16, 16), 200, 2), ((6, 6, 6), 200, 1)]
OPERATIONS = ("forward", "adjoint", "gradient")
CHECKED = 100
# The width of the kernel, in peers that have no accuracy to ask for.
WIDTH = 6


def curves(samples, axes=2):
    """Spokes or cones of about this many samples, `(samples, axes)`."""
    along = max(1, round(samples**0.5))
    if axes == 2:
        made = loupe_tf.trajectories.radial(samples // along, along, True)
    else:
        made = loupe_tf.trajectories.cones(samples // along, along, turns=3)
    return made.positions.reshape(-1, axes)


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


def moments(image):
    """The image times -2πi r for each axis: what gives `∂y/∂k`."""
    size = image.shape[1:]
    return [
        (-2j * np.pi * (i - n // 2)).astype(np.complex64) * image
        for i, n in zip(np.indices(size), size)
    ]


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
    axes = len(size)
    angles = np.ascontiguousarray(2 * np.pi * positions.T, np.float32)
    scale = np.float32(1 / np.sqrt(np.prod(size)))

    def plan(kind, count):
        sign = -1 if kind == 2 else 1
        return finufft.Plan(
            kind, size, count, accuracy, isign=sign, dtype="complex64"
        )

    forward, adjoint, both = (
        plan(2, coils),
        plan(1, coils),
        plan(2, (1 + axes) * coils),
    )
    forward.setpts(*angles)
    adjoint.setpts(*angles)
    stacked = np.concatenate([image, *moments(image)])

    def gradient():
        both.setpts(*angles)
        y, *slopes = np.split(scale * both.execute(stacked), 1 + axes)
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
    # "ortho" divides by the root of the grid's points, of which there are twice
    # as many along each axis as pixels.
    scale = 2 ** (len(size) / 2)
    return {
        "forward": lambda: scale * forward(x, omega, norm="ortho").numpy()[0],
        "adjoint": lambda: scale * adjoint(y, omega, norm="ortho").numpy()[0],
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


def of_jax_finufft(positions, image, samples, accuracy):
    """The same of jax-finufft: FINUFFT with derivatives, for JAX."""
    import jax
    import jax.numpy as jnp
    from jax_finufft import nufft1, nufft2

    size = image.shape[1:]
    scale = np.float32(1 / np.sqrt(np.prod(size)))
    x, y = jnp.asarray(image), jnp.asarray(samples)
    angles = jnp.asarray(2 * np.pi * positions.T, "float32")

    @jax.jit
    def forward(x, angles):
        return scale * nufft2(x, *angles, iflag=-1, eps=accuracy)

    @jax.jit
    def adjoint(y, angles):
        return scale * nufft1(size, y, *angles, iflag=1, eps=accuracy)

    def energy(positions, x):
        return jnp.sum(jnp.abs(forward(x, 2 * jnp.pi * positions.T)) ** 2) / 2

    gradient = jax.jit(jax.grad(energy))
    k = jnp.asarray(positions, "float32")
    return {
        "forward": lambda: np.asarray(forward(x, angles)),
        "adjoint": lambda: np.asarray(adjoint(y, angles)),
        "gradient": lambda: np.asarray(gradient(k, x)),
    }


def of_mri_nufft(positions, image, samples, accuracy):
    """The same of mri-nufft on FINUFFT, with its automatic derivatives."""
    import mrinufft

    size, coils = image.shape[1:], len(image)
    options = {"n_coils": coils, "n_trans": coils, "eps": accuracy}

    def make(**others):
        return mrinufft.get_operator("finufft")(
            positions.astype("float32"), size, **options, **others
        )

    fixed, scale = make(), np.float32(2 ** (len(size) / 2))
    found = {
        "forward": lambda: scale * fixed.op(image).reshape(coils, -1),
        # Without maps, it returns the image of each coil.
        "adjoint": lambda: scale * fixed.adj_op(samples).reshape(image.shape),
    }
    try:
        import torch

        learned = make(squeeze_dims=False)
        learned = learned.make_autograd(wrt_data=False, wrt_traj=True)
    except (ImportError, RuntimeError):
        return found  # What it needs is missing or broken.
    x = torch.tensor(image[None])
    k = torch.tensor(positions.astype("float32"), requires_grad=True)

    def gradient():
        learned.update_samples(k)
        energy = learned.op(x).abs().square().sum() / 2
        (slope,) = torch.autograd.grad(energy, k)
        # By radians.
        return 2 * np.pi * float(scale) ** 2 * slope.numpy()

    return {**found, "gradient": gradient}


def of_bart(positions, image, samples, accuracy):
    """Forward and adjoint of the program BART, with its start and files."""
    size, coils = image.shape[1:], len(image)
    trajectory = loupe_tf.trajectories.Trajectory(positions[None], matrix=size)
    folder = tempfile.TemporaryDirectory()
    place = pathlib.Path(folder.name)
    trajectory.save(place / "traj.cfl")
    formats = loupe_tf.formats
    last = np.moveaxis(image, 0, -1)
    last = last.reshape(*size, *(1,) * (3 - len(size)), coils)
    formats.write_cfl(place / "image", last)
    formats.write_cfl(place / "samples", samples.T[None, :, None])
    sides = ":".join(map(str, (*size, 1)[:3]))

    def run(*arguments):
        command = ["bart", "nufft", *arguments]
        subprocess.run(
            command, cwd=folder.name, check=True, stdout=subprocess.DEVNULL
        )
        return formats.read_cfl(place / "found")

    return {
        "forward": lambda: run("traj", "image", "found").reshape(-1, coils).T,
        "adjoint": lambda: np.moveaxis(
            run("-a", "-d", sides, "traj", "samples", "found").reshape(
                *size, coils
            ),
            -1,
            0,
        ),
    }


# What is imported, or run, for each.
PEERS = {
    "finufft": of_finufft,
    "jax_finufft": of_jax_finufft,
    "mrinufft": of_mri_nufft,
    "torchkbnufft": of_torchkbnufft,
    "sigpy": of_sigpy,
    "bart": of_bart,
}


def is_installed(name):
    if name == "bart":
        return shutil.which("bart") is not None
    return importlib.util.find_spec(name) is not None


def exact_values(rng, positions, image, samples):
    """Some of what each operation should compute.

    Returns:
        A dict by operation of a pair: a function that selects some values of a
        result, and what these should be.
    """
    size = image.shape[1:]
    few = rng.permutation(len(positions))[:CHECKED]
    y = nudft(image, positions[few])
    slopes = [nudft(x, positions[few]) for x in moments(image)]
    pixels = rng.integers(0, size, (CHECKED, len(size)))
    waves = np.exp(
        2j * np.pi * positions @ (pixels - np.array(size) // 2).T
    ) / np.sqrt(np.prod(size))
    return {
        "forward": (lambda found: found[:, few], y),
        "adjoint": (
            lambda found: found[(slice(None), *pixels.T)],
            samples @ waves,
        ),
        "gradient": (
            lambda found: found[few],
            np.stack([(y.conj() * each).real.sum(0) for each in slopes], -1),
        ),
    }


def measure(setting, accuracy, rounds):
    """Errors and seconds of all, `{name: {operation: ...}}`."""
    size, samples, coils = setting
    rng = np.random.default_rng(0)
    # The same for all, in the precision that all have.
    positions = curves(samples, len(size)).astype("float32").astype("float64")
    x, y = draw(rng, coils, *size), draw(rng, coils, len(positions))
    makers = {"loupe_tf": of_loupe_tf}
    makers |= {k: make for k, make in PEERS.items() if is_installed(k)}
    every = {
        name: make(positions, x, y, accuracy) for name, make in makers.items()
    }
    exact = exact_values(rng, positions, x, y)
    errors, seconds = {}, {}
    for name, operations in every.items():
        errors[name] = {}
        for operation, apply in operations.items():
            some, expected = exact[operation]
            difference = some(apply()) - expected
            errors[name][operation] = float(
                np.linalg.norm(difference) / np.linalg.norm(expected)
            )
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
    line = "  {:<14}{:<10}{:>8}  {:<12}{:>8}".format
    lines = []
    for result in results:
        size, _, coils = result["setting"]
        shape = "×".join(map(str, size))
        lines.append(f"{shape}, {result['samples']} samples, coils: {coils}")
        ours, errors = result["seconds"]["loupe_tf"], result["errors"]
        times = ", ".join(
            f"{o} {1000 * np.median(ours[o]):.1f} ms "
            f"(error {errors['loupe_tf'][o]:.1e})"
            for o in OPERATIONS
        )
        lines.append(f"  loupe_tf: {times}")
        lines.append(line("over", "", "ratio", "quartiles", "error"))
        for row in result["ratios"]:
            peer, operation = row["peer"], row["operation"]
            quartiles = "{:.2f}-{:.2f}".format(*row["quartiles"])
            ratio = f"{row['ratio']:.2f}"
            error = f"{errors[peer][operation]:.1e}"
            lines.append(line(peer, operation, ratio, quartiles, error))
        lines.append("")
    return "\n".join(text.rstrip() for text in lines)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, help="length of all axes of the images (320)")
    add("--axes", type=int, choices=(2, 3), default=2, help="(%(default)s)")
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
    default = (16, 200, 2) if options.quick else (320, 30_000, 1)
    size, *others = (a or b for a, b in zip(given, default))
    return [((size,) * options.axes, *others)]


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
