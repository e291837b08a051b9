"""Training without fully sampled images, beside training with them.

A network learns to rebuild images from undersampled scans alone: by samples
that it does not see (SSDU, Yaman et al., MRM 2020), by the weighted form of
Millard and Chiew (IEEE TCI 2023), with several splits a step, and with a
teacher (a report on "Fast MRI" of the course CS 7643, whose hold-out gave NaN
and whose distillation collapsed). "unanchored" is that recipe, and the trace of
its energy shows the collapse. Zero-filling, compressed sensing and the same
network trained on full images stand beside it.

    python scripts/reproduce_self_supervision.py --preset smoke
    python scripts/reproduce_self_supervision.py --preset cpu --folds 5
    python scripts/reproduce_self_supervision.py --preset cpu --folds 5 \
        --methods hold_out --ratios 0.1 0.2 0.6 0.8
    python scripts/reproduce_self_supervision.py --preset cpu --report

There are four kinds of masks, all of points, with the same calibration region
and exactly the same budget. `random`: each slice has another mask, denser
towards DC. `one`: all slices have one mask, learned from the full images of
the training set for zero-filled images; its probabilities are the weights' P.
`with_network`: the same, but learned together with a U-Net, by 4S; the U-Net is
then dropped. `drawn`: each slice has a mask of its own, drawn from the
probabilities of `one`. For masks that differ, P is counted in a thousand draws.

Every network is the same: a MoDL, from the same first weights. All are
trained for the same number of epochs, and tested with the weights of the epoch
of the lowest validation loss, which is their own: those that learn without
full images are chosen without them. All that is acquired is given to the
network in the test.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add methods, masks, coils, ratios and
seeds to the same folder. report.html, results.json and the figures cover all
runs in it.
"""

import dataclasses
import functools
import itertools
import sys

import numpy as np

