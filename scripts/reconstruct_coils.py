"""Classical reconstructions of measured k-space of several coils.

What do masks and reconstructions do on data as they left the scanner? This
script reads the k-space of one slice, estimates sensitivity maps by ESPIRiT and
rebuilds the image by zero filling, SENSE, compressed sensing with wavelets and
with total variation, and GRAPPA.

    python scripts/reconstruct_coils.py scan.npy --out runs/scan
    python scripts/reconstruct_coils.py raw_data.mat --key raw \\
        --accelerations 2 4
    python scripts/reconstruct_coils.py scan.cfl --bart

Fully sampled k-space is sampled anew, by lines at even distances and by a
Poisson disc, and every image is compared with the one of all samples. Samples
that are zero in all coils are taken for not acquired: such k-space is rebuilt
with the mask that it came with, and there is nothing to compare with but, with
--bart, the same reconstruction by the program of that name (if it is
installed).

Files are .npy, BART's .cfl, or HDF5 (MATLAB 7.3 as well) with --key, complex
`(coils, H, W)`, DC in the centre. The folder given by --out gets a table, a
report and the pictures.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import matplotlib.figure
import numpy as np
import tqdm

import experiments
from loupe_tf import (
    command_line,
    evaluation,
    masks,
    plots,
    provenance,
    report,
    run_folder,
)
from loupe_tf.formats import load_coils, read_cfl, write_cfl
from loupe_tf.reconstruction import (
    Grappa,
    Sense,
    TotalVariation,
    WaveletL1,
    ZeroFilled,
    adjoint,
    espirit_maps,
)

ITERATIONS = {"SENSE": 50, "wavelet-l1": 100, "total variation": 200}
CONVENTION = (
    "Magnitudes inside the object, which is where the maps are not zero, "
    "compared with the image of all samples in the convention of fastMRI "
    "(PSNR: the peak is the image's largest pixel). BART: norm of the "
    "difference over the norm of BART's image, up to a constant phase."
)
HEADER = ["mask", "R", "method", "NMSE", "PSNR [dB]", "SSIM", "BART", "seconds"]


def parse_arguments(arguments=None):
    parser = command_line.argument_parser(__doc__)
    add = parser.add_argument
    add("kspace", help="file of k-space, complex (coils, H, W)")
    add("--key", help="of an HDF5 file: which array")
    add("--out", default="runs/coils", help="folder of the results")
    add(
        "--accelerations",
        type=float,
        nargs="+",
        metavar="R",
        default=[2.0, 4.0],
        help="of fully sampled k-space (2 4)",
    )
    add(
        "--calibration",
        type=int,
        default=16,
        metavar="N",
        help="lines, or the side of the square, in the centre (%(default)s)",
    )
    add(
        "--regularization",
        type=float,
        default=0.005,
        help="of compressed sensing, a share of the largest pixel of the "
        "zero-filled image (%(default)s). One scan has no validation data to "
        "choose it with",
    )
    add("--seed", type=int, default=0, help="of the Poisson disc (0)")
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
        "SENSE": Sense(0.01, ITERATIONS["SENSE"]),
        "wavelet-l1": WaveletL1(strength, ITERATIONS["wavelet-l1"], "db2"),
        "total variation": TotalVariation(
            strength, ITERATIONS["total variation"]
        ),
    }
    # Of points nearly each missing sample has a pattern of its own.
    if np.all(mask.array == mask.array[:1]):
        found["GRAPPA"] = Grappa()
    return found


def bart(method, kspace, mask, maps, options):
    """The same reconstruction by BART; `None` where it has none."""
    largest = np.abs(adjoint(kspace, mask, maps)).max()
    strength = options.regularization * largest
    arguments = {
        "SENSE": ["-l2", "-r", "0.01"],
        "wavelet-l1": ["-R", f"W:3:0:{strength}"],
        "total variation": ["-R", f"T:3:0:{strength}"],
    }
    if method not in arguments:
        return None
    pattern = np.broadcast_to(mask.array, (1, *kspace.shape[1:]))
    arrays = {"kspace": kspace, "pattern": pattern, "maps": maps}
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            array = np.moveaxis(array, 0, -1)[:, :, None]
            write_cfl(pathlib.Path(folder) / name, array)
        done = subprocess.run(
            # `-w 1`: k-space is not divided by a scale of BART's own.
            ["bart", "pics", "-w", "1", "-p", "pattern"]
            + ["-i", str(ITERATIONS[method]), *arguments[method]]
            + ["kspace", "maps", "image"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ValueError(f"bart failed: {done.stdout}{done.stderr}")
        return read_cfl(pathlib.Path(folder) / "image")


def difference(image, reference):
    """Relative, up to a constant phase, which BART's shifts leave behind."""
    product = np.vdot(reference, image)
    aligned = reference * product / np.abs(product)
    return float(np.linalg.norm(image - aligned) / np.linalg.norm(reference))


