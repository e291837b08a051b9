"""Measure how much time of an experiment's run is not training.

A run of `scripts/reproduce_4s.py` builds its model, traces and compiles its
steps, trains, and evaluates four kinds of masks. This script times whole runs
of the preset `cpu`, alternating short and longer runs, round after round, on
noise images of the size of its data set. The difference gives the time of an
epoch, and the rest of the short run is the start-up time. The script prints the
share of the start-up in a run with the preset's number of epochs, as median and
quartiles over the rounds. Below a tenth, sharing compiled steps between runs is
not worthwhile.

    python scripts/benchmarks/start_up.py
    python scripts/benchmarks/start_up.py --rounds 5 --images 220
"""

import importlib
import pathlib
import sys
import tempfile
import time

import numpy as np

from loupe_tf.command_line import argument_parser
from loupe_tf.provenance import environment

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
SHORT, LONG = 1, 5  # Epochs of each of the two rounds.


def time_run(script, epochs, splits, rate):
    """Seconds of a whole run, from the model to its record."""
    import keras

    from experiments.presets.four_s import PRESETS
    from loupe_tf.run_folder import RunFolder

    settings = {**PRESETS["cpu"], "epochs": epochs, "data": "", "out": ""}
    run = script.Run(rate, "4s", "two_rounds", None, 0, "auto")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        keras.utils.clear_session(free_memory=False)
        script.train(run, settings, splits, RunFolder(folder))
        return time.perf_counter() - begin


def measure(rounds, images, rate):
    """Start-up and an epoch in seconds, and the share, for each round."""
    sys.path.insert(0, str(SCRIPTS))
    script = importlib.import_module("reproduce_4s")
    from experiments.presets.four_s import PRESETS
    from loupe_tf.datasets import Slices

    rng = np.random.default_rng(0)
    counts = {"train": images, "validation": images // 4, "test": images // 4}
    splits = {
        name: Slices(
            rng.uniform(size=(n, 64, 64, 1)).astype("float32"),
            np.array(["volume"] * n),
        )
        for name, n in counts.items()
    }
    time_run(script, SHORT, splits, rate)  # Imports and first use.
    epochs = 2 * PRESETS["cpu"]["epochs"]
    found = []
    for _ in range(rounds):
        short = time_run(script, SHORT, splits, rate)
        long = time_run(script, LONG, splits, rate)
        epoch = (long - short) / (2 * (LONG - SHORT))
        start_up = short - 2 * SHORT * epoch
        found.append([start_up, epoch, start_up / (start_up + epochs * epoch)])
    return np.array(found).T, epochs


def main(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="how often (%(default)s)")
    add("--images", type=int, default=220, help="to train (%(default)s)")
    add("--acceleration", type=float, default=4.0, help="R (%(default)s)")
    options = parser.parse_args(arguments)
    (start_up, epoch, share), epochs = measure(
        options.rounds, options.images, options.acceleration
    )
    print("; ".join(environment().values()))
    for name, values, unit in (
        ("start-up, building, compiling and judging", start_up, "s"),
        ("an epoch", epoch, "s"),
        (
            f"share of the start-up in a run of {epochs} epochs",
            share * 100,
            "%",
        ),
    ):
        low, median, high = np.percentile(values, [25, 50, 75])
        print(f"{name:<52}{median:7.2f} {unit} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
