"""Which masks serve which reconstructor?

A mask that is learned beside a U-Net is learned for that U-Net. Is it of use
to others: to the zero-filled image, to compressed sensing, to a U-Net that was
trained for another mask? This script fills the table: learned points and
lines, free or with a calibration region, and unlearned ones, at R = 4 and 8,
each with all of these.

    python scripts/mask_transfer.py --preset smoke
    python scripts/mask_transfer.py --preset cpu --data my_volumes/
    python scripts/mask_transfer.py --preset cpu --seeds 3 4

Learned masks come from LOUPE with 4S, in the two rounds of its paper. Their
U-Net is the one trained beside them; for every other mask one is trained in the
same two rounds, without 4S. Compressed sensing has its regularization chosen
for each mask on slices of the validation volumes. "Another mask's U-Net" is
each of the trained ones in turn, at the same R and seed.

random_lines and equispaced_lines are fastMRI's two patterns, gaussian has
points of variable density, and spectrum takes the points where the training
images have the most power. All masks have exactly the same budget. Those that
are drawn at random are drawn anew for each seed.

Each finished training leaves a small JSON file in the folder given by --out,
the mask in masks/ and the model in models/, where scripts/evaluate.py can take
them from; each reconstructor that has been tried leaves another. A command
that was stopped goes on when it is given again, and further R and seeds can be
added to the same folder. report.html, results.json and the figures are of all
runs that the folder holds.
"""

import dataclasses
import functools
import itertools
import operator
import sys

import numpy as np

import experiments
import loupe_tf
from experiments.presets.mask_transfer import GRID, parse
from experiments.trials import failures, find_file, try_on
from loupe_tf import evaluation, masks, plots, report
from loupe_tf.atomic import written_aside
from loupe_tf.command_line import exit_code
from loupe_tf.reconstruction import Network

# Those with a calibration region have that of the unlearned ones.
LEARNED = (
    "learned",
    "learned_calibrated",
    "learned_lines",
    "learned_lines_calibrated",
)
POINTS = (*LEARNED[:2], "gaussian", "poisson_disc", "spectrum")
LINES = (*LEARNED[2:], "random_lines", "equispaced_lines")
MASKS = (*POINTS, *LINES)
CLASSICAL = ("zero_filled", "wavelet_l1", "total_variation")
OWN, OTHERS, BEST_OTHER = "own U-Net", "others' U-Nets", "best other U-Net"
DIGITS = {"psnr": 2, "ssim": 4}

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum, mean over the slices of a volume, then over the test volumes; ± "
    "is the standard deviation over seeds. Others' U-Nets: those trained for "
    "each of the other masks of the same R and seed, mean over them; the best "
    "of them has the highest mean over seeds, on the test volumes, and so is a "
    "little flattered. Exact-budget masks. Compressed sensing: regularization "
    "chosen for each mask on slices of the validation volumes."
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
    def name(self):
        return f"{self.task}-{self.stem}"

    @property
    def stem(self):
        return f"R{self.acceleration:g}-{self.subject}-seed{self.seed}"


def grid(settings):
    """All runs: of each seed and R the trainings, then the trials."""
    every = []
    cells = itertools.product(settings["seeds"], settings["accelerations"])
    for seed, rate in cells:
        every += [Run("train", rate, mask, seed) for mask in MASKS]
        every += [Run("try", rate, name, seed) for name in CLASSICAL]
        every += [Run("try", rate, unet_of(mask), seed) for mask in MASKS]
    return every


def unet_of(mask):
    return f"unet_{mask}"


def mask_of(unet):
    return unet.removeprefix("unet_")


