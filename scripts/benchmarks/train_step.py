"""Measure the time and the memory of a LOUPE training step.

The benchmark trains the same U-Net on the same batch in three ways: in LOUPE
(`loupe_tf.models.loupe_model`); alone, on images of the same shape as in LOUPE;
and in the original's layer graph, as its papers (Bahadir et al., IEEE TCI 2020;
Martinini et al., BioCAS 2022) describe it, with a probability map for each
example and complex tensors. The steps of the three are timed in one process and
in random order, round after round. The script prints the median and the
quartiles of the ratios within a round. It also compares the two layer graphs
with a 1×1 convolution instead of the U-Net: they take less than a hundredth of
a step with the U-Net, which its spread would hide. Peak memory is measured in a
fresh process for each model.

    python scripts/benchmarks/train_step.py
    python scripts/benchmarks/train_step.py --quick
    python scripts/benchmarks/train_step.py --size 256 --batch 8 --filters 64

Without --size, --batch, --filters and --depth, two settings are measured. The
limits of the ratio to the bare U-Net are 1.05 for 320×320, batch 4, 32 filters,
and 1.10 for 128×128, batch 16, 16 filters. The limit of the ratio to the
original's graph is 1. The exit code is 0 whether they hold or not. On JAX there
is no comparison with the original, because its graph uses TensorFlow.

    python scripts/benchmarks/train_step.py --backend jax
"""

import argparse
import json
import logging
import os
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np

import loupe_tf
from loupe_tf.command_line import argument_parser
from loupe_tf.provenance import environment

# Each setting with the limit on the ratio of LOUPE over the bare U-Net.
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
# Without a U-Net a step takes milliseconds, so many are timed together.
STEPS_ALONE = 20
MEMORY_STEPS = 3

MODELS = {
    "tensorflow": (
        "loupe",
        "unet",
        "original",
        "loupe_alone",
        "original_alone",
    ),
    "jax": ("loupe", "unet"),
}
# Numerator, denominator, what is compared.
RATIOS = [
    ("loupe", "unet", "over the bare U-Net's"),
    ("loupe", "original", "over the original graph's"),
    ("loupe_alone", "original_alone", "the two graphs alone"),
]
TITLE = (
    "{size}×{size}, batch {batch}, {filters} filters, depth {depth}; "
    "{rounds} rounds"
)


def build_model(name, size, filters, depth, **_):
    """One of `MODELS`, compiled."""
    import keras

    unet = keras.layers.Conv2D(1, 1, data_format="channels_last")
    if not name.endswith("alone"):
        shape = (size, size, 2)
        unet = loupe_tf.models.unet(shape, filters=filters, depth=depth)
    if name == "unet":
        model = unet
    elif name.startswith("loupe"):
        model = loupe_tf.models.loupe_model(
            (size, size, 1),
            acceleration=ACCELERATION,
            calibration=None,
            prob_slope=PROB_SLOPE,
            slope=SLOPE,
            reconstructor=unet,
        )
    else:
        from original_graph import OriginalGraph

        image = keras.Input((size, size, 1))
        graph = OriginalGraph(ACCELERATION, PROB_SLOPE, SLOPE, name="graph")
        magnitude, parts = graph(image)
        output = keras.layers.Add()([magnitude, unet(parts)])
        model = keras.Model(image, output)
    model.compile(keras.optimizers.Adam(1e-3), loss="mse")
    return model


def make_step(name, setting):
    """Return a function that trains the model on one fixed batch."""
    from keras import ops

    model = build_model(name, **setting)
    shape = (setting["batch"], setting["size"], setting["size"], 1)
    y = np.random.default_rng(0).uniform(size=shape).astype("float32")
    x = np.concatenate([y, 0 * y], axis=-1) if name == "unet" else y
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    return lambda: model.train_on_batch(x, y)


def measure_time(models, setting, rounds):
    """Seconds of steps, `{model: [one per round]}`."""
    steps = {name: make_step(name, setting) for name in models}
    for step in steps.values():
        for _ in range(WARM_UP_STEPS):
            step()
    seconds = {name: [] for name in models}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(models):
            count = STEPS_ALONE if name.endswith("alone") else 1
            begin = time.perf_counter()
            for _ in range(count):
                steps[name]()
            seconds[name].append((time.perf_counter() - begin) / count)
    return seconds


def measure_memory(backend, setting):
    """MiB of each model in a separate process, before and after training."""
    memory = {}
    for name in MODELS[backend]:
        if name.endswith("alone"):
            continue
        command = [sys.executable, __file__, "--backend", backend]
        command += ["--memory-of", name]
        for key, value in setting.items():
            command += [f"--{key}", str(value)]
        result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        memory[name] = json.loads(result.stdout)
    return memory


