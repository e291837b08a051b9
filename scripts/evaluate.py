"""Which mask, and which reconstruction? Any with any, on volumes held out.

Every mask is tried with every reconstructor at every acceleration R, on the
test volumes of a data set, and each volume is judged in two conventions: that
of the 4S paper, by slices of images between 0 and 1, and that of fastMRI, by
whole volumes.

    python scripts/evaluate.py --data mni_brain/64
    python scripts/evaluate.py --data my_volumes/ --accelerations 4 8 \\
        --masks gaussian poisson_disc runs/demo/mask.npz \\
        --reconstructors zero_filled wavelet_l1 runs/demo/model.keras
    python scripts/evaluate.py --masks runs/demo/model.keras gaussian \\
        --reconstructors runs/demo/model.keras --baseline gaussian

A mask is the name of a pattern, drawn anew for each R; or a file, which has an
R of its own: a mask that `SamplingMask.save` wrote, or a model, whose mask is
taken. spectrum is made of the training images.

A reconstructor is zero_filled, wavelet_l1 or total_variation (the extra
`reconstruction`), whose regularization is chosen for each mask on slices of
the validation volumes; or a model, which may be tried with any mask, not only
with its own.

Differences from the baseline are of the same volumes, at the same R; their
95-percent intervals are bootstrapped. A row that cannot be judged, such as a
mask for another matrix size, says why, the others come out, and the script
ends with 2.

Each finished row leaves a small JSON file in the folder given by --out. A
command that was stopped goes on when it is given again, and masks,
reconstructors and accelerations can be added; the report is of the rows that
the last command asked for. A file that has changed is evaluated anew.
"""

import dataclasses
import hashlib
import itertools
import pathlib
import re
import sys

import numpy as np

import experiments
from experiments import trials
from loupe_tf import (
    command_line,
    evaluation,
    masks,
    plots,
    provenance,
    report,
)
from loupe_tf.reconstruction import Network, ZeroFilled
from loupe_tf.reconstruction.network import load_model

DEFAULTS = {
    "data": "mni_brain/64",
    "data_dir": None,
    "out": "runs/evaluate",
    "masks": ["gaussian", "poisson_disc", "random_lines", "equispaced_lines"],
    "reconstructors": ["zero_filled"],
    "accelerations": [4.0],
    "calibration": None,
    "seed": 0,
    "tuning_slices": 4,
    "zoom": None,
}
# What may differ between the rows of one folder, and what changes no figure.
FREE = (
    "masks",
    "reconstructors",
    "accelerations",
    "baseline",
    "zoom",
    "out",
    "data_dir",
)
METRICS = ("psnr", "ssim", "nmse")
DIGITS = {"psnr": 2, "ssim": 4, "nmse": 5}
MASKS_IN_A_ROW = 3

