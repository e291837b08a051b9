"""Measure how much longer a step of hold-out takes than a supervised one.

Both train the same unrolled network on the same measurements, one scan a step.
The supervised loss compares images; `loupe_tf.regimes.HoldOut` draws a split,
and compares k-space. The two take turns, so that a machine that is busy slows
both. The script prints the median and quartiles of the ratio; the goal is 1.1.

    python scripts/benchmarks/hold_out.py
    python scripts/benchmarks/hold_out.py --size 128 --json out.json
"""

import json
import pathlib
import sys

import numpy as np

from loupe_tf.command_line import argument_parser
from loupe_tf.provenance import environment


def build(size, filters, iterations):
    """Return the two models, compiled, and their data."""
    import keras

    import loupe_tf

    rng = np.random.default_rng(0)
    images = rng.uniform(size=(1, size, size, 1)).astype("float32")
    maps = loupe_tf.simulation.birdcage_maps((size, size), 4)
    kspace, maps, truth = loupe_tf.simulation.simulate_kspace(images, maps)
    mask = loupe_tf.masks.gaussian((size, size), 4, calibration=4).array
    mask = mask[None, ..., None].astype("float32")
    scan = [np.where(mask[:, None] > 0, kspace, 0), mask, np.array(maps)]

    def network():
        cnn = loupe_tf.models.cnn(
            (size, size, 2), 2, filters=filters, normalization=None
        )
        return loupe_tf.models.VarNet(cnn, iterations=iterations)

    models = {
        "supervised": network(),
        "hold-out": loupe_tf.regimes.HoldOut(network(), seed=0),
    }
    models["supervised"].compile(keras.optimizers.Adam(1e-3), loss="mse")
    models["hold-out"].compile(keras.optimizers.Adam(1e-3))
    return models, scan, truth


def measure(size, filters, iterations, steps, rounds):
    """Return the seconds of a step of each model, by round."""
    from epoch_seconds import EpochSeconds

    models, scan, truth = build(size, filters, iterations)
    data = [np.repeat(x, steps, axis=0) for x in (*scan, truth)]
    seconds = {name: [] for name in models}
    timer = EpochSeconds()
    for _ in range(rounds + 1):  # The first compiles.
        for name, model in models.items():
            model.fit(
                data[:-1],
                data[-1],
                batch_size=1,
                callbacks=[timer],
                verbose=0,
            )
            seconds[name].append(timer.seconds)
    return {name: values[1:] for name, values in seconds.items()}


def main(arguments=None):
    parser = argument_parser(__doc__)
    for name, value, text in (
        ("size", 64, "pixels of a side"),
        ("filters", 16, "of the network in each iteration"),
        ("iterations", 4, "of the unrolled network"),
        ("steps", 10, "of each model in a round"),
        ("rounds", 9, "of the measurement"),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help=text)
    parser.add_argument("--json", help="file for the numbers")
    settings = vars(parser.parse_args(arguments))
    path = settings.pop("json")
    seconds = measure(**settings)
    ratios = np.divide(seconds["hold-out"], seconds["supervised"])
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    for name, values in seconds.items():
        print(f"{name}: {1e3 * np.median(values):.1f} ms a step")
    print(f"ratio: {middle:.3f} (quartiles {low:.3f} to {high:.3f})")
    if path:
        found = {
            "settings": settings,
            "seconds": seconds,
            "ratio": middle,
            "environment": environment(),
        }
        pathlib.Path(path).write_text(json.dumps(found, indent=1, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
