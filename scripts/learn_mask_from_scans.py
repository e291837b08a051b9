"""A mask learned when no full scan exists, from undersampled scans.

Each scan was acquired once, by a random mask of known probabilities: dense in
the centre, and twice as many samples or so as the mask to be learned has. This
script compares the masks that are learned from them and from full scans.

    python scripts/learn_mask_from_scans.py --preset smoke
    python scripts/learn_mask_from_scans.py --preset cpu --data my_volumes/

- variable_density: a random mask, not learned
- full_scans: learned by 4S from full scans, with a network
- from_scans: learned by 4S from undersampled scans, with `regimes.FromScans`
- ignoring: the same, but what is held out counts as much as the rest, so rarely
  acquired samples count too little

To tell the masks apart from the networks, a new network is trained for each
mask on full scans ("retrained"); the network that was learned with the mask is
tested as it is, too ("own"). All have the same network, a MoDL, the same loss
(the mean squared error in k-space) and the same number of epochs. The test uses
the mask with exactly the budget. Images have one coil and a smooth random
phase.

Each finished run writes a small JSON file to the folder given by --out, and its
mask to masks/. Repeat a stopped command to resume it. report.html, results.json
and the figures cover all runs in the folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
from experiments import kspace_learning
from experiments.presets.mask_from_scans import GRID, METHODS, parse
from loupe_tf import evaluation, masks, plots

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice of magnitudes, SSIM with data range 1, "
    "images divided by their volume's maximum; mean over the slices of a "
    "volume, then over the test volumes; ± is the standard deviation over "
    "seeds. Exact-budget masks."
)
TITLES = {
    "variable_density": "variable density",
    "full_scans": "learned from full scans",
    "from_scans": "learned from undersampled scans",
    "ignoring": "the same, without weights",
}
LEAST = 0.1
"""The smallest probability of the scans."""


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One mask."""

    method: str
    seed: int

    order = {"method": METHODS}

    @property
    def stem(self):
        return f"{self.method}-seed{self.seed}"


def grid(settings):
    pairs = itertools.product(settings["seeds"], settings["methods"])
    return [Run(method=method, seed=seed) for seed, method in pairs]


def probability(settings, size):
    """The probabilities of the scans' masks: a Gaussian around DC."""
    calibration = masks.default_calibration(size, settings["acceleration"])
    region = masks.calibration_region(size, calibration)
    y, x = ((np.arange(n) - n // 2) / (n / 2) for n in size)
    shape = np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.6**2))
    low, high = 0.0, 1e3
    for _ in range(60):  # The factor that gives the mean, by bisection.
        factor = (low + high) / 2
        found = np.where(region, 1, np.clip(factor * shape, LEAST, 1))
        if found.mean() < 1 / settings["scan_acceleration"]:
            low = factor
        else:
            high = factor
    return found


def build_model(run, settings, image_shape):
    """The regime in which a mask is learned, or a given one used."""
    from loupe_tf import samplers

    size, rate = tuple(image_shape[:2]), settings["acceleration"]
    learning = {
        "slope": settings["slope"],
        # A step of Adam then moves probabilities as far as with a learning
        # rate of 0.01 and a constant of 5.
        "prob_slope": 0.05 / settings["learning_rate"],
        "seed": run.seed,
    }
    if run.method == "variable_density":
        calibration = masks.default_calibration(size, rate)
        mask = masks.gaussian(size, rate, calibration, seed=run.seed)
        sampler = samplers.GivenMask(mask)
    elif run.method == "full_scans":
        sampler = samplers.LearnedMask(rate, **learning)
    else:
        sampler = samplers.WithinScan(
            rate, probability(settings, size), settings["hold_out"], **learning
        )
    return make_regime(run, settings, size, sampler)


def make_regime(run, settings, size, sampler):
    """Full scans are bands of everything."""
    from loupe_tf import regimes, samplers

    network = kspace_learning.make_network(settings, size, run.seed)
    if isinstance(sampler, samplers.WithinScan):
        weighted = run.method == "from_scans"
        return regimes.FromScans(network, sampler, weighted, seed=run.seed)
    ones = np.ones(size, "float32")
    return regimes.KBand(network, ones, sampler, "squared", seed=run.seed)


