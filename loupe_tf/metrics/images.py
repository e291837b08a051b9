"""Checks of image pairs, and the modulus of image channels."""

import keras
from keras import ops

from loupe_tf.checks import invalid


def to_images(y_true, y_pred, volumes=False):
    """Check a pair of image batches and return them in float32."""
    y_true = _to_image("y_true", y_true, volumes)
    y_pred = _to_image("y_pred", y_pred, volumes)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[0]) != len(shapes[1]) or any(
        true != pred and None not in (true, pred) for true, pred in zip(*shapes)
    ):
        raise invalid(
            "y_pred",
            f"the shape of `y_true`, {shapes[0]}",
            found=f"shape={shapes[1]}",
        )
    return y_true, y_pred


def modulus(x):
    """Return the modulus over the channels, `(batch, H, W, 1)`.

    The gradient at zero is zero on every backend. A root would have an infinite
    gradient there, and `ops.abs` has 0 on some backends and 1 on others.
    """
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    positive = square > 0.0
    root = ops.sqrt(ops.where(positive, square, 1.0))
    return ops.where(positive, root, 0.0)


def magnitude(x):
    """Return the magnitude of two channels, or one channel unchanged."""
    return x if x.shape[-1] == 1 else modulus(x)


def energy(x, reduce):
    """Reduce the squared modulus over the pixels of each image."""
    square = ops.sum(ops.square(x), axis=-1)
    return reduce(square, axis=tuple(range(1, len(square.shape))))


def _to_image(name, x, volumes):
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if "complex" in dtype:
        raise invalid(
            name,
            "real images; a complex image is two channels, (real, imaginary)",
            found=f"dtype={dtype}",
        )
    axes = (4, 5) if volumes else (4,)
    if len(x.shape) not in axes or x.shape[-1] not in (1, 2):
        raise invalid(
            name,
            "shape (batch, H, W, 1) or (batch, H, W, 2)"
            + (", or volumes" if volumes else ""),
            found=f"shape={tuple(x.shape)}",
        )
    return ops.cast(x, "float32")
