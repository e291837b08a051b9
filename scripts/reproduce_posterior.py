"""Samples of the posterior: do they match an exact one, are they calibrated?

A score network learns the prior of images, annealed Langevin dynamics draws
samples of the posterior for any scan (Ramzi, Remy, Lanusse, Starck and Ciuciu,
"Denoising score-matching for uncertainty quantification in inverse problems:
application to magnetic resonance imaging", 2020). This script asks:

- For Gaussian images, whose posterior is known: are variance and mean right, on
  and off the mask? Langevin dynamics and Hamiltonian Monte Carlo.
- For volumes: is the posterior mean as good as a U-Net trained for the mask? Do
  intervals hold as many true values as they say, before and after one factor
  that is fitted on validation slices? Beside it, a Gaussian prior, the U-Net's
  dropout, an ensemble of U-Nets, and conformal discs.
- If a small bright lesion is planted, does the posterior keep it, or widen?
- Do lines that are chosen by the posterior's variance, on validation slices,
  rebuild test slices better than random lines, those of most power, or those
  that 4S learns together with a U-Net?

    python scripts/reproduce_posterior.py --preset smoke
    python scripts/reproduce_posterior.py --preset cpu --data my_volumes/

Images have a smooth random phase, and k-space of one coil has noise whose level
the methods know. The score network is trained once for each seed, and kept in
scores/, learned lines in masks/; chains in progress are kept too. Each finished
run writes a small JSON file to the folder given by --out. Repeat a stopped
command to resume it. report.html, results.json and the figures cover all runs
in the folder.
"""

import dataclasses
import sys

import numpy as np

import experiments
import loupe_tf
from experiments import posterior_samplers as samplers
from experiments import posterior_scans as scans
from experiments.presets.posterior import GRID, MASKS, METHODS, TOY, parse
from loupe_tf import plots

