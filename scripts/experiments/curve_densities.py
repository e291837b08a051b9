"""Curves of SPARKLING after a density, learned or not."""

import dataclasses

import numpy as np

import experiments
import loupe_tf
from experiments.curve_methods import classical, validation_error
from experiments.curve_scan import with_phase
from loupe_tf import trajectories
from loupe_tf.atomic import written_aside

CUTOFF = 0.1
"""Radius within which decaying densities are even, in cycles per pixel."""
REGULARIZATION = 3e-3
"""Weight of total variation, where powers of decay are compared."""


def sizes(run, settings, size):
    """The arguments of a trajectory with `size` / R samples.

    Args:
        run: Run with an `acceleration`.
        settings: Dict with `samples`, `dwell` and `voxel_size`.
        size: Tuple `(H, W)`.

    Returns:
        A dict.
    """
    total = np.prod(size) / run.acceleration
    return {
        "shots": max(round(total / settings["samples"]), 1),
        "samples": settings["samples"],
        "matrix": size,
        "field_of_view": tuple(n * settings["voxel_size"] for n in size),
        "dwell": settings["dwell"],
    }


def curves(run, settings, splits, folder):
    """Make the curves of a run, or load those of another method.

    Args:
        run: Run with an `acceleration`, a `density`, a `seed` and a `fold`.
        settings: Dict.
        splits: Dict of `loupe_tf.datasets.Slices`.
        folder: `RunFolder`; trajectories and densities are kept there.

    Returns:
        A pair: the `Trajectory`, and the density `(H, W)` that it follows,
        which for spokes is the even one.
    """
    name = _name(run, run.density)
    path = folder / "trajectories" / f"{name}.npz"
    kept = folder / "densities" / f"{name}.npy"
    if not (path.exists() and kept.exists()):
        made, density = _make(run, settings, splits, folder)
        with written_aside(kept) as partial:
            np.save(partial, density)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(path)
    return trajectories.Trajectory.load(path), np.load(kept, allow_pickle=False)


def facts(trajectory, density, hardware):
    """Return facts on curves: samples, distance, limits, decay."""
    report = hardware.check(trajectory)
    found = {
        "shots": trajectory.shots,
        "samples": trajectory.samples,
        "distance": trajectories.distance_to_density(
            trajectory, density, min(16, *density.shape)
        ),
        "gradient": report.gradient.max() / hardware.max_gradient,
        "slew": report.slew.max() / hardware.max_slew,
        "feasible": report.ok,
    }
    if "decay" in trajectory.provenance:
        found["decay"] = trajectory.provenance["decay"]
    return {
        k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()
    }


def _name(run, what):
    fold = "" if run.fold is None else f"-fold{run.fold}"
    return f"{what}-R{run.acceleration:g}-seed{run.seed}{fold}"


def _make(run, settings, splits, folder):
    size = splits["train"].images.shape[1:3]
    scan = sizes(run, settings, size)
    disc = trajectories.decaying_density(size, 0)
    if run.density == "radial":
        return trajectories.radial(**scan), disc
    if run.density == "uniform":
        return _sparkling(disc, scan, run, settings), disc
    if run.density == "decay":
        return _best_decay(scan, run, settings, splits["validation"])
    probability = _probability(run, settings, splits, folder)
    density = trajectories.learned_density(
        probability,
        rule="share" if run.density == "share" else "rate",
        smoothing=None if run.density == "smooth" else 0,
    )
    return _sparkling(density, scan, run, settings), density


def _sparkling(density, scan, run, settings, **provenance):
    return trajectories.sparkling(
        density,
        hardware=settings["hardware"],
        iterations=settings["steps"],
        seed=run.seed,
        provenance=provenance,
        **scan,
    )


def _best_decay(scan, run, settings, validation):
    """The curves of the power whose images have the lowest error."""
    method = classical("total_variation", REGULARIZATION)
    tried = []
    for decay in settings["decays"]:
        density = trajectories.decaying_density(scan["matrix"], decay, CUTOFF)
        made = _sparkling(density, scan, run, settings, decay=decay)
        error = validation_error(method, made, validation, settings)
        tried.append((error, made, density))
    return min(tried, key=lambda each: each[0])[1:]


def _probability(run, settings, splits, folder):
    """The probabilities of a mask that is learned once, and kept."""
    path = folder / "densities" / f"{_name(run, 'probability')}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    model = mask_model(run, settings, splits["train"].images.shape[1:3])
    options = {
        "epochs": settings["mask_epochs"],
        "learning_rate": settings["mask_learning_rate"],
    }
    pairs = (
        (with_phase(splits[name].images, seed),) * 2
        for seed, name in enumerate(("train", "validation"))
    )
    # Each in a folder of its own, if it is backed up.
    mask = dataclasses.replace(run, network="mask")
    _, finite = experiments.fit_one_round(
        model, mask, {**settings, **options}, *pairs, folder
    )
    if not finite:
        raise ValueError(f"the training of the mask of {run.name} has diverged")
    probability = loupe_tf.masks.probability_from_model(model)
    with written_aside(path) as partial:
        np.save(partial, probability)
    return probability


def mask_model(run, settings, size):
    """Build the model that learns the mask: a U-Net on the adjoint image."""
    import keras

    keras.utils.set_random_seed(run.seed)
    rate = settings["mask_learning_rate"]
    model = loupe_tf.models.loupe_model(
        (*size, 2),
        acceleration=run.acceleration,
        calibration=None,
        slope=settings["slope"],
        # A step of Adam then moves probabilities as far as with its defaults,
        # a learning rate of 0.01 and a constant of 5.
        prob_slope=0.05 / rate,
        reconstruction="complex",
        filters=settings["filters"],
        depth=settings["depth"],
        seed=run.seed,
    )
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    return model
