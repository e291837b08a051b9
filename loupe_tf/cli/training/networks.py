"""The networks of `loupe-tf train`: their names, their sizes, their making."""

import dataclasses
import functools

# The defaults of `MoDL.with_unet`, whose import takes seconds.
ITERATIONS = 5
SOLVER_ITERATIONS = 4


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
        title: String, its name in tables.
        depth, filters: Integers, the defaults of these options.
        unrolled: Name of the class in `loupe_tf.models` that repeats a U-Net
            and steps towards the measurement; `None` for a network on the
            zero-filled image.
    """

    title: str
    depth: int
    filters: int = 32
    unrolled: str | None = None


# Of `loupe_tf.models`. An unrolled network has one U-Net for each iteration.
NETWORKS = {
    "unet": Kind("U-Net", 5),
    "fastmri_unet": Kind("fastMRI U-Net", 4),
    "encoder_decoder": Kind("encoder-decoder", 7),
    "modl": Kind("MoDL", 3, 8, "MoDL"),
    "varnet": Kind("VarNet", 3, 8, "VarNet"),
    "xpdnet": Kind("XPDNet", 3, 8, "XPDNet"),
}


def network_of(options, devices, size):
    """Keywords of `loupe_model` that say what rebuilds the image.

    Args:
        options: `argparse.Namespace` of `loupe-tf train`.
        devices: `loupe_tf.distribution.Distribution`.
        size: Tuple `(H, W)`.

    Returns:
        Dict.
    """
    import keras

    from loupe_tf import models

    # Start from the zero-filled image: runs are short here.
    network = {
        "filters": options.filters,
        "depth": options.depth,
        "dropout": options.dropout,
        "output_initializer": "zeros",
    }
    if NETWORKS[options.network].unrolled:
        # Its image is complex; the targets are magnitudes.
        return {"reconstructor": _unrolled(options, size), "magnitude": True}
    if options.network == "unet":
        # Let the statistics of the batch normalisation follow within an epoch.
        # They are those of the whole batch on several devices too (on JAX by
        # themselves).
        network["normalization"] = functools.partial(
            keras.layers.BatchNormalization,
            momentum=0.9,
            synchronized=devices.mode in ("mirrored", "multiworker"),
        )
        # By name: for several coils, the default has a warning.
        return {"reconstructor": "unet", **network}
    build = getattr(models, options.network)
    return {"reconstructor": build((*size, 2), **network)}


def _unrolled(options, size):
    """An unrolled network whose iterations have weights of their own."""
    from loupe_tf import models

    make = getattr(models, NETWORKS[options.network].unrolled)
    return make.with_unet(
        size,
        filters=options.filters,
        depth=options.depth,
        dropout=options.dropout,
        iterations=options.iterations,
    )
