"""Unrolled networks on given and learned masks.

XPDNet (Ramzi, Ciuciu and Starck, "XPDNet for MRI reconstruction: an application
to the 2020 fastMRI challenge", 2020) and its relatives alternate steps of a
network with steps towards the measurement. This script compares them with one
U-Net, and with methods that need no training, on equispaced, random, central
and learned lines and on learned points, for one coil and for several.

    python scripts/reproduce_xpdnet.py --preset smoke
    python scripts/reproduce_xpdnet.py --preset cpu --data my_volumes/
    python scripts/reproduce_xpdnet.py --preset cpu --masks points --coils 1

MoDL, E2E-VarNet, XPDNet and PDNet all have the U-Net that they are compared
with as their network, but with fewer filters: each iteration has weights of its
own, and those of all iterations together are as many as the U-Net's, within
10 %. So one iteration, three and five have the same number of weights too. The
preset `paper` has the papers' networks instead, whose sizes differ.

A learned mask is learned by 4S together with its network. The masks unet_lines
and unet_points were learned with the U-Net, at the same R, fold and seed, and
are given to the other networks from the start of their training, and to the
methods that learn nothing. The masks modl_lines and modl_points, for these
methods alone, are those of the MoDL with the most iterations and the same
noise. All masks have exactly the same budget, and the calibration region of
fastMRI; where GRAPPA finds it too small, the report says so. Random lines and
the offset of equispaced lines are drawn anew for each seed. Central lines and
points, those nearest to DC, are the rivals that learned ones have to beat: they
give an image of low resolution without aliasing. Gaussian points and a Poisson
disc are others. The masks tuned_gaussian and tuned_poisson_disc are for
compressed sensing alone: the width of the Gaussian, and the growth and the
corners of the Poisson disc, are chosen on the validation slices that choose the
regularization. With noise, all of this is chosen on noisy slices, and networks
of several coils are trained with it.

With one coil, k-space is computed from magnitude images, so either half
determines the other. Several coils have simulated maps on a circle, which the
methods are given, and each image has a smooth random phase.

All networks have the same loss (mean squared error), the same optimizer and the
same number of epochs. The test uses the weights of the epoch with the lowest
validation loss. The regularization of compressed sensing is chosen for each
mask on slices of the validation volumes.

Each finished run writes a small JSON file to the folder given by --out, and its
mask to masks/. Repeat a stopped command to resume it. You can add methods,
masks, coils, accelerations and seeds to the same folder. report.html,
results.json and the figures cover all runs in the folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
import loupe_tf
from experiments import (
    simulated_scan,
    trials,
    tuned_points,
    unrolled_claims,
)
from experiments.presets.xpdnet import (
    CLASSICAL,
    FROM_MODL,
    GIVEN_LINES,
    GIVEN_POINTS,
    GRID,
    LEARNED,
    MASKS,
    METHODS,
    TAKEN,
    TUNED,
    UNROLLED,
    parse,
)
from experiments.unrolled_claims import MASK_TITLES, TITLES, claims, title_of
from experiments.unrolled_networks import (
    check_parameters,
    count_parameters,
    make_network,
)
from loupe_tf import evaluation, masks
from loupe_tf.reconstruction import Grappa

REGULARIZED = ("wavelet_l1", "total_variation")
"""Methods that choose a regularization, and with it the `TUNED` masks."""

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, SSIM with data range 1, images divided "
    "by their volume's maximum; mean over the slices of a volume, then over "
    "the test volumes; ± is the standard deviation over seeds. Exact-budget "
    "masks."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method on one mask; `iterations` is 0 if it has none.

    Records that are older than `noise` have none.
    """

    coils: int
    acceleration: float
    mask: str
    network: str
    iterations: int
    seed: int
    noise: float = 0.0

    order = {"mask": MASKS, "network": METHODS}

    @property
    def stem(self):
        return (
            f"C{self.coils}-R{self.acceleration:g}-{self.mask}-"
            f"{self.network}{self.iterations or ''}-"
            f"{f'noise{self.noise:g}-' if self.noise else ''}seed{self.seed}"
        )


