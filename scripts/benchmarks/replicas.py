"""Do two replicas compute what one does, and how long do they take?

The benchmark trains the same model on the same batches with one device and,
under `tf.distribute.MirroredStrategy`, with two devices that each get half of
every batch. If nothing is random (the mask is fixed), the losses must agree to
1e-5 after every epoch. The validation losses of a learned mask, which is binary
at inference, must also agree if both models have the same weights. The models
are

    instance      a fixed mask, a U-Net with instance normalisation
    learned       a learned mask, inference only
    synchronized  a fixed mask and batch normalisation whose statistics are
                  those of the whole batch, `synchronized=True`
    batch         the same with each replica's own statistics, which is really
                  another model

The last two have no limit. With synchronised statistics, both devices compute
the same sums in a different order. The rounding differences grow in training,
and even more through the running statistics that validation uses.

Without GPUs, the CPU is split into two devices. They share its cores, so two
replicas cannot be faster than one. The ratio of the step times then shows the
cost of the strategy and says nothing about two GPUs. One device goes first in
every other round, and the median and the quartiles are those of the rounds'
ratios. The exit code is 0 whether the limits hold or not.
"""

import functools
import json
import pathlib
import sys

import numpy as np

import loupe_tf
from loupe_tf.command_line import argument_parser
from loupe_tf.provenance import environment

LIMIT = 1e-5
NORMALIZATIONS = ("instance", "synchronized", "batch")


def build(options, normalization, mask=None):
    import keras

    if normalization == "synchronized":
        normalization = functools.partial(
            keras.layers.BatchNormalization, synchronized=True
        )
    size = (options.size, options.size)
    keras.utils.set_random_seed(0)
    sampling = {"mask": mask}
    if mask is None:
        sampling = {"acceleration": 4, "calibration": None, "slope": 200.0}
    model = loupe_tf.models.loupe_model(
        (*size, 1),
        **sampling,
        filters=options.filters,
        depth=options.depth,
        normalization=normalization,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(1e-3), loss="mse")
    return model


def train(options, name, scopes, images):
    """Losses and seconds per step of each round: arrays `(rounds, 2)`."""
    from epoch_seconds import EpochSeconds

    mask = loupe_tf.masks.gaussian((options.size, options.size), 4)
    models = []
    for scope in scopes:
        with scope():
            models.append(build(options, name, mask))
    losses, seconds = [], []
    for epoch in range(options.rounds + 1):
        logs, times = [None, None], [None, None]
        for which in (0, 1) if epoch % 2 else (1, 0):
            batches = loupe_tf.callbacks.ShuffledBatches(
                images, images, options.batch
            )
            batches.set_epoch(epoch)
            clock = EpochSeconds()
            history = (
                models[which]
                .fit(
                    batches,
                    validation_data=(images, images),
                    validation_batch_size=options.batch,
                    callbacks=[clock],
                    shuffle=False,
                    verbose=0,
                )
                .history
            )
            logs[which] = [history["loss"][0], history["val_loss"][0]]
            times[which] = clock.seconds
        losses.append(logs)
        seconds.append(times)
    # The first round compiles.
    return losses, seconds[1:]


def infer(options, scopes, images):
    """Losses of a learned mask at inference, `(1, 2)`."""
    losses, weights = [], None
    for scope in scopes:
        with scope():
            model = build(options, "instance")
        weights = weights or model.get_weights()
        model.set_weights(weights)
        losses.append(
            [model.evaluate(images, images, options.batch, verbose=0)]
        )
    return [losses]


def measure(options):
    import tensorflow as tf

    devices = loupe_tf.distribution.Distribution(
        "mirrored", options.logical_devices
    )
    if devices.replicas != 2:
        raise ValueError(
            "Invalid value for argument --logical-devices. Expected two "
            f"devices in all. Received: {devices.replicas}"
        )
    scopes = [tf.distribute.get_strategy().scope, devices.scope]
    rng = np.random.default_rng(0)
    shape = (options.steps * options.batch, options.size, options.size, 1)
    images = rng.uniform(size=shape).astype("float32")
    results = {}
    for name in NORMALIZATIONS:
        losses, seconds = train(options, name, scopes, images)
        results[name] = {"losses": losses, "seconds": seconds}
    results["learned"] = {"losses": infer(options, scopes, images)}
    return results


def summarize(results):
    """Rows of the table: difference, verdict, quartiles of times."""
    rows = {}
    for name, result in results.items():
        losses = np.array(result["losses"])  # (rounds, 2, losses)
        difference = float(np.abs(losses[:, 0] - losses[:, 1]).max())
        rows[name] = {"difference": difference}
        if name in ("instance", "learned"):
            rows[name]["held"] = difference <= LIMIT
        if "seconds" in result:
            ratios = np.divide(*np.transpose(result["seconds"])[::-1])
            rows[name]["ratio"] = np.percentile(ratios, [25, 50, 75]).tolist()
    return rows


def table(rows):
    line = "{:<14}{:>18}  {:<6}{:>16}  {:<12}".format
    lines = [line("", "largest difference", "held", "time of a step", "")]
    lines.append(line("", "of the losses", "", "two / one", "quartiles"))
    for name, row in rows.items():
        held = {True: "yes", False: "NO"}.get(row.get("held"), "-")
        ratio, quartiles = "-", "-"
        if "ratio" in row:
            low, median, high = row["ratio"]
            ratio, quartiles = f"{median:.2f}", f"{low:.2f}-{high:.2f}"
        difference = f"{row['difference']:.1e}"
        lines.append(line(name, difference, held, ratio, quartiles))
    return "\n".join(text.rstrip() for text in lines)


def setting(options):
    where = "; ".join(environment("tensorflow").values())
    return (
        f"{where}\n{options.size}×{options.size}, batch {options.batch}, "
        f"{options.filters} filters, depth {options.depth}; "
        f"{options.rounds} rounds of {options.steps} steps"
    )


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--size", type=int, default=64, help="H and W (%(default)s)")
    add("--batch", type=int, default=8, help="of both together (%(default)s)")
    add("--filters", type=int, default=16, help="of the U-Net (%(default)s)")
    add("--depth", type=int, default=4, help="of the U-Net (%(default)s)")
    add("--steps", type=int, default=10, help="in an epoch (%(default)s)")
    add("--rounds", type=int, default=10, help="epochs of each (%(default)s)")
    add(
        "--logical-devices",
        type=int,
        help="treat the CPU as so many devices (2 where there is no GPU)",
    )
    add("--json", metavar="OUT", help="file for the ratios and every loss")
    options = parser.parse_args(arguments)
    if options.batch % 2:
        parser.error(f"--batch must be even, not {options.batch}")
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    if options.logical_devices is None:
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            options.logical_devices = 2
    try:
        results = measure(options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = summarize(results)
    print(f"{setting(options)}\n\n{table(rows)}")
    if options.json:
        report = {
            "environment": setting(options),
            "rows": rows,
            "results": results,
        }
        pathlib.Path(options.json).write_text(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
