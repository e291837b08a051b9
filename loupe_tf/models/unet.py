import keras
from keras import layers

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.models.spatial_dropout import SpatialDropout

# Settings of the two papers' code; arguments of `unet` override them.
PRESETS = {
    "loupe": {"norm_order": "after"},
    "loupe_evolutions": {"norm_order": "before"},
}

NORMALIZATIONS = {
    "batch": layers.BatchNormalization,
    "layer": layers.LayerNormalization,
    "instance": lambda name: layers.GroupNormalization(groups=-1, name=name),
    None: None,
}


def unet(
    input_shape,
    output_channels=1,
    depth=5,
    filters=64,
    kernel_size=3,
    normalization="batch",
    norm_order=None,
    activation=None,
    preset="loupe",
    output_initializer="zeros",
    dropout=0.0,
    name="unet",
):
    """Build the U-Net with which LOUPE rebuilds images.

    Each of the `depth` scales has two convolutions, each with a normalisation
    and an activation. The way down uses average pooling. The way up uses
    nearest-neighbour upsampling and concatenation with the same scale of the
    way down. A 1×1 convolution ends the network (Ronneberger et al., MICCAI
    2015, as changed by Bahadir et al., IEEE TCI 2020). Scale i has
    `filters · 2ⁱ` channels.

    If `2 ** (depth - 1)` does not divide the size of an image, the image is
    padded with zeros at the end of each axis and the output is cropped. For
    volumes, convolutions, pooling and upsampling act along all three axes.

    Args:
        input_shape: Tuple `(H, W, C)`, or `(D, H, W, C)` for volumes.
        output_channels: Integer, channels of the output.
        depth: Integer ≥ 1, number of scales.
        filters: Integer, channels at the finest scale.
        kernel_size: Integer, size of the convolutions.
        normalization: `"batch"`, `"layer"`, `"instance"`, `None`, or a
            callable that takes a name and returns a layer.
        norm_order: `"before"` or `"after"`, the position of the normalisation
            relative to the activation. `None` follows the preset.
        activation: Any argument of `keras.layers.Activation`. `None` means the
            leaky ReLU of both papers' code (negative slope 0.3).
        preset: `"loupe"`, the original U-Net (normalisation after the
            activation), or `"loupe_evolutions"`, the U-Net of Martinini et al.
            (IEEE JSTSP 2022; normalisation before the activation).
        output_initializer: Initializer of the last convolution. With the
            default zeros, a model that adds the output to an image, as LOUPE
            does, starts from that image, and a mask learned together with it
            gets useful gradients from the first step. The papers' code has
            `"glorot_uniform"`.
        dropout: Float in [0, 1), the probability that a channel is dropped
            after each convolution with its normalisation and activation, in
            training only.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`. Volumes have the axis D after the
        batch.

    Raises:
        ValueError: If an argument is invalid, or if the image would be smaller
            than one pixel at the coarsest scale.

    Example:

    >>> loupe_tf.models.unet((320, 320, 2), filters=32).output_shape
    (None, 320, 320, 1)
    """
    check_choice("preset", preset, PRESETS)
    normalize = check_normalization(normalization)
    norm_order = norm_order or PRESETS[preset]["norm_order"]
    check_choice("norm_order", norm_order, ("before", "after"))
    check_integer("depth", depth, at_least=1)
    check_integer("filters", filters, at_least=1)
    check_number("dropout", dropout, at_least=0, below=1)
    factor = 2 ** (depth - 1)
    sizes = input_shape[:-1]
    if len(sizes) not in (2, 3) or min(sizes) < factor:
        raise invalid(
            "input_shape",
            f"(H, W, C) or (D, H, W, C), with H and W, and D, of at least "
            f"{factor} for depth={depth}",
            tuple(input_shape),
        )

    def make(kind, *args, **kwargs):
        return getattr(layers, f"{kind}{len(sizes)}D")(
            *args, data_format="channels_last", **kwargs
        )

    steps = [("act", lambda name: activate(activation, name))]
    if normalize is not None:
        steps.insert(0 if norm_order == "before" else 1, ("norm", normalize))
    if dropout:
        steps.append(("drop", lambda name: SpatialDropout(dropout, name=name)))

    def convolve(x, channels, name):
        for i in (1, 2):
            conv = f"{name}_conv_{i}"
            x = make("Conv", channels, kernel_size, padding="same", name=conv)(
                x
            )
            for step, layer in steps:
                x = layer(name=f"{name}_{step}_{i}")(x)
        return x

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x = inputs
    pad = tuple((0, (-size) % factor) for size in sizes)
    is_padded = any(after for _, after in pad)
    if is_padded:
        x = make("ZeroPadding", pad, name="pad")(x)
    # No backend pools volumes in half precision on every device.
    pool_dtype = "float32" if len(sizes) == 3 else None
    skips = []
    for scale in range(depth - 1):
        x = convolve(x, filters * 2**scale, f"down_{scale}")
        skips.append(x)
        x = make("AveragePooling", 2, dtype=pool_dtype, name=f"pool_{scale}")(x)
    x = convolve(x, filters * factor, "bottom")
    for scale in reversed(range(depth - 1)):
        x = make("UpSampling", 2, name=f"upsample_{scale}")(x)
        x = layers.Concatenate(name=f"skip_{scale}")([skips[scale], x])
        x = convolve(x, filters * 2**scale, f"up_{scale}")
    # Float32, so that mixed precision does not round the loss.
    x = make(
        "Conv",
        output_channels,
        1,
        kernel_initializer=output_initializer,
        dtype="float32",
        name="output",
    )(x)
    if is_padded:
        x = make("Cropping", pad, dtype="float32", name="crop")(x)
    return keras.Model(inputs, x, name=name)


def check_normalization(normalization):
    """Return a callable from a name to a normalisation layer, or `None`."""
    if not callable(normalization) and normalization not in NORMALIZATIONS:
        raise invalid(
            "normalization",
            f"a callable or one of {tuple(NORMALIZATIONS)}",
            normalization,
        )
    return NORMALIZATIONS.get(normalization, normalization)


def activate(activation, name):
    """Return the layer of an activation; `None` is LOUPE's leaky ReLU."""
    if activation is None:
        return layers.LeakyReLU(negative_slope=0.3, name=name)
    return layers.Activation(activation, name=name)
