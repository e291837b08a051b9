"""Measure the time and the memory of unrolled networks.

The script first compares `VarNet` on TensorFlow and JAX with the one of the
fastMRI package on torch: same sizes, number of weights, input, mask and loss.
Each framework has a process of its own, and one at a time takes a step, in
random order, round after round. The script prints the median and the quartiles
of the ratios within a round, for a prediction and for a training step. The
limit is 1 for the better of TensorFlow and JAX. Without the packages torch and
fastmri, this part is left out.

Then it trains each network with several numbers of iterations, with and
without `checkpointing`, each in a fresh process, and prints the time of a step
and the memory of the activations: how far the peak rises above that before the
first step, less the same for the smallest images, of 32×32 with VarNet's four
levels. What that leaves out, the graph and its compiler, takes hundreds of MiB
at any size of the image.

    python scripts/benchmarks/unrolled.py
    python scripts/benchmarks/unrolled.py --quick
    python scripts/benchmarks/unrolled.py --size 320 --coils 15 --iterations 12

All networks have --filters at the finest scale. Nothing else should run on the
machine. The exit code is 0 whether the limit holds or not.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import sys

import numpy as np

from loupe_tf.command_line import argument_parser

sys.path.append(str(pathlib.Path(__file__).parent))
from workers import (  # noqa: E402
    Worker,
    quartiles,
    refuse_below_one,
    serve,
    take_in_turn,
)

BACKENDS = ("tensorflow", "jax")
THEIRS = "torch"  # The framework of fastMRI's network.
NETWORKS = ("VarNet", "MoDL", "XPDNet", "PDNet")
STEPS = ("predict", "train")
LIMIT = 1.0

FULL = {
    "size": 128,
    "coils": 4,
    "batch": 1,
    "filters": 18,
    "depth": 4,
    "iterations": 8,
}
QUICK = {
    "size": 16,
    "coils": 2,
    "batch": 1,
    "filters": 2,
    "depth": 2,
    "iterations": 2,
}
TITLE = (
    "{size}×{size}, {coils} coils, batch {batch}, {filters} filters, "
    "depth {depth}"
)


def make_steps(framework, **setting):
    """Steps of fastMRI's network, or of one of `NETWORKS`."""
    if framework == THEIRS:
        return torch_steps(**setting)
    return keras_steps(framework, **setting)


