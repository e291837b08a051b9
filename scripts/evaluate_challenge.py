"""The 2020 fastMRI challenge: its masks, its metrics, its files.

The challenge (M. Muckley et al., "Results of the 2020 fastMRI challenge for
machine learning MR image reconstruction", IEEE TMI 2021) asked for multi-coil
brain images at 4x and 8x of one vendor, and at 4x of two other vendors
("transfer"). With files of fastMRI, this script judges submissions, or makes
one and judges it:

    python scripts/evaluate_challenge.py --truth multicoil_val \\
        --submission mine theirs
    python scripts/evaluate_challenge.py --truth multicoil_val \\
        --submission mine --model model.keras --track 4x

Columns are those of fastMRI's EquispacedMaskFractionFunc, seeded by the name of
the file, if it has no mask itself. Metrics are fastMRI's by volume, and SSIM
without the background too. Results are broken down by contrast and field
strength, and submissions are compared by a paired bootstrap over volumes. If a
volume is missing, has a wrong shape or values that are not finite, the script
lists all that is wrong, and judges nothing.

Without files of fastMRI, it runs a stand-in with two simulated vendors:

    python scripts/evaluate_challenge.py --preset smoke
    python scripts/evaluate_challenge.py --preset cpu --folds 5 \\
        --data mri_volumes/flair64 --other mri_volumes/t2w64

Vendor A has 8 coils and twice as many read-out samples as the image has rows; B
has 5 coils elsewhere, no oversampling, another contrast and twice the noise.
Volumes have 3 T and 1.5 T in turn, the latter with twice the noise. Networks
learn from vendor A alone. They are tested on A, on A with the oversampling
removed and restored with zeros, and on B as it is and with zeros. Each test is
written as files of fastMRI and as a submission, and judged from these.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. report.html, results.json and the figures cover
all runs in the folder.
"""

import dataclasses
import functools
import pathlib
import shutil
import sys

import numpy as np

import experiments
from experiments import vendors
from experiments.presets.challenge import (
    GRID,
    METHODS,
    NETWORKS,
    TRAINED,
    parse,
)
from loupe_tf import evaluation, report
from loupe_tf.checks import invalid
from loupe_tf.command_line import exit_code

