"""Measure what a LOUPE training step costs, and how much memory it takes.

The same U-Net is trained on the same batch three ways, and steps of the three
are timed in turn, in one process and in random order, round after round:

- LOUPE: `loupe_tf.models.loupe_model`;
- the bare U-Net, on images of the size that it gets in LOUPE;
- the original's layer graph, as its papers (Bahadir et al., IEEE TCI 2020;
  Martinini et al., BioCAS 2022) describe it: a probability map for each
  example, and complex tensors.

What is printed are ratios of times of the same round, which say what the
machine's speed and its other work do not. The two layer graphs are compared
without their U-Nets too, since beside it a difference is hard to see. Peak
memory is that of a fresh process for each model.

    python scripts/benchmarks/train_step.py
    python scripts/benchmarks/train_step.py --quick
    python scripts/benchmarks/train_step.py --size 256 --batch 8 --filters 64

Without --size, --batch or --filters, two settings are measured, with limits on
the ratio over the bare U-Net: 1.05 for 320×320, batch 4 and 32 filters, and
1.10 for 128×128, batch 16 and 16 filters. The ratio over the original's graph
is to be at most 1.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

import loupe_tf

# What is measured without further arguments, each with the limit on the ratio
# of LOUPE over the bare U-Net.
PRESETS = [
    ({"size": 320, "batch": 4, "filters": 32, "depth": 5}, 1.05),
    ({"size": 128, "batch": 16, "filters": 16, "depth": 5}, 1.10),
]
QUICK = {"size": 16, "batch": 2, "filters": 2, "depth": 2}
ORIGINAL_LIMIT = 1.0

ACCELERATION = 4.0
PROB_SLOPE = 5.0
SLOPE = 200.0

WARM_UP_STEPS = 2
MEMORY_STEPS = 3

MODELS = {
    "loupe": "LOUPE",
    "unet": "the bare U-Net",
    "original": "the original's graph",
    "loupe_alone": "LOUPE, no U-Net",
    "original_alone": "the original's graph, no U-Net",
}
# Numerator, denominator, what is being compared.
RATIOS = [
    ("loupe", "unet", "LOUPE / bare U-Net"),
    ("loupe", "original", "LOUPE / original's graph"),
    ("loupe_alone", "original_alone", "the same two without U-Nets"),
]


class OriginalUnderSample(keras.layers.Layer):
    """The original's graph from an image to the adjoint of its k-space.

    `F⁻¹(σ(s·(P - U)) ∘ F(x + 0i))` on complex64 tensors, with F un-normalised
    and DC in the corner. The logits are broadcast over the batch before
    anything else is done with them, so that each example has a map of
    probabilities of its own, rescaled by the mean over all of them.

    Input shape:
        `(batch, H, W, 1)`, real.

    Output shape:
        `(batch, H, W)`, complex64.
    """

    def build(self, input_shape):
        self.logits = self.add_weight(
            name="logits",
            shape=tuple(input_shape[1:]),
            initializer=loupe_tf.layers.LogitUniform(PROB_SLOPE),
        )

    def call(self, image):
        kspace = tf.signal.fft2d(
            tf.complex(image, tf.zeros_like(image))[..., 0]
        )
        logits = tf.broadcast_to(self.logits, tf.shape(image))
        prob = self.rescale(tf.sigmoid(PROB_SLOPE * logits), 1 / ACCELERATION)
        mask = tf.sigmoid(SLOPE * (prob - self.uniform(tf.shape(prob))))
        measured = tf.complex(mask, tf.zeros_like(mask))[..., 0] * kspace
        return tf.signal.ifft2d(measured)

    def rescale(self, prob, sparsity):
        mean = tf.reduce_mean(prob)
        down = prob * (sparsity / mean)
        up = 1 - (1 - prob) * ((1 - sparsity) / (1 - mean))
        return tf.where(mean >= sparsity, down, up)

    def uniform(self, shape):
        return tf.random.uniform(shape)


class Magnitude(keras.layers.Layer):
    """Magnitude of complex images, `(batch, H, W)` to `(batch, H, W, 1)`."""

    def call(self, image):
        return tf.abs(image)[..., None]


class RealImaginary(keras.layers.Layer):
    """Complex images to two channels, `(batch, H, W)` to `(..., 2)`."""

    def call(self, image):
        return tf.stack([tf.math.real(image), tf.math.imag(image)], axis=-1)


def build_model(name, size, filters, depth, **_):
    """One of the models named above, compiled."""
    if name.endswith("alone"):
        unet = keras.layers.Conv2D(1, 1)
    else:
        unet = loupe_tf.models.unet(
            (size, size, 2), filters=filters, depth=depth
        )
    if name == "unet":
        model = unet
    elif name.startswith("loupe"):
        model = loupe_tf.models.loupe_model(
            (size, size, 1),
            acceleration=ACCELERATION,
            reconstructor=unet,
            prob_slope=PROB_SLOPE,
            slope=SLOPE,
        )
    else:
        image = keras.Input((size, size, 1))
        adjoint = OriginalUnderSample(name="under_sample")(image)
        output = Magnitude()(adjoint) + unet(RealImaginary()(adjoint))
        model = keras.Model(image, output)
    model.compile(keras.optimizers.Adam(1e-3), loss="mse")
    return model


def make_batch(name, size, batch, **_):
    """The same images for all; the bare U-Net gets their imaginary part too."""
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(batch, size, size, 1)).astype("float32")
    x = image
    if name == "unet":
        x = np.concatenate([image, np.zeros_like(image)], axis=-1)
    return tf.constant(x), tf.constant(image)


def measure_time(setting, rounds):
    """Seconds of each model's steps, `{name: [one a round]}`."""
    steps = {}
    for name in MODELS:
        model, batch = build_model(name, **setting), make_batch(name, **setting)
        steps[name] = lambda model=model, batch=batch: model.train_on_batch(
            *batch
        )
        for _ in range(WARM_UP_STEPS):
            steps[name]()
    seconds = {name: [] for name in MODELS}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(MODELS)):
            begin = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def peak_memory():
    """Of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def memory_of(name, setting):
    """What `measure_memory` reads from a process of its own."""
    model, batch = build_model(name, **setting), make_batch(name, **setting)
    before = peak_memory()
    for _ in range(MEMORY_STEPS):
        model.train_on_batch(*batch)
    return {"before": before, "peak": peak_memory()}


def measure_memory(setting):
    """Peak of each model in a fresh process, before and after training."""
    memory = {}
    for name in ("loupe", "unet", "original"):
        command = [sys.executable, __file__, "--memory-of", name]
        for key, value in setting.items():
            command += [f"--{key}", str(value)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        memory[name] = json.loads(output.stdout)
    return memory


def compare(seconds, memory, limit):
    """Rows of the table: what, median, quartiles, range, limit, held."""
    rows = []
    for top, bottom, what in RATIOS:
        ratios = np.divide(seconds[top], seconds[bottom])
        low, middle, high = np.percentile(ratios, [25, 50, 75])
        most = limit if bottom == "unet" else ORIGINAL_LIMIT
        rows.append(
            {
                "what": f"step: {what}",
                "median": float(middle),
                "quartiles": [float(low), float(high)],
                "range": [float(ratios.min()), float(ratios.max())],
                "limit": most,
                "held": None if most is None else bool(middle <= most),
            }
        )
    for top, bottom, what in RATIOS[:2]:
        ratio = memory[top]["peak"] / memory[bottom]["peak"]
        rows.append({"what": f"peak memory: {what}", "median": ratio})
    return rows


def table(results):
    """All settings in one table."""
    line = "{:<43}{:>7}  {:<13}  {:<13}  {:>5}  {:<4}".format
    lines = [line("", "median", "quartiles", "range", "limit", "held")]
    for result in results:
        lines += ["", describe(result["setting"], result["rounds"])]
        for row in result["ratios"]:
            spreads = [
                "{:.3f}-{:.3f}".format(*row[key]) if key in row else "-"
                for key in ("quartiles", "range")
            ]
            most, held = row.get("limit"), row.get("held")
            lines.append(
                line(
                    f"  {row['what']}",
                    f"{row['median']:.3f}",
                    *spreads,
                    "-" if most is None else f"{most:.2f}",
                    {None: "-", True: "yes", False: "NO"}[held],
                ).rstrip()
            )
        lines += [
            f"  peak memory of {MODELS[name]}: {peak['peak']:.0f} MiB, "
            f"{peak['before']:.0f} of them before the first step"
            for name, peak in result["memory"].items()
        ]
    return "\n".join(lines)


def describe(setting, rounds):
    return (
        "{size}×{size}, batch {batch}, {filters} filters, depth {depth}; "
        "{rounds} rounds".format(**setting, rounds=rounds)
    )


def environment():
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPUs; "
        f"loupe_tf {loupe_tf.__version__}, Keras {keras.version()}, "
        f"TensorFlow {tf.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}"
    )


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--size", type=int, help="H and W of the images (default: 320)")
    add("--batch", type=int, help="images in a batch (default: 4)")
    add("--filters", type=int, help="of the U-Net (default: 32)")
    add("--depth", type=int, help="scales of the U-Net (default: 5)")
    add("--rounds", type=int, help="of each model a step (default: 15)")
    add("--json", metavar="OUT", help="write every time and ratio to this file")
    add("--quick", action="store_true", help="a toy size: does it run at all?")
    add("--memory-of", choices=list(MODELS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name in (*QUICK, "rounds"):
        if (getattr(options, name) or 1) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


def settings_of(options):
    """Pairs of a setting and the limit that goes with it, if any."""
    given = {k: getattr(options, k) for k in QUICK}
    given = {k: v for k, v in given.items() if v is not None}
    if not given and not options.quick:
        return PRESETS
    chosen = {**(QUICK if options.quick else PRESETS[0][0]), **given}
    return [(chosen, dict((str(s), m) for s, m in PRESETS).get(str(chosen)))]


def main(arguments=None):
    options = parse_arguments(arguments)
    settings = settings_of(options)
    if options.memory_of:
        print(json.dumps(memory_of(options.memory_of, settings[0][0])))
        return 0
    rounds = options.rounds or (3 if options.quick else 15)
    print(f"{environment()}\n", flush=True)
    # Memory comes first: a process inherits the peak of the one it came from.
    memory = [measure_memory(setting) for setting, _ in settings]
    results = []
    for (setting, limit), peaks in zip(settings, memory):
        seconds = measure_time(setting, rounds)
        results.append(
            {
                "setting": setting,
                "rounds": rounds,
                "ratios": compare(seconds, peaks, limit),
                "memory": peaks,
                "seconds": seconds,
            }
        )
    print(table(results))
    if options.json:
        report = {"environment": environment(), "results": results}
        path = pathlib.Path(options.json)
        path.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