import experiments
import loupe_tf
from experiments import hold_out_figures, simulated_scan
from experiments.presets.self_supervision import (
    CLASSICAL,
    GRID,
    MASKS,
    METHODS,
    RATIO,
    SELF_SUPERVISED,
    parse,
)
from loupe_tf import evaluation, masks

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, SSIM with data range 1, images divided "
    "by their volume's maximum; mean over the slices of a volume, then over "
    "the test volumes; ± is the standard deviation over seeds. Exact-budget "
    "masks."
)
TITLES = {
    "zero_filled": "zero-filled",
    "total_variation": "CS, total variation",
    "hold_out": "hold-out",
    "squared": "hold-out, squared loss",
    "weighted": "hold-out, weighted",
    "multi": "hold-out, three splits",
    "distillation": "hold-out and a teacher",
    "unanchored": "a teacher, no anchor",
    "supervised": "full images",
}
MASK_TITLES = {
    "random": "a mask for each slice",
    "one": "one mask, learned for zero-filling",
    "with_network": "one mask, learned with a U-Net",
    "drawn": "draws of a learned mask",
}
PARTS = ("train", "validation", "test")
WITH_TEACHER = ("distillation", "unanchored")
DRAWS = 1000
UNET = {"filters": 8, "depth": 3}
"""The U-Net that a mask is learned with."""


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method on one kind of masks."""

    coils: int
    mask: str
    method: str
    seed: int
    ratio: float = RATIO

    order = {"mask": MASKS, "method": METHODS}

    @property
    def stem(self):
        ratio = "" if self.ratio == RATIO else f"{self.ratio:g}"
        return f"C{self.coils}-{self.mask}-{self.method}{ratio}-seed{self.seed}"


def ratios_of(method, ratios):
    """Those that hold nothing out are trained once."""
    return ratios if method in SELF_SUPERVISED else [RATIO]


def grid(settings):
    """All runs, seed by seed."""
    names = ("seeds", "coils", "masks", "methods")
    return [
        Run(coils, mask, method, seed, ratio)
        for seed, coils, mask, method in itertools.product(
            *(settings[name] for name in names)
        )
        for ratio in ratios_of(method, settings["ratios"])
    ]


def draw(size, settings, seed):
    """Draw a mask of points, as a float array `(H, W, 1)`."""
    mask = masks.gaussian(
        size, settings["acceleration"], settings["calibration"], seed=seed
    )
    return mask.array[..., None].astype("float32")


@functools.lru_cache(maxsize=4)
def _counted(size, rate, calibration):
    settings = {"acceleration": rate, "calibration": calibration}
    drawn = [draw(size, settings, 10**6 + i) for i in range(DRAWS)]
    return np.mean(drawn, axis=0)[..., 0]


def learn_mask(run, settings, images, folder):
    """Learn the one mask and its probabilities, or read them."""
    with_network = run.mask == "with_network"
    kind = "network" if with_network else "mask"
    path = folder / "masks" / f"{kind}-seed{run.seed}-fold{run.fold}.npz"
    if not path.exists():
        import keras

        path.parent.mkdir(exist_ok=True)
        keras.utils.set_random_seed(run.seed)
        model = loupe_tf.models.loupe_model(
            images.shape[1:],
            settings["acceleration"],
            calibration=settings["calibration"],
            slope=settings["slope"],
            seed=run.seed,
            **(UNET if with_network else {"reconstructor": "zero_filled"}),
        )
        rate = 0.01 if with_network else 0.05
        model.compile(keras.optimizers.Adam(rate), loss="mse")
        slope = loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
            "loss", patience=2, cooldown=1
        )
        model.fit(
            images,
            images,
            epochs=settings["mask_epochs"],
            batch_size=settings["batch_size"],
            callbacks=[slope] if with_network else None,
            verbose=0,
        )
        found = {
            "mask": masks.from_model(model).array,
            "probability": masks.probability_from_model(model),
        }
        np.savez(path, **found)
    with np.load(path, allow_pickle=False) as found:
        return found["mask"], found["probability"]


def draw_from(probability, budget, settings, number, rng):
    """Draw masks of one budget, each entry with about its probability.

    Entries whose log-odds plus logistic noise are above 0 would be draws with
    exactly these probabilities, and about the budget. The entries with the
    largest sums have the budget itself.

    Args:
        probability: Array `(H, W)`.
        budget: Integer.
        settings: Dict with the `calibration`.
        number: Integer, how many masks.
        rng: NumPy generator.

    Returns:
        Float32 array `(number, H, W, 1)`.
    """
    chance = np.clip(probability, 1e-6, 1 - 1e-6)
    score = np.log(chance / (1 - chance))
    region = masks.calibration_region(score.shape, settings["calibration"])
    score = np.where(region, np.inf, score) + rng.logistic(
        size=(number, *score.shape)
    )
    flat = score.reshape(number, -1)
    least = np.partition(flat, -budget, axis=1)[:, -budget]
    return (score >= least[:, None, None])[..., None].astype("float32")


def masks_of(run, settings, splits, folder):
    """Return the masks of each part, and the probabilities P."""
    size = splits["train"].images.shape[1:3]
    counts = [len(splits[name].images) for name in PARTS]
    if run.mask in ("one", "with_network"):
        mask, chance = learn_mask(run, settings, splits["train"].images, folder)
        mask = mask[None, ..., None].astype("float32")
        return [np.repeat(mask, n, axis=0) for n in counts], chance
    first = 10**5 * (run.seed + 1)
    if run.mask == "drawn":
        mask, learned = learn_mask(
            run, settings, splits["train"].images, folder
        )
        rng = np.random.default_rng(first)
        drawn = draw_from(learned, mask.sum(), settings, DRAWS, rng)
        every = draw_from(learned, mask.sum(), settings, sum(counts), rng)
        return np.split(every, np.cumsum(counts)[:-1]), drawn.mean(0)[..., 0]
    every = np.stack(
        [draw(size, settings, first + i) for i in range(sum(counts))]
    )
    chance = _counted(size, settings["acceleration"], settings["calibration"])
    return np.split(every, np.cumsum(counts)[:-1]), chance


def build_model(run, settings, image_shape, probability=None, steps=1):
    """Return the reconstructing model, and what trains it."""
    import keras

    if run.method in CLASSICAL[1:]:
        return None
    keras.utils.set_random_seed(run.seed)
    size = tuple(image_shape[:2])
    network = loupe_tf.models.cnn(
        (*size, 2),
        2,
        filters=settings["filters"],
        depth=settings["depth"],
        normalization=None,
    )
    # Its solver pins what was measured, the kept block too, which no hold-out
    # loss ever compares.
    unrolled = loupe_tf.models.MoDL(
        network,
        iterations=settings["iterations"],
        shared=False,
        solver_iterations=4,
    )
    several = run.coils > 1
    model = loupe_tf.models.loupe_model(
        (*size, 2 if several else 1),
        mask_input=True,
        coils=run.coils if several else None,
        reconstructor="zero_filled"
        if run.method == "zero_filled"
        else unrolled,
        reconstruction="complex"
        if several and run.method == "zero_filled"
        else "magnitude",
    )
    trained = regime_of(run, settings, model, probability, steps)
    loss = {"loss": "mse"} if trained is model else {}
    rate = settings["learning_rate"]
    trained.compile(keras.optimizers.Adam(rate), **loss)
    return model, trained


def regime_of(run, settings, model, probability, steps):
    """Return what trains the model; itself, if it learns from images."""
    if run.method not in SELF_SUPERVISED:
        return model
    options = {"ratio": run.ratio, "seed": run.seed}
    options["keep"] = settings["calibration"]
    if run.method in ("squared", "weighted"):
        options["norm"] = "squared"
    if run.method == "weighted":
        options["probability"] = probability
    if run.method == "multi":
        options["splits"] = 3
    if run.method in WITH_TEACHER:
        return loupe_tf.regimes.Distillation(
            model,
            settings["weight"],
            steps=steps,
            anchored=run.method == "distillation",
            **options,
        )
    return loupe_tf.regimes.HoldOut(model, **options)


def measured(part, run, mask, seed):
    """Return the inputs of the model, the images, and the maps."""
    inputs, images, maps = simulated_scan.measure(part, run.coils, seed)
    inputs = list(inputs) if run.coils > 1 else [inputs]
    return [*inputs, mask], images, maps


def train(run, settings, splits, folder):
    """Train if the method learns, test, and return the record."""
    test = splits["test"]
    drawn, probability = masks_of(run, settings, splits, folder)
    data = {
        name: measured(splits[name], run, mask, seed)
        for seed, (name, mask) in enumerate(zip(PARTS, drawn))
    }
    history, finite = {"loss": [], "val_loss": []}, True
    with experiments.time_spent(run, folder) as seconds:
        if run.method == "total_variation":
            output = rebuild_classically(run, settings, splits, drawn, data)
        else:
            epochs = settings["epochs"]
            count = len(splits["train"].images)
            steps = epochs * -(-count // settings["batch_size"])
            shape = test.images.shape[1:]
            model, trained = build_model(
                run, settings, shape, probability, steps
            )
            trained([x[:1] for x in data["train"][0]])  # Builds it.
            alarms = []
            if run.method in WITH_TEACHER:
                alarms = [loupe_tf.callbacks.CollapseAlarm()]
            if run.method != "zero_filled":
                history, finite = experiments.fit(
                    trained,
                    run,
                    {
                        **settings,
                        "epochs": [epochs, 0],
                        "stop_patience": epochs,
                        "lr_patience": 1,
                    },
                    data["train"][:2],
                    data["validation"][:2],
                    folder,
                    slope_callback=False,
                    callbacks=alarms,
                )
            output = model.predict(
                data["test"][0], settings["batch_size"], verbose=0
            )
    keys = [
        key for key in ("loss", "val_loss", "energy_ratio") if key in history
    ]
    record = {
        **run.record(history, keys),
        "seconds": round(seconds(), 1),
        "diverged": not finite,
        "test": {},
    }
    if "collapsed" in history:
        # The trace is not kept for all seeds.
        record["energy_ratio"] = float(history["energy_ratio"][-1])
        # The first epoch that `CollapseAlarm` warns of.
        record["alarm"] = next(
            (i for i, found in enumerate(history["collapsed"]) if found), None
        )
    if not finite:
        return record
    shown = evaluation.middle_slice(test.volumes)
    if output.shape[-1] == 2:
        output = np.linalg.norm(output, axis=-1, keepdims=True)
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        mask=drawn[2][shown, ..., 0] > 0,
        truth=test.images[shown],
        output=output[shown],
    )
    found = evaluation.judge_images(test.images, output, test.volumes)
    return {**record, "test": found}


def rebuild_classically(run, settings, splits, drawn, data):
    """Compressed sensing of the test slices, each with its own mask."""
    method = simulated_scan.tune(
        run.method,
        masks.SamplingMask(drawn[1][0, ..., 0] > 0, settings["acceleration"]),
        splits["validation"],
        run.coils,
        1,
        settings["regularizations"],
        settings["tuning_slices"],
    )
    _, images, maps = data["test"]
    return np.concatenate(
        [
            evaluation.reconstruct(
                method,
                masks.SamplingMask(mask[..., 0] > 0, settings["acceleration"]),
                image[None],
                maps,
            )
            for image, mask in zip(images, drawn[2])
        ]
    )


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


COLUMNS = {
    "coils": lambda cell, _: cell.coils,
    "masks": lambda cell, _: MASK_TITLES[cell.mask],
    "method": lambda cell, _: TITLES[cell.method],
    "held out": lambda cell, _: (
        f"{cell.ratio:g}" if cell.method in SELF_SUPERVISED else ""
    ),
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "energy ratio": experiments.spread("energy_ratio"),
    **experiments.TRAINING_COLUMNS,
}
OTHERS = {
    "hold_out": ("zero_filled", "total_variation"),
    "squared": ("hold_out",),
    "weighted": ("zero_filled", "hold_out", "squared"),
    "multi": ("hold_out",),
    "distillation": ("hold_out",),
    "unanchored": ("zero_filled", "distillation"),
    "supervised": ("hold_out", "weighted"),
}


def claims(cells):
    """Compare each method with those that it should be better than."""
    for cell, records in cells.items():
        where = f"{cell.coils} coil{'s' * (cell.coils > 1)}"
        where = f"{where}, {MASK_TITLES[cell.mask]}"
        pairs = [
            (TITLES[name], cell._replace(method=name, ratio=ratio))
            for name in OTHERS.get(cell.method, ())
            for ratio in ratios_of(name, [cell.ratio])
        ]
        if cell.ratio != RATIO:
            where += f", {cell.ratio:g} held out"
            pairs.append((f"{RATIO:g} held out", cell._replace(ratio=RATIO)))
        for title, other in pairs:
            if other in cells:
                yield experiments.Claim(
                    f"{where}: {TITLES[cell.method]} against {title}",
                    records,
                    cells[other],
                )


def draw_figures(images, cells):
    """Draw the reconstructions of each kind of mask, and the curves."""
    figures = {
        "ratios": hold_out_figures.draw_ratios(
            cells,
            volumes_of,
            MASK_TITLES,
            "hold_out",
            {name: TITLES[name] for name in ("supervised", "zero_filled")},
        ),
        "energy": hold_out_figures.draw_energy(cells, TITLES),
    }
    for coils, mask in dict.fromkeys(cell[:2] for cell in images):
        shown = {
            TITLES[cell.method]: x
            for cell, x in images.items()
            if cell[:2] == (coils, mask) and cell.ratio == RATIO
        }
        figures[f"reconstructions_C{coils}_{mask}"] = (
            experiments.draw_outputs(shown),
            f"coils: {coils}, {MASK_TITLES[mask]}, first seed: the middle "
            "slice of the first test volume.",
        )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    images = experiments.first_images(cells, folder, Run.of)
    return {
        "title": "Training without fully sampled images",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **{**found, "figures": found["figures"] | draw_figures(images, cells)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
