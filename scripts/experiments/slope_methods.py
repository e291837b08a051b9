"""How a mask may be made binary: what 4S is compared with.

A slope that is held (`fixed`), that 4S raises, or that follows a schedule; and
estimators other than the sigmoid of slope s.
"""

import loupe_tf
from experiments import conducting
from loupe_tf import masks

OF_PAPER = ("fixed", "4s")
SCHEDULES = ("linear", "geometric", "cosine")
ESTIMATORS = ("straight_through", "concrete", "gumbel_topk")


def _patient(epochs, patience, cooldown, stop_patience, lr_patience):
    return {
        "epochs": epochs,
        "patience": patience,
        "cooldown": cooldown,
        "stop_patience": stop_patience,
        "lr_patience": lr_patience,
    }


_SHORT = {"epochs": [30, 20], "patience": 1, "cooldown": 0, "lr_patience": 2}
# The patience of the preset: the slope rises as fast, and less far.
_GENTLE = {**_SHORT, "patience": 2, "cooldown": 1}
# One round; the learning rate falls by a cosine while 4S raises the slope.
_ANNEALED = {"epochs": [50, 0], "anneal": True}
# Round two trains the network alone, on the mask that round one has found.
_FROZEN = {"freeze_mask": True}
# As many epochs, twice the steps.
_HALF_BATCHES = {"batch_size": 4}

VARIANTS = {
    # All the paper's patience.
    "4s_full": _patient([400, 400], 40, 10, 100, 50),
    "4s_medium": _patient([75, 50], 4, 2, 45, 6),
    "4s_long": _patient([120, 80], 6, 3, 60, 12),
    "4s_short": _SHORT,
    # The training loss, a mean over all steps of an epoch, is smoother.
    "4s_train_loss": {**_SHORT, "slope_monitor": "loss"},
    "4s_warm": {**_SHORT, "first_slope": 100.0},
    "4s_leap": {**_SHORT, "factor": 2.25},
    "4s_annealed": {**_SHORT, **_ANNEALED},
    "4s_gentle": _GENTLE,
    "4s_gentle_annealed": {**_GENTLE, **_ANNEALED},
    "4s_frozen": {**_GENTLE, **_FROZEN},
    # The same with time for a small slope to make the mask binary.
    "4s_frozen_medium": {**_patient([80, 45], 10, 2, 45, 6), **_FROZEN},
    "4s_half_batches": {**_GENTLE, **_HALF_BATCHES},
    "4s_frozen_half_batches": {**_GENTLE, **_HALF_BATCHES, **_FROZEN},
}
"""Of 4S, at the size of the preset `cpu`: what each changes of its settings."""

METHODS = (*OF_PAPER, *SCHEDULES, *ESTIMATORS, *VARIANTS)


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
