"""Samples of what is not a sampler: ensembles, and dropout at inference."""

import contextlib

import keras
import numpy as np
from keras import ops

from loupe_tf.checks import check_integer, invalid
from loupe_tf.models.spatial_dropout import SpatialDropout

DROPOUTS = (
    SpatialDropout,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
)


def ensemble_samples(models, inputs):
    """Collect the images of models that were trained with different seeds.

    The spread of an ensemble is what training leaves open (Lakshminarayanan et
    al., "Simple and scalable predictive uncertainty estimation using deep
    ensembles", 2017). It is no sample of the posterior: what all members do not
    know, they may agree on. `calibration_report` tells.

    Args:
        models: List of two or more Keras models or layers.
        inputs: Inputs of each of them, such as `[kspace, mask]`.

    Returns:
        Array `(models, batch, H, W, C)`.
    """
    if len(models) < 2:
        raise invalid("models", "two models or more", found=len(models))
    return np.stack([_call(model, inputs) for model in models])


def dropout_samples(model, inputs, count=16):
    """Draw images of one model with its dropout switched on.

    Only the dropout layers behave as in training; a learned mask stays binary,
    and normalisation uses its statistics (Gal and Ghahramani, "Dropout as a
    Bayesian approximation", 2016).

    Args:
        model: Keras model or layer with dropout, such as of
            `loupe_tf.models.unet((320, 320, 2), dropout=0.1)`.
        inputs: Inputs of the model.
        count: Integer ≥ 2, the number of samples. Their random numbers are
            those of the dropout layers, which have seeds of their own.

    Returns:
        Array `(count, batch, H, W, C)`.

    Raises:
        ValueError: If the model has no dropout.
    """
    check_integer("count", count, at_least=2)
    with dropping(model):
        return np.stack([_call(model, inputs) for _ in range(count)])


@contextlib.contextmanager
def dropping(model):
    """Let the dropout layers of a model drop at inference, in this context."""
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, DROPOUTS) and layer.rate
    ]
    if not layers:
        raise invalid("model", "a model with dropout", found=model.name)
    kept = [layer.call for layer in layers]
    try:
        for layer, call in zip(layers, kept):
            object.__setattr__(layer, "call", _always(call))
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def _always(call):
    return lambda inputs, training=None: call(inputs, training=True)


def _call(model, inputs):
    return ops.convert_to_numpy(model(inputs, training=False))
