"""Learn k-space lines for several coils, and test them on a real scan.

Fully sampled multi-coil k-space is rare; images are not. This script simulates
coils around the images of a data set: birdcage maps at a random angle, a smooth
phase and receiver noise, all drawn anew in each epoch. It trains two models in
the two rounds of the 4S paper. One model learns which lines to acquire; the
other trains the same network with equispaced lines of the same budget.

The script then takes a fully sampled scan that was not used for training and
keeps the lines of each mask. It estimates the sensitivity maps from the central
lines with ESPIRiT, and reconstructs the image by zero filling, with CG-SENSE
and with the network.

    python scripts/learn_coil_lines.py --test scan.npy
    python scripts/learn_coil_lines.py --test scan.npy --network varnet
    python scripts/learn_coil_lines.py --test raw_data.mat --key raw \\
        --data my_volumes/ --acceleration 4 --out runs/coil_lines

The scan is a .npy file, BART's .cfl, or HDF5 (including MATLAB 7.3) with --key:
complex `(coils, H, W)`, DC in the centre. Images are brought to its matrix
size: the k-space of larger images is cropped, and smaller images are
zero-padded. Repeat a stopped command to resume it.
"""

import os
import sys

import numpy as np

import experiments
import loupe_tf
from experiments import coil_figures
from experiments.coil_scan import fit_size, load_scan
from experiments.presets.coil_lines import parse
from experiments.unrolled_claims import TITLES
from experiments.unrolled_networks import make_network
from loupe_tf import (
    command_line,
    evaluation,
    masks,
    reconstruction,
    report,
)
from loupe_tf.atomic import written_aside
from loupe_tf.provenance import provenance
from loupe_tf.run_folder import RunFolder

MASKS = ("learned", "equispaced")
SCAN = (
    "The real scan: magnitudes inside the object, where the maps from all "
    "samples are not zero, compared with the SENSE combination of all samples. "
    "NRMSE is ‖error‖ / ‖image‖. The peak of PSNR is the image's largest "
    "pixel; SSIM has a 7×7 uniform window and that pixel as its range "
    "(fastMRI)."
)
SIMULATED = (
    "The network on the test volumes with simulated coils, without noise: PSNR "
    "= -10 log10(MSE) on images divided by their volume's maximum, SSIM with "
    "data range 1; mean ± standard deviation over volumes."
)


def coil_batches(images, options, turns=False):
    """Batches `((kspace, maps), images)` of simulated coils."""
    return loupe_tf.callbacks.CoilBatches(
        images,
        options.coils,
        options.batch_size,
        options.seed,
        options.phase,
        turns,
    )


def prob_slope(options):
    """Make a step of Adam move probabilities as far as 5 does at 0.01."""
    return 0.05 / options.learning_rate


def build_model(options, size, mask):
    import keras

    chosen = {"mask": mask}
    if mask is None:
        chosen = {
            "acceleration": options.acceleration,
            "lines": options.lines,
            "calibration": options.calibration,
            "slope": options.slope,
            "prob_slope": prob_slope(options),
        }
    channels = 2
    chosen["reconstructor"] = "unet"
    keras.utils.set_random_seed(options.seed)
    if options.network != "unet":
        channels = 1  # The complex image has the magnitude as its target.
        # One U-Net for each iteration.
        sizes = {options.iterations: 3 * (options.filters,)}
        chosen["reconstructor"] = make_network(
            options.network,
            options.iterations,
            {**vars(options), "sizes": sizes},
            size,
        )
    return experiments.build_unet(
        vars(options),
        (*size, channels),
        options.seed,
        metrics=[loupe_tf.metrics.PSNR()],
        coils=options.coils,
        snr=options.snr,
        name="equispaced" if mask is not None else "learned",
        **chosen,
    )


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
            coil_batches(data["train"][0], options, turns=True),
            validation_data=coil_batches(data["validation"][0], options),
            epochs=options.epochs,
            slope_callback=slope_callback,
            lr_patience=2,
            directory=folder / f"backup_{model.name}",
            verbose=2,
        )
    with written_aside(folder / f"{model.name}.keras") as partial:
        model.save(partial)
    return history.history, seconds()


def judge_simulated(model, images, volumes, options):
    """Evaluate the network on the test volumes, volume by volume."""
    batches = coil_batches(images, options)
    output = np.empty_like(images)
    for index in range(len(batches)):
        inputs, _ = batches[index]
        output[batches.rows(index)] = model.predict_on_batch(inputs)
    return evaluation.per_volume(images, output, volumes)