TITLES = {"zero_filled": "zero-filled", "unet": "U-Net", "varnet": "VarNet"}
METRICS = {
    "ssim": ("SSIM", 4),
    "ssim_foreground": ("SSIM, foreground", 4),
    "psnr": ("PSNR", 2),
    "nmse": ("NMSE", 4),
}
AS_TRAINED = "A"
CROPPED, RESTORED = "A, not oversampled", "A, restored"
OTHER, PADDED = "B", "B, padded"
CONVENTION = (
    "Metrics of fastMRI, each volume as one: SSIM with the 7×7 uniform window "
    "and the volume's maximum as range, PSNR with that maximum; mean over the "
    "test volumes, ± is the standard deviation over seeds. Foreground: the "
    "same SSIM where Otsu's threshold finds no background. Columns of "
    "fastMRI's EquispacedMaskFractionFunc."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method on one track."""

    track: str
    method: str
    seed: int

    order = {"track": TRAINED, "method": METHODS}

    @property
    def stem(self):
        return f"{self.track}-{self.method}-seed{self.seed}"


@dataclasses.dataclass(frozen=True)
class Test(Run):
    """A method of a track on one kind of scan."""

    scan: str

    order = Run.order | {"scan": (AS_TRAINED, CROPPED, RESTORED, OTHER, PADDED)}


def grid(settings):
    return [
        Run(track, method, seed)
        for seed in settings["seeds"]
        for track in settings["tracks"]
        for method in settings["methods"]
    ]


def build_model(run, settings, image_shape, oversampled=True):
    """Make the network of a run, for the size of vendor A's k-space.

    Args:
        run, settings, image_shape: See `experiments.conduct`.
        oversampled: Boolean, `False` for k-space of the size of the image.
    """
    if run.method not in NETWORKS:
        return None
    import keras

    from experiments.challenge_networks import make_network

    keras.utils.set_random_seed(run.seed)
    height, width = image_shape[:2]
    rows = height * (vendors.A.oversampling if oversampled else 1)
    centre = evaluation.TRACKS[run.track], width
    model = make_network(
        run.method, settings, (rows, width), calibration_of(*centre)
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mae")
    return model


def calibration_of(rate, width):
    """The number of central columns that a mask of the challenge has."""
    from loupe_tf.masks import fastmri_lines

    return fastmri_lines(width, rate, offset=0).calibration


def train(run, settings, splits, folder):
    """Train a network on vendor A.

    Returns:
        A dict for its record; and a callable from whether k-space is
        oversampled to the reconstructor.
    """
    from loupe_tf.reconstruction import Network, ZeroFilled

    if run.method not in NETWORKS:
        return {**run.record(), "diverged": False}, lambda _: ZeroFilled()
    shape = splits["test"].images.shape[1:]
    model = build_model(run, settings, shape)
    rate = evaluation.TRACKS[run.track]
    parts = (
        vendors.training_arrays(
            splits[name].evenly(settings["trained"]), rate, seed
        )
        for seed, name in enumerate(("train", "validation"))
    )
    history, finite = experiments.fit_one_round(
        model, run, settings, *parts, folder
    )
    record = run.record(history, ["loss", "val_loss", "learning_rate"])

    def reconstructor(oversampled):
        if oversampled:
            return Network(model)
        other = build_model(run, settings, shape, oversampled=False)
        other.set_weights(model.get_weights())
        return Network(other)

    return {**record, "diverged": not finite}, reconstructor


def do(run, settings, splits, folder):
    """Train a method, test it on all scans, and return the record."""
    test = splits["test"].evenly(settings["tested"])
    with experiments.time_spent(run, folder) as seconds:
        record, method_for = train(run, settings, splits, folder)
    record["seconds"] = round(seconds(), 1)
    if record["diverged"]:
        return {**record, "test": {}}
    place = folder / "challenge" / f"fold{run.fold}"
    rows = test.images.shape[1] * vendors.A.oversampling
    scans = {AS_TRAINED: (test, vendors.A, False, None)}
    if run.track == "4x":
        scans |= {
            CROPPED: (test, vendors.A, True, None),
            RESTORED: (test, vendors.A, True, rows),
        }
        other = other_vendor(settings, test)
        if len(other.images):
            scans[OTHER] = (other, vendors.B, False, None)
            scans[PADDED] = (other, vendors.B, False, rows)
    tests = {}
    for name, (part, vendor, cropped, padded) in scans.items():
        truth = place / f"{vendor.name}{'_cropped' * cropped}"
        vendors.write_volumes(truth, part, vendor, 2, cropped)
        mine = folder / "submissions" / run.name / name.replace(", ", "_")
        # Left by a run that was stopped.
        shutil.rmtree(mine, ignore_errors=True)
        oversampled = bool(padded) or (vendor.oversampling > 1 and not cropped)
        method = method_for(oversampled)
        track = "transfer" if vendor is vendors.B else run.track
        tests[name] = vendors.submit(method, truth, mine, track, padded)
    return {**record, "test": tests}


def other_vendor(settings, test):
    """The test images of vendor B."""
    if settings["other"] is None:
        return vendors.inverted(test)
    from experiments.unseen_scans import other_images

    other = other_images(settings["other"], settings["data_dir"], test)
    if not len(other.images):
        return other
    return other.evenly(settings["tested"])


def volumes_of(record):
    """A test's metrics by volume; `None` if there are none."""
    return record["test"] or None


def tests_of(records):
    """One record for each kind of scan that a run was tested on."""
    return [
        {
            **record,
            "scan": scan,
            "test": test,
            # By the names of files, and those of vendor B too.
            "patients": {v: found["patient"] for v, found in test.items()},
        }
        for record in records
        for scan, test in record["test"].items()
    ]


def track_of(cell):
    """The track of the challenge that a test belongs to."""
    return "transfer" if cell.scan in (OTHER, PADDED) else cell.track


def claims(cells):
    """Compare the methods on each track, and what became of the read-out."""
    for cell, records in cells.items():
        start = f"{track_of(cell)}, {cell.scan}"
        for subject, other in (
            ("varnet", "unet"),
            ("unet", "zero_filled"),
        ):
            rival = cell._replace(method=other)
            if cell.method == subject and rival in cells:
                yield experiments.Claim(
                    f"{start}: {TITLES[subject]} against {TITLES[other]}",
                    records,
                    cells[rival],
                )
        for better, worse in (RESTORED, CROPPED), (PADDED, OTHER):
            rival = cell._replace(scan=worse)
            # Without a network, zeros change nothing.
            if (
                cell.method in NETWORKS
                and cell.scan == better
                and rival in cells
            ):
                yield experiments.Claim(
                    f"{start}: {TITLES[cell.method]}, with zeros against "
                    "without",
                    records,
                    cells[rival],
                )


def mean_by_volume(records, metric):
    """Average a metric of each volume over the records of seeds and folds."""
    values = {}
    for record in records:
        for volume, found in (volumes_of(record) or {}).items():
            values.setdefault(volume, []).append(found[metric])
    return {volume: {metric: np.mean(x)} for volume, x in values.items()}


def bootstrap(first, second, metric, digits):
    """Describe a paired difference by volume, `None` without two volumes.

    Args:
        first, second: Dicts by volume of dicts of metrics.
        metric: String.
        digits: Integer, the number of decimals.
    """
    common = {v: first[v] for v in first if v in second}
    if len(common) < 2:
        return None
    differences = evaluation.paired_difference(common, second, metric)
    low, high = evaluation.bootstrap_interval(differences)
    return (
        f"{differences.mean():+.{digits}f} "
        f"[{low:+.{digits}f}, {high:+.{digits}f}]"
    )


def bootstrap_table(cells):
    """A table of all claims, by a paired bootstrap over volumes."""
    rows = []
    for claim in claims(cells):
        texts = []
        for metric, (_, digits) in METRICS.items():
            pair = (
                mean_by_volume(records, metric)
                for records in (claim.records, claim.others)
            )
            texts.append(bootstrap(*pair, metric, digits) or "one volume")
        rows.append([claim.subject, *texts])
    return ["what", *(title for title, _ in METRICS.values())], rows


def breakdown_table(cells):
    """A table of SSIM and PSNR by track, method, contrast and field."""
    rows = []
    for cell, records in cells.items():
        if cell.scan not in (AS_TRAINED, PADDED):
            continue
        groups = {}
        for record in records:
            for volume, found in record["test"].items():
                key = (found["contrast"], found["field_strength"])
                groups.setdefault(key, {})[volume] = found
        for (contrast, tesla), found in sorted(groups.items(), key=str):
            (each,) = evaluation.break_down(found, "contrast").values()
            rows.append(
                [track_of(cell), TITLES[cell.method], contrast]
                + [str(tesla), str(each["volumes"])]
                + [f"{each[m]:.{n}f}" for m, (_, n) in METRICS.items()]
            )
    header = ["track", "method", "contrast", "T", "volumes"]
    return [*header, *(title for title, _ in METRICS.values())], rows


def recovery(cells):
    """Say how much of the loss without oversampling zeros recover."""
    for cell, records in cells.items():
        restored = cell._replace(scan=RESTORED)
        is_first = cell.scan == AS_TRAINED and cell.method in NETWORKS
        if not is_first or restored not in cells:
            continue
        for metric in ("ssim", "psnr"):
            full, without, again = (
                np.mean(
                    [
                        found[metric]
                        for found in mean_by_volume(each, metric).values()
                    ]
                )
                for each in (
                    records,
                    cells[cell._replace(scan=CROPPED)],
                    cells[restored],
                )
            )
            title, digits = METRICS[metric]
            loss, gain = full - without, again - without
            share = f", {gain / loss:.0%} of it" if loss > 0 else ""
            yield (
                f"{TITLES[cell.method]}, {title}: without the oversampling "
                f"{-loss:+.{digits}f}; zeros bring {gain:+.{digits}f}{share}."
            )


COLUMNS = {
    "track": lambda cell, _: track_of(cell),
    "scan": lambda cell, _: cell.scan,
    "method": lambda cell, _: TITLES[cell.method],
    **{
        title: experiments.metric(volumes_of, name, digits)
        for name, (title, digits) in METRICS.items()
    },
    "seconds": experiments.spread("seconds", 0),
    "seeds": experiments.count,
}


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Test.cells(tests_of(records))
    found = experiments.findings(claims(cells), volumes_of)
    found["tables"] |= {
        "Means over the volumes of each contrast and field strength.": (
            breakdown_table(cells)
        ),
        "Differences, with the 95 % interval of a paired bootstrap over "
        "volumes.": bootstrap_table(cells),
    }
    found["sentences"] += recovery(cells)
    return {
        "title": "The 2020 fastMRI challenge, with two simulated vendors",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **found,
    }


def evaluate(settings):
    """Judge submissions to a challenge with files of fastMRI."""
    first, *others = settings["submission"]
    truth = pathlib.Path(settings["truth"])
    if "model" in settings:
        if others:
            raise invalid(
                "submission",
                "one folder to write with --model",
                [first, *others],
            )
        from loupe_tf.reconstruction import Network, ZeroFilled

        model = settings["model"]
        method = ZeroFilled() if model == "zero_filled" else Network(model)
        found = vendors.submit(
            method,
            truth,
            first,
            settings.get("track", "4x"),
            settings.get("rows"),
        )
    else:
        found = evaluation.judge_submission(first, truth)
    titles = [title for title, _ in METRICS.values()]

    def row(means):
        return [f"{means[m]:.{n}f}" for m, (_, n) in METRICS.items()]

    rows = [[name, *row(volume)] for name, volume in found.items()]
    print(report.markdown_table(["volume", *titles], rows))
    for by in ("contrast", "field_strength", "vendor"):
        rows = [
            [str(value), str(means["volumes"]), *row(means)]
            for value, means in evaluation.break_down(found, by).items()
        ]
        header = [by.replace("_", " "), "volumes", *titles]
        print("\n" + report.markdown_table(header, rows))
    for other in others:
        rival = evaluation.judge_submission(other, truth)
        for metric, (title, digits) in METRICS.items():
            told = bootstrap(found, rival, metric, digits) or "one volume"
            print(f"{title}, {first} - {other}: {told}")
    print(f"\n{CONVENTION}")


def main(arguments=None):
    settings = parse(__doc__, arguments)
    if settings["truth"] is not None:
        return exit_code(functools.partial(evaluate, settings))
    for name in ("truth", "submission", "model", "track", "rows"):
        settings.pop(name, None)
    return experiments.main(settings, grid, build_model, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
