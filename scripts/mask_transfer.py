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

import matplotlib.figure
import numpy as np

import experiments
import loupe_tf
from loupe_tf import (
    command_line,
    evaluation,
    masks,
    plots,
    provenance,
    report,
)
from loupe_tf.atomic import written_aside
from loupe_tf.reconstruction import Network

# Beside those of the training. All test slices are tried, if `None`.
TRIALS = {
    "regularizations": list(evaluation.REGULARIZATIONS),
    "tuning_slices": 8,
    "test_slices": None,
}
PRESETS = {
    "paper": {**experiments.TRAINING["paper"], **TRIALS},
    # All trials of one R and seed take some minutes.
    "cpu": {**experiments.TRAINING["cpu"], **TRIALS, "tuning_slices": 4},
    "smoke": {
        **experiments.TRAINING["smoke"],
        "accelerations": [4.0],
        "regularizations": [0.01, 0.1],
        "tuning_slices": 1,
        "test_slices": 1,
    },
}
# What may differ between the runs of one folder, and what changes no figure.
GRID = ("accelerations", "seeds")
PLACES = ("out", "data_dir", "preset", "backup")

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
METRICS = {"psnr": ("PSNR [dB]", 2), "ssim": ("SSIM", 4)}

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
class Run:
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


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "mask_transfer",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, hours; "
        "smoke: all steps in two minutes",
    )
    experiments.add_training_options(parser)
    return experiments.parse(parser, arguments)


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