def memory_of(name, setting):
    """The measurement that `measure_memory` runs in the other process."""
    step = make_step(name, setting)
    before = peak_memory()
    for _ in range(MEMORY_STEPS):
        step()
    return {"before": before, "peak": peak_memory()}


def peak_memory():
    """The peak memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def compare(seconds, memory, limit):
    """The rows of the table."""
    rows = []
    for top, bottom, what in RATIOS:
        if bottom not in seconds:
            continue
        ratios = np.divide(seconds[top], seconds[bottom])
        low, median, high = np.percentile(ratios, [25, 50, 75]).tolist()
        row = {"what": f"step, {what}", "ratio": median}
        row["quartiles"] = [low, high]
        if limit is not None:
            row["limit"] = limit if bottom == "unet" else ORIGINAL_LIMIT
            row["held"] = median <= row["limit"]
        rows.append(row)
    for top, bottom, what in RATIOS:
        if bottom not in memory:
            continue
        ratio = memory[top]["peak"] / memory[bottom]["peak"]
        rows.append({"what": f"peak memory, {what}", "ratio": ratio})
    return rows


def table(results):
    """All settings in one table."""
    line = "{:<40}{:>6}  {:<13}  {:>5}  {:<4}".format
    lines = [line("LOUPE's", "ratio", "quartiles", "limit", "held")]
    for result in results:
        lines += ["", TITLE.format(**result["setting"], **result)]
        for row in result["ratios"]:
            quartiles, limit, held = "-", "-", "-"
            if "quartiles" in row:
                quartiles = "{:.3f}-{:.3f}".format(*row["quartiles"])
            if "held" in row:
                limit = f"{row['limit']:.2f}"
                held = "yes" if row["held"] else "NO"
            ratio = f"{row['ratio']:.3f}"
            row = line("  " + row["what"], ratio, quartiles, limit, held)
            lines.append(row)
        peaks = [
            f"{name} {peak['peak']:.0f} ({peak['before']:.0f})"
            for name, peak in result["memory"].items()
        ]
        lines.append(f"  peak MiB (before training): {', '.join(peaks)}")
    return "\n".join(text.rstrip() for text in lines)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, help="H and W of the images (320)")
    add("--batch", type=int, help="images in a batch (4)")
    add("--filters", type=int, help="of the U-Net at its finest scale (32)")
    add("--depth", type=int, help="scales of the U-Net (5)")
    add("--rounds", type=int, help="steps of each model (15)")
    add(
        "--backend",
        choices=MODELS,
        default="tensorflow",
        help="%(choices)s (%(default)s)",
    )
    add("--json", metavar="OUT", help="file for the ratios and every time")
    add("--quick", action="store_true", help="a toy: does it run at all?")
    add("--memory-of", choices=MODELS["tensorflow"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if type(value) is int and value < 1:
            parser.error(f"--{name} must be at least 1, not {value}")
    return options


def chosen_settings(options):
    """Pairs of a setting and its limit, `None` where there is none."""
    given = {key: getattr(options, key) for key in QUICK}
    given = {key: value for key, value in given.items() if value is not None}
    if not given and not options.quick:
        return PRESETS
    setting = {**(QUICK if options.quick else PRESETS[0][0]), **given}
    limits = [limit for preset, limit in PRESETS if preset == setting]
    return [(setting, limits[0] if limits else None)]


def main(arguments=None):
    options = parse_arguments(arguments)
    settings = chosen_settings(options)
    # Keras reads its backend when it is imported, here and in other processes.
    os.environ["KERAS_BACKEND"] = options.backend
    # TensorFlow warns of one model after another.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if options.memory_of:
        print(json.dumps(memory_of(options.memory_of, settings[0][0])))
        return 0
    rounds = options.rounds or (3 if options.quick else 15)
    where = "; ".join(environment(options.backend).values())
    print(f"{where}\n", flush=True)
    # Memory first: a new process starts from the peak of the one it comes from.
    memory = [
        measure_memory(options.backend, setting) for setting, _ in settings
    ]
    results = []
    for (setting, limit), peaks in zip(settings, memory):
        seconds = measure_time(MODELS[options.backend], setting, rounds)
        result = {"setting": setting, "rounds": rounds}
        result["ratios"] = compare(seconds, peaks, limit)
        results.append({**result, "memory": peaks, "seconds": seconds})
    print(table(results))
    if options.json:
        report = {"environment": where, "results": results}
        text = json.dumps(report, indent=2) + "\n"
        pathlib.Path(options.json).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
