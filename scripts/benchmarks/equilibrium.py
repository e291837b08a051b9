"""Measure the memory and time of implicit models against unrolled ones.

Each number of iterations is trained in a fresh process, as an unrolled network
and as a `DeepEquilibrium` of the same step, both with a tolerance that is never
reached. The script prints the time of a training step, and how far the peak
memory rises above that before the first step: the unrolled network's grows with
the iterations, the equilibrium's should not.

    python scripts/benchmarks/equilibrium.py
    python scripts/benchmarks/equilibrium.py --size 16 --iterations 2 4

Nothing else should run on the machine.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

from loupe_tf.command_line import argument_parser

sys.path.append(str(pathlib.Path(__file__).parent))
from workers import peak_memory  # noqa: E402

METHODS = ("unrolled", "phantom", "exact", "jacobian_free")
STEPS = 5


def build(method, iterations, size, filters):
    """Make a compiled model."""
    import keras

    from loupe_tf import fixed_point, masks, models

    keras.utils.set_random_seed(0)
    network = models.contracting_cnn((None, None, 2), 0.99, filters=filters)
    step = models.ProximalGradient(network, iterations, residual=False)
    if method != "unrolled":
        gradient = fixed_point.gradient_of(method)
        if method == "exact":
            solver = fixed_point.Anderson(1e-6, iterations)
            gradient = fixed_point.Exact(solver)
        solver = fixed_point.Anderson(1e-6, iterations)
        step = models.DeepEquilibrium(step, solver, gradient)
    mask = masks.gaussian((size, size), 4, seed=0)
    model = models.loupe_model((size, size, 1), mask=mask, reconstructor=step)
    model.compile(keras.optimizers.Adam(1e-3), loss="mse")
    return model


def work(method, iterations, size, filters, batch):
    """Train some steps in this process, and print what they cost."""
    model = build(method, iterations, size, filters)
    shape = (batch, size, size, 1)
    x = np.random.default_rng(0).uniform(size=shape).astype("float32")
    before, seconds = peak_memory(), []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        model.train_on_batch(x, x)
        seconds.append(time.perf_counter() - start)
    # The first compiles.
    found = {"seconds": seconds[1:], "memory": peak_memory() - before}
    print(json.dumps(found))


def measure(backend, **setting):
    """Do it in a fresh process; return seconds of each step, and MiB."""
    command = [sys.executable, __file__, "--worker", json.dumps(setting)]
    environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, default=128, help="H and W (%(default)s)")
    add("--batch", type=int, default=4, help="examples (%(default)s)")
    add("--filters", type=int, default=32, help="(%(default)s)")
    add("--iterations", type=int, nargs="+", default=[5, 10, 20, 40])
    add("--methods", nargs="+", choices=METHODS, default=METHODS)
    add("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    if options.worker:
        work(**options.worker)
        return 0
    sizes = {name: getattr(options, name) for name in ("size", "filters")}
    sizes["batch"] = options.batch
    print(f"{os.cpu_count()} cores, {options.backend}; {sizes}\n", flush=True)
    line = "{:<16}{:>10}{:>10}{:>8}".format
    print(line("training", "iterations", "s a step", "+ MiB"))
    for method in options.methods:
        for iterations in options.iterations:
            found = measure(
                options.backend, method=method, iterations=iterations, **sizes
            )
            seconds = f"{np.median(found['seconds']):.3f}"
            memory = f"{found['memory']:.0f}"
            print(line(method, iterations, seconds, memory), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
