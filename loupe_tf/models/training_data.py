"""Checks of the data that `Loupe.fit` is given."""

import warnings

import keras
import numpy as np

from loupe_tf.checks import check_finite, invalid

CHOICES = ("group", "acceleration_index")
"""Inputs that choose a mask for each image."""

LARGE = 10
"""Images divided by the maximum of their volume are far below this."""


def check_training_data(model, x, y=None, name=None):
    """Refuse data that a model would train on silently, to no use.

    Args:
        model: A `Loupe`.
        x: Arrays, or a `tf.data.Dataset`, whose element specification is
            checked. Data of other kinds are not checked.
        y: Arrays, unless `x` is a dataset.
        name: String, the argument that both come from, if they have one.
    """
    refuse_complex(name or "x", x)
    refuse_complex(name or "y", y)
    specification = getattr(x, "element_spec", None)
    if specification is not None:
        pair = isinstance(specification, (tuple, list))
        x, y = (*specification, None)[:2] if pair else (specification, None)
        names = [name or "x"] * 2
        targets = "pairs of inputs and true images"
    elif isinstance(x, np.ndarray) or y is not None:
        names = [name or "x", name or "y"]
        targets = "the true images: `fit(images, images)`"
    else:
        return
    _check_channels(names[0], x, model)
    check_choices(names[0], x, model)
    if y is None:
        raise invalid(names[1], targets, found="no true images")
    _check_targets(names[1], y, model.output_shape)
    for argument, data in zip(names, (x, y) if y is not x else (x,)):
        for array in keras.tree.flatten(data):
            _check_values(argument, array)


def check_choices(name, x, model):
    """Refuse a choice of a mask that the model does not have.

    A backend would take another mask, or compute NaN, without a word.

    Args:
        name: String, the argument.
        x: Inputs of the model. Only arrays are checked.
        model: A `Loupe`.
    """
    choices = getattr(model.sampler, "choices", None)
    if choices is None or not isinstance(x, (tuple, list, dict)):
        return
    inputs = [each.name for each in model.inputs]
    at = [i for i, n in enumerate(inputs) if n in CHOICES]
    if isinstance(x, dict):
        chosen = next((x[n] for n in CHOICES if n in x), None)
    else:
        chosen = x[at[0]] if at and len(x) == len(inputs) else None
    if keras.ops.is_tensor(chosen) and not isinstance(
        chosen, keras.KerasTensor
    ):
        chosen = keras.ops.convert_to_numpy(chosen)
    if not isinstance(chosen, np.ndarray) or not chosen.size:
        return
    wrong = (chosen < 0) | (chosen >= choices) | (chosen != np.round(chosen))
    if wrong.any():
        raise invalid(
            name,
            f"one of the model's masks for each image, 0 to {choices - 1}",
            found=f"{chosen[wrong].ravel()[0]}",
        )


def refuse_complex(name, data):
    """Refuse complex arrays, whose imaginary part Keras would drop."""
    for leaf in keras.tree.flatten(getattr(data, "element_spec", data)):
        if "complex" in str(getattr(leaf, "dtype", "")):
            raise invalid(
                name,
                "real arrays, with a complex image as two channels, the real "
                "and the imaginary part: np.stack([x.real, x.imag], -1)",
                found=f"an array of {leaf.dtype}",
            )


def warn_of_scale(images):
    """Warn of images that are not divided by the maximum of their volume."""
    if not isinstance(images, np.ndarray) or not images.size:
        return
    largest = max(float(images.max()), -float(images.min()))
    if largest > LARGE:
        warnings.warn(
            f"The images reach {largest:.4g}. Divide them by the maximum of "
            "their volume: learning rates, the PSNR and the noise of "
            "`peak_snr` are for images between 0 and 1.",
            stacklevel=3,
        )


def _shape_of(data):
    """Shape of an array or a specification of known rank, or `None`."""
    shape = getattr(data, "shape", None)
    unknown = shape is None or getattr(shape, "rank", 0) is None
    return None if unknown else tuple(shape)


def _check_channels(name, x, model):
    shape, expected = _shape_of(x), model.settings["input_shape"]
    if model.coils is not None or not shape or len(shape) != len(expected) + 1:
        return
    channels = expected[-1]
    if shape[-1] in (1, 2) and shape[-1] != channels:
        size = ", ".join(map(str, shape[1:]))
        raise invalid(
            name,
            f"images of {channels} channel{'s' * (channels > 1)}, or a "
            f"model that takes these: loupe_model(({size}), ...)",
            found=f"shape={shape}",
        )


def _check_targets(name, y, expected):
    """Refuse targets that a loss would broadcast against the output."""
    shape = _shape_of(y)
    if not shape or len(shape) != len(expected):
        return
    known = zip(shape[1:], expected[1:])
    if any(None not in pair and pair[0] != pair[1] for pair in known):
        size = ", ".join(map(str, expected[1:]))
        raise invalid(
            name,
            f"true images of the model's output, (batch, {size})",
            found=f"shape={shape}",
        )


def _check_values(name, array):
    if isinstance(array, np.ndarray) and array.dtype.kind == "f":
        check_finite(name, array)