TITLES = {
    "langevin": "exact prior, Langevin",
    "hmc": "exact prior, HMC",
    "zero_filled": "zero-filled",
    "unet": "U-Net",
    "dropout": "U-Net with dropout",
    "ensemble": "ensemble of U-Nets",
    "gaussian": "Gaussian prior",
    "network": "score network",
}
CONVENTION = (
    "PSNR = -10 log10(MSE) of the magnitude of a slice, images divided by "
    "their volume's maximum; mean over slices, then volumes; ± is the standard "
    "deviation over seeds. Coverage: share of true k-space values, real and "
    "imaginary, in intervals of 68 and 95 % (Student's). Conformal: share of "
    "true pixels in discs of 90 %. Variance: that of samples over the exact "
    "one. Lesion: the rebuilt share of the brightness of a planted disc, and "
    "the deviation there over that without it."
)
PARTS = ("measured", "unmeasured")
NOWHERE = 1e-6


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method on one mask, of Gaussian images or of the volumes."""

    acceleration: float
    mask: str
    method: str
    seed: int

    order = {"mask": MASKS, "method": (*TOY, *METHODS)}

    @property
    def stem(self):
        return (
            f"R{self.acceleration:g}-{self.mask}-{self.method}-seed{self.seed}"
        )


def grid(settings):
    """All runs: the Gaussian images first, then mask by mask."""
    chosen = [("random", method) for method in settings["methods"]]
    if "random" not in settings["masks"]:
        chosen = []
    if "network" in settings["methods"]:
        others = [mask for mask in settings["masks"] if mask != "random"]
        chosen += [(mask, "network") for mask in others]
    last = settings["accelerations"][-1]
    return [
        *(Run(last, "random", m, s) for s in settings["seeds"] for m in TOY),
        *(
            Run(rate, mask, method, seed)
            for seed in settings["seeds"]
            for rate in settings["accelerations"]
            for mask, method in chosen
            if mask == "random" or rate == last
        ),
    ]


def build(run, settings, image_shape):
    """There is no model before its data: scores adapt to them."""


def try_toy(run, settings, splits, folder):
    """Gaussian images with the spectrum of the training images."""
    train = scans.with_phase(splits["train"], run.seed)
    prior = samplers.gaussian_score(train)
    power = np.maximum(np.asarray(prior.power), NOWHERE)
    images = scans.gaussian_images(power, 2 * settings["tested"], run.seed)
    mask = scans.given_mask("random", run, settings, power.shape, train)
    method = None
    if run.method == "hmc":
        method = loupe_tf.posterior.HMC(max(1, settings["steps"] // 3))
    found = samplers.draw(
        prior, run, settings, images, mask, folder, "toy", method
    )
    sigma2 = settings["noise"] ** 2
    measured = scans.to_complex(
        scans.measure(images, mask, settings["noise"], run.seed)[:, 0]
    )
    variance = 1 / (1 / power + np.where(mask.array, 1 / sigma2, 0))
    record = {
        **scans.exact_comparison(
            found.samples,
            power / (power + sigma2) * measured,
            variance,
            mask.array,
        ),
        "coverage": loupe_tf.posterior.coverage(found, images, mask.array),
        "test": {},
    }
    if found.acceptance is not None:
        record["acceptance"] = float(found.acceptance.mean())
    return record


def try_volumes(run, settings, splits, folder):
    """Rebuild slices of the volumes, and judge samples where there are any."""
    train = scans.copies_of(splits["train"], run.seed, settings["copies"])
    validation, test = (
        scans.with_phase(splits[name], seed, settings["tested"])
        for seed, name in ((1, "validation"), (2, "test"))
    )
    if run.mask == "uncertain":
        mask = samplers.choose_lines(
            run, settings, train, validation.images, folder
        )
    elif run.mask == "learned":
        every = scans.with_phase(splits["validation"], 1).images
        mask = samplers.learn_lines(run, settings, train, every, folder)
    else:
        size = train.images.shape[1:3]
        mask = scans.given_mask(run.mask, run, settings, size, train)
    samples = samplers.sampler(run, settings, train, mask, folder)
    draws = samples(test.images, "test")
    record = {
        "achieved_acceleration": mask.achieved_acceleration,
        "lines": np.flatnonzero(mask.array).tolist(),
        "test": scans.judge(test, draws.mean(0)),
    }
    if len(draws) > 1:
        record |= loupe_tf.posterior.calibration_report(
            draws, test.images, mask.array
        )
    # Other lines are there to be compared with these.
    if run.mask == "random":
        if len(draws) > 1:
            checked = samples(validation.images, "validation")
            record |= mend(draws, test.images, checked, validation, mask)
        record["lesion"] = try_lesion(samples, test)
    shown = [len(test.images) // 2]
    kept = {"samples": draws[:16, shown]} if len(draws) > 1 else {}
    experiments.save_images(
        folder,
        run.name,
        mask=mask.array,
        truth=test.images[shown],
        output=draws.mean(0)[shown],
        **kept,
    )
    return record


def mend(draws, truth, checked, validation, mask):
    """One factor, and discs that need no posterior, from validation slices."""
    posterior = loupe_tf.posterior
    factor = posterior.deviation_factor(checked, validation.images, mask.array)[
        "unmeasured"
    ]
    discs = posterior.conformal_factor(checked, validation.images, 0.9)
    return {
        "fitted": factor,
        "coverage_after": posterior.coverage(
            posterior.rescale_deviation(draws, factor), truth, mask.array
        ),
        "conformal": {
            "factor": discs,
            "share": posterior.share_within(draws, truth, discs),
        },
    }


def try_lesion(samples, test):
    """Plant a disc that was not there in training, and follow it."""
    plain, planted, discs = scans.lesions(test)
    draws = [
        samples(each.images, name)
        for each, name in ((plain, "plain"), (planted, "planted"))
    ]
    modulus = [np.linalg.norm(each.mean(0), axis=-1) for each in draws]
    true = np.linalg.norm(planted.images, axis=-1) - np.linalg.norm(
        plain.images, axis=-1
    )
    found = {}
    for i, volume in enumerate(plain.volumes):
        disc = discs[i]
        kept = modulus[1][i, disc].mean() - modulus[0][i, disc].mean()
        one = {"share": float(kept / true[i, disc].mean())}
        if len(draws[0]) > 2:
            spread = [
                np.sqrt(each[:, i].var(0, ddof=1).sum(-1)) for each in draws
            ]
            detail = loupe_tf.posterior.check_detail(draws[1][:, [i]], disc)
            one |= {
                "widening": float(
                    spread[1][disc].mean() / spread[0][disc].mean()
                ),
                "probability": detail.probability,
            }
        found[str(volume)] = one
    means = {
        key: float(np.mean([each[key] for each in found.values()]))
        for key in next(iter(found.values()))
    }
    return {**means, "volumes": found}


def do(run, settings, splits, folder):
    with experiments.time_spent(run, folder) as seconds:
        task = try_toy if run.method in TOY else try_volumes
        found = task(run, settings, splits, folder)
    return {
        **run.record(),
        **found,
        "diverged": False,
        "seconds": round(seconds(), 1),
    }


def volumes_of(record):
    return record["test"].get("unit_range")


def inner(*keys):
    """A column with an entry of nested dicts."""

    def value(record):
        for key in keys:
            record = record.get(key)
            if record is None:
                return None
        return record

    return experiments.spread(value, 3)


COLUMNS = {
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "lines": lambda cell, _: cell.mask,
    "method": lambda cell, _: TITLES[cell.method],
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    **{
        f"{level} % {part}": inner("coverage", part, f"0.{level}")
        for part in PARTS
        for level in (68, 95)
    },
    "factor": inner("fitted"),
    "68 % after": inner("coverage_after", "unmeasured", "0.68"),
    "95 % after": inner("coverage_after", "unmeasured", "0.95"),
    "conformal": inner("conformal", "share"),
    "error and deviation": inner("correlation"),
    "lesion": inner("lesion", "share"),
    "deviation there": inner("lesion", "widening"),
    "sure of it": inner("lesion", "probability"),
    "seconds": experiments.spread("seconds", 0),
    "seeds": experiments.count,
}
EXACT = {
    "method": lambda cell, _: TITLES[cell.method],
    **{
        f"{title}, {part}": inner(f"{name}_{part}")
        for name, title in (
            ("variance", "variance"),
            ("mean_error", "error of the mean"),
        )
        for part in PARTS
    },
    **{
        f"{level} % {part}": inner("coverage", part, f"0.{level}")
        for part in PARTS
        for level in (68, 95)
    },
    "acceptance": inner("acceptance"),
    "seconds": experiments.spread("seconds", 0),
}


def claims(cells):
    """The score network against the others, and its lines."""
    by = {(c.acceleration, c.mask, c.method): r for c, r in cells.items()}
    for rate, mask, method in by:
        if method != "network":
            continue
        mine = by[rate, mask, method]
        for other in METHODS[:-1] if mask == "random" else ():
            yield experiments.Claim(
                f"mean of {TITLES['network']} against {TITLES[other]}",
                mine,
                by.get((rate, mask, other), []),
                acceleration=rate,
            )
        for other in MASKS[: MASKS.index(mask)]:
            yield experiments.Claim(
                f"score network: {mask} lines against {other} lines",
                mine,
                by.get((rate, other, method), []),
                acceleration=rate,
            )


def figures(cells, folder):
    found = {}
    for cell, images in experiments.first_images(cells, folder, Run.of).items():
        if "samples" in images:
            name = f"R{cell.acceleration:g}_{cell.mask}_{cell.method}"
            found[name] = (
                plots.posterior(
                    images["truth"], images["samples"], images["mask"] > 0
                ),
                f"{TITLES[cell.method]}, R = {cell.acceleration:g}, "
                f"{cell.mask} lines, first seed: one test slice.",
            )
    return found


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    toy = {k: v for k, v in cells.items() if k.method in TOY}
    others = {k: v for k, v in cells.items() if k.method not in TOY}
    found = experiments.findings(claims(others), volumes_of)
    if toy:
        found["tables"] = {
            "Gaussian images, whose posterior is known.": experiments.table(
                toy, EXACT
            ),
            **found["tables"],
        }
    found["figures"] |= figures(others, folder)
    return {
        "title": "Posterior samples and their calibration",
        "convention": CONVENTION,
        "table": experiments.table(others, COLUMNS),
        **found,
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, build, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
