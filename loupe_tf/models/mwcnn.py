import keras
from keras import layers

from loupe_tf.checks import check_integer, invalid
from loupe_tf.layers.haar_transform import HaarTransform
from loupe_tf.models.cnn import check_image_shape
from loupe_tf.models.unet import activate, check_normalization


def mwcnn(
    input_shape,
    output_channels=2,
    filters=(64, 128, 256),
    convolutions=3,
    first_filters=32,
    first_convolutions=2,
    kernel_size=3,
    normalization=None,
    activation="relu",
    output_initializer="zeros",
    name="mwcnn",
):
    """Build the multi-level wavelet CNN.

    It is a U-Net with the Haar transform for pooling, which loses nothing, and
    its inverse for upsampling (Liu et al., "Multi-level wavelet-CNN for image
    restoration", CVPR Workshops 2018). Each scale has `convolutions`
    convolutions on the way down and as many on the way up, each with a
    normalisation and an activation. The last of the way up has four times the
    channels of the next finer scale, the sub-bands for the inverse transform.
    The features of the way down are added, not concatenated. All convolutions
    but the last have no bias.

    XPDNet (Ramzi et al., "XPDNet for MRI reconstruction: an application to the
    2020 fastMRI challenge", arXiv:2010.07290, 2020) adds convolutions at full
    resolution. Its network comes in three sizes:

    | | `filters` | `convolutions` | `first_filters` | `first_convolutions` |
    |---|---|---|---|---|
    | big | (128, 256, 512) | 3 | 64 | 3 |
    | medium, the default | (64, 128, 256) | 3 | 32 | 2 |
    | small | (32, 64) | 2 | 32 | 2 |

    The network of Liu et al. has `filters=(160, 256, 256), convolutions=4,
    first_convolutions=0, normalization="batch"`, and its output is added to
    the image.

    If `2 ** len(filters)` does not divide the size of an image, the image is
    padded with zeros at the end of each axis and the output is cropped.

    Args:
        input_shape: Tuple `(H, W, C)`. If H or W is `None`, the network is not
            padded, and `2 ** len(filters)` must divide the sizes of images.
        output_channels: Integer, channels of the output.
        filters: Sequence of integers, channels at each scale, finest first.
            The finest has half the resolution of the image.
        convolutions: Integer ≥ 1, convolutions at each scale, each way.
        first_filters: Integer, channels at full resolution.
        first_convolutions: Integer, convolutions at full resolution, each way.
            If 0, the transform acts on the image itself.
        kernel_size: Integer, size of the convolutions.
        normalization: `"batch"`, `"layer"`, `"instance"`, `None`, or a
            callable that takes a name and returns a layer.
        activation: Any argument of `keras.layers.Activation`. `None` means the
            leaky ReLU of `unet`.
        output_initializer: Initializer of the last convolution. With the
            default zeros, an unrolled network starts as the classical
            iteration without a network.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> loupe_tf.models.mwcnn((320, 320, 2)).output_shape
    (None, 320, 320, 2)
    """
    input_shape = check_image_shape(input_shape)
    if not isinstance(filters, list | tuple) or not filters:
        raise invalid("filters", "a sequence of integers, one a scale", filters)
    for channels in filters:
        check_integer("filters", channels, at_least=1)
    check_integer("convolutions", convolutions, at_least=1)
    check_integer("first_filters", first_filters, at_least=1)
    check_integer("first_convolutions", first_convolutions, at_least=0)
    normalize = check_normalization(normalization)

    def convolve(x, widths, name):
        for i, channels in enumerate(widths, 1):
            x = layers.Conv2D(
                channels,
                kernel_size,
                padding="same",
                use_bias=False,
                data_format="channels_last",
                name=f"{name}_conv_{i}",
            )(x)
            if normalize is not None:
                x = normalize(name=f"{name}_norm_{i}")(x)
            x = activate(activation, f"{name}_act_{i}")(x)
        return x

    def output(x, channels):
        # Float32, so that mixed precision does not round the loss.
        return layers.Conv2D(
            channels,
            kernel_size,
            padding="same",
            kernel_initializer=output_initializer,
            data_format="channels_last",
            dtype="float32",
            name="output",
        )(x)

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x = inputs
    factor = 2 ** len(filters)
    pad = tuple((0, -(size or 0) % factor) for size in input_shape[:2])
    is_padded = any(after for _, after in pad)
    if is_padded:
        x = layers.ZeroPadding2D(pad, data_format="channels_last", name="pad")(
            x
        )
    x = convolve(x, [first_filters] * first_convolutions, "first")
    first = x
    skips = []
    for scale, channels in enumerate(filters):
        x = HaarTransform(name=f"haar_{scale}")(x)
        x = convolve(x, [channels] * convolutions, f"down_{scale}")
        skips.append(x)
    # Channels at full resolution, and at each scale.
    widths = [first_filters, *filters]
    for scale in reversed(range(len(filters))):
        if scale + 1 < len(filters):
            x = layers.Add(name=f"skip_{scale}")([x, skips[scale]])
        up = [filters[scale]] * (convolutions - 1)
        if scale or first_convolutions:
            x = convolve(x, [*up, 4 * widths[scale]], f"up_{scale}")
        else:
            x = output(convolve(x, up, "up_0"), 4 * output_channels)
        x = HaarTransform(inverse=True, name=f"inverse_haar_{scale}")(x)
    if first_convolutions:
        x = layers.Add(name="skip_first")([x, first])
        x = convolve(x, [first_filters] * (first_convolutions - 1), "last")
        x = output(x, output_channels)
    if is_padded:
        x = layers.Cropping2D(
            pad, data_format="channels_last", dtype="float32", name="crop"
        )(x)
    return keras.Model(inputs, x, name=name)
