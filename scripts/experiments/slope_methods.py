"""Methods for making a mask binary, for comparison with 4S.

The slope is constant (`fixed`), raised by 4S, or set by a schedule. Other
estimators replace the sigmoid of slope s. Variants of 4S change the rest of the
training, see `experiments.presets.four_s.VARIANTS`.
"""

import numpy as np

import loupe_tf
from experiments import conducting
from experiments.gap_slope import GapSlope
from experiments.presets.four_s import SCHEDULES, VARIANTS
from loupe_tf import masks


def fit_by_method(model, run, settings, splits, folder):
    """Train a mask by the method of a run.

    Args:
        model: Compiled `loupe_model`.
        run: The run, with a `method`, a `name` and a `seed`.
        settings: Dict, the settings of this run for `experiments.fit`.
        splits: Dict of `loupe_tf.datasets.Slices`.
        folder: `RunFolder`.

    Returns:
        The history, a dict of lists.
    """

    def fit(model, epochs, slope_callback=False, part="rounds", anneal=None):
        callbacks = [_annealing(settings, *anneal)] if anneal else []
        if isinstance(slope_callback, GapSlope):
            # Callbacks of both rounds run before the slope callback.
            data = splits["validation"].images
            callbacks.append(
                loupe_tf.callbacks.MaskValidation(
                    (data, data), "relaxed", settings["batch_size"]
                )
            )
        return conducting.fit(
            model,
            run,
            {**settings, "epochs": epochs},
            splits["train"].images,
            splits["validation"].images,
            folder,
            slope_callback=slope_callback,
            callbacks=callbacks,
            part=part,
        )[0]

    if settings.get("spectrum"):
        start_from_spectrum(model, splits["train"].images)
    callback = _slope_callback(run.method, settings)
    first, second = settings["epochs"]
    every = (sum(settings["epochs"]), 0) if settings["anneal"] else None
    if not settings.get("freeze_mask"):
        return fit(model, settings["epochs"], callback, anneal=every)
    history = fit(model, [first, 0], callback, anneal=every)
    frozen = freeze_mask(model)
    cycle = (second, second // 10) if settings.get("cycle") else None
    # A one-cycle rate is best at its end, so no patience stops it earlier.
    more = fit(frozen, [0, second], part="network", anneal=cycle)
    more["slope"] = history["slope"][-1:] * len(more["loss"])
    return {key: history[key] + more[key] for key in more}


def _slope_callback(method, settings):
    """The slope callback of round one; `False` for a constant slope."""
    if method == "4s" or method in VARIANTS:
        if settings.get("gap"):
            return GapSlope(settings["gap"], settings["factor"])
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


def _annealing(settings, epochs, warmup):
    """Raise the learning rate for some epochs, then lower it by a cosine."""
    import keras

    peak = settings["learning_rate"]
    decay = keras.optimizers.schedules.CosineDecay(
        peak if warmup == 0 else peak / 10,
        epochs - warmup,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
    return keras.callbacks.LearningRateScheduler(lambda e: float(decay(e)))


def start_from_spectrum(model, images):
    """Start with probabilities that grow with the mean spectrum of images.

    The products of logits and the layer's slope are the logarithm of the mean
    magnitude, scaled to mean 0 and standard deviation 1. The rescaling layer
    meets the budget.

    Args:
        model: `loupe_model` with a learned mask of points.
        images: Array `(n, H, W, 1)`.
    """
    spectrum = np.abs(
        np.fft.fftshift(
            np.fft.fft2(np.fft.ifftshift(images[..., 0], (1, 2))), (1, 2)
        )
    ).mean(0)
    score = np.log(spectrum + 1e-12)
    layer = model.get_layer("prob_mask")
    layer.logits.assign((score - score.mean()) / score.std() / layer.slope)


def freeze_mask(model):
    """Build a model of a trained network with its fixed exact-budget mask.

    Args:
        model: Compiled `loupe_model`, which shares the network.

    Returns:
        A `keras.Model`, compiled in the same way.
    """
    frozen = loupe_tf.models.loupe_model(
        model.input_shape[1:],
        mask=masks.from_model(model),
        reconstructor=model.reconstructor.network,
        name="frozen",
    )
    frozen.compile_from_config(model.get_compile_config())
    return frozen
