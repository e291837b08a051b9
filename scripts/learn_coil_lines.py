"""Learn k-space lines for several coils, and try them on a real scan.

Multi-coil k-space that is fully sampled is rare; images are not. This script
simulates the coils around the images of a data set (birdcage maps at a random
angle, a smooth phase, receiver noise, all of them anew in each epoch) and
trains two models in the two rounds of the 4S paper: one that learns which lines
to acquire, and the same network on equispaced lines of the same budget.

Then it takes a fully sampled scan that no training has seen, keeps the lines of
each mask, estimates the sensitivity maps from the central ones by ESPIRiT, and
rebuilds the image by zero filling, by CG-SENSE and by the network.

    python scripts/learn_coil_lines.py --test scan.npy
    python scripts/learn_coil_lines.py --test raw_data.mat --key raw \\
        --data my_volumes/ --acceleration 4 --out runs/coil_lines

The scan is a .npy, BART's .cfl, or HDF5 (MATLAB 7.3 as well) with --key,
complex `(coils, H, W)`, DC in the centre. Images are brought to its matrix: the
k-space of larger ones is cropped, smaller ones get a background of zeros. A run
that was stopped goes on when the same command is given again.
"""

import functools
import os
import sys

import numpy as np

import experiments
import loupe_tf
from loupe_tf import (
    command_line,
    evaluation,
    formats,
    masks,
    plots,
    provenance,
    reconstruction,
    report,
    run_folder,
    simulation,
)
from loupe_tf.atomic import written_aside

MASKS = ("learned", "equispaced")
SCAN_HEADER = ["mask", "R", "method", "NRMSE", "PSNR [dB]", "SSIM"]
SCAN = (
    "The real scan: magnitudes inside the object, which is where the maps of "
    "all samples are not zero, compared with the SENSE combination of these. "
    "NRMSE is ‖error‖ / ‖image‖; PSNR has the image's largest pixel for its "
    "peak, and SSIM a 7×7 uniform window with that pixel for its range "
    "(fastMRI)."
)
SIMULATED_HEADER = ["mask", "R", "PSNR [dB]", "SSIM"]
SIMULATED = (
    "The network on the test volumes with simulated coils, without noise: PSNR "
    "= -10 log10(MSE) on images divided by their volume's maximum, SSIM with "
    "data range 1; mean ± standard deviation over volumes."
)


def parse_arguments(arguments=None):
    parser = command_line.argument_parser(__doc__)
    add = parser.add_argument
    add("--test", required=True, help="file of the scan's k-space")
    add("--key", help="of an HDF5 file: which array")
    command_line.add_data_options(parser, "mni_brain/64")
    add("--out", default="runs/coil_lines", help="folder (%(default)s)")
    add("--acceleration", type=float, default=4.0, help="R > 1 (%(default)s)")
    add("--lines", choices=["columns", "rows"], default="columns")
    add(
        "--calibration",
        type=int,
        default=12,
        metavar="N",
        help="central lines that are always acquired, inside the budget; maps "
        "are estimated from them (%(default)s)",
    )
    add("--coils", type=int, default=8, help="simulated (%(default)s)")
    add("--snr", type=float, default=30.0, help="in dB (%(default)s)")
    add(
        "--phase",
        type=float,
        default=1.0,
        help="deviation of the images' phase, in radians (%(default)s)",
    )
    add("--filters", type=int, default=16, help="of the U-Net (%(default)s)")
    add("--depth", type=int, default=4, help="of the U-Net (%(default)s)")
    add(
        "--epochs",
        type=int,
        nargs=2,
        default=[24, 8],
        metavar=("FIRST", "SECOND"),
        help="the most epochs of the two rounds (%(default)s)",
    )
    add("--batch-size", type=int, default=8, help="(%(default)s)")
    add("--learning-rate", type=float, default=3e-3, help="(%(default)s)")
    add(
        "--slope", type=float, default=20.0, help="that 4S raises (%(default)s)"
    )
    add("--patience", type=int, default=2, help="epochs, of 4S (%(default)s)")
    add("--seed", type=int, default=0, help="of everything (%(default)s)")
    options = parser.parse_args(arguments)
    if options.calibration < 7:
        parser.error("--calibration: expected 7 lines or more, for ESPIRiT")
    return options


