"""Learn a k-space mask with 4S, and say what the learning was worth.

Two models are trained in the two rounds of the 4S paper (Martinini et al.,
BioCAS 2022), on the same images, with the same network and for the same number
of epochs: LOUPE, whose mask is learned with 4S, and the network on a fixed mask
of the same budget. Both are judged on volumes that neither has seen.

    python scripts/train_loupe.py --demo
    python scripts/train_loupe.py --data my_volumes/ --acceleration 8
    python scripts/train_loupe.py --data mni_brain/128 --lines columns \\
        --calibration 8 --epochs 300 200 --out runs/lines
    python scripts/train_loupe.py --data my_volumes/ --distribute mirrored

The folder given by --out gets model.keras, mask.npz and mask.png, history.json,
metrics.json and report.html, a page that needs nothing else. A run that was
stopped goes on when the same command is given again.
"""

import functools
import sys

import numpy as np
import tqdm

import loupe_tf
import loupe_tf.datasets
from loupe_tf import distribution, evaluation, masks, plots, report
from loupe_tf.atomic import written_aside
from loupe_tf.checks import check_choice
from loupe_tf.command_line import add_data_options, argument_parser, exit_code
from loupe_tf.provenance import provenance
from loupe_tf.run_folder import RunFolder

# The settings of `--demo`: a few minutes on two cores.
DEMO = {
    "data": "mni_brain/96",
    "data_dir": "runs/data",
    "out": "runs/demo",
    "acceleration": 4.0,
    "filters": 8,
    "depth": 4,
    "epochs": [14, 4],
    # Small batches: the mask takes one step a batch, whatever its size.
    "batch_size": 4,
    "patience": 1,  # So that 4S acts in so few epochs.
    "cooldown": 1,
    "stop_patience": 12,
    "lr_patience": 2,
}

# Of `loupe_tf.models`, with their names in tables and depths by default.
NETWORKS = {
    "unet": ("U-Net", 5),
    "fastmri_unet": ("fastMRI U-Net", 4),
    "encoder_decoder": ("encoder-decoder", 7),
}

# What the options of version 0.1.0 called them.
OLD_NAMES = {"uniform": "uniform_random", "poisson": "poisson_disc"}

CONVENTION = (
    "PSNR = -10 log10(MSE) on images divided by their volume's maximum; SSIM "
    "with data range 1; both averaged over the slices of a volume, then mean ± "
    "standard deviation over the volumes of the test split"
)


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add(
        "--demo",
        action="store_true",
        help="a few minutes on simulated brains of 96×96; other options win",
    )
    add_data_options(parser, "mni_brain/96")
    add(
        "--crop-to-acquired",
        action="store_true",
        help="crop k-space to what was acquired, as found in the training "
        "images, where a scanner or a converter has filled it up with zeros",
    )
    add("--out", default="runs/loupe", help="folder of the run (%(default)s)")
    add(
        "--acceleration",
        type=float,
        default=4.0,
        help="R > 1: a share 1/R of k-space is acquired (%(default)s)",
    )
    add(
        "--lines",
        choices=["columns", "rows"],
        help="learn whole lines of k-space instead of points",
    )
    add(
        "--calibration",
        type=int,
        help="lines, or side of the square, at the centre of k-space that are "
        "always acquired, inside the budget (fastMRI's share of them, "
        f"{masks.CALIBRATION_SHARE}/R; 0 for none)",
    )
    add(
        "--estimator",
        default="relaxed",
        metavar="NAME",
        help="how masks are drawn in training: %(default)s, the paper's, or "
        "another that the guide has",
    )
    add(
        "--slope",
        type=float,
        help="initial slope that 4S raises (20 for relaxed, smaller for the "
        "others)",
    )
    add(
        "--fixed",
        choices=[n for n, p in masks.PATTERNS.items() if not p.of_images],
        type=lambda name: OLD_NAMES.get(name, name),
        help="the fixed pattern to compare with (gaussian: points of variable "
        "density; random_lines for lines)",
    )
    add(
        "--network",
        choices=list(NETWORKS),
        default="unet",
        help="what rebuilds the image (%(default)s)",
    )
    add("--filters", type=int, default=32, help="of the network (%(default)s)")
    add(
        "--depth",
        type=int,
        help="of the network: scales of unet (5), halvings of fastmri_unet (4) "
        "and encoder_decoder (7)",
    )
    add(
        "--dropout",
        type=float,
        default=0.0,
        help="share of the network's channels dropped in training "
        "(%(default)s)",
    )
    add(
        "--epochs",
        type=int,
        nargs=2,
        default=[1000, 500],
        metavar=("FIRST", "SECOND"),
        help="the most epochs of the two rounds (%(default)s)",
    )
    add("--batch-size", type=int, default=16, help="(%(default)s)")
    add("--learning-rate", type=float, default=0.01, help="(%(default)s)")
    add(
        "--weight-decay",
        type=float,
        default=0.0,
        help="of the network; the mask has none (%(default)s)",
    )
    add(
        "--patience",
        type=int,
        default=40,
        help="epochs without improvement before 4S raises the slope "
        "(%(default)s)",
    )
    add("--cooldown", type=int, default=10, help="of 4S (%(default)s)")
    add("--factor", type=float, default=1.5, help="of 4S (%(default)s)")
    add(
        "--stop-patience",
        type=int,
        default=100,
        help="epochs without improvement that end a round (%(default)s)",
    )
    add(
        "--lr-patience",
        type=int,
        default=50,
        help="epochs without improvement before round two lowers the learning "
        "rate (%(default)s)",
    )
    add("--seed", type=int, default=0, help="of everything (%(default)s)")
    distribution.add_arguments(parser)
    if "--demo" in (sys.argv[1:] if arguments is None else arguments):
        parser.set_defaults(**DEMO)
    options = parser.parse_args(arguments)
    if options.weight_decay < 0:
        parser.error(f"--weight-decay {options.weight_decay} is below 0")
    if options.depth is None:
        options.depth = NETWORKS[options.network][1]
    if options.fixed is None:
        options.fixed = "random_lines" if options.lines else "gaussian"
    if options.lines and not masks.PATTERNS[options.fixed].of_lines:
        parser.error(f"--fixed {options.fixed} has no --lines")
    return options


