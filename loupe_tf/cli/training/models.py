"""The two models that `loupe-tf train` compares, and the fixed mask."""

from loupe_tf import metrics, models
from loupe_tf.cli.training.networks import network_of
from loupe_tf.cli.training.rivals import make_rival


def build_model(options, devices, image_shape, mask=None, view=None):
    """Build and compile one model.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        devices: `loupe_tf.distribution.Distribution`.
        image_shape: Tuple `(H, W, 1)`, or `(H, W, 2)` of one coil with a phase
            or with noise.
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
        "prob_slope": prob_slope(options),
    }
    keras.utils.set_random_seed(options.seed)
    model = models.loupe_model(
        image_shape,
        **({"mask": mask} if mask is not None else learned),
        **network_of(options, devices, image_shape[:2]),
        coils=options.coils,
        snr=options.snr,
        peak_snr=options.peak_snr,
        seed=options.seed,
        field_of_view=view,
        name="learned" if mask is None else "fixed",
    )
    optimizer = keras.optimizers.Adam(
        options.learning_rate, weight_decay=options.weight_decay or None
    )
    # It would draw the mask's probabilities towards 1/2, and MoDL's λ and
    # VarNet's steps towards values that mean nothing.
    optimizer.exclude_from_weight_decay(
        var_names=["logits", "log_weights", "steps"]
    )
    model.compile(optimizer, loss="mse", metrics=[metrics.PSNR()])
    return model


def prob_slope(options):
    """The `prob_slope` with which a step moves the mask as far as at 0.01.

    At the default rate, it is the 5 that `loupe_model` has.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
    """
    return 0.05 / options.learning_rate


def fixed_mask(options, shape):
    """The mask that the learned one is compared with.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        shape: Tuple `(H, W)`.
    """
    return make_rival(
        options.baseline,
        shape,
        options.acceleration,
        options.calibration,
        options.lines,
        options.seed,
    )
