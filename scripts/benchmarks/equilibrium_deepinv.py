"""Compare the time of an equilibrium with that of deepinv.

Both search the same fixed point: a gradient step on ½ ‖A x - y‖² and three
convolutions, with the same weights, for one coil and a mask of lines. Both may
take as many iterations forward and as many backward. With Picard's method none
stops early; with Anderson's, ours stops where the residual is 1e-6, and the
script says after how many forward. deepinv is the package of the same name, on
torch (`deepinv.optim.PGD` with `DEQ`); `DeepEquilibrium` runs on TensorFlow and
JAX.

Each framework has a process of its own, and one at a time takes a step, in
random order, round after round. The script first sees that both give the same
image and the same gradient with Picard's method; Anderson's has regularizations
of two kinds. It prints the median and the quartiles of the ratios within a
round: of a prediction (the search alone), of a training step, and of the
difference between the two, the way back. Below 1, ours is faster.

    python scripts/benchmarks/equilibrium_deepinv.py
    python scripts/benchmarks/equilibrium_deepinv.py --size 16 --rounds 2

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
METHODS = ("picard", "anderson")
# D(x) = 0.9 x + 0.09 N(x): slow enough for Picard's method not to end early.
KEPT, ADDED = 0.9, 0.09
RATE = 1e-3
AGREE = 1e-3
SETTING = {"size": 64, "batch": 4, "filters": 16, "iterations": 20}


def problem(size, batch, filters, **_):
    """K-space `(batch, H, W, 2)`, mask `(H, W)`, target, and three kernels."""
    rng = np.random.default_rng(0)
    kspace, target = rng.normal(size=(2, batch, size, size, 2))
    mask = np.broadcast_to(np.arange(size) % 4 == size // 2 % 4, (size, size))
    # A norm below 1 makes the step a contraction.
    kernels = make_kernels(rng, filters, 6)
    arrays = (kspace * mask[..., None], mask, target, *kernels)
    kspace, mask, target, *kernels = (x.astype("float32") for x in arrays)
    return kspace, mask, target, kernels


def keras_steps(method, **setting):
    """Steps of `DeepEquilibrium`, and facts about it."""
    import keras
    from keras import layers, ops

    import loupe_tf
    from loupe_tf import fixed_point, models

    kspace, mask, target, kernels = problem(**setting)
    inputs = keras.Input((None, None, 2))
    x, convolutions = keras_network(kernels, inputs)
    parts = layers.Rescaling(KEPT)(inputs), layers.Rescaling(ADDED)(x)
    x = layers.Add()(parts)
    kind = {"picard": fixed_point.Picard, "anderson": fixed_point.Anderson}
    solver = kind[method](1e-6, setting["iterations"])
    model = models.DeepEquilibrium(
        models.ProximalGradient(
            keras.Model(inputs, x), residual=False, normalize=False
        ),
        solver,
        fixed_point.Exact(solver),
    )
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    given = [
        ops.convert_to_tensor(each)
        for each in (kspace[:, None], mask[None, ..., None])
    ]
    given[1] = ops.repeat(given[1], len(kspace), 0)
    image = model.predict_on_batch(given)
    model.train_on_batch(given, target)
    # It starts at 0, so that rounding takes nothing of the gradient.
    bias = ops.convert_to_numpy(convolutions[0].bias)
    return {
        "predict": lambda: model.predict_on_batch(given),
        "train": lambda: model.train_on_batch(given, target),
    }, {
        "weights": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "image": image.tolist(),
        "moved": bias.tolist(),
        "taken": float(ops.convert_to_numpy(model.steps)),
        "versions": f"loupe_tf {loupe_tf.__version__}, Keras "
        f"{keras.__version__} on {keras.backend.backend()}",
    }


def torch_steps(method, iterations, **setting):
    """Steps of deepinv's equilibrium, and facts about it."""
    import deepinv
    import torch
    from deepinv.optim import (
        L2,
        PGD,
        AndersonAccelerationConfig,
        DEQConfig,
        PnP,
    )

    kspace, mask, target, kernels = problem(**setting)

    class Denoiser(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = torch_network(kernels)

        def forward(self, x, sigma=None):
            return KEPT * x + ADDED * self.network(x)

    denoiser = Denoiser()
    y, goal = (
        torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
        for x in (kspace, target)
    )
    physics = deepinv.physics.MRI(mask=torch.from_numpy(mask))
    mixed = method == "anderson"
    model = PGD(
        data_fidelity=L2(),
        prior=PnP(denoiser=denoiser),
        stepsize=1.0,
        max_iter=iterations,
        thres_conv=1e-9,
        unfold=True,
        trainable_params=["stepsize"],
        anderson_acceleration=AndersonAccelerationConfig(5, 1.0, 1e-4)
        if mixed
        else None,
        DEQ=DEQConfig(
            anderson_acceleration_backward=mixed,
            history_size_backward=5,
            max_iter_backward=iterations,
        ),
    )
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

    image = predict()
    train()
    bias = denoiser.network[0].bias.detach().numpy()
    return {"predict": predict, "train": train}, {
        "weights": sum(w.numel() for w in model.parameters()),
        "image": np.moveaxis(image, 1, -1).tolist(),
        "moved": bias.tolist(),
        "versions": f"deepinv {deepinv.__version__}, torch {torch.__version__}",
    }


def make_steps(framework, **setting):
    make = torch_steps if framework == THEIRS else keras_steps
    return make(**{k: v for k, v in setting.items() if k != "steps"})


def check(workers, method):
    """See that all search the same, and return how far they are apart."""
    reference = workers[THEIRS].start
    gaps = {}
    for name, worker in workers.items():
        if name == THEIRS:
            continue
        if worker.start["weights"] != reference["weights"]:
            raise RuntimeError("The numbers of weights differ.")
        gaps[name] = [
            relative_gap(worker.start[key], reference[key])
            for key in ("image", "moved")
        ]
        # Anderson's method has regularizations of different kinds.
        if method == "picard" and max(gaps[name]) > AGREE:
            raise RuntimeError(
                f"Image and gradient of {name} differ by {gaps[name]}."
            )
    return gaps


def rows_of(seconds):
    """`ratios` of each step, and of the difference of the two."""
    both = {
        **seconds,
        "the way back": {
            name: np.subtract(seconds["train"][name], predicted)
            for name, predicted in seconds["predict"].items()
        },
    }
    return ratios(both, THEIRS)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    helps = {
        "size": "H and W of the images",
        "batch": "examples in a batch",
        "filters": "channels between the convolutions",
        "iterations": "iterations forward, and backward",
    }
    for name, text in helps.items():
        add(
            f"--{name}",
            type=int,
            default=SETTING[name],
            help=f"{text} (%(default)s)",
        )
    add("--rounds", type=int, default=15, help="rounds of steps (%(default)s)")
    add("--methods", nargs="+", choices=METHODS, default=METHODS)
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
    print(f"{os.cpu_count()} cores; {setting}; {options.rounds} rounds")
    for method in options.methods:
        workers = {
            name: Worker(__file__, name, steps=STEPS, method=method, **setting)
            for name in (*options.backends, THEIRS)
        }
        print()
        for worker in workers.values():
            print(worker.start["versions"])
        for name, gaps in check(workers, method).items():
            taken = workers[name].start["taken"]
            print(
                "{}: image {:.1e}, gradient {:.1e} apart; {:g} iterations "
                "forward".format(name, *gaps, taken)
            )
        seconds = take_in_turn(workers, STEPS, options.rounds)
        print_ratios(method, rows_of(seconds), "deepinv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
