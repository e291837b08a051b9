"""Training on scans that have acquired a band of k-space each: K-band.

K-band (Wang et al., "K-band: self-supervised MRI reconstruction via stochastic
gradient descent over k-space subsets", 2023) trains without a single full scan.
Each scan acquires a band through the centre of k-space, at an angle of its own.
This script compares it with other scans of the same area, and with full scans.

    python scripts/reproduce_k_band.py --preset smoke
    python scripts/reproduce_k_band.py --preset cpu --data my_volumes/
    python scripts/reproduce_k_band.py --preset cpu --methods k_band supervised

The scans that a network is trained on:

- square: the centre of k-space, of low resolution in both directions
- vertical: a band of columns, the same for all scans
- unweighted: K-band without its weights
- k_band: K-band; its loss is that of full scans, on average
- supervised: full scans
- k_band_learned: as k_band, and the mask is learned as well, by 4S; the budget
  is counted in the band

All have the same network, a MoDL, the same loss (the mean absolute error in
k-space), as many scans, steps and epochs, and the weights of the last epoch.
The mask is variable-density, the same for all but the last. Squares and bands
have the same number of entries.

The test is on scans of all of k-space with the mask alone. Images have one coil
and a smooth random phase.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. report.html, results.json and the figures cover
all runs in the folder.
"""

import dataclasses
import itertools
import math
import sys

import numpy as np

import experiments
from experiments import kspace_learning
from experiments.panels import panels
from experiments.presets.k_band import GRID, METHODS, parse
from experiments.showing import draw_outputs
from loupe_tf import evaluation, masks

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice of magnitudes, SSIM with data range 1, "
    "images divided by their volume's maximum; mean over the slices of a "
    "volume, then over the test volumes; ± is the standard deviation over "
    "seeds. Exact-budget masks."
)
TITLES = {
    "square": "square",
    "vertical": "vertical bands",
    "unweighted": "K-band without weights",
    "k_band": "K-band",
    "supervised": "full scans",
    "k_band_learned": "K-band, learned mask",
}


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """A network trained on one kind of scans."""

    method: str
    seed: int

    order = {"method": METHODS}

    @property
    def stem(self):
        return f"{self.method}-seed{self.seed}"


def grid(settings):
    pairs = itertools.product(settings["seeds"], settings["methods"])
    return [Run(method=method, seed=seed) for seed, method in pairs]


def acquired(run, settings, size, number):
    """The region of k-space that each scan acquires, and the weights of W."""
    rate = settings["band_acceleration"]
    weights = np.ones(size, "float32")
    if run.method == "supervised":
        return np.ones((number, *size), bool), weights
    if run.method == "square":
        sides = tuple(round(n / math.sqrt(rate)) for n in size)
        square = masks.calibration_region(size, sides)
        return np.repeat(square[None], number, axis=0), weights
    if run.method == "vertical":
        band = masks.band(size, rate).array
        return np.repeat(band[None], number, axis=0), weights
    bands = masks.bands(size, rate, settings["angles"])
    angles = np.random.default_rng(run.seed).integers(len(bands), size=number)
    if run.method != "unweighted":
        weights = masks.band_weights(bands)
    return bands[angles], weights


def build_model(run, settings, image_shape, number=1):
    """The regime; its reconstructor is what is tested."""
    from loupe_tf import regimes, samplers

    size = tuple(image_shape[:2])
    region, weights = acquired(run, settings, size, number)
    rate = settings["acceleration"]
    if run.method == "k_band_learned":
        sampler = samplers.WithinBand(
            rate,
            slope=settings["slope"],
            # A step of Adam then moves probabilities as far as with a
            # learning rate of 0.01 and a constant of 5.
            prob_slope=0.05 / settings["learning_rate"],
            seed=run.seed,
        )
    else:
        calibration = masks.default_calibration(size, rate)
        mask = masks.gaussian(size, rate, calibration, seed=run.seed)
        sampler = samplers.GivenMask(mask)
    network = kspace_learning.make_network(settings, size, run.seed)
    regime = regimes.KBand(network, weights, sampler, seed=run.seed)
    return regime, region


def train(run, settings, splits, folder):
    """Train and test a network, and return its record."""
    from loupe_tf.callbacks import SelfShrinkingSigmoidSlope

    part, test = splits["train"], splits["test"]
    shape = test.images.shape[1:]
    regime, region = build_model(run, settings, shape, len(part.images))
    callbacks = []
    if run.method == "k_band_learned":
        patience = settings["patience"]
        callbacks.append(
            SelfShrinkingSigmoidSlope("loss", patience=patience, cooldown=1)
        )
    band = region[..., None].astype("float32")
    kspace = kspace_learning.scan(part, seed=0) * band[:, None]
    with experiments.time_spent(run, folder) as seconds:
        history, finite = kspace_learning.fit(
            regime, [kspace, band], run, settings, callbacks
        )
    record = {
        **run.record(history, ["loss"]),
        "seconds": round(seconds(), 1),
        "acquired": float(region.mean()),
        "diverged": not finite,
        "test": {},
    }
    if not finite:
        return record
    mask = masks.from_model(regime.sampling)
    true, output = kspace_learning.rebuild(
        regime.reconstructor, mask, test, settings
    )
    annuli = kspace_learning.error_by_annulus(true, output, settings["annuli"])
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
    return {
        **record,
        "annuli": annuli,
        "test": kspace_learning.judge(test, output),
    }


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


def outer_error(record):
    """The error in the outer half of the annuli."""
    annuli = record.get("annuli")
    return annuli and float(np.mean(annuli[len(annuli) // 2 :]))


COLUMNS = {
    "scans": lambda cell, _: TITLES[cell.method],
    "share of k-space": experiments.spread("acquired", 3),
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "error of the outer half": experiments.spread(outer_error, 3),
    **experiments.TRAINING_COLUMNS,
}


def claims(cells):
    """Each method against the one before it, and K-band against the square."""
    records = {cell.method: found for cell, found in cells.items()}
    order = [method for method in METHODS if method in records]
    pairs = [(b, a) for a, b in zip(order, order[1:]) if b != "k_band_learned"]
    pairs += [("k_band", "square"), ("k_band_learned", "k_band")]
    for better, worse in dict.fromkeys(pairs):
        if better in records and worse in records:
            yield experiments.Claim(
                f"{TITLES[better]} against {TITLES[worse]}",
                records[better],
                records[worse],
            )


def draw_annuli(cells):
    """Draw the error by the distance from DC, the mean of all runs."""
    caption = (
        "Error in k-space, relative to the image's, by the distance from DC; 1 "
        "is the border. Mean of all runs."
    )
    curves = {
        TITLES[cell.method]: [r["annuli"] for r in records if "annuli" in r]
        for cell, records in cells.items()
    }
    curves = {title: found for title, found in curves.items() if found}
    if not curves:
        return None, caption
    figure, axes = panels(1, 1, (6.0, 3.6))
    for title, found in curves.items():
        mean = np.mean(found, axis=0)
        place = (np.arange(len(mean)) + 0.5) / len(mean)
        axes[0, 0].plot(place, mean, marker="o", label=title)
    axes[0, 0].set(xlabel="distance from DC", ylabel="relative error")
    axes[0, 0].legend()
    return figure, caption


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    images = experiments.first_images(cells, folder, Run.of)
    found["figures"] |= {
        "annuli": draw_annuli(cells),
        "reconstructions": (
            draw_outputs({TITLES[c.method]: x for c, x in images.items()}),
            "First seed: the middle slice of the first test volume.",
        ),
    }
    return {
        "title": "K-band: training on bands of k-space",
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
