"""Methods for making a mask binary, for comparison with 4S.

The slope is constant (`fixed`), raised by 4S, or set by a schedule. Other
estimators replace the sigmoid of slope s. Variants of 4S change the rest of the
training, see `experiments.presets.four_s.VARIANTS`.
"""

import numpy as np

import loupe_tf
from experiments import conducting
from experiments.presets.four_s import SCHEDULES, VARIANTS


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

    from experiments.gap_slope import GapSlope

    first, second = settings["epochs"]
    sizes = settings["batch_size"]
    sizes = sizes if isinstance(sizes, list) else [sizes, sizes]

    def fit(model, epochs, slope_callback=False, part="rounds", anneal=None):
        callbacks = [_annealing(settings, *anneal)] if anneal else []
        if settings.get("average"):
            callbacks.append(_averaging())
        batch_size = sizes[0] if part == "rounds" else sizes[1]
        if isinstance(slope_callback, GapSlope):
            data = splits["validation"].images
            callbacks.append(
                loupe_tf.callbacks.MaskValidation(
                    (data, data), "relaxed", batch_size
                )
            )
        return conducting.fit(
            model,
            run,
            {**settings, "epochs": epochs, "batch_size": batch_size},
            splits["train"].images,
            splits["validation"].images,
            folder,
            slope_callback=slope_callback,
            callbacks=callbacks,
            part=part,
        )[0]

    def fit_network(epochs, part, anneal=None):
        frozen = loupe_tf.models.freeze_mask(model)
        history = fit(frozen, [0, epochs], part=part, anneal=anneal)
        history["slope"] = [_slope_of(model)] * len(history["loss"])
        return history

    if settings.get("average"):
        _average(model, settings)
    if settings.get("spectrum"):
        start_from_spectrum(model, splits["train"].images)
    parts = []
    if settings.get("warm"):
        parts.append(fit_network(settings["warm"], "warm"))
    callback = _slope_callback(run.method, settings)
    every = (first + second, 0) if settings["anneal"] else None
    if not settings.get("freeze_mask"):
        return fit(model, settings["epochs"], callback, anneal=every)
    parts.append(fit(model, [first, 0], callback, anneal=every))
    cycle = (second, second // 10) if settings.get("cycle") else None
    parts.append(fit_network(second, "network", cycle))
    return {key: sum((x[key] for x in parts), []) for key in parts[-1]}


def _slope_of(model):
    from loupe_tf.callbacks.slopes import slope_value

    return slope_value(model.get_layer("sampled_mask"))


def _average(model, settings):
    """Compile with moving averages of the weights."""
    import keras

    optimizer = keras.optimizers.Adam(
        settings["learning_rate"],
        use_ema=True,
        ema_momentum=settings["average"],
    )
    model.compile(optimizer, loss="mse")


def _averaging():
    """Validate, and keep as the best, what the averages are."""
    import keras

    return keras.callbacks.SwapEMAWeights(swap_on_epoch=True)


def _slope_callback(method, settings):
    """The slope callback of round one; `False` for a constant slope."""
    if method == "4s" or method in VARIANTS:
        if settings.get("gap"):
            from experiments.gap_slope import GapSlope

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