def coil_batches(images, options, turns=True):
    """Batches `((kspace, maps), images)` of simulated coils.

    In each epoch each example lies in another orientation, among coils that
    are turned by another angle, and has another phase.
    """
    from loupe_tf.callbacks import ShuffledBatches

    # A turn by the distance of two coils would only number them anew.
    step = 2 * np.pi / options.coils / 8
    rings = np.stack(
        [
            simulation.birdcage_maps(
                images.shape[1:3], options.coils, angle=step * i
            )
            for i in range(8)
        ]
    )

    class CoilBatches(ShuffledBatches):
        def set_epoch(self, epoch):
            super().set_epoch(epoch)
            self._epoch = epoch

        def __getitem__(self, index):
            rows = self.rows(index)
            rng = np.random.default_rng([self.seed, self._epoch, index])
            images = self.x[rows]
            if turns:
                images = np.stack([turn(image, rng) for image in images])
            maps = rings[rng.integers(len(rings), size=len(rows))]
            kspace, maps, _ = simulation.simulate_kspace(
                images, maps, options.phase, seed=rng.integers(2**32)
            )
            return (kspace, maps), images

    return CoilBatches(images, images, options.batch_size, options.seed)


def turn(image, rng):
    """One of the orientations that a slice may have in the matrix."""
    down, right, across = rng.integers(2, size=3)
    image = image[:: 1 - 2 * down, :: 1 - 2 * right]
    is_square = image.shape[0] == image.shape[1]
    return image.swapaxes(0, 1) if across and is_square else image


def fit_size(slices, size):
    """The images in another matrix; see the head of this file."""
    from loupe_tf.datasets.resize import center_crop_or_pad

    height, width = slices.images.shape[1:3]
    slices = slices.crop_to_acquired(
        (min(height, size[0]), min(width, size[1]))
    )
    images = center_crop_or_pad(slices.images[..., 0], size)[..., None]
    return images, slices.volumes


def build_model(options, size, mask):
    import keras

    chosen = {"mask": mask}
    if mask is None:
        chosen = {
            "acceleration": options.acceleration,
            "lines": options.lines,
            "calibration": options.calibration,
            "slope": options.slope,
        }
    keras.utils.set_random_seed(options.seed)
    model = loupe_tf.models.loupe_model(
        (*size, 2),
        coils=options.coils,
        snr=options.snr,
        filters=options.filters,
        depth=options.depth,
        normalization=functools.partial(
            keras.layers.BatchNormalization, momentum=0.9
        ),
        # Begin with the zero-filled image: runs are short here.
        output_initializer="zeros",
        seed=options.seed,
        name="equispaced" if mask is not None else "learned",
        **chosen,
    )
    optimizer = keras.optimizers.Adam(options.learning_rate)
    model.compile(optimizer, loss="mse", metrics=[loupe_tf.metrics.PSNR()])
    return model


def train(model, data, options, folder):
    print(f"Training with {model.name} lines", flush=True)
    slope_callback = False
    if model.name == "learned":
        slope_callback = loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
            patience=options.patience, cooldown=1
        )
    with folder.stopwatch(model.name) as seconds:
        history = loupe_tf.callbacks.fit_two_rounds(
            model,
            coil_batches(data["train"][0], options),
            validation_data=coil_batches(data["validation"][0], options, False),
            epochs=options.epochs,
            slope_callback=slope_callback,
            lr_patience=2,
            directory=folder / f"backup_{model.name}",
            verbose=2,
        )
    return history.history, seconds()


def judge_simulated(model, images, volumes, options):
    """What the network makes of the test volumes, volume by volume."""
    batches = coil_batches(images, options, turns=False)
    output = np.empty_like(images)
    for index in range(len(batches)):
        inputs, _ = batches[index]
        output[batches.rows(index)] = model.predict_on_batch(inputs)
    return evaluation.per_volume(images, output, volumes)