def grid(settings):
    """All runs: for each seed, the masks that others need come first."""
    cells = itertools.product(
        settings["seeds"],
        settings["coils"],
        settings["accelerations"],
        settings["masks"],
        sorted(settings["networks"], key=lambda name: name in CLASSICAL),
        settings["noises"],
    )
    return [
        Run(coils, rate, mask, network, count, seed, noise)
        for seed, coils, rate, mask, network, noise in cells
        if _is_meant(network, mask, coils)
        if network in CLASSICAL or not noise or coils > 1
        for count in _iterations(network, mask, settings)
    ]


def _is_meant(network, mask, coils):
    """Whether a method can use a mask, and says something new with it."""
    if network == "grappa":
        points = ("unet_points", "modl_points", *GIVEN_POINTS, *TUNED)
        return coils > 1 and mask not in (*LEARNED, *points)
    if mask in TUNED:
        return network in REGULARIZED
    if network in CLASSICAL:
        return mask not in LEARNED
    if network == "unet":
        return mask not in TAKEN
    return mask not in ("unet_lines", *FROM_MODL)


def _iterations(network, mask, settings):
    if network not in UNROLLED:
        return [0]
    every = settings["iterations"]
    return every if mask == "points" else every[-1:]


def given_mask(run, settings, size, folder=None):
    """The mask of a run that does not learn it; `None` if it does."""
    if run.mask in LEARNED:
        return None
    if run.mask in TAKEN:
        if folder is None:  # To check the model, before any training.
            return np.ones(size, bool)
        return masks.SamplingMask.load(_mask_of(run, settings, folder))
    pattern = run.mask
    if pattern in GIVEN_LINES:
        pattern = f"{pattern.removesuffix('_lines')}_lines"
    zeros = np.zeros((1, *size, 1), "float32")
    return masks.fixed_mask(pattern, zeros, run.acceleration, seed=run.seed)


def _mask_of(run, settings, folder):
    """The file of the mask that another network has learned."""
    network = TAKEN[run.mask]
    source = dataclasses.replace(
        run,
        mask=run.mask.removeprefix(f"{network}_"),
        network=network,
        iterations=settings["iterations"][-1] if network in UNROLLED else 0,
        # The U-Net is trained without.
        noise=run.noise if network in UNROLLED else 0.0,
    )
    return trials.find_file(folder / "masks" / f"{source.name}.npz")


def build_model(run, settings, image_shape, folder=None):
    import keras

    if run.network in CLASSICAL:
        return None
    keras.utils.set_random_seed(run.seed)
    size = tuple(image_shape[:2])
    rate = settings["learning_rate"]
    sampling = {
        "acceleration": run.acceleration,
        "lines": "columns" if run.mask == "lines" else None,
        "slope": settings["slope"],
        # A step of Adam then moves probabilities as far as with its defaults,
        # a learning rate of 0.01 and a constant of 5.
        "prob_slope": 0.05 / rate,
    }
    mask = given_mask(run, settings, size, folder)
    if mask is not None:
        sampling = {"mask": mask}
    model = loupe_tf.models.loupe_model(
        (*size, 1),
        **sampling,
        reconstructor=make_network(run.network, run.iterations, settings, size),
        coils=None if run.coils == 1 else run.coils,
        seed=run.seed,
        name=run.network,
    )
    count = count_parameters(model.reconstructor)
    check_parameters(title_of(run), count, settings)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    return model


def measure(part, run, seed):
    """Simulate the inputs of a network, with the noise of its run.

    The noise has the same standard deviation in all images, as a scanner's has,
    and is drawn once for each image.
    """
    inputs, *_ = simulated_scan.measure(part, run.coils, seed)
    if not run.noise:
        return inputs
    kspace, maps = inputs
    rng = np.random.default_rng(seed)
    drawn = rng.normal(scale=run.noise, size=kspace.shape)
    return (kspace + drawn).astype("float32"), maps


def fit(model, run, settings, splits, folder):
    """Train in one round without early stopping, for equal durations."""
    train, validation = (
        (measure(part, run, seed), part.images)
        for seed, part in enumerate((splits["train"], splits["validation"]))
    )
    return experiments.fit_one_round(
        model, run, settings, train, validation, folder
    )


