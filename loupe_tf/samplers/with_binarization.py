import keras

from loupe_tf.checks import invalid
from loupe_tf.compile_like import compile_like
from loupe_tf.layers import ThresholdRandomMask


def with_binarization(model, binarization):
    """Return the same model with another kind of mask at inference.

    The new model shares all layers with the given one, except the
    `ThresholdRandomMask`, which has a copy of the slope. If you then train the
    given model, the new one has the new weights but not the new slope.

    Args:
        model: A functional `keras.Model` with a `ThresholdRandomMask`.
        binarization: `"exact"`, `"threshold"`, `"sampled"` or `"relaxed"`; see
            `ThresholdRandomMask`.

    Returns:
        A `Loupe`, or a functional `keras.Model` if the given model is none. If
        the given model is compiled, it has the same loss and metrics.

    Raises:
        ValueError: If the model does not learn a mask.

    Example:

    >>> relaxed = loupe_tf.models.with_binarization(model, "relaxed")
    >>> loss = relaxed.evaluate(images, images, verbose=0)
    """
    samplers = [
        layer
        for layer in model.layers
        if isinstance(layer, ThresholdRandomMask)
    ]
    if not samplers:
        raise invalid(
            "model",
            "a model with a `ThresholdRandomMask`",
            found=f"layers {[layer.name for layer in model.layers]}",
        )

    def clone(layer):
        if layer not in samplers:
            return layer
        config = {**layer.get_config(), "binarization": binarization}
        return type(layer).from_config(config)

    config = getattr(model, "sampler", None) and model.sampler.get_config()
    if config and "binarization" in config:
        config["binarization"] = binarization
        twin = model.with_layers(clone, type(model.sampler).from_config(config))
    else:
        # The clone is a plain functional model.
        twin = keras.models.clone_model(model, clone_function=clone)
        if hasattr(model, "reconstructor"):
            twin.reconstructor = model.reconstructor
    for sampler in samplers:
        # Copy the slope: JAX would share its buffer and free it twice.
        slope = keras.ops.convert_to_numpy(sampler.slope)
        twin.get_layer(sampler.name).slope.assign(slope)
    compile_like(twin, model)
    return twin
