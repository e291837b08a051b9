"""Compare the time of MoDL with that of deepinv.

Both unroll the same iterations: a network of three convolutions, shared by all
of them, and as many conjugate gradients for the data consistency, for several
coils with given maps and a mask of lines. deepinv is the package of the same
name, on torch (`deepinv.models.MoDL`), and takes the lines as a mask of all
samples; `loupe_tf.models.MoDL` runs on TensorFlow and JAX, and takes one value
a line. deepinv begins an iteration with the data consistency and
ours ends with it, so the script first sees that the parts are the same: its
network and its data consistency, in our order, give our image.

Each framework has a process of its own, and one at a time takes a step, in
random order, round after round. The script prints the median and the quartiles
of the ratios within a round, of a prediction and of a training step. Below 1,
ours is faster.

    python scripts/benchmarks/modl_deepinv.py
    python scripts/benchmarks/modl_deepinv.py --size 16 --rounds 2

Without deepinv there is nothing to compare with, and the exit code is 1.
Nothing else should run on the machine.
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
from three_convolutions import (  # noqa: E402
    keras_network,
    make_kernels,
    torch_network,
)
from workers import (  # noqa: E402
    Worker,
    print_ratios,
    ratios,
    refuse_below_one,
    relative_gap,
    serve,
    take_in_turn,
)

THEIRS = "torch"
STEPS = ("predict", "train")
RATE = 1e-3
AGREE = 1e-3
SETTING = {
    "size": 128,
    "coils": 4,
    "batch": 1,
    "filters": 32,
    "iterations": 5,
    "solver_iterations": 10,
}
WEIGHT = 1.0
"""deepinv's first λ, which cannot be chosen."""


def problem(size, coils, batch, filters, **_):
    """K-space, maps, mask `(H, W)`, target, and three kernels."""
    from loupe_tf import simulation

    rng = np.random.default_rng(0)
    images = rng.uniform(size=(batch, size, size, 1))
    maps = simulation.birdcage_maps((size, size), coils)
    kspace, maps, target = simulation.simulate_kspace(images, maps, seed=0)
    mask = np.broadcast_to(np.arange(size) % 4 == size // 2 % 4, (size, size))
    kernels = make_kernels(rng, filters, 3)
    arrays = (kspace * mask[..., None], maps, mask, target, *kernels)
    kspace, maps, mask, target, *kernels = (x.astype("float32") for x in arrays)
    return kspace, maps, mask, target, kernels


def keras_steps(iterations, solver_iterations, **setting):
    """Steps of our `MoDL`, and facts about it."""
    import keras
    from keras import ops

    import loupe_tf

    kspace, maps, mask, target, kernels = problem(**setting)
    inputs = keras.Input((None, None, 2))
    network, _ = keras_network(kernels, inputs)
    model = loupe_tf.models.MoDL(
        keras.Model(inputs, network),
        iterations,
        residual=False,
        normalize=False,
        regularization=WEIGHT,
        solver_iterations=solver_iterations,
    )
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    lines = mask[None, :1, :, None]
    given = [ops.convert_to_tensor(each) for each in (kspace, lines, maps)]
    image = model.predict_on_batch(given)
    return {
        "predict": lambda: model.predict_on_batch(given),
        "train": lambda: model.train_on_batch(given, target),
    }, {
        "image": image.tolist(),
        "versions": f"loupe_tf {loupe_tf.__version__}, Keras "
        f"{keras.__version__} on {keras.backend.backend()}",
    }


def torch_steps(iterations, solver_iterations, **setting):
    """Steps of deepinv's MoDL, and facts about it."""
    import deepinv
    import torch

    kspace, maps, mask, target, kernels = problem(**setting)

    class Denoiser(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = torch_network(kernels)

        def forward(self, x, sigma=None):
            return self.network(x)

    denoiser = Denoiser()
    y = torch.from_numpy(np.moveaxis(kspace, -1, 1).copy())
    goal = torch.from_numpy(np.moveaxis(target, -1, 1).copy())
    physics = deepinv.physics.MultiCoilMRI(
        mask=torch.from_numpy(mask),
        coil_maps=torch.from_numpy(maps @ np.array([1, 1j], "complex64")),
        solver="CG",
        max_iter=solver_iterations,
        tol=0.0,  # As many iterations as ours.
    )
    model = deepinv.models.MoDL(denoiser, num_iter=iterations)
    optimizer = torch.optim.SGD(model.parameters(), RATE)

    def predict():
        with torch.no_grad():
            return model(y, physics).numpy()

    def train():
        optimizer.zero_grad()
        loss = torch.mean((model(y, physics) - goal) ** 2)
        loss.backward()
        optimizer.step()
        return loss.item()

    with torch.no_grad():
        image = physics.A_adjoint(y)
        for _ in range(iterations):
            image = physics.prox_l2(denoiser(image), y, 1 / WEIGHT)
    image = np.moveaxis(image.numpy(), 1, -1)
    return {"predict": predict, "train": train}, {
        "image": image.tolist(),
        "versions": f"deepinv {deepinv.__version__}, torch {torch.__version__}",
    }


def make_steps(framework, **setting):
    make = torch_steps if framework == THEIRS else keras_steps
    return make(**{k: v for k, v in setting.items() if k != "steps"})


def check(workers):
    """See that all have the same parts, and return how far they are apart."""
    image = workers[THEIRS].start["image"]
    gaps = {
        name: relative_gap(worker.start["image"], image)
        for name, worker in workers.items()
        if name != THEIRS
    }
    for name, gap in gaps.items():
        if not gap < AGREE:
            raise RuntimeError(f"The images of {name} differ by {gap:.1e}.")
    return gaps


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    helps = {
        "size": "H and W of the images",
        "coils": "coils",
        "batch": "examples in a batch",
        "filters": "channels between the convolutions",
        "iterations": "iterations of the network",
        "solver_iterations": "conjugate gradients in each",
    }
    for name, text in helps.items():
        add(
            f"--{name.replace('_', '-')}",
            type=int,
            default=SETTING[name],
            help=f"{text} (%(default)s)",
        )
    add("--rounds", type=int, default=15, help="rounds of steps (%(default)s)")
    add("--backends", nargs="+", default=("tensorflow", "jax"))
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    refuse_below_one(parser, options)
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if options.worker:
        serve(make_steps, options.worker)
        return 0
    if not all(map(importlib.util.find_spec, ("torch", "deepinv"))):
        print("Nothing to compare with: `pip install deepinv`, and torch.")
        return 1
    setting = {name: getattr(options, name) for name in SETTING}
    print(f"{os.cpu_count()} cores; {setting}; {options.rounds} rounds\n")
    workers = {
        name: Worker(__file__, name, steps=STEPS, **setting)
        for name in (*options.backends, THEIRS)
    }
    for worker in workers.values():
        print(worker.start["versions"])
    for name, gap in check(workers).items():
        print(f"{name}: image {gap:.1e} apart")
    seconds = take_in_turn(workers, STEPS, options.rounds)
    print_ratios("MoDL", ratios(seconds, THEIRS), "deepinv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