def sampling(run, settings, images):
    """What samples k-space: a mask to learn, or one that is given."""
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
    import keras

    keras.utils.set_random_seed(run.seed)
    model = loupe_tf.models.loupe_model(
        images.shape[1:],
        **sampling(run, settings, images),
        filters=settings["filters"],
        depth=settings["depth"],
        # Statistics follow within an epoch: trainings are short.
        normalization=functools.partial(
            keras.layers.BatchNormalization, momentum=0.9
        ),
        seed=run.seed,
        name=run.subject,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def check(run, settings, image_shape):
    """Try what a run needs, on an image of zeros."""
    zeros = np.zeros((1, *image_shape), "float32")
    if run.task == "train":
        build_model(run, settings, zeros)
    elif run.subject in CLASSICAL:
        # Whether sigpy is there.
        method = evaluation.CLASSICAL[run.subject]
        evaluation.reconstruct(method, np.ones((1, image_shape[1])), zeros)


def train(run, settings, splits, folder):
    """Train the U-Net for a mask, learning the mask if it is a learned one."""
    images, held_out = (splits[name].images for name in ("train", "validation"))
    model = build_model(run, settings, images)
    history, finite = experiments.fit(
        model, run, settings, images, held_out, folder
    )
    record = run.record(history)
    if not finite:
        return {**record, "error": "the training has diverged"}
    mask = masks.from_model(model)
    for name in ("masks", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    mask.save(folder / "masks" / f"{run.stem}.npz")
    with written_aside(folder / "models" / f"{run.stem}.keras") as partial:
        model.save(partial)
    return {
        **record,
        "error": None,
        "achieved_acceleration": mask.achieved_acceleration,
        "slope": mask.slope,
    }


def try_on_all(run, settings, splits, folder):
    """Judge a reconstructor on every mask of its R and seed."""
    record = {**run.record(), "error": None, "results": {}}
    test, network = splits["test"], None
    if settings["test_slices"] is not None:
        test = test.evenly(settings["test_slices"])
    stems = {m: dataclasses.replace(run, subject=m).stem for m in MASKS}
    if run.subject not in CLASSICAL:
        path = folder / "models" / f"{stems[mask_of(run.subject)]}.keras"
        try:
            find_file(path)
        except ValueError as error:
            return {**record, "error": str(error)}
        network = Network(path)

    def choose(mask):
        if network is not None:
            return network, {}
        found, scores = evaluation.tune(
            run.subject,
            mask,
            splits["validation"].images,
            settings["regularizations"],
            settings["tuning_slices"],
        )
        return found, {"regularization": found.regularization} if scores else {}

    paths = {m: folder / "masks" / f"{stem}.npz" for m, stem in stems.items()}
    record["results"], pictures = try_on(paths, choose, test)
    experiments.save_images(folder, run.stem, test.voxel_size, **pictures)
    return record


def do(run, settings, splits, folder):
    task = train if run.task == "train" else try_on_all
    return task(run, settings, splits, folder)


def by_cell(records):
    """By R, mask and reconstructor, what trials have judged: rows by seed."""
    rows = [
        {
            "cell": (record["acceleration"], mask, record["subject"]),
            "seed": record["seed"],
            "volumes": result.get("unit_range"),
        }
        for record in records
        for mask, result in record.get("results", {}).items()
    ]
    # Means over other volumes are not to be compared.
    every = {volume for row in rows for volume in row["volumes"] or ()}
    rows = [row for row in rows if row["volumes"]]
    rows = [row for row in rows if every == {*row["volumes"]}]
    return evaluation.by_cell(rows, key=operator.itemgetter("cell"))


volumes_of = operator.itemgetter("volumes")


def rates_of(cells):
    return sorted({key[0] for key in cells})


def scores_of(cells, rate, metric="psnr"):
    """Means over the volumes: by mask, reconstructor and seed.

    Returns:
        A masked array. Reconstructors are the classical ones, then the U-Nets
        in the order of their masks.
    """
    seeds = sorted({row["seed"] for rows in cells.values() for row in rows})
    names = (*CLASSICAL, *map(unet_of, MASKS))
    scores = np.full((len(MASKS), len(names), len(seeds)), np.nan)
    for i, j in np.ndindex(scores.shape[:2]):
        for row in cells.get((rate, MASKS[i], names[j]), []):
            mean, _ = evaluation.mean_and_deviation(row["volumes"], metric)
            scores[i, j, seeds.index(row["seed"])] = mean
    return np.ma.masked_invalid(scores)


def own_and_others(scores, i):
    """Of a mask's scores those of its own U-Net, and of those of others."""
    unets = scores[i, len(CLASSICAL) :]
    return unets[i], unets[[j for j in range(len(MASKS)) if j != i]]


def table(cells, metric):
    header = ["R", "mask", *(name.replace("_", " ") for name in CLASSICAL)]
    header += [OWN, OTHERS, BEST_OTHER, "seeds"]
    rows = []
    for rate in rates_of(cells):
        scores = scores_of(cells, rate, metric)
        for i, mask in enumerate(MASKS):
            own, others = own_and_others(scores, i)
            best = "-"
            if others.count():
                j = others.mean(axis=1).argmax()
                name = [other for other in MASKS if other != mask][j]
                best = f"{spread(others[j], metric)} ({name})"
            columns = [*scores[i, : len(CLASSICAL)], own, others.mean(axis=0)]
            texts = [spread(column, metric) for column in columns]
            count = max(column.count() for column in columns)
            rows.append([f"{rate:g}", mask, *texts, best, str(count)])
    return header, rows


def spread(values, metric):
    return report.spread(values.compressed(), DIGITS[metric])


def verdicts(cells):
    """What each reconstructor does best on, and what a foreign mask costs."""
    sentences = []
    for rate in rates_of(cells):
        for name, mask in itertools.product((*CLASSICAL, OWN), LEARNED):
            sentences += compare_masks(cells, rate, name, mask)
        sentences += cost_of_others(cells, rate)
    return sentences


def compare_masks(cells, rate, name, learned):
    """A learned against the best unlearned mask of the same kind."""
    kind = "points" if learned in POINTS else "lines"
    found = {
        mask: cells.get((rate, mask, unet_of(mask) if name == OWN else name))
        for mask in (POINTS if kind == "points" else LINES)
    }
    unlearned = [m for m in found if found[m] and m not in LEARNED]
    if not (found.get(learned) and unlearned):
        return []
    best = max(
        unlearned,
        key=lambda m: np.mean(experiments.means(found[m], volumes_of)),
    )
    return experiments.compare(
        f"R = {rate:g}, {name.replace('_', ' ')}: {learned} against {best}, "
        f"the best unlearned {kind}:",
        found[learned],
        found[best],
        volumes_of,
    )


def cost_of_others(cells, rate):
    """By how much a U-Net is worse than the mask's own."""
    scores = scores_of(cells, rate)
    pairs = [own_and_others(scores, i) for i in range(len(MASKS))]
    costs = np.ma.concatenate([own - others for own, others in pairs])
    if not costs.count():
        return []
    return [
        f"R = {rate:g}: a mask's own U-Net is better than another's by "
        f"{costs.mean():.2f} dB on average, from {costs.min():.2f} to "
        f"{costs.max():.2f} over {costs.count()} pairs and seeds."
    ]


def draw_matrix(cells, rate):
    """PSNR of each U-Net on each mask, the mean over seeds."""
    matrix = scores_of(cells, rate)[:, len(CLASSICAL) :].mean(axis=2).T
    if not matrix.count():
        return None
    figure, ax = experiments.heat_map(
        matrix, [mask.replace("_", "\n") for mask in MASKS]
    )
    ax.set(
        xlabel="mask that is tested",
        ylabel="mask that the U-Net was trained for",
        title=f"R = {rate:g}: PSNR [dB]",
    )
    return figure


def draw_masks(rate, seed, folder):
    shown = {}
    for mask in MASKS:
        path = folder / "masks" / f"{Run('train', rate, mask, seed).stem}.npz"
        if path.exists():
            title = mask.replace("_", " ")
            shown[title] = masks.SamplingMask.load(path).array
    return plots.masks(shown, columns=len(POINTS)) if shown else None


def draw_reconstructions(rate, seed, name, folder):
    """The same slice by one reconstructor, on points and on lines."""
    groups = {}
    for mask in MASKS:
        subject = unet_of(mask) if name == OWN else name
        run = Run("try", rate, subject, seed)
        images = experiments.load_images(folder, run.stem)
        if mask in images:
            group = groups.setdefault(mask in POINTS, {})
            group[mask.replace("_", " ")] = {
                "truth": images["truth"][0],
                "output": images[mask][0],
                "voxel_size": images.get("voxel_size"),
            }
    return experiments.draw_outputs(*groups.values())


def draw(cells, folder):
    """All figures with their captions, by name."""
    figures = {}
    seeds = [row["seed"] for rows in cells.values() for row in rows]
    for rate in rates_of(cells):
        figures[f"transfer_R{rate:g}"] = (
            draw_matrix(cells, rate),
            f"R = {rate:g}: each U-Net on each mask, mean over seeds; in bold "
            "on its own.",
        )
        figures[f"masks_R{rate:g}"] = (
            draw_masks(rate, min(seeds), folder),
            f"R = {rate:g}: masks, first seed. DC is in the centre.",
        )
        for name in ("wavelet_l1", OWN):
            title = name.replace("_", " ")
            figures[f"reconstructions_R{rate:g}_{name.replace(' ', '_')}"] = (
                draw_reconstructions(rate, min(seeds), name, folder),
                f"R = {rate:g}, {title}, first seed: the middle slice of the "
                "first test volume, on points above and on lines below.",
            )
    return figures


def reproduce(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=check,
        train=do,
        free=GRID,
    )
    cells = by_cell(records)
    failed = [failures(Run.of(record).name, record) for record in records]
    experiments.publish(
        folder,
        "Which masks serve which reconstructor?",
        facts,
        CONVENTION,
        table(cells, "psnr"),
        draw(cells, folder),
        [*verdicts(cells), *itertools.chain(*failed)],
        records,
        tables={SSIM_CAPTION: table(cells, "ssim")},
    )


def main(arguments=None):
    return exit_code(reproduce, parse(__doc__, arguments))


if __name__ == "__main__":
    sys.exit(main())
