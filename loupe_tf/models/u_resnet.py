import keras
from keras import layers

from loupe_tf.checks import check_integer, invalid
from loupe_tf.models.spectral_norm import SpectralNorm


def u_resnet(
    input_shape,
    output_channels=2,
    filters=32,
    depth=3,
    spectral_norm=None,
    output_initializer="zeros",
    name="u_resnet",
):
    """Build a U-Net of residual blocks, as for scores.

    Each scale has one block on the way down and one on the way up,

        x ← C₁(x) + C(swish(C(swish(x)))),

    with 3×3 convolutions C, and a 1×1 convolution C₁ only where the number of
    channels changes. The way down uses average pooling; the way up
    nearest-neighbour upsampling, and the concatenation with the same scale of
    the way down (Ronneberger et al., MICCAI 2015; He et al., CVPR 2016). Scale
    i has `filters · 2ⁱ` channels.

    No layer normalises, so an image does not depend on the others in its batch,
    in training or later.

    If `2 ** (depth - 1)` does not divide the size of an image, it is padded
    with zeros at the end of each axis and the output is cropped.

    Args:
        input_shape: Tuple `(H, W, C)`.
        output_channels: Integer, channels of the output.
        filters: Integer, channels at the finest scale.
        depth: Integer ≥ 1, number of scales.
        spectral_norm: (Optional) positive float, limit of the spectral norm of
            each kernel; see `loupe_tf.models.SpectralNorm`.
        output_initializer: Initializer of the last convolution.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is invalid, or if the image would be smaller
            than one pixel at the coarsest scale.

    Example:

    >>> loupe_tf.models.u_resnet((320, 320, 5)).output_shape
    (None, 320, 320, 2)
    """
    check_integer("depth", depth, at_least=1)
    check_integer("filters", filters, at_least=1)
    factor = 2 ** (depth - 1)
    if len(input_shape) != 3 or min(input_shape[:2]) < factor:
        raise invalid(
            "input_shape",
            f"(H, W, C), with H and W of at least {factor} for depth={depth}",
            tuple(input_shape),
        )
    limit = None if spectral_norm is None else SpectralNorm(spectral_norm)
    last = {"data_format": "channels_last"}

    def convolve(x, channels, name, size=3, **options):
        return layers.Conv2D(
            channels,
            size,
            padding="same",
            kernel_constraint=limit,
            name=name,
            **last,
            **options,
        )(x)

    def block(x, channels, name):
        start = x
        if x.shape[-1] != channels:
            start = convolve(x, channels, f"{name}_match", size=1)
        for i in (1, 2):
            x = layers.Activation("swish", name=f"{name}_act_{i}")(x)
            x = convolve(x, channels, f"{name}_conv_{i}")
        return start + x

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    pad = tuple((0, -size % factor) for size in input_shape[:2])
    x = layers.ZeroPadding2D(pad, name="pad", **last)(inputs)
    x = convolve(x, filters, "first")
    skips = []
    for scale in range(depth - 1):
        x = block(x, filters * 2**scale, f"down_{scale}")
        skips.append(x)
        x = layers.AveragePooling2D(2, name=f"pool_{scale}", **last)(x)
    x = block(x, filters * factor, "bottom")
    for scale in reversed(range(depth - 1)):
        x = layers.UpSampling2D(2, name=f"upsample_{scale}", **last)(x)
        x = layers.Concatenate(name=f"skip_{scale}")([skips[scale], x])
        x = block(x, filters * 2**scale, f"up_{scale}")
    x = layers.Activation("swish", name="last_act")(x)
    # Float32, so that mixed precision does not round the loss.
    x = convolve(
        x,
        output_channels,
        "output",
        kernel_initializer=output_initializer,
        dtype="float32",
    )
    x = layers.Cropping2D(pad, name="crop", dtype="float32", **last)(x)
    return keras.Model(inputs, x, name=name)