def build_model(options, devices, image_shape, mask=None, view=None):
    import keras

    learned = {
        "acceleration": options.acceleration,
        "lines": options.lines,
        "calibration": options.calibration or None,
        "estimator": options.estimator,
        "slope": options.slope,
    }
    keras.utils.set_random_seed(options.seed)
    # Start from the zero-filled image: runs are short here.
    network = {
        "filters": options.filters,
        "depth": options.depth,
        "dropout": options.dropout,
        "output_initializer": "zeros",
    }
    if options.network == "unet":
        # Let the statistics of the batch normalisation follow within an epoch.
        # They are those of the whole batch on several devices too (on JAX by
        # themselves).
        network["normalization"] = functools.partial(
            keras.layers.BatchNormalization,
            momentum=0.9,
            synchronized=devices.mode in ("mirrored", "multiworker"),
        )
    else:
        build = getattr(loupe_tf.models, options.network)
        network = {"reconstructor": build((*image_shape[:2], 2), **network)}
    model = loupe_tf.models.loupe_model(
        image_shape,
        **({"mask": mask} if mask is not None else learned),
        **network,
        seed=options.seed,
        field_of_view=view,
        name="learned" if mask is None else "fixed",
    )
    optimizer = keras.optimizers.Adam(
        options.learning_rate, weight_decay=options.weight_decay or None
    )
    # It would draw the mask's probabilities towards 1/2.
    optimizer.exclude_from_weight_decay(var_names=["logits"])
    model.compile(
        optimizer,
        loss="mse",
        metrics=[loupe_tf.metrics.PSNR()],
    )
    return model


def fixed_mask(options, shape):
    arguments = {"seed": options.seed, "calibration": options.calibration}
    if options.lines:
        arguments["lines"] = options.lines
    make = masks.PATTERNS[options.fixed].make
    return make(shape, options.acceleration, **arguments)


class Progress:
    """One bar over all epochs of both rounds."""

    def __init__(self, name, epochs, quiet):
        self.bar = tqdm.tqdm(
            total=epochs, desc=name, unit="epoch", disable=quiet
        )

    def on_epoch_end(self, epoch, logs=None):
        self.bar.update(epoch + 1 - self.bar.n)
        shown = {"val_psnr": f"{logs['val_psnr']:.2f} dB"}
        if "slope" in logs:
            shown["slope"] = f"{logs['slope']:.4g}"
        self.bar.set_postfix(shown)

    def callback(self):
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=self.on_epoch_end)


