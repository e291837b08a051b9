"""Compute the cost of the 4S paper's network before you request a GPU.

The script counts the multiply-adds of the convolutions in the model that
`reproduce_4s.py` trains with a preset. For comparison, it also reports XLA's
count for JAX's training step. (It trains nothing, so a CPU is enough.) From
these counts it computes the FLOPs of an image, of a step and of all runs of the
preset, and their minutes on a GPU at assumed shares of its peak.

    python scripts/benchmarks/paper_size_cost.py
    python scripts/benchmarks/paper_size_cost.py --preset paper --slices 1000
    python scripts/benchmarks/paper_size_cost.py --share 0.1 0.2

A multiply-add is two FLOPs. A training step costs three predictions, because
the gradients of weights and of inputs each cost as much as the prediction. XLA
does not count the zero padding of convolutions, but counts all other layers.
The count assumes that no run stops early.

Peaks are those for dense matrices on NVIDIA's data sheets; JAX multiplies
float32 in TF32 on such cards. The share that a training reaches is an
assumption: normalisation and activations wait for memory. The preset paper320
is sized for 0.15 to 0.3 of the TF32 peak of an H100. --write is the speed of
writing files: each epoch backs up weights and optimizer and saves them again if
it is the best so far, which the count assumes for every epoch. The count
excludes compilation and the evaluation of the masks.
"""

import os
import pathlib
import sys

import numpy as np

from loupe_tf.command_line import argument_parser

# Where `experiments` is.
sys.path.append(str(pathlib.Path(__file__).parents[1]))

from experiments.presets.four_s import PRESETS  # noqa: E402
from experiments.unet import build_unet  # noqa: E402

# TFLOP/s of dense matrices, by card and precision.
PEAKS = {
    ("A100", "float32 (TF32)"): 156,
    ("A100", "bfloat16"): 312,
    ("H100", "float32 (TF32)"): 495,
    ("H100", "bfloat16"): 989,
}
BINARIZATIONS = 4  # As many predictions of the test images.


def build_model(settings, size):
    """The model of a run of 4S."""
    return build_unet(
        settings,
        (size, size, 1),
        seed=0,
        acceleration=settings["accelerations"][0],
        calibration=None,
        slope=settings["first_slope"],
    )


def count_multiply_adds(network):
    """Multiply-adds of the convolutions of a network, for one image."""
    import keras

    return sum(
        int(np.prod(layer.output.shape[1:-1]) * np.prod(layer.kernel.shape))
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    )


def xla_flops(model, batch_size):
    """FLOPs of a training step, as XLA counts them before it optimizes."""
    import jax

    def loss(trainable, others, images):
        output, others = model.stateless_call(
            trainable, others, images, training=True
        )
        return ((output - images) ** 2).mean(), others

    def step(trainable, others, optimizer, images):
        (_, others), gradients = jax.value_and_grad(loss, has_aux=True)(
            trainable, others, images
        )
        return others, model.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )

    model.optimizer.build(model.trainable_variables)
    state = [
        [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
        )
    ]
    shape = (batch_size, *model.input_shape[1:])
    images = jax.ShapeDtypeStruct(shape, "float32")
    return jax.jit(step).lower(*state, images).cost_analysis()["flops"]


def count_runs(settings):
    """The number of trainings of a preset."""
    fixed = len(settings["slopes"]) * len(settings["protocols"])
    return len(settings["accelerations"]) * len(settings["seeds"]) * (fixed + 1)


def cost(settings, slices, multiply_adds):
    """FLOPs of an image and of all runs, and the epochs of all runs.

    Args:
        settings: Dict, a preset.
        slices: Three integers, for training, validation and test.
        multiply_adds: Integer, for a prediction of one image.

    Returns:
        A dict.
    """
    train, validation, test = slices
    predict = 2 * multiply_adds
    epochs = 2 * settings["epochs"]
    epoch = 3 * predict * train + predict * validation
    run = epochs * epoch + BINARIZATIONS * predict * test
    runs = count_runs(settings)
    return {
        "predict": predict,
        "train": 3 * predict,
        "step": 3 * predict * settings["batch_size"],
        "epoch": epoch,
        "run": run,
        "all": runs * run,
        "runs": runs,
        "epochs": runs * epochs,
    }


