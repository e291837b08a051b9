"""The model of most experiments: a mask, and a U-Net behind it."""

import loupe_tf


def build_unet(settings, image_shape, seed, metrics=None, **others):
    """A compiled `loupe_model` with a U-Net, always the same for a seed.

    Args:
        settings: Dict with the `filters` and the `depth` of the U-Net, and the
            `learning_rate`.
        image_shape: Tuple, as `loupe_model` takes it.
        seed: Integer.
        metrics: (Optional) list, as `compile` takes it.
        **others: Of `loupe_model`: the mask, and the `normalization`, which
            is by default `batch_normalization`.

    Returns:
        A `keras.Model`, with Adam and the mean squared error.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = loupe_tf.models.loupe_model(
        image_shape,
        filters=settings["filters"],
        depth=settings["depth"],
        seed=seed,
        **{"normalization": batch_normalization, **others},
    )
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    model.compile(optimizer, loss="mse", metrics=metrics)
    return model


def batch_normalization(name=None):
    """Of trainings that are short: statistics follow within an epoch."""
    import keras

    return keras.layers.BatchNormalization(momentum=0.9, name=name)
