"""Classical reconstructions of measured multi-coil k-space.

How do masks and reconstructions perform on raw data from a scanner? This script
reads the k-space of one slice, estimates sensitivity maps with ESPIRiT and
reconstructs the image by zero filling, SENSE, compressed sensing with wavelets
and with total variation, and GRAPPA.

    python scripts/reconstruct_coils.py scan.npy --out runs/scan
    python scripts/reconstruct_coils.py raw_data.mat --key raw \\
        --accelerations 2 4
    python scripts/reconstruct_coils.py scan.cfl --bart

Fully sampled k-space is undersampled with equispaced lines and with a Poisson
disc, and every image is compared with the image from all samples. Samples that
are zero in all coils count as not acquired. K-space with such samples is
reconstructed with its own mask; then the only comparison is with BART, which
--bart runs if it is installed.

Files are .npy, BART's .cfl, or HDF5 (including MATLAB 7.3) with --key: complex
`(coils, H, W)`, DC in the centre. The script writes a table, a report and the
figures to the folder given by --out.
"""

import pathlib
import shutil
import sys
import time

import matplotlib.figure
import numpy as np
import tqdm

import experiments
from experiments import bart
from experiments.coil_scan import image_of_all_samples
from loupe_tf import command_line, evaluation, masks, plots, report
from loupe_tf.checks import invalid
from loupe_tf.formats import load_coils
from loupe_tf.provenance import environment
from loupe_tf.reconstruction import (
    Grappa,
    Sense,
    TotalVariation,
    WaveletL1,
    ZeroFilled,
    adjoint,
    espirit_maps,
)
from loupe_tf.run_folder import RunFolder

ITERATIONS = {"CG-SENSE": 50, "wavelet-l1": 100, "total variation": 200}
CONVENTION = (
    "Magnitudes inside the object, where the maps are not zero, compared with "
    "the image from all samples in the convention of fastMRI (PSNR: the peak "
    "is the image's largest pixel). BART: norm of the "
    "difference over the norm of BART's image, up to a constant phase."
)


def parse_arguments(arguments=None):
    parser = command_line.argument_parser(__doc__)
    add = parser.add_argument
    add("kspace", help="file of k-space, complex (coils, H, W)")
    add("--key", help="name of the array in an HDF5 file")
    add("--out", default="runs/coils", help="folder of the results")
    add(
        "--accelerations",
        type=float,
        nargs="+",
        metavar="R",
        default=[2.0, 4.0],
        help="accelerations, for fully sampled k-space (2 4)",
    )
    add(
        "--calibration",
        type=int,
        default=16,
        metavar="N",
        help="calibration lines, or side of the square (%(default)s)",
    )
    add(
        "--regularization",
        type=float,
        default=0.005,
        help="strength of compressed sensing, relative to the largest pixel "
        "of the zero-filled image (%(default)s); a single scan has no "
        "validation data to choose it",
    )
    add("--seed", type=int, default=0, help="seed of the Poisson disc (0)")
    add("--bart", action="store_true", help="compare with the program bart")
    options = parser.parse_args(arguments)
    if any(acceleration <= 1 for acceleration in options.accelerations):
        parser.error("--accelerations: expected R > 1")
    return options


def choose_masks(kspace, options):
    """The masks to sample with, by name."""
    acquired = np.any(kspace != 0, axis=0)
    if not acquired.all():
        return {"as acquired": masks.SamplingMask(acquired)}
    size = acquired.shape
    chosen = {}
    for acceleration in options.accelerations:
        common = {
            "acceleration": acceleration,
            "calibration": options.calibration,
            "seed": options.seed,
        }
        name = f"R = {acceleration:g}"
        chosen[f"lines, {name}"] = masks.equispaced_lines(size, **common)
        chosen[f"points, {name}"] = masks.poisson_disc(size, **common)
    return chosen


def reconstructors(mask, options):
    strength = options.regularization
    found = {
        "zero-filled": ZeroFilled(),
        "CG-SENSE": Sense(0.01, ITERATIONS["CG-SENSE"]),
        "wavelet-l1": WaveletL1(strength, ITERATIONS["wavelet-l1"], "db2"),
        "total variation": TotalVariation(
            strength, ITERATIONS["total variation"]
        ),
    }
    # With points, almost every missing sample would need its own kernel.
    if np.all(mask.array == mask.array[:1]):
        found["GRAPPA"] = Grappa()
    return found


def image_of_bart(method, kspace, mask, maps, options):
    """BART's image with our maps; `None` if BART lacks the method."""
    largest = np.abs(adjoint(kspace, mask, maps)).max()
    strength = options.regularization * largest
    regularizers = {
        "CG-SENSE": ["-l2", "-r", "0.01"],
        "wavelet-l1": ["-R", f"W:3:0:{strength}"],
        "total variation": ["-R", f"T:3:0:{strength}"],
    }
    if method not in regularizers:
        return None
    return bart.pics(
        kspace, mask, maps, ITERATIONS[method], *regularizers[method]
    )


def compare_maps(kspace, mask):
    """A sentence on our maps and BART's, from the same samples."""
    inside = np.any(espirit_maps(kspace, mask) != 0, axis=0)
    ours = espirit_maps(kspace, mask, crop=0)
    settings = {"calibration": 24, "kernel_size": 6, "threshold": 0.02}
    angles = bart.angles(ours, bart.ecalib(kspace, **settings))[inside]
    return (
        f"ESPIRiT's maps and those of BART ({settings}): an angle of "
        f"{np.median(angles):.1f}° between them in the median pixel of the "
        f"object, and of {np.quantile(angles, 0.95):.1f}° at most in 95 % of "
        "these pixels."
    )


