"""The table of all rows, their differences, and the page."""

import dataclasses
import itertools

import numpy as np

from loupe_tf import evaluation, plots, report
from loupe_tf.cli.evaluating.rows import cell_of, grid, methods
from loupe_tf.cli.intervals import interval
from loupe_tf.cli.masks import titles
from loupe_tf.evaluation.trying import left_out
from loupe_tf.kept_images import load_images
from loupe_tf.publishing import publish

METRICS = ("psnr", "ssim", "nmse")
DIGITS = {"psnr": 2, "ssim": 4, "nmse": 5}
MASKS_IN_A_ROW = 3
CONVENTION = (
    "Mean ± standard deviation over test volumes. PSNR, SSIM and NMSE: of each "
    "slice, images divided by their volume's maximum and data range 1, mean "
    "over the slices of a volume. fastMRI's: of each volume as a whole, with "
    "its maximum as the peak. λ: regularization chosen on validation slices. "
    "Difference: of the first PSNR, from the baseline at the same R, in the "
    "same volumes, with its 95 % interval (Student's, over volumes, from two "
    "on)."
)

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
    # By name, which tells the contents of a file apart; a file that was moved
    # has the path that was asked for.
    rows = [
        {**records[cell.name], **dataclasses.asdict(cell)}
        for cell in grid(settings)
    ]
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
            found["interval"] = interval(differences)
    return result


def table_row(row):
    """Cells of the table for one row."""
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
        sentences += left_out(name, row)
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
                evaluation.worse_than_zero_filled(
                    name,
                    shared,
                    other,
                    trained=row["reconstructor"] not in methods(),
                )
            )
    return [sentence for sentence in sentences if sentence]


def titles_of(settings):
    """Short names of all masks for figures, by what was asked for."""
    asked = list(dict.fromkeys(settings["masks"]))
    return dict(zip(asked, titles(asked)))


def draw_reconstructions(rows, settings, folder):
    """Truth, reconstructions, errors and zooms of one R and reconstructor."""
    shown = {
        row["mask"]: load_images(folder, cell_of(row).name) for row in rows
    }
    shown = [(name, images) for name, images in shown.items() if images]
    if not shown:
        return None
    # Rows of about equal length.
    count = -(-len(shown) // MASKS_IN_A_ROW)
    names = titles_of(settings)
    groups = [
        {names[shown[i][0]]: shown[i][1]["output"] for i in part}
        for part in np.array_split(range(len(shown)), count)
    ]
    truth = shown[0][1]["truth"]
    return plots.reconstruction_groups(
        truth, groups, settings["zoom"], shown[0][1].get("voxel_size")
    )


def draw_masks(rows, settings, folder):
    """All masks, each once; `None` if no row has kept one."""
    shown, names = {}, titles_of(settings)
    for row in rows:
        images = load_images(folder, cell_of(row).name)
        title = f"{names[row['mask']]}, R = {row['rate'] or 0:.4g}"
        if images and title not in shown:
            shown[title] = images["mask"]
    return plots.masks(shown, columns=min(5, len(shown))) if shown else None


def write_report(settings, facts, records, folder):
    """Write the report, print its table; return what could not be judged.

    Args:
        settings: Dict of the settings of `loupe-tf evaluate`.
        facts, records, folder: What `conduct` returns.

    Returns:
        A list of sentences.
    """
    rows = in_order(records, settings)
    for row in rows:
        row["difference"] = compare(row, rows, settings)
    figures = {
        "masks": (
            draw_masks(rows, settings, folder),
            "Masks; DC is in the centre.",
        )
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
    publish(
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
