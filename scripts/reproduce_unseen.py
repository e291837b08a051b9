"""Networks and classical methods on scans that they have not seen.

A network learns from one kind of scan. GRAPPA and compressed sensing learn
nothing, or from the scan itself. Which of them bears a scan of another kind
better? Networks are trained once, on equispaced lines at R = 4 with four coils,
and then tested on scans that differ in one respect:

- other images (`--others`): another contrast, another anatomy
- another R, and random lines
- another number of coils
- noise
- a read-out with twice the field of view
- a small bright lesion that was not there in training

    python scripts/reproduce_unseen.py --preset smoke
    python scripts/reproduce_unseen.py --preset cpu --folds 5 \\
        --data mri_volumes/flair64 --others T1=mri_volumes/t1w64

The U-Net, MoDL and VarNet have as many weights as in reproduce_xpdnet.py, and
are trained in the same way. All methods are given the simulated maps. The
regularization of compressed sensing is chosen on validation slices that are
scanned as in training, and not chosen again; that of SENSE is 0.01. GRAPPA
calibrates on each scan. The method total_variation_noise has its regularization
chosen on the same slices with the noise of the test; modl_noise is a MoDL that
is trained with as much noise as the test has on average.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. report.html, results.json and the figures cover
all runs in the folder.
"""

import dataclasses
import sys

import numpy as np

import experiments
import loupe_tf
from experiments import showing, simulated_scan, unseen_scans
from experiments.presets.unseen import CLASSICAL, GRID, METHODS, parse
from experiments.unrolled_claims import TITLES as OTHER_TITLES
from experiments.unrolled_networks import make_network
from loupe_tf import evaluation, plots
from loupe_tf.reconstruction import Grappa, Network, Sense