def reconstruct(kspace, mask, truth, options, bar):
    """Reconstruct with one mask.

    Yields:
        Tuples of a record, our magnitude image and BART's, which is `None`
        without --bart and for methods that BART lacks.
    """
    # Estimate maps only from the samples of this mask, as in a scan.
    maps = espirit_maps(kspace, mask)
    for method, reconstructor in reconstructors(mask, options).items():
        begin = time.perf_counter()
        image = reconstructor(kspace, mask, maps)
        record = {
            "acceleration": mask.achieved_acceleration,
            "method": method,
            "settings": repr(reconstructor),
            "seconds": time.perf_counter() - begin,
        }
        magnitude = np.abs(image) * np.any(maps != 0, axis=0)
        if truth is not None:
            record |= evaluation.fastmri_metrics(truth[None], magnitude[None])
        other = None
        if options.bart:
            other = image_of_bart(method, kspace, mask, maps, options)
        if other is not None:
            record["bart"] = bart.difference(image, other)
        bar.update()
        yield record, magnitude, other


def table(records):
    def spread(key, digits):
        return lambda record: report.spread([record.get(key)], digits)

    columns = {
        "mask": lambda record: record["mask"],
        "R": lambda record: f"{record['acceleration']:.2f}",
        "method": lambda record: record["method"],
        "NMSE": spread("nmse", 4),
        "PSNR [dB]": spread("psnr", 2),
        "SSIM": spread("ssim", 3),
        "BART": spread("bart", 4),
        "seconds": lambda record: f"{record['seconds']:.1f}",
    }
    rows = [[text(record) for text in columns.values()] for record in records]
    return list(columns), rows


def draw(images, truth):
    """Draw the images of one mask, and their errors if the truth is known."""
    shown = {"all samples": truth, **images} if truth is not None else images
    peak = max(np.abs(image).max() for image in shown.values())
    rows = 1 if truth is None else 2
    height, width = next(iter(shown.values())).shape
    figure = matplotlib.figure.Figure(
        figsize=(2.6 * len(shown), (2.6 * height / width + 0.2) * rows),
        layout="constrained",
    )
    axes = figure.subplots(rows, len(shown), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for column, (name, image) in zip(axes.T, shown.items()):
        column[0].imshow(np.abs(image), cmap="gray", vmin=0, vmax=0.8 * peak)
        column[0].set_title(name, fontsize=9)
        if truth is not None and image is not truth:
            error = np.abs(np.abs(image) - truth)
            column[1].imshow(error, cmap="magma", vmin=0, vmax=0.1 * peak)
            column[1].set_title("|error| × 8", fontsize=8)
    return figure


def draw_bart(pairs):
    """Draw our images, BART's and their differences, below each other.

    Args:
        pairs: Dict by method of `(ours, BART's)`, arrays `(H, W)`.
    """
    height, width = next(iter(pairs.values()))[0].shape
    figure = matplotlib.figure.Figure(
        figsize=(2.6 * len(pairs), 3 * (2.6 * height / width + 0.2)),
        layout="constrained",
    )
    axes = figure.subplots(3, len(pairs), squeeze=False)
    for column, (name, (ours, theirs)) in zip(axes.T, pairs.items()):
        theirs = np.where(ours > 0, np.abs(theirs), 0)
        peak = 0.8 * ours.max()
        panels = {
            name: (ours, "gray", peak),
            "BART": (theirs, "gray", peak),
            "|difference| × 20": (np.abs(ours - theirs), "magma", peak / 20),
        }
        for ax, (title, (image, cmap, white)) in zip(column, panels.items()):
            ax.imshow(image, cmap=cmap, vmin=0, vmax=white)
            ax.set_title(title, fontsize=9)
            ax.set_axis_off()
    return figure


def compare(options):
    if options.bart and shutil.which("bart") is None:
        raise invalid(
            "bart",
            "BART's program to be installed",
            found="none on the search path",
        )
    kspace = load_coils(options.kspace, options.key)
    print(f"K-space: {options.kspace}, {kspace.shape}")
    truth = image_of_all_samples(kspace)
    chosen = choose_masks(kspace, options)
    records, figures, sentences = [], {}, []
    shown = {
        f"{name} ({mask.achieved_acceleration:.2f})": mask.array.astype(float)
        for name, mask in chosen.items()
    }
    figures["masks"] = (plots.masks(shown), "Masks.")
    total = sum(len(reconstructors(m, options)) for m in chosen.values())
    with tqdm.tqdm(total=total, unit="image") as bar:
        for i, (name, mask) in enumerate(chosen.items()):
            images, pairs = {}, {}
            if options.bart:
                sentences.append(f"{name}: {compare_maps(kspace, mask)}")
            results = reconstruct(kspace, mask, truth, options, bar)
            for record, image, other in results:
                records.append({"mask": name, **record})
                images[record["method"]] = image
                if other is not None:
                    pairs[record["method"]] = image, other
            if pairs:
                figures[f"bart_{i}"] = draw_bart(pairs), f"Mask: {name}."
            figures[f"images_{i}"] = (draw(images, truth), f"Mask: {name}.")
    settings = ", ".join(f"{k}={v}" for k, v in vars(options).items())
    experiments.publish(
        RunFolder(options.out),
        "Classical reconstructions of measured k-space",
        {
            "data": f"{pathlib.Path(options.kspace).name}, k-space of shape "
            f"{kspace.shape}",
            "settings": settings,
            **environment("sigpy"),
            "command": "python " + " ".join(sys.argv),
        },
        CONVENTION,
        table(records),
        figures,
        sentences,
        records,
    )


def main(arguments=None):
    return command_line.exit_code(compare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
