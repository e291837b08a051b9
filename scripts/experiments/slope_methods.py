"""How a mask may be made binary: what 4S is compared with.

A slope that is held (`fixed`), that 4S raises, or that follows a schedule; and
estimators other than the sigmoid of slope s.
"""

import loupe_tf
from experiments import conducting
from experiments.presets.four_s import SCHEDULES, VARIANTS
from loupe_tf import masks


def fit_by_method(model, run, settings, splits, folder):
    """Train a mask by the method of a run.

    Args:
        model: Compiled `loupe_model`.
        run: The run, with a `method`, a `name` and a `seed`.
        settings: Dict of what this run is trained with, as
            `experiments.fit` takes it.
        splits: Dict of `loupe_tf.datasets.Slices`.
        folder: `RunFolder`.

    Returns:
        The history, a dict of lists.
    """

    def fit(model, epochs, slope_callback=False, part="rounds"):
        return conducting.fit(
            model,
            run,
            {**settings, "epochs": epochs},
            splits["train"].images,
            splits["validation"].images,
            folder,
            slope_callback=slope_callback,
            callbacks=[_annealing(settings)] if settings["anneal"] else [],
            part=part,
        )[0]

    callback = _slope_callback(run.method, settings)
    if not settings.get("freeze_mask"):
        return fit(model, settings["epochs"], callback)
    first, second = settings["epochs"]
    history = fit(model, [first, 0], callback)
    more = fit(freeze_mask(model), [0, second], part="network")
    more["slope"] = history["slope"][-1:] * len(more["loss"])
    return {key: history[key] + more[key] for key in more}


def _slope_callback(method, settings):
    """What changes the slope in round one; `False` where it is held."""
    if method == "4s" or method in VARIANTS:
        return loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
            monitor=settings["slope_monitor"],
            patience=settings["patience"],
            factor=settings["factor"],
            cooldown=settings["cooldown"],
        )
    if method in SCHEDULES:
        schedule = getattr(loupe_tf.callbacks, method)(
            settings["first_slope"],
            settings["last_slope"],
            settings["epochs"][0],
        )
        return loupe_tf.callbacks.SlopeSchedule(schedule)
    return False


def _annealing(settings):
    """The learning rate falls to zero, by a cosine."""
    import keras

    decay = keras.optimizers.schedules.CosineDecay(
        settings["learning_rate"], sum(settings["epochs"])
    )
    return keras.callbacks.LearningRateScheduler(lambda e: float(decay(e)))


def freeze_mask(model):
    """The network of a trained model alone, behind its exact-budget mask.

    Args:
        model: Compiled `loupe_model`, which shares the network.

    Returns:
        A `keras.Model`, compiled alike.
    """
    frozen = loupe_tf.models.loupe_model(
        model.input_shape[1:],
        mask=masks.from_model(model),
        reconstructor=model.reconstructor.network,
        name="frozen",
    )
    frozen.compile_from_config(model.get_compile_config())
    return frozen
