"""Which masks serve which reconstructor?

A mask that is learned together with a U-Net is learned for that U-Net. Is it
also good for the zero-filled image, for compressed sensing, or for a U-Net that
was trained with another mask? This script fills the table: learned points and
lines, with and without a calibration region, and unlearned masks, at R = 4 and
8, each with all of these reconstructors.

    python scripts/mask_transfer.py --preset smoke
    python scripts/mask_transfer.py --preset cpu --data my_volumes/
    python scripts/mask_transfer.py --preset cpu --seeds 3 4
    python scripts/mask_transfer.py --preset cpu --folds 5 --test-slices 8 \\
        --masks learned_calibrated gaussian poisson_disc

Learned masks come from LOUPE with 4S, in the two rounds of its paper, and are
trained together with their U-Net. For every other mask, a U-Net is trained in
the same two rounds without 4S. The regularization of compressed sensing is
chosen for each mask on slices of the validation volumes. "Another mask's U-Net"
is each of the other trained U-Nets in turn, at the same R and seed.

random_lines and equispaced_lines are fastMRI's two patterns, gaussian has
points of variable density, and spectrum acquires the points where the training
images have the most power. All masks have exactly the same budget. Random masks
are drawn anew for each seed.

Each finished training writes a small JSON file to the folder given by --out,
its mask to masks/ and its model to models/, where `loupe-tf evaluate` can read
them. Each tested reconstructor also writes a JSON file. Repeat a stopped
command to resume it. You can add further R and seeds to the same folder.
report.html, results.json and the figures cover all runs in the folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
from experiments import transfer, trials
from experiments.presets.mask_transfer import (
    GRID,
    LEARNED,
    LINES,
    MASKS,
    POINTS,
    parse,
)
from experiments.transfer import OWN, mask_of, title_of, unet_of
from loupe_tf import evaluation, masks
from loupe_tf.reconstruction import Network

CLASSICAL = ("zero_filled", "wavelet_l1", "total_variation")

TESTED = (*CLASSICAL[1:], OWN)
"""Reconstructors that masks are compared for: not the zero-filled image."""

GIVEN_POINTS = ("gaussian", "poisson_disc", "spectrum")
GIVEN_LINES = ("random_lines", "equispaced_lines")
WITH_REGION = {
    "learned_calibrated": GIVEN_POINTS,
    "learned_lines_calibrated": GIVEN_LINES,
}
WITH_OR_WITHOUT = {
    "learned_calibrated": ("learned",),
    "learned_lines_calibrated": ("learned_lines",),
}
NO_REGION = {"learned": GIVEN_POINTS, "learned_lines": GIVEN_LINES}
"""Masks that each learned mask is compared with."""

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum, mean over the slices of a volume, then over the test volumes; ± "
    "is the standard deviation over seeds. Others' U-Nets: mean over U-Nets "
    "trained for the other masks, at the same R and seed. The best other U-Net "
    "has the highest mean over seeds on the test volumes, so its result is "
    "slightly optimistic. Exact-budget masks. Compressed sensing: "
    "regularization chosen for each mask on slices of the validation volumes."
)
SSIM_CAPTION = "The same, SSIM with data range 1."


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """A training for a mask, or the trial of a reconstructor on all masks."""

    task: str
    acceleration: float
    subject: str
    seed: int

    @property
    def stem(self):
        return f"{self.task}-{self.kept_as}"

    @property
    def kept_as(self):
        """Name of the files that the run writes."""
        return f"R{self.acceleration:g}-{self.subject}-seed{self.seed}"


def grid(settings):
    """All runs: for each seed and R, the trainings and then the trials."""
    every = []
    chosen = [x for x in MASKS if x in (settings["masks"] or MASKS)]
    cells = itertools.product(settings["seeds"], settings["accelerations"])
    for seed, rate in cells:
        every += [Run("train", rate, mask, seed) for mask in chosen]
        every += [Run("try", rate, name, seed) for name in CLASSICAL]
        every += [Run("try", rate, unet_of(mask), seed) for mask in chosen]
    return every


def sampling(run, settings, images):
    """Arguments for sampling k-space: a learned mask or a given one."""
    rate, subject = run.acceleration, run.subject
    if subject not in LEARNED:
        return {"mask": masks.fixed_mask(subject, images, rate, seed=run.seed)}
    lines = "columns" if "lines" in subject else None
    calibration = None
    if "calibrated" in subject:
        calibration = masks.default_calibration(images.shape[1:3], rate, lines)
    return {
        "acceleration": rate,
        "lines": lines,
        "calibration": calibration,
        "slope": settings["slope"],
    }


def build_model(run, settings, images):
    return experiments.build_unet(
        settings,
        images.shape[1:],
        run.seed,
        name=run.subject,
        **sampling(run, settings, images),
    )


def check(run, settings, image_shape):
    """Check the requirements of a run on an image of zeros."""
    zeros = np.zeros((1, *image_shape), "float32")
    if run.task == "train":
        build_model(run, settings, zeros)
    elif run.subject in CLASSICAL:
        # Check that sigpy is installed.
        method = evaluation.CLASSICAL[run.subject]
        evaluation.reconstruct(method, np.ones((1, image_shape[1])), zeros)


def train(run, settings, splits, folder):
    """Train the U-Net for a mask, together with the mask if it is learned."""
    images, held_out = (splits[name].images for name in ("train", "validation"))
    model = build_model(run, settings, images)
    history, finite = experiments.fit(
        model, run, settings, images, held_out, folder
    )
    record = run.record(history)
    if not finite:
        return {**record, "error": "the training has diverged"}
    mask = trials.leave(model, folder, run.kept_as)
    return {
        **record,
        "error": None,
        "achieved_acceleration": mask.achieved_acceleration,
        "slope": mask.slope,
    }


def try_on_masks(run, settings, splits, folder):
    """Evaluate a reconstructor with every mask of its R and seed."""
    record = {**run.record(), "error": None, "results": {}}
    test = splits["test"]
    if settings["test_slices"] is not None:
        test = test.evenly(settings["test_slices"])
    choose = trials.tuned(
        run.subject,
        splits["validation"].images,
        settings["regularizations"],
        settings["tuning_slices"],
    )
    if run.subject not in CLASSICAL:
        trained = dataclasses.replace(run, subject=mask_of(run.subject))
        path = folder / "models" / f"{trained.kept_as}.keras"
        try:
            trials.find_file(path)
        except ValueError as error:
            return {**record, "error": str(error)}
        choose = trials.always(Network(path))
    paths = paths_of(
        run.acceleration, run.seed, folder, settings["masks"] or MASKS
    )
    record["results"], pictures = trials.try_on_all(paths, choose, test)
    experiments.save_images(folder, run.kept_as, test.voxel_size, **pictures)
    return record


def paths_of(rate, seed, folder, chosen):
    """Paths of the chosen masks of an R and a seed, by name."""
    stems = {mask: Run("train", rate, mask, seed).kept_as for mask in chosen}
    return {m: folder / "masks" / f"{stem}.npz" for m, stem in stems.items()}


def do(run, settings, splits, folder):
    task = train if run.task == "train" else try_on_masks
    return task(run, settings, splits, folder)


def images_of(rate, seed, name, folder):
    """A slice by one reconstructor, which may be `OWN`, by mask name."""
    found = {}
    for mask in MASKS:
        subject = unet_of(mask) if name == OWN else name
        stem = Run("try", rate, subject, seed).kept_as
        found[mask] = experiments.load_images(folder, stem)
    return found


def draw(scores, folder):
    """All figures with their captions, by name."""
    figures = {}
    for rate in scores.rates:
        seed = min(scores.seeds)
        figures[f"transfer_R{rate:g}"] = (
            scores.draw(rate),
            f"R = {rate:g}: each U-Net on each mask, mean over seeds; in bold "
            "on its own.",
        )
        figures[f"masks_R{rate:g}"] = (
            transfer.draw_masks(
                paths_of(rate, seed, folder, MASKS), len(POINTS)
            ),
            f"R = {rate:g}: masks, first seed. DC is in the centre.",
        )
        for name in ("wavelet_l1", OWN):
            images = images_of(rate, seed, name, folder)
            figures[f"reconstructions_R{rate:g}_{name.replace(' ', '_')}"] = (
                transfer.draw_reconstructions(images, POINTS, LINES),
                f"R = {rate:g}, {title_of(name)}, first seed: the middle slice "
                "of the first test volume, on points above and on lines below.",
            )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    scores = transfer.Scores(records, MASKS, CLASSICAL)
    failed = [
        trials.failures(Run.of(record).name, record) for record in records
    ]
    # Apart, since the gains of the second are many times those of the first.
    networks = scores.claims_of_networks()
    groups = [
        experiments.findings(claims, transfer.volumes_of, figure, caption)
        for figure, claims, caption in (
            ("gains", scores.claims(WITH_REGION, TESTED), ""),
            (
                "gains_of_regions",
                networks + scores.claims(WITH_OR_WITHOUT, TESTED),
                "U-Nets of other masks, and masks that were learned without a "
                "calibration region against those with one.",
            ),
            (
                "gains_without_region",
                scores.claims(NO_REGION, TESTED),
                "Masks that were learned without a calibration region.",
            ),
        )
    ]

    def joined(key):
        return {k: v for found in groups for k, v in found[key].items()}

    return {
        "title": "Which masks serve which reconstructor?",
        "convention": CONVENTION,
        "table": scores.table("psnr"),
        "tables": {
            **joined("tables"),
            SSIM_CAPTION: scores.table("ssim"),
        },
        "figures": {
            **joined("figures"),
            **draw(scores, folder),
        },
        "sentences": [
            *itertools.chain(*(found["sentences"] for found in groups)),
            *itertools.chain(*map(scores.cost_of_others, scores.rates)),
            *itertools.chain(*failed),
        ],
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, check, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