def train(run, settings, splits, folder):
    """Learn a mask, retrain a network for it, and return the record."""
    from loupe_tf import samplers
    from loupe_tf.callbacks import SelfShrinkingSigmoidSlope

    part, test = splits["train"], splits["test"]
    size = test.images.shape[1:3]
    regime = build_model(run, settings, test.images.shape[1:])
    kspace = kspace_learning.scan(part, seed=0)
    full = np.ones((len(kspace), *size, 1), "float32")
    acquired = full
    if run.method in ("from_scans", "ignoring"):
        # Each scan is acquired once.
        uniform = np.random.default_rng(run.seed).random(full.shape)
        chance = probability(settings, size)[..., None]
        acquired = (uniform < chance).astype("float32")
    callbacks = []
    if run.method != "variable_density":
        patience = settings["patience"]
        callbacks.append(
            SelfShrinkingSigmoidSlope("loss", patience=patience, cooldown=1)
        )
    with experiments.time_spent(run, folder) as seconds:
        history, finite = kspace_learning.fit(
            regime,
            [kspace * acquired[:, None], acquired],
            run,
            settings,
            callbacks,
        )
        mask = masks.from_model(regime.sampling)
        retrained = regime
        if run.method != "variable_density":
            retrained = make_regime(
                run, settings, size, samplers.GivenMask(mask)
            )
            _, again = kspace_learning.fit(
                retrained, [kspace, full], run, settings
            )
            finite = finite and again
    keys = ["loss", *(["slope"] if callbacks else [])]
    record = {
        **run.record(history, keys),
        "seconds": round(seconds(), 1),
        "acquired": float(acquired.mean()),
        "clipped": history.get("clipped", [0.0])[-1],
        "diverged": not finite,
        "test": {},
        "own": {},
    }
    if not finite:
        return record
    for name, each in ("own", regime), ("test", retrained):
        _, output = kspace_learning.rebuild(
            each.reconstructor, mask, test, settings
        )
        record[name] = kspace_learning.judge(test, output)
    mask.save(folder / "masks" / f"{run.name}.npz")
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        mask=mask.array,
        truth=test.images[shown],
        output=np.abs(output[shown])[..., None].astype("float32"),
    )
    return record


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


def own_volumes_of(record):
    """The same, of the network that was learned with the mask."""
    return record["own"].get("unit_range")


COLUMNS = {
    "mask": lambda cell, _: TITLES[cell.method],
    "share of k-space in scans": experiments.spread("acquired", 3),
    "PSNR, retrained": experiments.metric(volumes_of),
    "SSIM, retrained": experiments.metric(volumes_of, "ssim", 4),
    "PSNR, own": experiments.metric(own_volumes_of),
    "clipped": experiments.spread("clipped", 3),
    **experiments.TRAINING_COLUMNS,
}


def claims(cells):
    """The mask from scans against each other one, and full scans likewise."""
    records = {cell.method: found for cell, found in cells.items()}
    pairs = [
        ("full_scans", "variable_density"),
        ("from_scans", "variable_density"),
        ("from_scans", "ignoring"),
        ("from_scans", "full_scans"),
    ]
    for first, second in pairs:
        if first in records and second in records:
            yield experiments.Claim(
                f"{TITLES[first]} against {TITLES[second]}, retrained",
                records[first],
                records[second],
            )


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of)
    images = experiments.first_images(cells, folder, Run.of)
    shown = {TITLES[cell.method]: each for cell, each in images.items()}
    drawn = {title: each["mask"] for title, each in shown.items()}
    found["figures"] |= {
        "masks": (
            plots.masks(drawn) if drawn else None,
            "First seed; DC is in the centre.",
        ),
        "reconstructions": (
            experiments.draw_outputs(shown),
            "First seed, retrained: the middle slice of the first test volume.",
        ),
    }
    return {
        "title": "A mask learned from undersampled scans",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **found,
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