CONVENTION = (
    "Mean ± standard deviation over test volumes. PSNR, SSIM and NMSE: of each "
    "slice, images divided by their volume's maximum and data range 1, mean "
    "over the slices of a volume. fastMRI's: of each volume as a whole, with "
    "its maximum as the peak. λ: regularization chosen on validation slices. "
    "Difference: of the first PSNR, from the baseline at the same R, in the "
    "same volumes, with its 95 % interval (percentile bootstrap of the mean, "
    "from two volumes on)."
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One row: a mask, at an R unless it is a file, and a reconstructor."""

    mask: str
    reconstructor: str
    acceleration: float | None

    @property
    def name(self):
        rate = "" if self.acceleration is None else f"R{self.acceleration:g}-"
        return f"{rate}{_slug(self.mask)}-{_slug(self.reconstructor)}"


def _slug(name):
    """A name for a file: that of a pattern or method, or of what a file is."""
    if name in masks.PATTERNS or name in evaluation.CLASSICAL:
        return name
    path = pathlib.Path(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return re.sub(r"\W+", "_", path.stem) + f"_{digest}"


def parse_arguments(arguments=None):
    parser = command_line.argument_parser(__doc__)
    parser.set_defaults(**DEFAULTS)
    add = parser.add_argument
    command_line.add_data_options(parser, DEFAULTS["data"])
    add("--out", help="folder of the results (%(default)s)")
    add(
        "--masks",
        nargs="+",
        metavar="MASK",
        help=f"of {', '.join(masks.PATTERNS)}, or files (.npz, .keras)",
    )
    add(
        "--reconstructors",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(evaluation.CLASSICAL)}, or .keras files "
        "(zero_filled)",
    )
    add(
        "--accelerations",
        type=float,
        nargs="+",
        metavar="R",
        help="R > 1, for patterns (4)",
    )
    add(
        "--calibration",
        type=int,
        metavar="N",
        help="lines, or side of the square, at the centre of k-space that "
        f"patterns always acquire ({masks.CALIBRATION_SHARE}/R of the side; "
        "spectrum: 0)",
    )
    add(
        "--baseline",
        nargs="+",
        metavar=("MASK", "RECONSTRUCTOR"),
        help="what rows are compared with: this mask with the reconstructor "
        "of the row, or always with the one given (the first of --masks)",
    )
    add(
        "--tuning-slices",
        type=int,
        metavar="N",
        help="validation slices that regularization is chosen on (%(default)s)",
    )
    add(
        "--zoom",
        type=int,
        nargs=4,
        metavar=("TOP", "LEFT", "HEIGHT", "WIDTH"),
        help="region of the pictures that is magnified (the central third)",
    )
    add("--seed", type=int, help="of random patterns (%(default)s)")
    settings = vars(parser.parse_args(arguments))
    baseline = settings["baseline"] or settings["masks"][:1]
    settings["baseline"] = baseline
    for option, names in (
        ("masks", masks.PATTERNS),
        ("reconstructors", evaluation.CLASSICAL),
    ):
        for name in settings[option]:
            suffix = pathlib.Path(name).suffix
            file = suffix == ".keras" or option == "masks" and suffix == ".npz"
            if name in names or file and pathlib.Path(name).is_file():
                continue
            parser.error(
                f"--{option}: expected one of {', '.join(names)}, or a file "
                f"that exists, .keras{' or .npz' * (option == 'masks')}, not "
                f"{name}"
            )
    for rate in settings["accelerations"]:
        if not 1 < rate < float("inf"):
            parser.error(f"--accelerations: expected R > 1, not {rate:g}")
    if settings["tuning_slices"] < 1:
        parser.error("--tuning-slices: expected 1 or more")
    known = settings["masks"], settings["reconstructors"]
    if len(baseline) > 2 or any(n not in k for n, k in zip(baseline, known)):
        parser.error(
            "--baseline: expected one of --masks, and none or one of "
            f"--reconstructors, not {' '.join(baseline)}"
        )
    return settings


def grid(settings):
    """All rows, in the order of the table; those of files have no R yet."""
    every = []
    cells = itertools.product(
        settings["accelerations"],
        settings["reconstructors"],
        settings["masks"],
    )
    for rate, reconstructor, mask in cells:
        drawn = mask in masks.PATTERNS
        every.append(Cell(mask, reconstructor, rate if drawn else None))
    return list(dict.fromkeys(every))


def find_mask(cell, settings, images):
    """The mask of a row; `spectrum` is of the images."""
    if cell.mask in masks.PATTERNS:
        return masks.fixed_mask(
            cell.mask,
            images,
            cell.acceleration,
            settings["calibration"],
            settings["seed"],
        )
    if cell.mask.endswith(".keras"):
        found = masks.from_model(load_model(cell.mask))
        if isinstance(found, tuple):
            raise ValueError(
                "Invalid value for argument --masks. Expected a model of one "
                f"mask, or one of its masks in a file. Received: {cell.mask}, "
                f"which has {len(found)}"
            )
        return found
    return masks.SamplingMask.load(cell.mask)


def find_reconstructor(cell, settings, mask, validation):
    """Reconstructor of a row, and the scores that chose its regularization."""
    if cell.reconstructor in evaluation.CLASSICAL:
        return evaluation.tune(
            cell.reconstructor,
            mask,
            validation.images,
            slices=settings["tuning_slices"],
        )
    return Network(cell.reconstructor), {}


def check(cell, settings, image_shape):
    """Try what does not depend on files, on an image of zeros."""
    zeros = np.zeros((1, *image_shape), "float32")
    if cell.mask not in masks.PATTERNS:
        return
    mask = find_mask(cell, settings, zeros)
    if cell.reconstructor in evaluation.CLASSICAL:
        reconstructor = evaluation.CLASSICAL[cell.reconstructor]
        evaluation.reconstruct(reconstructor, mask, zeros)


def evaluate_cell(cell, settings, splits, folder):
    """Judge one row, and return its record: metrics, or an error."""
    record = {
        **dataclasses.asdict(cell),
        **provenance.environment(),
        "error": None,
    }
    test = splits["test"]
    try:
        mask = find_mask(cell, settings, splits["train"].images)
        record["acquired"] = [mask.acquired, mask.array.size]
        reconstructor, scores = find_reconstructor(
            cell, settings, mask, splits["validation"]
        )
        if scores:
            record["regularization"] = reconstructor.regularization
            record["regularization_psnr"] = {
                f"{key:g}": value for key, value in scores.items()
            }
        result, shown = trials.try_on(reconstructor, mask, test)
    except ValueError as error:
        return {**record, "error": str(error)}
    if cell.reconstructor != "zero_filled":
        record["zero_filled"] = evaluation.judge(
            ZeroFilled(), mask, test.images, test.volumes
        )["unit_range"]
    record |= result
    if not result["unit_range"]:
        return {**record, "error": "no volume could be judged"}
    experiments.save_images(
        folder, cell.name, test.voxel_size, mask=mask.array, **shown
    )
    return record


def cell_of(record):
    return Cell(*(record[field.name] for field in dataclasses.fields(Cell)))


def rate_of(record, settings):
    """R of a row; of a file the one asked for whose budget its mask meets."""
    if record["acceleration"] is not None:
        return record["acceleration"]
    if "acquired" not in record:
        return None
    acquired, size = record["acquired"]
    for rate in settings["accelerations"]:
        if acquired == round(size / rate):
            return rate
    return size / acquired


def in_order(records, settings):
    """The records of the rows asked for, by R, as dicts with that R."""
    by_cell = {cell_of(record): record for record in records}
    rows = [by_cell[cell] for cell in grid(settings)]
    rows = [{**row, "rate": rate_of(row, settings)} for row in rows]
    return sorted(rows, key=lambda row: row["rate"] or float("inf"))


def compare(row, rows, settings):
    """Differences from the baseline, in both conventions; `None` of none."""
    mask, *reconstructor = settings["baseline"]
    reconstructor = (reconstructor or [row["reconstructor"]])[0]
    for other in rows:
        cell = other["mask"], other["reconstructor"], other["rate"]
        if cell == (mask, reconstructor, row["rate"]):
            break
    else:
        return None
    if other is row or other["error"] or row["error"]:
        return None
    result = {"mask": mask, "reconstructor": reconstructor}
    for convention, metric in itertools.product(
        ("unit_range", "fastmri"), METRICS
    ):
        # A network may have failed on a volume with one of the masks.
        both = [v for v in row[convention] if v in other[convention]]
        if not both:
            return None
        differences = evaluation.paired_difference(
            {v: row[convention][v] for v in both}, other[convention], metric
        )
        found = result.setdefault(convention, {})[metric] = {
            "volumes": dict(zip(both, differences.tolist())),
            "mean": float(differences.mean()),
        }
        if len(both) > 1:
            found["interval"] = evaluation.bootstrap_interval(differences)
    return result


HEADER = [
    "R",
    "mask",
    "achieved R",
    "reconstructor",
    "λ",
    "PSNR [dB]",
    "SSIM",
    "NMSE",
    "fastMRI PSNR [dB]",
    "fastMRI SSIM",
    "fastMRI NMSE",
    "difference [dB]",
    "volumes",
]


def table_row(row):
    rate, acquired = row["rate"], row.get("acquired")
    cells = [
        "-" if rate is None else f"{rate:.4g}",
        row["mask"],
        f"{acquired[1] / acquired[0]:.3f}" if acquired else "-",
        row["reconstructor"],
        f"{row['regularization']:g}" if "regularization" in row else "",
    ]
    for convention, metric in itertools.product(
        ("unit_range", "fastmri"), METRICS
    ):
        volumes = row.get(convention, {}).values()
        values = [volume[metric] for volume in volumes]
        cells.append(report.spread(values, DIGITS[metric]))
    difference = "-"
    if row["difference"]:
        found = row["difference"]["unit_range"]["psnr"]
        difference = f"{found['mean']:+.2f}"
        if "interval" in found:
            low, high = found["interval"]
            difference += f" [{low:+.2f}, {high:+.2f}]"
    return [*cells, difference, str(len(row.get("fastmri", {})))]


def failures(rows):
    """A sentence for each row or volume without figures."""
    sentences = []
    for row in rows:
        rate = "" if row["rate"] is None else f", R = {row['rate']:.4g}"
        name = f"{row['mask']}{rate}, {row['reconstructor']}"
        if row["error"]:
            sentences.append(f"{name}: not judged. {row['error']}")
        sentences += trials.left_out(name, row)
    return sentences


def doubts(rows):
    """A sentence for each row that is no better than no reconstruction."""
    sentences = []
    for row in rows:
        # Rows of an older version do not know it.
        other = row.get("zero_filled", {})
        shared = {
            k: v for k, v in row.get("unit_range", {}).items() if k in other
        }
        if shared:
            rate = "" if row["rate"] is None else f", R = {row['rate']:.4g}"
            name = f"{row['mask']}{rate}, {row['reconstructor']}"
            other = {volume: other[volume] for volume in shared}
            sentences.append(
                evaluation.worse_than_zero_filled(name, shared, other)
            )
    return [sentence for sentence in sentences if sentence]


def draw_reconstructions(rows, settings, folder):
    """Truth, reconstructions, errors and zooms of one R and reconstructor."""
    shown = {
        row["mask"]: experiments.load_images(folder, cell_of(row).name)
        for row in rows
    }
    shown = [(name, images) for name, images in shown.items() if images]
    if not shown:
        return None
    # Rows of about equal length.
    count = -(-len(shown) // MASKS_IN_A_ROW)
    groups = [
        {pathlib.Path(shown[i][0]).name: shown[i][1]["output"] for i in part}
        for part in np.array_split(range(len(shown)), count)
    ]
    truth = shown[0][1]["truth"]
    return plots.reconstruction_groups(
        truth, groups, settings["zoom"], shown[0][1].get("voxel_size")
    )


def draw_masks(rows, folder):
    shown = {}
    for row in rows:
        images = experiments.load_images(folder, cell_of(row).name)
        title = f"{pathlib.Path(row['mask']).name}, R = {row['rate'] or 0:.4g}"
        if images and title not in shown:
            shown[title] = images["mask"]
    return plots.masks(shown, columns=min(5, len(shown))) if shown else None


def write_report(settings, facts, records, folder):
    rows = in_order(records, settings)
    for row in rows:
        row["difference"] = compare(row, rows, settings)
    figures = {
        "masks": (draw_masks(rows, folder), "Masks; DC is in the centre.")
    }
    groups = {}
    for row in rows:
        groups.setdefault((row["rate"], row["reconstructor"]), []).append(row)
    for number, ((rate, name), group) in enumerate(groups.items(), 1):
        figures[f"reconstructions_{number}"] = (
            draw_reconstructions(group, settings, folder),
            f"R = {rate or 0:.4g}, {name}: the middle slice of the first test "
            "volume, its reconstructions and errors, and a part of them.",
        )
    failed = failures(rows)
    baseline = " with ".join(settings["baseline"])
    experiments.publish(
        folder,
        "Masks and reconstructors",
        facts,
        CONVENTION,
        (HEADER, [table_row(row) for row in rows]),
        figures,
        [f"Differences are from {baseline}.", *doubts(rows), *failed],
        rows,
    )
    return failed


def evaluate(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=check,
        train=evaluate_cell,
        kind=lambda cell: cell,
        free=FREE,
    )
    failed = write_report(settings, facts, records, folder)
    if failed:
        raise ValueError(
            f"{len(failed)} rows or volumes were not judged; the report says "
            f"why, first: {failed[0]}"
        )


def main(arguments=None):
    return command_line.exit_code(evaluate, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