def minutes(flops, shares, writing=0.0):
    """Rows of card, precision and the minutes at each share of its peak.

    Args:
        flops: Float, the FLOPs of all runs.
        shares: Floats in (0, 1], shares of the peak.
        writing: Float, additional seconds for writing.
    """
    return [
        (*name, [(flops / (s * peak * 1e12) + writing) / 60 for s in shares])
        for name, peak in PEAKS.items()
    ]


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add(
        "--preset",
        choices=PRESETS,
        default="paper320",
        help="of reproduce_4s.py (%(default)s)",
    )
    add("--size", type=int, default=320, help="H and W (%(default)s)")
    add("--filters", type=int, help="channels at the finest scale (preset's)")
    add("--depth", type=int, help="scales of the U-Net (preset's)")
    add(
        "--slices",
        type=int,
        nargs="+",
        metavar="N",
        help="of training, validation and test, the latter two by default a "
        "tenth each (preset's, or 1000)",
    )
    add(
        "--share",
        type=float,
        nargs="+",
        default=[0.15, 0.3, 0.4],
        help="of the peak that is reached (%(default)s)",
    )
    add(
        "--write",
        type=float,
        default=250.0,
        metavar="MB/S",
        help="at which weights are written (%(default)s)",
    )
    options = parser.parse_args(arguments)
    if not all(0 < share <= 1 for share in options.share):
        parser.error("--share: expected numbers above 0, of at most 1")
    if options.write <= 0:
        parser.error("--write: expected a number above 0")
    for name in ("size", "filters", "depth", "slices"):
        value = getattr(options, name)
        if value is not None and np.min(value) < 1:
            parser.error(f"--{name}: expected at least 1")
    if options.slices and len(options.slices) not in (1, 3):
        parser.error("--slices: expected one number or three")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    settings = dict(PRESETS[options.preset])
    for name in ("filters", "depth"):
        settings[name] = getattr(options, name) or settings[name]
    slices = options.slices or settings["images"] or [1000]
    if len(slices) == 1:
        slices = [slices[0], *[max(1, slices[0] // 10)] * 2]
    # Keras reads its backend when it is imported.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    model = build_model(settings, options.size)
    found = cost(
        settings, slices, count_multiply_adds(model.reconstructor.network)
    )
    parameters = model.count_params()
    print(
        f"Preset {options.preset}: {options.size}×{options.size}, "
        f"{settings['filters']} filters, depth {settings['depth']}, "
        f"{parameters:,} parameters; {found['runs']} runs of at most "
        f"{2 * settings['epochs']} epochs, {slices[0]} slices in batches of "
        f"{settings['batch_size']}\n"
    )
    print(f"prediction of an image     {found['predict'] / 1e9:10.1f} GFLOP")
    print(f"training step, per image   {found['train'] / 1e9:10.1f} GFLOP")
    print(f"training step, per batch   {found['step'] / 1e12:10.2f} TFLOP")
    if keras.backend.backend() == "jax":
        xla = xla_flops(model, settings["batch_size"])
        print(
            f"the same, as XLA counts    {xla / 1e12:10.2f} TFLOP, "
            f"{xla / found['step']:.3f} of it"
        )
    print(f"an epoch                   {found['epoch'] / 1e15:10.3f} PFLOP")
    print(f"a run                      {found['run'] / 1e15:10.2f} PFLOP")
    print(f"all runs                   {found['all'] / 1e15:10.2f} PFLOP")
    # Weights and two moments of Adam, of four bytes, twice an epoch.
    written = 2 * found["epochs"] * 12 * parameters / 1e6 * settings["backup"]
    writing = written / options.write
    print(
        f"written                    {written / 1e3:10.1f} GB, "
        f"{writing / 60:.1f} min at {options.write:g} MB/s\n"
    )
    print("Minutes, files included, at a share of the peak of")
    heads = "".join(f"{share:>9.2f}" for share in options.share)
    print(f"{'':32}{heads}")
    for card, precision, times in minutes(found["all"], options.share, writing):
        cells = "".join(f"{time:9.1f}" for time in times)
        peak = f"{PEAKS[card, precision]} TFLOP/s"
        print(f"{card} {precision:<14} {peak:>11} {cells}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
