import keras

from loupe_tf.checks import invalid
from loupe_tf.layers import UnderSample
from loupe_tf.models.adjoint_network import AdjointNetwork

EXPECTED = (
    "a loupe_model; a Keras layer or model from [kspace, mask] or [kspace, "
    "mask, maps] to an image; or a functional model from adjoint images "
    "(batch, H, W, 2), or (batch, D, H, W, 2) of volumes, to images of one or "
    "two channels"
)


def reconstructor_of(model):
    """Return the part of a model that rebuilds images from measured k-space.

    Args:
        model: One of three kinds. For a `Loupe`, the result is its
            `reconstructor`. A layer or model from `[kspace, mask]` or
            `[kspace, mask, maps]` to an image is returned itself. A functional
            model from adjoint images `(batch, H, W, 2)`, (real, imaginary), to
            images becomes an `AdjointNetwork`.

    Returns:
        A Keras layer or model with the inputs of `AdjointNetwork`. It shares
        its weights with `model`.

    Raises:
        ValueError: If the model is none of these. Examples are models of
            version 0.1.0, and your own models that measure images themselves.
    """
    own = getattr(model, "reconstructor", None)
    if own is not None:
        return own
    if not isinstance(model, keras.layers.Layer):
        raise invalid("model", EXPECTED, model)
    inputs = getattr(model, "inputs", None)
    if not inputs and not hasattr(model, "layers"):
        return model  # A layer, which checks its inputs itself.
    shapes = [tuple(x.shape) for x in inputs or ()]
    ranks = [len(shape) for shape in shapes]
    if ranks[:1] in ([5], [6]) and ranks[1:] in ([4], [4, ranks[0]]):
        return model
    if _measures(model):
        raise invalid(
            "model",
            "one that keeps its reconstructor, as a `loupe_model` of this "
            "version does. A model of 0.1.0 becomes one by "
            "`new = loupe_model(...)` with the arguments it was built with "
            "(calibration=None if none was given) and "
            "`new.set_weights(old.get_weights())`. If your own model measures "
            "images, pass the part of it that starts from [kspace, mask, maps]",
            found=f"{model.name!r}, which measures images itself",
        )
    if not inputs and not isinstance(model, keras.Sequential):
        return model
    outputs = [tuple(x.shape) for x in getattr(model, "outputs", None) or ()]
    if (
        ranks not in ([4], [5])
        or [len(shape) for shape in outputs] != ranks
        or shapes[0][-1] != 2
        or outputs[0][-1] not in (1, 2)
    ):
        raise invalid("model", EXPECTED, found=f"shapes {shapes} to {outputs}")
    reconstructor = AdjointNetwork(model, "direct")
    *size, _ = shapes[0][1:]
    reconstructor.build([(None, 1, *size, 2), (None, *size[-2:], 1)])
    return reconstructor


def kspace_shape(reconstructor):
    """Return the shape of the k-space that a reconstructor was built for.

    Args:
        reconstructor: The result of `reconstructor_of`.

    Returns:
        Tuple `(batch, coils, H, W, 2)` or `(batch, coils, D, H, W, 2)`, whose
        entries may be `None`; or `None` if it is not built yet.
    """
    return _input_shape(reconstructor, 0)


def mask_shape(reconstructor):
    """Return the shape of the mask that a reconstructor was built for.

    Args:
        reconstructor: The result of `reconstructor_of`.

    Returns:
        Tuple `(batch, H or 1, W or 1, 1)`, whose entries may be `None`; or
        `None` if it is not built yet.
    """
    return _input_shape(reconstructor, 1)


def _input_shape(reconstructor, index):
    inputs = getattr(reconstructor, "inputs", None)
    if inputs:
        return tuple(inputs[index].shape)
    built = reconstructor.get_build_config() or {}
    shapes = built.get("input_shape")
    return tuple(shapes[index]) if shapes else None


def _measures(model):
    """Return whether a model, or a model inside it, samples k-space."""
    return any(
        isinstance(layer, UnderSample) or _measures(layer)
        for layer in getattr(model, "layers", ())
    )