def train(options, model, data, out):
    """Train in two rounds; return history and seconds."""
    slope_callback = False
    if model.name == "learned":
        slope_callback = loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
            patience=options.patience,
            factor=options.factor,
            cooldown=options.cooldown,
        )
    progress = Progress(
        f"{model.name} mask", sum(options.epochs), quiet=not out.writes
    )
    with progress.bar, out.stopwatch(model.name) as seconds:
        history = loupe_tf.callbacks.fit_two_rounds(
            model,
            data["train"].images,
            validation_data=data["validation"].images,
            epochs=options.epochs,
            batch_size=options.batch_size,
            slope_callback=slope_callback,
            stop_patience=options.stop_patience,
            lr_patience=options.lr_patience,
            directory=out / f"backup_{model.name}",
            callbacks=[progress.callback()],
            seed=options.seed,
            verbose=0,
        )
    return history, seconds()


def warn_of_data_crimes(data):
    """Warn of images that are easier than scans; return what was said."""
    columns = []
    for field in ("images", "volumes", "patients", "sources"):
        column = {name: getattr(slices, field) for name, slices in data.items()}
        unknown = any(values is None for values in column.values())
        columns.append(None if unknown else column)
    return loupe_tf.datasets.warn_of_data_crimes(*columns)


def run(options):
    devices = distribution.Distribution(
        options.distribute, options.logical_devices
    )
    # It brings Keras, whose backend the line before has chosen.
    from loupe_tf.layers.estimators import ESTIMATORS

    check_choice("estimator", options.estimator, ESTIMATORS)
    with devices.chief_first():
        data, source = loupe_tf.datasets.load_splits(
            options.data, options.data_dir, options.seed
        )
    if options.crop_to_acquired:
        train_data = data["train"]
        extent = loupe_tf.datasets.inspect(
            train_data.images, train_data.volumes
        ).extent
        data = {k: v.crop_to_acquired(extent) for k, v in data.items()}
        source += f", k-space cropped to the acquired extent {extent}"
    shape = data["test"].images.shape[1:]
    view = data["train"].field_of_view
    if options.calibration is None:
        options.calibration = masks.default_calibration(
            shape[:2], options.acceleration, options.lines
        )
    facts = {
        **provenance(vars(options), source, data),
        "convention": CONVENTION,
        "devices": str(devices),
    }
    print(f"Data: {source}; {facts['volumes']}\nTraining on {devices}")
    # Everything that may be refused is refused before training starts.
    images, volumes = data["test"].images, data["test"].volumes
    evaluation.per_volume(images[:1], images[:1], volumes[:1])
    with devices.scope():
        learned = build_model(options, devices, shape, view=view)
        mask = fixed_mask(options, shape[:2])
        fixed = build_model(options, devices, shape, mask, view)
    out = RunFolder(options.out, writes=devices.is_chief)
    # A run may go on on other devices, or in a folder that was moved.
    own = ("out", "demo", "distribute", "logical_devices")
    out.check_settings({k: v for k, v in vars(options).items() if k not in own})
    devices.check_fft(shape[:2])
    crimes = warn_of_data_crimes(data) if devices.is_chief else []

    trained = [train(options, model, data, out) for model in (learned, fixed)]
    if not devices.is_chief:
        return
    results, outputs, histories = {}, {}, {}
    network_name = NETWORKS[options.network][0]
    learned, fixed = map(devices.on_one_device, (learned, fixed))
    for model, (history, seconds) in zip((learned, fixed), trained):
        mask = masks.from_model(model)
        adjoint = loupe_tf.models.loupe_model(
            shape, mask=mask, reconstructor="zero_filled"
        )
        name = "learned (4S)" if model is learned else options.fixed
        for kind, network in (("zero-filled", adjoint), (network_name, model)):
            output = network.predict(images, options.batch_size, verbose=0)
            outputs[f"{name}, {kind}"] = output
            results[f"{name}, {kind}"] = {
                "volumes": evaluation.per_volume(images, output, volumes),
                "achieved_acceleration": mask.achieved_acceleration,
                "slope": mask.slope,
                "epochs": len(history.epoch) if network is model else 0,
                "seconds": seconds if network is model else 0.0,
            }
        histories[model.name] = history.history
    with written_aside(out / "model.keras") as partial:
        learned.save(partial)
    write_results(
        out,
        options,
        facts,
        crimes,
        data["test"],
        learned,
        results,
        histories,
        outputs,
    )