def train(run, settings, splits, folder):
    """Train and test a network, and return its record."""
    test = splits["test"]
    size = test.images.shape[1:3]
    model = build_model(run, settings, test.images.shape[1:], folder)
    with experiments.time_spent(run, folder) as seconds:
        history, finite = fit(model, run, settings, splits, folder)
    learned = run.mask in LEARNED
    keys = [
        "loss",
        "val_loss",
        "learning_rate",
        *(["slope"] if learned else []),
    ]
    record = {
        **run.record(history, keys),
        "seconds": round(seconds(), 1),
        "parameters": count_parameters(model.reconstructor),
    }
    if not finite:
        return {**record, "diverged": True, "test": {}}
    inputs = measure(test, run, seed=2)
    output = model.predict(inputs, settings["batch_size"], verbose=0)
    found = evaluation.judge_images(test.images, output, test.volumes)
    mask = masks.from_model(model)
    if learned:
        mask.save(folder / "masks" / f"{run.name}.npz")
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        mask=np.broadcast_to(mask.array, size),
        truth=test.images[shown],
        output=output[shown],
    )
    return {
        **record,
        "diverged": False,
        "achieved_acceleration": mask.achieved_acceleration,
        "test": found,
    }


def try_classical(run, settings, splits, folder):
    """Test a method that learns nothing, and return its record."""
    test = splits["test"]
    size = test.images.shape[1:3]
    with experiments.time_spent(run, folder) as seconds:
        mask, method, chosen = choose(
            run, settings, splits["validation"], size, folder
        )
        _, images, maps = simulated_scan.measure(test, run.coils, seed=2)
        found, error = {}, None
        measured = simulated_scan.noisy(method, run.noise, seed=2)
        try:
            found = evaluation.judge(measured, mask, images, test.volumes, maps)
        except ValueError as refusal:
            # GRAPPA cannot learn from a small calibration region.
            if run.network != "grappa":
                raise
            error = str(refusal)
    record = {
        **run.record(),
        **chosen,
        "seconds": round(seconds(), 1),
        "parameters": 0,
        "diverged": False,
        "error": error,
        "achieved_acceleration": mask.achieved_acceleration,
        "test": found,
    }
    if error:
        return record
    shown = [evaluation.middle_slice(test.volumes)]
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        mask=np.broadcast_to(mask.array, size),
        truth=test.images[shown[0]],
        output=evaluation.reconstruct(measured, mask, images[shown], maps)[0],
    )
    return record


def choose(run, settings, validation, size, folder):
    """The mask, the method and what was chosen for them by validation."""
    if run.mask in TUNED:
        return tuned_points.choose(
            run.mask,
            *(size, run.acceleration, run.seed),
            *(run.network, validation, run.coils, settings, run.noise),
        )
    mask = given_mask(run, settings, size, folder)
    if run.network == "grappa":
        return mask, Grappa(), {}
    method = simulated_scan.tune(
        run.network,
        mask,
        validation,
        run.coils,
        1,
        settings["regularizations"],
        settings["tuning_slices"],
        run.noise,
    )
    chosen = getattr(method, "regularization", None)
    return mask, method, {} if chosen is None else {"regularization": chosen}


def do(run, settings, splits, folder):
    task = try_classical if run.network in CLASSICAL else train
    return task(run, settings, splits, folder)


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


COLUMNS = {
    "coils": lambda cell, _: cell.coils,
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "noise": lambda cell, _: f"{cell.noise:g}" if cell.noise else "",
    "mask": lambda cell, _: MASK_TITLES[cell.mask],
    "method": lambda cell, _: TITLES[cell.network],
    "iterations": lambda cell, _: cell.iterations or "",
    "parameters": lambda _, records: records[0]["parameters"] or "",
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "regularization": experiments.spread("regularization", 5),
    "chosen": lambda _, records: unrolled_claims.choices(records),
    **experiments.TRAINING_COLUMNS,
}


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    images = experiments.first_images(cells, folder, Run.of)
    refused = [
        trials.failures(Run.of(record).name, record)
        for record in records
        if record.get("error")
    ]
    found["sentences"] += itertools.chain(*refused)
    return {
        "title": "Unrolled networks on given and learned masks",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **{**found, "figures": found["figures"] | unrolled_claims.draw(images)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, build_model, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
