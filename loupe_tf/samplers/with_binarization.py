import keras

from loupe_tf.checks import invalid
from loupe_tf.layers import ThresholdRandomMask


def with_binarization(model, binarization):
    """Return the same model with another kind of mask at inference.

    All layers are shared with the given model but the sampler, of which the
    new model has its own, with a copy of the slope: train the given model and
    the new one has the new weights, but not the new slope.

    Args:
        model: A functional `keras.Model` with a `ThresholdRandomMask`.
        binarization: `"exact"`, `"threshold"`, `"sampled"` or `"relaxed"`; see
            `ThresholdRandomMask`.

    Returns:
        A `keras.Model`, compiled with the loss and metrics of the given one if
        that is compiled.

    Raises:
        ValueError: If the model learns no mask.

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
        return ThresholdRandomMask.from_config(config)

    twin = keras.models.clone_model(model, clone_function=clone)
    for sampler in samplers:
        # A copy: JAX would give the buffer itself to both, and free it twice.
        slope = keras.ops.convert_to_numpy(sampler.slope)
        twin.get_layer(sampler.name).slope.assign(slope)
    # The clone is a plain functional model.
    if hasattr(model, "reconstructor"):
        twin.reconstructor = model.reconstructor
    if model.compiled:
        twin.compile_from_config(model.get_compile_config())
    return twin