TITLES = OTHER_TITLES | {
    "sense": "SENSE",
    "total_variation_noise": "CS, total variation, weight for noise",
    "modl_noise": "MoDL, trained with noise",
}
COMPRESSED = ["total_variation", "total_variation_noise"]
RIVALS = {
    "total_variation_noise": ["total_variation", "zero_filled"],
    "unet": ["grappa", *COMPRESSED],
    "modl": ["grappa", *COMPRESSED, "unet"],
    "modl_noise": ["modl", *COMPRESSED, "unet", "zero_filled"],
    "varnet": ["grappa", *COMPRESSED, "unet"],
}
"""Methods that a method is compared with."""

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum; mean over slices of a volume, then over the test volumes; ± is "
    "the standard deviation over seeds. Lesion: the rebuilt share of the "
    "brightness of a planted disc."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method."""

    method: str
    seed: int

    order = {"method": METHODS}

    @property
    def stem(self):
        return f"{self.method}-seed{self.seed}"


@dataclasses.dataclass(frozen=True)
class Test(experiments.Run):
    """One method on one kind of scan."""

    scan: str
    method: str
    seed: int

    @property
    def stem(self):
        return f"{self.scan}-{self.method}-seed{self.seed}"


def grid(settings):
    return [
        Run(method, seed)
        for seed in settings["seeds"]
        for method in settings["methods"]
    ]


def build_model(run, settings, image_shape, size=None, snr=None):
    """Make the model of a run; another `size` than the images' if given.

    With `snr`, in dB, it is trained with noise.
    """
    import keras

    if run.method in CLASSICAL:
        return None
    keras.utils.set_random_seed(run.seed)
    size = tuple(image_shape[:2]) if size is None else size
    rate, region = settings["acceleration"], settings["calibration"]
    model = loupe_tf.models.loupe_model(
        (*size, 1),
        mask=unseen_scans.lines(size, rate, region, run.seed),
        reconstructor=make_network(
            run.method.removesuffix("_noise"),
            settings["iterations"],
            settings,
            size,
        ),
        coils="any",
        snr=snr,
        seed=run.seed,
        name=run.method,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def train(run, settings, splits, folder):
    """Train a network.

    Returns:
        A dict for its record; and a callable that takes the size of an image
        and returns the trained network as a reconstructor for it.
    """
    shape = splits["test"].images.shape[1:]
    train, validation = (
        (
            simulated_scan.measure(part, settings["coils"], seed)[0],
            part.images,
        )
        for seed, part in enumerate((splits["train"], splits["validation"]))
    )
    snr = None
    if run.method.endswith("_noise"):
        (kspace, _), _ = train
        snr = unseen_scans.snr_of(kspace, settings["noise"])
        # The model draws the noise of training anew in each step.
        (kspace, maps), images = validation
        kspace = loupe_tf.simulation.add_noise(kspace, snr, run.seed)
        validation = (kspace, maps), images
    model = build_model(run, settings, shape, snr=snr)
    history, finite = experiments.fit_one_round(
        model, run, settings, train, validation, folder
    )
    record = run.record(history, ["loss", "val_loss", "learning_rate"])

    def reconstructor(size):
        if size == shape[:2]:
            return Network(model)
        other = build_model(run, settings, shape, size)
        other.reconstructor.set_weights(model.reconstructor.get_weights())
        return Network(other)

    return {**record, "diverged": not finite}, reconstructor


def choose(run, settings, splits):
    """Make a classical method, as `train` does a network."""
    fixed = {"grappa": Grappa(), "sense": Sense(0.01)}
    method = fixed.get(run.method)
    if run.method == "total_variation_noise":
        part = simulated_scan.for_tuning(
            splits["validation"], settings["tuning_slices"]
        )
        noisy = unseen_scans.scan_of(
            part, settings, run.seed, noise=settings["noise"]
        )
        method = unseen_scans.tune(
            "total_variation", settings["regularizations"], noisy
        )
    elif method is None:
        scan = unseen_scans.scan_of(splits["test"], settings, run.seed)
        method = simulated_scan.tune(
            run.method,
            scan.mask,
            splits["validation"],
            settings["coils"],
            1,
            settings["regularizations"],
            settings["tuning_slices"],
        )
    chosen = getattr(method, "regularization", None)
    record = {"diverged": False, "regularization": chosen}
    return {**run.record(), **record}, lambda size: method


def do(run, settings, splits, folder):
    """Train or choose a method, test it on all scans, return the record."""
    part = splits["test"].evenly(settings["tested"])
    splits = {**splits, "test": part}
    with experiments.time_spent(run, folder) as seconds:
        if run.method in CLASSICAL:
            record, method_for = choose(run, settings, splits)
        else:
            record, method_for = train(run, settings, splits, folder)
    record["seconds"] = round(seconds(), 1)
    if record["diverged"]:
        return {**record, "test": {}}
    tests, refused, shown = {}, {}, {}
    for name, scan in unseen_scans.unseen(part, settings, run.seed):
        height, width = scan.images.shape[1:]
        method = method_for((height * (1 + scan.oversampled), width))
        try:
            tests[name] = unseen_scans.judge(method, scan)["unit_range"]
        except ValueError as error:
            refused[name] = str(error)
            continue
        if name == "as trained":
            record["lesion"] = unseen_scans.lesion_kept(method, scan)
            first, planted, _ = unseen_scans.plant(scan)
            shown["truth"] = np.abs(first.images[0])[..., None]
            shown["truth, lesion"] = np.abs(planted.images[0])[..., None]
            shown["lesion"] = unseen_scans.reconstruct(
                method, planted.select([0])
            )[0]
            same = scan.images
        if scan.images is same:
            middle = [evaluation.middle_slice(scan.volumes)]
            one = scan.select(middle)
            shown[f"scan, {name}"] = unseen_scans.reconstruct(method, one)[0]
    if shown:
        experiments.save_images(folder, run.name, part.voxel_size, **shown)
    return {**record, "test": tests, "refused": refused}


def volumes_of(record):
    """A test's metrics by volume; `None` if there are none."""
    return record["test"] or None


def tests_of(records):
    """One record for each kind of scan that a run was tested on.

    Other data has volumes of its own, of the patients that the test has. If
    that is one patient, all volumes are the patient's.
    """

    def patients(record, test):
        known = record.get("patients") or {}
        tested = set(known.values())
        return dict.fromkeys(test, *tested) if len(tested) == 1 else known

    return [
        {
            **record,
            "scan": scan,
            "test": test,
            "patients": patients(record, test),
        }
        for record in records
        for scan, test in record["test"].items()
    ]


def _volumes(records):
    return {volume for record in records for volume in record["test"]}


def claims(cells):
    """Compare networks with better known methods, and scans with the first."""
    for cell, records in cells.items():
        trained = cell._replace(scan="as trained")
        same = _volumes(records) == _volumes(cells.get(trained, []))
        if cell != trained and same:
            yield experiments.Claim(
                f"{TITLES[cell.method]}: {cell.scan} against as trained",
                records,
                cells[trained],
            )
        for other in RIVALS.get(cell.method, []):
            rival = cell._replace(method=other)
            if rival in cells:
                yield experiments.Claim(
                    f"{cell.scan}: {TITLES[cell.method]} against "
                    f"{TITLES[other]}",
                    records,
                    cells[rival],
                )


