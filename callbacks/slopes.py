"""Find, read and change the slopes of a model."""

import keras
import numpy as np

from loupe_tf.checks import invalid


def slope_layers(model, names=None, required=True):
    """Return the layers of a model that have a `slope` variable.

    Args:
        model: A `keras.Model`; layers of nested models are included.
        names: List of layer names, or `None` for all layers with a `slope`
            variable. A plain number does not count, such as the `slope` of
            `ProbMask`.
        required: Boolean. Whether to raise an error if there are none.

    Raises:
        ValueError: If there is no such layer, or a named layer has no slope.
    """
    layers = {layer.name: layer for layer in flatten(model)}
    having = {
        name: layer
        for name, layer in layers.items()
        if isinstance(getattr(layer, "slope", None), keras.Variable)
    }
    names = list(having) if names is None else list(names)
    missing = [name for name in names if name not in having]
    if missing or (required and not names):
        raise invalid(
            "model",
            "layers with a variable named `slope`, such as "
            "`loupe_tf.layers.ThresholdRandomMask`",
            found=f"model '{model.name}', with no slope in the layers "
            f"{missing or list(layers)}; layers with a slope: {list(having)}",
        )
    return [having[name] for name in names]


def slope_logs(layers):
    """Return `{"slope": value}`, or one entry per layer for several layers."""
    if len(layers) == 1:
        return {"slope": slope_value(layers[0])}
    return {f"slope_{layer.name}": slope_value(layer) for layer in layers}


def slope_value(layer):
    """Return the slope of a layer as a float."""
    return float(np.asarray(keras.ops.convert_to_numpy(layer.slope)))


def flatten(model):
    """Yield the layers of a model and of the models in it."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from flatten(layer)