def write_results(
    out, options, facts, crimes, test, model, results, histories, outputs
):
    network = NETWORKS[options.network][0]
    provenance = {
        "data": facts["data"],
        "slope_history": histories[model.name]["slope"],
    }
    mask = masks.from_model(model, provenance=provenance)
    probability = masks.probability_from_model(model)
    mask.save(out / "mask.npz")
    report.save_figure(plots.mask(mask, probability), out / "mask.png")

    gains = evaluation.paired_difference(
        results[f"learned (4S), {network}"]["volumes"],
        results[f"{options.fixed}, {network}"]["volumes"],
    )
    gain = float(gains.mean())
    zero_filled = {
        name: results[name.replace(network, "zero-filled")]["volumes"]
        for name in results
        if name.endswith(network)
    }
    doubts = [
        evaluation.worse_than_zero_filled(name, results[name]["volumes"], other)
        for name, other in zero_filled.items()
    ]
    doubts = [sentence for sentence in doubts if sentence]
    header = [
        "mask, reconstruction",
        "PSNR [dB]",
        "SSIM",
        "NMSE",
        "achieved R",
        "slope",
        "epochs",
        "seconds",
    ]
    rows = [[name, *row(result)] for name, result in results.items()]
    sentence = (
        f"At R = {options.acceleration:g} the learned mask is worth "
        f"{report.spread(gains, sign='+')} dB over the fixed {options.fixed} "
        f"mask of the same budget, with the same {network} "
    )
    if len(gains) > 1:
        sentence += (
            "(mean ± standard deviation of the paired difference over "
            f"{len(gains)} test volumes; better in {sum(gains > 0)} of them)."
        )
    else:
        sentence += "on the one test volume, which tells nothing of others."
    out.write_json(
        "metrics.json",
        {
            "results": results,
            "gain_db": gain,
            "facts": facts,
            "data_crimes": crimes,
            "doubts": doubts,
        },
        indent=2,
    )
    out.write_json("history.json", histories)
    caution = doubts
    if "mni_brain" in facts["data"]:
        caution = [
            *doubts,
            "These brains are simulated from one average anatomy: good for "
            "trying and testing, not for conclusions.",
        ]
    shown = evaluation.central_slices(test.volumes)
    report.write_report(
        out / "report.html",
        f"A k-space mask learned at R = {options.acceleration:g}",
        {
            "": [
                sentence,
                *caution,
                report.table(header, rows, CONVENTION + "."),
            ],
            **({"What the images are worth": crimes} if crimes else {}),
            "The mask": [
                str(mask),
                report.figure(
                    plots.mask(mask, probability),
                    "The binary mask that inference uses, and the "
                    "probabilities behind it. DC is in the centre.",
                ),
                report.figure(
                    plots.probability_histogram(probability),
                    "The nearer to 0 and 1, the less is lost by making the "
                    "mask binary.",
                ),
            ],
            "Reconstructions": [
                report.figure(
                    plots.reconstructions(
                        test.images[shown],
                        {
                            name: output[shown]
                            for name, output in outputs.items()
                            if name.endswith(network)
                        },
                        voxel_size=test.voxel_size,
                    ),
                    "Slices in the middle of test volumes, with the magnified "
                    "error.",
                )
            ],
            "Training": [
                report.figure(
                    plots.training_curves(history),
                    f"The {name} mask. The vertical line is where round two "
                    "begins, from the best weights of round one.",
                )
                for name, history in histories.items()
            ],
            "How it was obtained": [report.facts(facts)],
        },
    )
    print(f"\n{report.text_table(header, rows)}")
    print("", sentence, *caution, f"See {out / 'report.html'}", sep="\n")


def row(result):
    """Cells of the table for one result."""
    values = {
        name: [volume[name] for volume in result["volumes"].values()]
        for name in ("psnr", "ssim", "nmse")
    }
    slope = result["slope"]
    return [
        report.spread(values["psnr"]),
        f"{np.mean(values['ssim']):.4f}",
        f"{np.mean(values['nmse']):.5f}",
        f"{result['achieved_acceleration']:.3f}",
        "-" if slope is None else f"{slope:.4g}",
        str(result["epochs"]),
        f"{result['seconds']:.0f}",
    ]


def main(arguments=None):
    return exit_code(run, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