def draw(images, truth):
    """Images of one mask; with a truth, their errors below them."""
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


def compare(options):
    if options.bart and shutil.which("bart") is None:
        raise ValueError(
            "Invalid value for argument --bart. Expected BART's program "
            "to be installed. Received: none on the search path"
        )
    kspace = load_coils(options.kspace, options.key)
    chosen = choose_masks(kspace, options)
    folder = run_folder.RunFolder(options.out)
    print(f"K-space: {options.kspace}, {kspace.shape}")
    everything = np.ones(kspace.shape[1:], bool)
    is_full = np.any(kspace != 0, axis=0).all()
    truth = None
    if is_full:
        maps = espirit_maps(kspace, everything)
        truth = np.abs(adjoint(kspace, everything, maps))
    records, figures = [], {"masks": (plots.masks(arrays_of(chosen)), "Masks.")}
    todo = [
        (name, mask, method, reconstructor)
        for name, mask in chosen.items()
        for method, reconstructor in reconstructors(mask, options).items()
    ]
    images = {}
    for name, mask, method, reconstructor in tqdm.tqdm(todo, unit="image"):
        if method == "zero-filled":
            # From the samples of this mask alone, as in a scan.
            maps = espirit_maps(kspace, mask)
            images[name] = {}
        begin = time.perf_counter()
        image = reconstructor(kspace, mask, maps)
        record = {
            "mask": name,
            "acceleration": mask.achieved_acceleration,
            "method": method,
            "settings": repr(reconstructor),
            "seconds": time.perf_counter() - begin,
        }
        magnitude = np.abs(image) * np.any(maps != 0, axis=0)
        images[name][method] = magnitude
        if is_full:
            record.update(
                evaluation.fastmri_metrics(truth[None], magnitude[None])
            )
        if options.bart:
            other = bart(method, kspace, mask, maps, options)
            if other is not None:
                record["bart"] = difference(image, other)
        records.append(record)
    for i, (name, shown) in enumerate(images.items()):
        figures[f"images_{i}"] = (draw(shown, truth), f"Mask: {name}.")
    experiments.publish(
        folder,
        "Classical reconstructions of measured k-space",
        {
            "data": f"{pathlib.Path(options.kspace).name}, k-space of shape "
            f"{kspace.shape}",
            "settings": ", ".join(f"{k}={v}" for k, v in vars(options).items()),
            **provenance.environment("sigpy"),
            "command": "python " + " ".join(sys.argv),
        },
        CONVENTION,
        (HEADER, [row(record) for record in records]),
        figures,
        [],
        records,
    )


def arrays_of(chosen):
    return {
        f"{name} ({mask.achieved_acceleration:.2f})": mask.array.astype(float)
        for name, mask in chosen.items()
    }


def row(record):
    figures = (("nmse", 4), ("psnr", 2), ("ssim", 3), ("bart", 4))
    return [
        record["mask"],
        f"{record['acceleration']:.2f}",
        record["method"],
        *(
            report.spread([record[key]] if key in record else [], digits)
            for key, digits in figures
        ),
        f"{record['seconds']:.1f}",
    ]


def main(arguments=None):
    return command_line.exit_code(compare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
