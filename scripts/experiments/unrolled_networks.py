"""Unrolled networks with the parameters of one U-Net."""

import functools

import numpy as np

import loupe_tf
from experiments.unet import batch_normalization
from loupe_tf.checks import invalid

# The default of PDNet.
BUFFERS = 5
TOLERANCE = 0.1
"""The numbers of parameters are equal within this share."""


def make_network(name, iterations, settings, size):
    """Make a reconstructor for `loupe_model`.

    Args:
        name: String, one of `experiments.presets.xpdnet.NETWORKS`.
        iterations: Integer, of an unrolled network.
        settings: Dict with the `filters` and the `depth` of the U-Net, and the
            `sizes` of the networks in unrolled ones, as in that preset.
        size: Tuple `(H, W)`.

    Returns:
        A `keras.Model`.
    """
    models, sizes = loupe_tf.models, settings["sizes"]
    if name == "unet":
        return models.unet(
            (*size, 2),
            output_channels=1,
            filters=settings["filters"],
            depth=settings["depth"],
            normalization=batch_normalization,
        )
    make = {
        "modl": models.MoDL,
        "varnet": models.VarNet,
        "xpdnet": models.XPDNet,
        "pdnet": models.PDNet,
    }[name]
    if sizes is None:
        return make(iterations=iterations)
    filters, of_pdnet, in_kspace = sizes[iterations]
    others = {}
    if name == "pdnet":
        filters = of_pdnet
        others["kspace_network"] = models.cnn(
            (*size, 2 * (BUFFERS + 2)),
            output_channels=2 * BUFFERS,
            depth=3,
            filters=in_kspace,
            normalization=None,
        )
    return make.with_unet(
        size,
        filters=filters,
        depth=settings["depth"],
        iterations=iterations,
        **others,
    )


def count_parameters(model):
    """Count the trainable parameters of a built model."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@functools.cache
def parameters_of_unet(filters, depth):
    """The number of parameters of the U-Net; it is the same at all sizes."""
    settings = {"sizes": None, "filters": filters, "depth": depth}
    size = (2**depth, 2**depth)
    return count_parameters(make_network("unet", 0, settings, size))


def check_parameters(title, count, settings):
    """Refuse a network that has not as many parameters as the U-Net.

    Args:
        title: String, the name of the network.
        count: Integer, its parameters.
        settings: As for `make_network`; `sizes=None` skips the check.
    """
    if settings["sizes"] is None:
        return
    expected = parameters_of_unet(settings["filters"], settings["depth"])
    if abs(count / expected - 1) > TOLERANCE:
        raise invalid(
            "sizes",
            f"filters that give {title} as many parameters as the U-Net, "
            f"{expected}, within {TOLERANCE:.0%}",
            found=f"{count} parameters",
        )