def build_model(run, settings, image_shape, images=None):
    """The model of a training; of a classical trial there is none.

    Without training images the mask that is made of them is that of zeros,
    which is enough to see whether the model can be built.
    """
    import keras

    if images is None:
        images = np.zeros((1, *image_shape), "float32")
    if run.task == "try":
        # Whether sigpy is there.
        reconstructor = evaluation.CLASSICAL.get(run.subject)
        if reconstructor is not None:
            every = np.ones((1, image_shape[1]))
            evaluation.reconstruct(reconstructor, every, images[:1])
        return None
    keras.utils.set_random_seed(run.seed)
    if run.subject in LEARNED:
        sampling = {
            "acceleration": run.acceleration,
            "calibration": None,
            "slope": settings["slope"],
        }
        if "lines" in run.subject:
            sampling["lines"] = "columns"
        if "calibrated" in run.subject:
            sampling["calibration"] = masks.default_calibration(
                image_shape[:2], run.acceleration, sampling.get("lines")
            )
    else:
        sampling = {
            "mask": masks.fixed_mask(
                run.subject, images, run.acceleration, seed=run.seed
            )
        }
    model = loupe_tf.models.loupe_model(
        image_shape,
        **sampling,
        filters=settings["filters"],
        depth=settings["depth"],
        # Start from the zero-filled image, and let the statistics follow
        # within an epoch: trainings are short.
        output_initializer="zeros",
        normalization=functools.partial(
            keras.layers.BatchNormalization, momentum=0.9
        ),
        seed=run.seed,
        name=run.subject,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def train(run, settings, splits, folder):
    """Train the U-Net for a mask, learning the mask if it is a learned one."""
    import keras

    images = splits["train"].images
    model = build_model(run, settings, images.shape[1:], images)
    validation = splits["validation"].images
    history, finite = experiments.fit(
        model, run, settings, images, validation, folder
    )
    record = {
        **dataclasses.asdict(run),
        "epochs": len(history["loss"]),
        "trace": experiments.to_trace(history, ("loss", "val_loss", "round")),
        **provenance.environment(),
        "error": None,
    }
    if not finite:
        return {**record, "error": "the training has diverged"}
    mask = masks.from_model(model)
    for name in ("masks", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    mask.save(folder / "masks" / f"{run.stem}.npz")
    # Without what only training needs.
    trained = keras.Model(model.inputs, model.outputs, name=model.name)
    with written_aside(folder / "models" / f"{run.stem}.keras") as partial:
        trained.save(partial)
    return {
        **record,
        "achieved_acceleration": mask.achieved_acceleration,
        "slope": mask.slope,
    }


def some_slices(part, count):
    """`count` slices of each volume, evenly spread; all if it is `None`."""
    if count is None:
        return part
    rows = []
    for volume in np.unique(part.volumes):
        parts = np.array_split(np.flatnonzero(part.volumes == volume), count)
        rows += [rows[len(rows) // 2] for rows in parts if len(rows)]
    return part.select(np.array(rows))


def find_file(folder, kind, run, mask):
    """What the training for a mask, at the R and seed of a run, has left."""
    stem = dataclasses.replace(run, subject=mask).stem
    path = folder / kind / f"{stem}.{'npz' if kind == 'masks' else 'keras'}"
    if not path.exists():
        raise ValueError(
            f"no {kind}/{path.name}: its training has diverged, or was done "
            "elsewhere and its files were not copied"
        )
    return path


def try_on_all(run, settings, splits, folder):
    """Judge a reconstructor on every mask of its R and seed."""
    record = {
        **dataclasses.asdict(run),
        **provenance.environment(),
        "results": {},
    }
    test = some_slices(splits["test"], settings["test_slices"])
    network = None
    if run.subject not in CLASSICAL:
        try:
            path = find_file(folder, "models", run, mask_of(run.subject))
        except ValueError as error:
            return {**record, "error": str(error)}
        network = Network(path)
    pictures = {}
    for name in MASKS:
        found = {}
        try:
            mask = masks.SamplingMask.load(
                find_file(folder, "masks", run, name)
            )
            reconstructor = network
            if network is None:
                reconstructor, scores = evaluation.tune(
                    run.subject,
                    mask,
                    splits["validation"].images,
                    settings["regularizations"],
                    settings["tuning_slices"],
                )
                if scores:
                    found["regularization"] = reconstructor.regularization
            found |= evaluation.judge(
                reconstructor, mask, test.images, test.volumes
            )
        except ValueError as error:
            record["results"][name] = {"error": str(error)}
            continue
        record["results"][name] = found
        if not found["unit_range"]:
            continue
        volume = next(iter(found["unit_range"]))
        shown = evaluation.middle_slice(test.volumes, volume)
        images = test.images[shown : shown + 1]
        output = evaluation.reconstruct(reconstructor, mask, images)
        pictures[name] = output
        pictures["truth"] = evaluation.magnitude(images)
    experiments.save_images(folder, run.stem, test.voxel_size, **pictures)
    return {**record, "error": None}


def do(run, settings, splits, folder):
    return (train if run.task == "train" else try_on_all)(
        run, settings, splits, folder
    )


def in_rows(records):
    """One dict for each mask and reconstructor that a trial has judged."""
    rows = []
    for record in records:
        for mask, result in record.get("results", {}).items():
            rows.append(
                {
                    **{k: record[k] for k in ("acceleration", "seed")},
                    "mask": mask,
                    "reconstructor": record["subject"],
                    "volumes": result.get("unit_range"),
                }
            )
    every = {v for row in rows for v in row["volumes"] or ()}
    # Means over other volumes are not to be compared.
    return [
        row for row in rows if row["volumes"] and every == {*row["volumes"]}
    ]


def by_cell(rows):
    return evaluation.by_cell(
        rows,
        key=lambda row: (
            row["acceleration"],
            row["mask"],
            row["reconstructor"],
        ),
    )


def means(cells, key, metric):
    """Mean over the volumes, by seed."""
    return {
        row["seed"]: evaluation.mean_and_deviation(row["volumes"], metric)[0]
        for row in cells.get(key, [])
    }


def others(cells, rate, mask, metric):
    """Means by seed of the other masks' U-Nets, by the name of the mask."""
    found = {
        other: means(cells, (rate, mask, unet_of(other)), metric)
        for other in MASKS
        if other != mask
    }
    return {other: values for other, values in found.items() if values}


def rates_of(cells):
    return sorted({key[0] for key in cells})


def table(cells, metric):
    rows = []
    digits = METRICS[metric][1]
    for rate, mask in itertools.product(rates_of(cells), MASKS):
        columns = [
            means(cells, (rate, mask, name), metric)
            for name in (*CLASSICAL, unet_of(mask))
        ]
        rest = others(cells, rate, mask, metric)
        seeds = {seed for values in rest.values() for seed in values}
        columns.append(
            {
                seed: np.mean([v[seed] for v in rest.values() if seed in v])
                for seed in seeds
            }
        )
        row = [report.spread(c.values(), digits) for c in columns]
        best = "-"
        if rest:
            name = max(rest, key=lambda k: np.mean([*rest[k].values()]))
            best = f"{report.spread(rest[name].values(), digits)} ({name})"
        count = max(map(len, columns))
        rows.append([f"{rate:g}", mask, *row, best, str(count)])
    header = [
        "R",
        "mask",
        *(name.replace("_", " ") for name in CLASSICAL),
        *(OWN, OTHERS, BEST_OTHER, "seeds"),
    ]
    return header, rows


def verdicts(cells):
    """What each reconstructor does best on, and what a foreign mask costs."""
    sentences = []
    for rate in rates_of(cells):
        for name in (*CLASSICAL, OWN):
            for mask in LEARNED:
                sentences += compare_masks(cells, rate, name, mask)
        costs = []
        for mask in MASKS:
            own = means(cells, (rate, mask, unet_of(mask)), "psnr")
            for values in others(cells, rate, mask, "psnr").values():
                costs += [own[s] - values[s] for s in values if s in own]
        if costs:
            sentences.append(
                f"R = {rate:g}: a mask's own U-Net is better than another's by "
                f"{np.mean(costs):.2f} dB on average, from {min(costs):.2f} to "
                f"{max(costs):.2f} over {len(costs)} pairs and seeds."
            )
    return sentences


def compare_masks(cells, rate, name, learned):
    """A learned against the best unlearned mask of the same kind."""
    kind = POINTS if learned in POINTS else LINES
    found = {}
    for mask in (learned, *(m for m in kind if m not in LEARNED)):
        subject = unet_of(mask) if name == OWN else name
        if (rate, mask, subject) in cells:
            found[mask] = cells[rate, mask, subject]
    records = found.pop(learned, None)
    if records is None or not found:
        return []
    best = max(
        found,
        key=lambda mask: np.mean(
            [
                evaluation.mean_and_deviation(row["volumes"], "psnr")[0]
                for row in found[mask]
            ]
        ),
    )
    volumes = operator.itemgetter("volumes")
    differences = evaluation.paired(records, found[best], volumes)
    if not len(differences):
        return []
    return [
        f"R = {rate:g}, {name.replace('_', ' ')}: {learned} against {best}, "
        f"the best unlearned {'points' if kind == POINTS else 'lines'}: "
        + evaluation.in_words(differences)
    ]


def failures(records):
    """A sentence for each run, and each trial, that has no figures."""
    sentences = []
    for record in records:
        name = Run(*(record[f.name] for f in dataclasses.fields(Run))).name
        if record["error"]:
            sentences.append(f"{name}: {record['error']}.")
        for mask, result in record.get("results", {}).items():
            if "error" in result:
                sentences.append(f"{name}: {mask}: {result['error']}.")
            for volume, problem in result.get("refused", {}).items():
                sentences.append(
                    f"{name}: {mask}: volume {volume} left out, {problem}."
                )
    return sentences


def draw_matrix(cells, rate):
    """PSNR of each U-Net on each mask, the mean over seeds."""
    matrix = np.full((len(MASKS), len(MASKS)), np.nan)
    for i, j in np.ndindex(matrix.shape):
        key = (rate, MASKS[j], unet_of(MASKS[i]))
        values = [*means(cells, key, "psnr").values()]
        if values:
            matrix[i, j] = np.mean(values)
    if np.isnan(matrix).all():
        return None
    figure = matplotlib.figure.Figure(figsize=(7.5, 6.0), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(matrix, cmap="viridis")
    names = [mask.replace("_", "\n") for mask in MASKS]
    ax.set_xticks(range(len(MASKS)), names, fontsize=8)
    ax.set_yticks(range(len(MASKS)), names, fontsize=8)
    ax.set_xlabel("mask that is tested")
    ax.set_ylabel("mask that the U-Net was trained for")
    ax.set_title(f"R = {rate:g}: PSNR [dB]")
    middle = np.nanmean([np.nanmin(matrix), np.nanmax(matrix)])
    for (i, j), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            ax.text(
                j,
                i,
                f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                fontweight="bold" if i == j else None,
                color="white" if value < middle else "black",
            )
    figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
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
    truth, shown = None, {}
    for mask in MASKS:
        subject = unet_of(mask) if name == OWN else name
        stem = Run("try", rate, subject, seed).stem
        images = experiments.load_images(folder, stem)
        if mask in images:
            truth, shown[mask] = images["truth"], images[mask]
            voxel_size = images.get("voxel_size")
    kinds = [
        {mask.replace("_", " "): shown[mask] for mask in kind if mask in shown}
        for kind in (POINTS, LINES)
    ]
    kinds = [kind for kind in kinds if kind]
    if not kinds:
        return None
    return plots.reconstruction_groups(truth, kinds, voxel_size=voxel_size)


def write_report(facts, records, folder):
    """Everything that the folder's runs have to say."""
    cells = by_cell(in_rows(records))
    figures = {}
    for rate in rates_of(cells):
        seed = min(row["seed"] for key in cells for row in cells[key])
        figures[f"transfer_R{rate:g}"] = (
            draw_matrix(cells, rate),
            f"R = {rate:g}: each U-Net on each mask, mean over seeds; in bold "
            "on its own.",
        )
        figures[f"masks_R{rate:g}"] = (
            draw_masks(rate, seed, folder),
            f"R = {rate:g}: masks, first seed. DC is in the centre.",
        )
        for name in ("wavelet_l1", OWN):
            title = name.replace("_", " ")
            figures[f"reconstructions_R{rate:g}_{name.replace(' ', '_')}"] = (
                draw_reconstructions(rate, seed, name, folder),
                f"R = {rate:g}, {title}, first seed: the middle slice of the "
                "first test volume, on points above and on lines below.",
            )
    experiments.publish(
        folder,
        "Which masks serve which reconstructor?",
        facts,
        CONVENTION,
        table(cells, "psnr"),
        figures,
        [*verdicts(cells), *failures(records)],
        records,
        tables={SSIM_CAPTION: table(cells, "ssim")},
    )


def reproduce(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=build_model,
        train=do,
        kind=lambda run: (run.task, run.acceleration, run.subject),
        free=(*GRID, *PLACES),
    )
    write_report(facts, records, folder)


def main(arguments=None):
    return command_line.exit_code(reproduce, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
