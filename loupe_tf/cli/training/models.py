"""The two models that `loupe-tf train` compares, and the fixed mask."""

import functools

from loupe_tf import masks, metrics, models


def build_model(options, devices, image_shape, mask=None, view=None):
    """Build and compile one model.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        devices: `loupe_tf.distribution.Distribution`.
        image_shape: Tuple `(H, W, 1)`, or `(H, W, 2)` with a phase.
        mask: (Optional) `SamplingMask` that is given; learned by default.
        view: (Optional) field of view in mm.

    Returns:
        A compiled `loupe_tf.models.Loupe`, whose name is `"learned"` or
        `"fixed"`.
    """
    import keras

    learned = {
        "acceleration": options.acceleration,
        "lines": options.lines,
        "calibration": options.calibration or None,
        "estimator": options.estimator,
        "slope": options.slope,
    }
    keras.utils.set_random_seed(options.seed)
    model = models.loupe_model(
        image_shape,
        **({"mask": mask} if mask is not None else learned),
        **_network(options, devices, image_shape),
        seed=options.seed,
        field_of_view=view,
        name="learned" if mask is None else "fixed",
    )
    optimizer = keras.optimizers.Adam(
        options.learning_rate, weight_decay=options.weight_decay or None
    )
    # It would draw the mask's probabilities towards 1/2.
    optimizer.exclude_from_weight_decay(var_names=["logits"])
    model.compile(optimizer, loss="mse", metrics=[metrics.PSNR()])
    return model


def _network(options, devices, image_shape):
    """Keywords of `loupe_model` that say what rebuilds the image."""
    import keras

    # Start from the zero-filled image: runs are short here.
    network = {
        "filters": options.filters,
        "depth": options.depth,
        "dropout": options.dropout,
        "output_initializer": "zeros",
    }
    if options.network == "unet":
        # Let the statistics of the batch normalisation follow within an epoch.
        # They are those of the whole batch on several devices too (on JAX by
        # themselves).
        network["normalization"] = functools.partial(
            keras.layers.BatchNormalization,
            momentum=0.9,
            synchronized=devices.mode in ("mirrored", "multiworker"),
        )
        return network
    build = getattr(models, options.network)
    return {"reconstructor": build((*image_shape[:2], 2), **network)}


def fixed_mask(options, shape):
    """The mask that the learned one is compared with.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        shape: Tuple `(H, W)`.
    """
    arguments = {"seed": options.seed, "calibration": options.calibration}
    if options.lines:
        arguments["lines"] = options.lines
    make = masks.PATTERNS[options.baseline].make
    return make(shape, options.acceleration, **arguments)
