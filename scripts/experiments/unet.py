"""The model of most experiments: a mask followed by a network."""

import loupe_tf


def build_unet(settings, image_shape, seed, metrics=None, **others):
    """Build a compiled `loupe_model`, reproducible by seed.

    Args:
        settings: Dict with the `filters` and the `depth` of the U-Net, and the
            `learning_rate`.
        image_shape: Tuple, argument of `loupe_model`.
        seed: Integer.
        metrics: (Optional) list, argument of `compile`.
        **others: Arguments of `loupe_model`: the mask, and either
            `reconstructor` or options of the U-Net, such as `normalization`,
            by default `batch_normalization`.

    Returns:
        A `keras.Model`, with Adam and the mean squared error.
    """
    import keras

    keras.utils.set_random_seed(seed)
    if others.get("reconstructor", "unet") == "unet":
        others = {
            "filters": settings["filters"],
            "depth": settings["depth"],
            "normalization": batch_normalization,
            **others,
        }
    model = loupe_tf.models.loupe_model(image_shape, seed=seed, **others)
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    model.compile(optimizer, loss="mse", metrics=metrics)
    return model


def batch_normalization(name=None):
    """For short trainings: the statistics adapt within an epoch."""
    import keras

    return keras.layers.BatchNormalization(momentum=0.9, name=name)
