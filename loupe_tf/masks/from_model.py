"""Read the learned mask of a model."""

import hashlib
import warnings

import numpy as np

from loupe_tf.masks.half_plane import half_plane_facts
from loupe_tf.masks.sampling_mask import SamplingMask

SAMPLED_MASK = "sampled_mask"


def from_model(
    model, layer_name=SAMPLED_MASK, provenance=None, field_of_view=None
):
    """Read from a model the mask that it uses at inference.

    Args:
        model: Functional Keras model.
        layer_name: Name of the layer whose output is the mask, of shape
            `(batch, H, W, 1)` for points, `(batch, 1, W, 1)` for columns or
            `(batch, H, 1, 1)` for rows. With `training=False`, its values must
            be 0 and 1 and must not depend on the image. If a second input
            picks one of several masks, all of them are read.
        provenance: (Optional) dictionary that JSON can store, with facts that
            the model does not contain, such as
            `{"data": ..., "slope_history": ...}`.
        field_of_view: (Optional) size `(H, W)` of the images in mm. Defaults
            to the one the model was built with.

    Returns:
        A `SamplingMask` with the acceleration, the calibration region and the
        slope of the layer. Its matrix and field of view are those of the
        model's images. Its provenance has the name of the model, the estimator,
        the binarization, `"trained_on": "magnitudes"` if a learned mask has
        seen images without a phase, and `weights_sha256`, a hash of all weights
        (shape, type and values, in the order of `model.weights`) that saving
        and loading the model does not change. A model with groups gives a tuple
        of masks, and so does one with nested masks, in the order of their
        accelerations.

        For a half-plane, this is the mask that a scanner acquires, without the
        mirrored half. The calibration region is then in the provenance,
        because it is whole only once the mask is filled.

    Warns:
        UserWarning: If a learned mask leaves out DC, which often happens
            without a calibration region.

    Raises:
        ValueError: If the model is not functional, has no such layer or has an
            input of unknown size, or if the mask is not binary.

    Example:

    ```python
    callback = loupe_tf.callbacks.SelfShrinkingSigmoidSlope()
    history = model.fit(
        train, validation_data=validation, epochs=100, callbacks=[callback]
    ).history
    mask = loupe_tf.masks.from_model(
        model, provenance={"slope_history": history["slope"]}
    )
    mask.save("mask.npz")
    ```
    """
    import keras  # The rest of this package needs only NumPy.

    arrays = _layer_output(model, layer_name)
    if not np.isin(arrays, (0, 1)).all():
        raise ValueError(
            "Invalid value for argument `model`. Expected a model whose "
            "inference mask is binary. Received: a model whose layer "
            f"{layer_name!r} gives values other than 0 and 1"
        )
    layer = next((x for x in model.layers if x.name == layer_name), None)
    sparsity = getattr(layer, "sparsity", None)
    several = isinstance(sparsity, tuple)
    # A layer where rows and columns meet has no slope, estimator or
    # binarization of its own; the layers of its two masks have them.
    names = [layer_name, f"{layer_name}_rows", f"{layer_name}_columns"]
    parts = [part for part in model.layers if part.name in names]
    slopes = {
        float(keras.ops.convert_to_numpy(part.slope))
        for part in parts
        if getattr(part, "slope", None) is not None
    }
    facts = {
        "pattern": "learned" if slopes else "given",
        "model": model.name,
    }
    if slopes and _of_magnitudes(model):
        facts["trained_on"] = "magnitudes"
    for name in ("estimator", "binarization"):
        values = {getattr(part, name, None) for part in parts} - {None}
        if values:
            facts[name] = str(min(values))
    calibration = getattr(layer, "calibration", None)
    if getattr(layer, "half_plane", False):
        facts.update(half_plane_facts(calibration))
        calibration = None
    facts["weights_sha256"] = weights_hash(model)
    if field_of_view is None:
        views = [getattr(x, "field_of_view", None) for x in model.layers]
        field_of_view = next((view for view in views if view), None)
    found = []
    for number, array in enumerate(arrays):
        if slopes and not array[array.shape[0] // 2, array.shape[1] // 2]:
            warnings.warn(
                f"The mask that model {model.name!r} has learned leaves out "
                "DC, the mean of the image. Its own network may know how "
                "bright an image is, but zero filling, compressed sensing and "
                "other networks do not. Train with a calibration region, such "
                "as calibration='auto'.",
                stacklevel=2,
            )
        asked = sparsity[number] if several else sparsity
        if several:
            facts["nested"] = [1 / r for r in sparsity]
        elif len(arrays) > 1:
            facts["group"] = number
        found.append(
            SamplingMask(
                array,
                acceleration=None if asked is None else 1 / float(asked),
                calibration=calibration,
                slope=next(iter(slopes)) if len(slopes) == 1 else None,
                provenance={**facts, **(provenance or {})},
                matrix=_matrix(model, array.shape),
                field_of_view=field_of_view,
            )
        )
    return tuple(found) if several or len(found) > 1 else found[0]


def probability_from_model(model, layer_name="prob_mask_scaled"):
    """Read from a model the probabilities behind its learned mask.

    Args:
        model: Functional Keras model.
        layer_name: Name of the layer that outputs the probabilities. The
            default layer gives P of equation 5 of the 4S paper, whose mean is
            the sparsity. `"prob_mask"` gives S, before it is rescaled.

    Returns:
        Float32 array in [0, 1], `(H, W)`, `(1, W)` or `(H, 1)`, with DC at
        `(H // 2, W // 2)`. Several masks are stacked along a new first axis.

    Raises:
        ValueError: If the model is not functional or has no such layer, or if
            the outputs of the layer are not probabilities.
    """
    arrays = _layer_output(model, layer_name)
    # NaN passes: a model whose training has diverged has them.
    if ((arrays < 0) | (arrays > 1)).any():
        raise ValueError(
            "Invalid value for argument `layer_name`. Expected a layer whose "
            "outputs are probabilities. Received: "
            f"layer_name={layer_name!r}, with values from {arrays.min():g} to "
            f"{arrays.max():g}"
        )
    return arrays if len(arrays) > 1 else arrays[0]


def weights_hash(model):
    """Return a hash of the weights that does not depend on their names."""
    import keras

    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.asarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{value.shape} {value.dtype.name}\n".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _of_magnitudes(model):
    """Return whether all inputs that are images have one channel, no phase."""
    images = [x.shape for x in model.inputs if len(x.shape) in (4, 5)]
    return bool(images) and all(shape[-1] == 1 for shape in images)


def _matrix(model, shape):
    """Return the size of the first input images that fit the mask."""
    for tensor in model.inputs:
        size = tuple(tensor.shape)[-3:-1]
        if len(tensor.shape) in (4, 5) and all(
            m == n or n == 1 for m, n in zip(size, shape, strict=True)
        ):
            return size
    return None


def _layer_output(model, layer_name):
    """Return the output of a layer that does not depend on the image.

    There is one array for each mask. A model with several masks has an input
    of integers that picks one for each example.
    """
    import keras

    if not getattr(model, "inputs", None):
        raise ValueError(
            "Invalid value for argument `model`. Expected a functional Keras "
            f"model. Received: model={model}"
        )
    names = [layer.name for layer in model.layers]
    tensor = None
    if layer_name == SAMPLED_MASK:
        # A user's own sampler may end with a layer of any name.
        tensor = getattr(model, "mask", None)
    if tensor is None and layer_name in names:
        tensor = model.get_layer(layer_name).output
    missing = tensor is None or any(tensor is x for x in model.inputs)
    if missing and layer_name == SAMPLED_MASK:
        raise ValueError(
            "Invalid value for argument `model`. Expected one with a mask, "
            "such as `loupe_model` makes, or the `layer_name` of its mask. "
            f"Received: model={model.name!r} with the layers {names}"
        )
    if missing:
        raise ValueError(
            "Invalid value for argument `layer_name`. Expected one of the "
            f"model's layers: {names}. Received: layer_name={layer_name!r}"
        )
    number = max(getattr(layer, "number_of_masks", 1) for layer in model.layers)
    # A layer that two models share may give the tensor of the other.
    inputs = keras.utils.get_source_inputs(tensor)
    output = keras.Model(inputs, tensor)(
        [_input(tensor, number) for tensor in inputs], training=False
    )
    array = np.asarray(keras.ops.convert_to_numpy(output))
    if array.ndim != 4 or array.shape[-1] != 1:
        raise ValueError(
            "Invalid value for argument `layer_name`. Expected a layer whose "
            "output has shape (batch, H, W, 1). Received: layer_name="
            f"{layer_name!r}, whose output has shape {array.shape}"
        )
    return array[:number, :, :, 0]


def _input(tensor, number):
    """Return a batch of zeros, or all indices for an input that picks masks."""
    import keras

    batch, *shape = tensor.shape
    if number > 1 and len(shape) == 0:
        return keras.ops.arange(number, dtype=tensor.dtype)
    if len(shape) == 4:
        shape[0] = shape[0] or 1  # Any number of coils.
    if None in shape:
        raise ValueError(
            "Invalid value for argument `model`. Expected inputs of known "
            f"size. Received: input {tensor.name!r} of shape {tensor.shape}"
        )
    return keras.ops.zeros((batch or number, *shape), dtype=tensor.dtype)