def reconstruct(model, mask, kspace, options):
    """Images of the scan, of the lines of a mask alone, by method."""
    # From the same lines for both masks. With so few of them eigenvalues are
    # below 1 in the object too, and a higher `crop` would cut into it.
    maps = reconstruction.espirit_maps(
        kspace,
        mask,
        calibration=options.calibration,
        kernel_size=min(6, (options.calibration - 1) // 2),
        crop=0.8,
    )
    sense = reconstruction.Sense(0.01, iterations=50)
    # The unit of the training images: their volume's maximum is 1.
    unit = np.abs(sense(kspace, mask, maps)).max()
    methods = {
        "zero-filled": reconstruction.ZeroFilled(),
        "CG-SENSE": sense,
        "U-Net": reconstruction.Network(model),
    }
    return {
        name: unit * np.abs(method(kspace / unit, mask, maps))
        for name, method in methods.items()
    }


def run(options):
    kspace = formats.load_coils(options.test, options.key)
    if not np.any(kspace != 0, axis=0).all():
        raise ValueError(
            f"Invalid file {options.test}. Expected fully sampled k-space, to "
            "compare with. Received: samples that are zero in all coils"
        )
    size = kspace.shape[1:]
    everything = np.ones(size, bool)
    full_maps = reconstruction.espirit_maps(kspace, everything)
    truth = np.abs(reconstruction.adjoint(kspace, everything, full_maps))
    equispaced = masks.equispaced_lines(
        size,
        options.acceleration,
        options.calibration,
        lines=options.lines,
        seed=options.seed,
    )
    models = [build_model(options, size, mask) for mask in (None, equispaced)]

    splits, source = loupe_tf.datasets.load_splits(
        options.data, options.data_dir, options.seed
    )
    data = {name: fit_size(slices, size) for name, slices in splits.items()}
    folder = run_folder.RunFolder(options.out)
    settings = {k: v for k, v in vars(options).items() if k != "out"}
    folder.check_settings(settings)
    facts = provenance.provenance(settings, source, splits)
    facts["scan"] = f"{os.path.basename(options.test)}, {kspace.shape}"
    print(f"Images: {source}; {facts['volumes']}\nScan: {facts['scan']}")

    found, images, simulated, histories = {}, {}, {}, {}
    for model in models:
        name = model.name
        histories[name], seconds = train(model, data, options, folder)
        mask = masks.from_model(model, provenance={"data": source})
        found[name] = mask
        images[name] = {
            method: image * (truth > 0)
            for method, image in reconstruct(
                model, mask, kspace, options
            ).items()
        }
        simulated[name] = judge_simulated(model, *data["test"], options)
        facts[f"seconds, {name}"] = f"{seconds:.0f}"
        with written_aside(folder / f"{name}.keras") as partial:
            model.save(partial)
        mask.save(folder / f"{name}.npz")
    publish(folder, facts, found, images, simulated, histories, truth)


def publish(folder, facts, found, images, simulated, histories, truth):
    records = [
        {
            "mask": name,
            "acceleration": found[name].achieved_acceleration,
            "method": method,
            **evaluation.fastmri_metrics(truth[None], image[None]),
        }
        for name in MASKS
        for method, image in images[name].items()
    ]
    gains = evaluation.paired_difference(*(simulated[name] for name in MASKS))
    sentences = [
        "On the simulated test volumes the learned lines are worth "
        f"{report.spread(gains, sign='+')} dB over equispaced ones "
        f"(test volumes: {len(gains)}).",
        "The scan is one slice: its figures have no spread.",
    ]
    scan_rows = [
        [
            record["mask"],
            f"{record['acceleration']:.2f}",
            record["method"],
            f"{np.sqrt(record['nmse']):.4f}",
            f"{record['psnr']:.2f}",
            f"{record['ssim']:.4f}",
        ]
        for record in records
    ]
    simulated_rows = [
        [
            name,
            f"{found[name].achieved_acceleration:.2f}",
            *(
                report.spread([v[metric] for v in simulated[name].values()], n)
                for metric, n in (("psnr", 2), ("ssim", 4))
            ),
        ]
        for name in MASKS
    ]
    peak = truth.max()
    pictures = plots.reconstruction_groups(
        truth[None, ..., None] / peak,
        [
            {
                f"{name}, {method}": image[None, ..., None] / peak
                for method, image in images[name].items()
            }
            for name in MASKS
        ],
    )
    size = truth.shape
    drawn = {
        f"{name} ({mask.achieved_acceleration:.2f})": np.broadcast_to(
            mask.array, size
        ).astype(float)
        for name, mask in found.items()
    }
    experiments.publish(
        folder,
        "Lines learned for several coils, on a real scan",
        facts,
        SCAN,
        (SCAN_HEADER, scan_rows),
        {
            "scan": (pictures, "The real scan, divided by its largest pixel."),
            "masks": (plots.masks(drawn), "The lines; DC is in the centre."),
            **{
                f"curves_{name}": (
                    plots.training_curves(history),
                    f"Training with {name} lines. The vertical line is where "
                    "round two begins.",
                )
                for name, history in histories.items()
            },
        },
        sentences,
        records,
        {SIMULATED: (SIMULATED_HEADER, simulated_rows)},
    )


def main(arguments=None):
    return command_line.exit_code(run, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