MAIN = ("zero_filled", "total_variation", "unet", "modl")
PICTURES = {
    "noise": (MAIN, ("as trained", "noise")),
    "lines": (MAIN, ("R = 6", "random lines")),
    "other_methods": (("sense", "grappa", "varnet"), ("as trained", "noise")),
    "trained_with_noise": (("modl", "modl_noise"), ("as trained", "noise")),
}
"""Methods and scans of the smaller figures."""


def draw(images):
    """Draw a slice of the first test volume, scanned in each way.

    Args:
        images: The result of `experiments.first_images`.

    Returns:
        A dict of figures with their captions, by name.
    """
    named = {TITLES[cell.method]: found for cell, found in images.items()}
    if not named:
        return {}
    first = next(iter(named.values()))
    rows = {
        name: name.removeprefix("scan, ")
        for name in first
        if name.startswith("scan, ")
    }
    lesion = {
        title: {"truth": found["truth, lesion"], "output": found["lesion"]}
        for title, found in named.items()
    }
    main = [TITLES[m] for m in MAIN if TITLES[m] in named] or named
    smaller = {}
    for name, (methods, scans) in PICTURES.items():
        columns = {
            TITLES[m]: named[TITLES[m]] for m in methods if TITLES[m] in named
        }
        titles = {f"scan, {s}": s for s in scans if f"scan, {s}" in rows}
        if columns and titles:
            smaller[name] = (
                showing.draw_rows(columns, titles, errors_below=True),
                f"The same slice: {', '.join(titles.values())}.",
            )
    return {
        **smaller,
        "unseen": (
            showing.draw_rows(named, rows),
            "The middle slice of the first test volume, first seed.",
        ),
        "lesion": (
            draw_lesion({name: named[name] for name in main}),
            "The same slice with a bright disc of three pixels, and its "
            "surroundings.",
        ),
        "lesion_all": (
            experiments.draw_outputs(lesion),
            "The same by all methods.",
        ),
    }


def draw_lesion(named):
    """Draw a slice with a lesion, and the square of 16 pixels around it."""
    first = next(iter(named.values()))
    truth = first["truth, lesion"]
    added = np.abs(truth - first["truth"])[..., 0]
    corner = [
        int(np.clip(place - 8, 0, max(size - 16, 0)))
        for place, size in zip(
            np.unravel_index(np.argmax(added), added.shape), added.shape
        )
    ]
    return plots.reconstructions(
        truth[None],
        {name: found["lesion"][None] for name, found in named.items()},
        zoom=(*corner, *np.minimum(16, added.shape)),
        voxel_size=first.get("voxel_size"),
        errors_below=True,
    )


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    tests = tests_of(records)
    cells = Test.cells(tests)
    scans = list(dict.fromkeys(test["scan"] for test in tests))

    def column(scan, metric, digits):
        show = experiments.metric(volumes_of, metric, digits)
        return lambda cell, _: show(cell, cells.get((scan, cell.method), []))

    rows = Run.cells(records)
    columns = {
        "method": lambda cell, _: TITLES[cell.method],
        **{scan: column(scan, "psnr", 2) for scan in scans},
        "lesion": experiments.spread(
            lambda r: np.mean([*r.get("lesion", {}).values()] or [np.nan]), 2
        ),
        "seconds": experiments.spread("seconds", 0),
        "seeds": experiments.count,
    }
    similarity = {
        "method": columns["method"],
        **{scan: column(scan, "ssim", 3) for scan in scans},
    }
    found = experiments.findings(claims(cells), volumes_of)
    found["tables"]["SSIM with data range 1"] = experiments.table(
        rows, similarity
    )
    found["sentences"] += list(
        dict.fromkeys(
            f"{TITLES[r['method']]} on {scan}: {text}"
            for r in records
            for scan, text in r.get("refused", {}).items()
        )
    )
    images = experiments.first_images(rows, folder, Run.of)
    return {
        "title": "Scans that the networks have not seen",
        "convention": CONVENTION,
        "table": experiments.table(rows, columns),
        **{**found, "figures": found["figures"] | draw(images)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, build_model, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