def reconstruct(model, mask, kspace, options):
    """Reconstruct the scan from the lines of a mask, with each method."""
    # Both masks use the same calibration lines. With so few lines, eigenvalues
    # are below 1 even inside the object, and a higher `crop` would cut into it.
    maps = reconstruction.espirit_maps(
        kspace,
        mask,
        calibration=options.calibration,
        kernel_size=min(6, (options.calibration - 1) // 2),
        crop=0.8,
    )
    sense = reconstruction.Sense(0.01, iterations=50)
    # Use the unit of the training images, whose volumes have the maximum 1.
    unit = np.abs(sense(kspace, mask, maps)).max()
    methods = {
        "zero-filled": reconstruction.ZeroFilled(),
        "CG-SENSE": sense,
        TITLES[options.network]: reconstruction.Network(model),
    }
    return {
        name: unit * np.abs(method(kspace / unit, mask, maps))
        for name, method in methods.items()
    }


def learn(model, data, source, scan, options, folder):
    """Train a model, and test it and its lines on simulated and real data."""
    kspace, truth = scan
    history, seconds = train(model, data, options, folder)
    mask = masks.from_model(model, provenance={"data": source})
    mask.save(folder / f"{model.name}.npz")
    images = reconstruct(model, mask, kspace, options)
    return {
        "history": history,
        "seconds": seconds,
        "mask": mask,
        "images": {k: image * (truth > 0) for k, image in images.items()},
        "simulated": judge_simulated(model, *data["test"], options),
    }


def scan_records(found, truth):
    return [
        {
            "mask": name,
            "acceleration": result["mask"].achieved_acceleration,
            "method": method,
            **evaluation.fastmri_metrics(truth[None], image[None]),
        }
        for name, result in found.items()
        for method, image in result["images"].items()
    ]


def scan_table(records):
    columns = {
        "mask": lambda r: r["mask"],
        "R": lambda r: f"{r['acceleration']:.2f}",
        "method": lambda r: r["method"],
        "NRMSE": lambda r: f"{np.sqrt(r['nmse']):.4f}",
        "PSNR [dB]": lambda r: f"{r['psnr']:.2f}",
        "SSIM": lambda r: f"{r['ssim']:.4f}",
    }
    rows = [[text(record) for text in columns.values()] for record in records]
    return list(columns), rows


def simulated_table(found):
    rows = []
    for name, result in found.items():
        psnr, ssim = (
            [metrics[key] for metrics in result["simulated"].values()]
            for key in ("psnr", "ssim")
        )
        rate = f"{result['mask'].achieved_acceleration:.2f}"
        rows.append([name, rate, report.spread(psnr), report.spread(ssim, 4)])
    return ["mask", "R", "PSNR [dB]", "SSIM"], rows


def verdicts(found):
    learned, equispaced = (found[name]["simulated"] for name in MASKS)
    gains = evaluation.paired_difference(learned, equispaced)
    return [
        "On the simulated test volumes the learned lines gain "
        f"{report.spread(gains, sign='+')} dB over equispaced ones "
        f"(test volumes: {len(gains)}).",
        "The scan is one slice: its figures have no spread.",
    ]


def run(options):
    kspace, truth = load_scan(options.test, options.key)
    equispaced = masks.equispaced_lines(
        truth.shape,
        options.acceleration,
        options.calibration,
        lines=options.lines,
        seed=options.seed,
    )
    models = [
        build_model(options, truth.shape, mask) for mask in (None, equispaced)
    ]
    splits, source = loupe_tf.datasets.load_splits(
        options.data, options.data_dir, options.seed
    )
    data = {k: fit_size(part, truth.shape) for k, part in splits.items()}
    folder = RunFolder(options.out)
    settings = {k: v for k, v in vars(options).items() if k != "out"}
    folder.check_settings({**settings, "prob_slope": prob_slope(options)})
    facts = provenance(settings, source, splits)
    facts["scan"] = f"{os.path.basename(options.test)}, {kspace.shape}"
    print(f"Images: {source}; {facts['volumes']}\nScan: {facts['scan']}")
    found = {}
    for model in models:
        result = learn(model, data, source, (kspace, truth), options, folder)
        found[model.name] = result
        facts[f"seconds, {model.name}"] = f"{result['seconds']:.0f}"
    records = scan_records(found, truth)
    experiments.publish(
        folder,
        "Lines learned for several coils, on a real scan",
        facts,
        SCAN,
        scan_table(records),
        coil_figures.draw(found, truth),
        verdicts(found),
        records,
        {SIMULATED: simulated_table(found)},
    )


def main(arguments=None):
    return command_line.exit_code(run, parse(__doc__, arguments))


if __name__ == "__main__":
    sys.exit(main())