def measurement(size, coils, batch):
    """K-space `(batch, coils, H, W, 2)`, mask `(1, W)`, and the region."""
    rng = np.random.default_rng(0)
    shape = (batch, coils, size, size, 2)
    kspace = rng.normal(size=shape).astype("float32")
    calibration = max(size // 12, 1)
    mask = np.arange(size) % 4 == 0
    first = size // 2 - calibration // 2
    mask[first : first + calibration] = True
    return kspace, mask[None], calibration


def refining_filters(filters):
    """Filters of the U-Net of the maps: 8 for 18, as in the paper."""
    return max(1, filters * 8 // 18)


def build_network(network, size, filters, depth, calibration, **options):
    """One of `NETWORKS`, which estimates the maps itself."""
    from loupe_tf import models

    shape = (size, size)
    refined = None
    if network == "VarNet":
        refined = models.norm_unet(
            (*shape, 2), filters=refining_filters(filters), depth=depth
        )
        part = models.norm_unet((*shape, 2), filters=filters, depth=depth)
        options["combine"] = "rss"
    elif network == "MoDL":
        part = models.cnn((*shape, 2), filters=filters)
    elif network == "XPDNet":
        scales = (filters, 2 * filters, 4 * filters)
        part = models.mwcnn(
            (*shape, 12), 10, filters=scales, first_filters=filters
        )
    else:
        pair = [
            models.cnn(
                (*shape, channels),
                output_channels=10,
                depth=3,
                filters=filters,
                normalization=None,
                name=name,
            )
            for channels, name in ((12, "cnn"), (14, "kspace_cnn"))
        ]
        part, options["kspace_network"] = pair
    maps = models.SensitivityMaps(calibration, refined)
    return getattr(models, network)(part, sensitivities=maps, **options)


def keras_steps(
    framework, network, size, coils, batch, iterations, checkpointing, **setting
):
    """Steps of one of `NETWORKS`, and facts about it."""
    import keras
    from keras import ops

    import loupe_tf
    from loupe_tf.provenance import environment

    kspace, mask, calibration = measurement(size, coils, batch)
    reconstructor = build_network(
        network,
        size,
        setting["filters"],
        setting["depth"],
        calibration,
        iterations=iterations,
        checkpointing=checkpointing,
    )
    channels = 1 if network == "VarNet" else 2
    model = loupe_tf.models.loupe_model(
        (size, size, channels),
        mask=mask,
        coils=coils,
        reconstructor=reconstructor,
    )
    model.compile(keras.optimizers.Adam(1e-4), loss="mse")
    x = ops.convert_to_tensor(kspace)
    y = ops.zeros((batch, size, size, channels))
    return {
        "predict": lambda: model.predict_on_batch(x),
        "train": lambda: model.train_on_batch(x, y),
    }, {
        "weights": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "versions": environment(framework)["versions"],
    }


def torch_steps(size, coils, batch, filters, depth, iterations, **_):
    """Steps of fastMRI's VarNet, and facts about it."""
    import fastmri
    import torch
    from fastmri.models import VarNet

    kspace, mask, calibration = measurement(size, coils, batch)
    model = VarNet(
        iterations,
        sens_chans=refining_filters(filters),
        sens_pools=depth,
        chans=filters,
        pools=depth,
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    mask = torch.from_numpy(mask[:, None, None, :, None]).repeat(
        batch, 1, 1, 1, 1
    )
    x = torch.from_numpy(kspace) * mask
    y = torch.zeros((batch, size, size))

    def predict():
        with torch.no_grad():
            model(x, mask, calibration).numpy()

    def train():
        optimizer.zero_grad()
        loss = torch.mean((model(x, mask, calibration) - y) ** 2)
        loss.backward()
        optimizer.step()
        loss.item()

    return {"predict": predict, "train": train}, {
        "weights": sum(w.numel() for w in model.parameters()),
        "versions": f"fastmri {fastmri.__version__}, torch {torch.__version__}",
    }


def measure_against_theirs(backends, setting, rounds):
    """Seconds `{step: {framework: [one per round]}}`, and versions."""
    setting = {**setting, "network": "VarNet", "checkpointing": False}
    workers = {
        name: Worker(__file__, name, steps=STEPS, **setting)
        for name in (*backends, THEIRS)
    }
    weights = {worker.start["weights"] for worker in workers.values()}
    if len(weights) > 1:
        raise RuntimeError(f"The numbers of weights differ: {weights}.")
    seconds = take_in_turn(workers, STEPS, rounds)
    return seconds, [worker.start["versions"] for worker in workers.values()]


def measure_cost(network, backend, setting, steps):
    """Seconds and MiB of training, by checkpointing and iterations."""
    rows = []
    # The lowest level of a U-Net needs two pixels.
    smallest = min(setting["size"], 2 ** (setting["depth"] + 1))
    counts = sorted({1, max(1, setting["iterations"] // 2)})
    for iterations in (*counts, 2 * counts[-1]):
        for checkpointing in (False, True):
            options = {"iterations": iterations, "checkpointing": checkpointing}
            row = {"network": network, "backend": backend, **options}
            sizes = {"memory": setting["size"], "memory of graph": smallest}
            for name, size in sizes.items():
                worker = Worker(
                    __file__,
                    backend,
                    steps=["train"],
                    network=network,
                    **{**setting, **options, "size": size},
                )
                if name == "memory":
                    row["seconds"] = [
                        worker.take("train") for _ in range(steps)
                    ]
                row[name] = worker.close() - worker.start["before"]
                row["weights"] = worker.start["weights"]
            rows.append(row)
    return rows


def compare(seconds):
    """Rows of the ratios to fastMRI's, and the better one's by the limit."""
    rows = []
    for step, times in seconds.items():
        ratios = {
            name: np.divide(taken, times[THEIRS])
            for name, taken in times.items()
            if name != THEIRS
        }
        best = min(ratios, key=lambda name: np.median(ratios[name]))
        for name, values in ratios.items():
            low, median, high = quartiles(values)
            row = {"step": step, "backend": name, "ratio": median}
            row["quartiles"] = [low, high]
            if name == best:
                row["held"] = median <= LIMIT
            rows.append(row)
    return rows


def table_of_ratios(rows):
    line = "{:<28}{:>6}  {:<13}  {:>5}  {:<4}".format
    lines = [
        line("VarNet over fastMRI's", "ratio", "quartiles", "limit", "held")
    ]
    for row in rows:
        limit, held = "-", "-"
        if "held" in row:
            limit, held = f"{LIMIT:.2f}", "yes" if row["held"] else "NO"
        lines.append(
            line(
                f"  {row['step']}, {row['backend']}",
                f"{row['ratio']:.3f}",
                "{:.3f}-{:.3f}".format(*row["quartiles"]),
                limit,
                held,
            )
        )
    return "\n".join(text.rstrip() for text in lines)


def table_of_costs(rows):
    line = "{:<10}{:<12}{:>10}  {:<13}{:>9}{:>10}{:>8}".format
    lines = [
        line(
            "training",
            "backend",
            "iterations",
            "checkpointing",
            "weights",
            "s a step",
            "MiB",
        )
    ]
    for row in rows:
        lines.append(
            line(
                row["network"],
                row["backend"],
                row["iterations"],
                "yes" if row["checkpointing"] else "no",
                row["weights"],
                f"{np.median(row['seconds']):.3f}",
                f"{row['memory'] - row['memory of graph']:.0f}",
            )
        )
    return "\n".join(lines)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    helps = {
        "size": "H and W of the images",
        "coils": "coils",
        "batch": "examples in a batch",
        "filters": "filters at the finest scale",
        "depth": "times that VarNet's U-Nets halve the image",
        "iterations": "iterations of the longest networks",
    }
    for name, text in helps.items():
        add(f"--{name}", type=int, help=f"{text} ({FULL[name]})")
    add("--rounds", type=int, help="rounds of steps (15)")
    add("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    add("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    add("--json", metavar="OUT", help="file for the rows and every time")
    add("--quick", action="store_true", help="a toy: does it run at all?")
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    refuse_below_one(parser, options)
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if options.worker:
        serve(make_steps, options.worker)
        return 0
    setting = {
        name: getattr(options, name) or value
        for name, value in (QUICK if options.quick else FULL).items()
    }
    rounds = options.rounds or (3 if options.quick else 15)
    print(f"{os.cpu_count()} cores; {TITLE.format(**setting)}\n", flush=True)
    report = {"setting": setting, "rounds": rounds}
    if all(map(importlib.util.find_spec, ("torch", "fastmri"))):
        seconds, versions = measure_against_theirs(
            options.backends, setting, rounds
        )
        rows = compare(seconds)
        report |= {"versions": versions, "seconds": seconds, "ratios": rows}
        print("\n".join(versions))
        print(f"{setting['iterations']} iterations, {rounds} rounds\n")
        print(table_of_ratios(rows), flush=True)
    else:
        print("No comparison: torch or fastmri is not installed.", flush=True)
    report["costs"] = [
        row
        for network in options.networks
        for backend in options.backends
        for row in measure_cost(network, backend, setting, rounds)
    ]
    print(f"\n{table_of_costs(report['costs'])}")
    if options.json:
        text = json.dumps(report, indent=2) + "\n"
        pathlib.Path(options.json).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
