import keras
from keras import layers

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.models.fastmri_unet import conv_block, initializer


def encoder_decoder(
    input_shape,
    output_channels=1,
    filters=32,
    max_filters=256,
    depth=7,
    skips=True,
    dropout=0.0,
    output_initializer="zeros",
    name="encoder_decoder",
):
    """Build a deep residual encoder and decoder with a bottleneck in between.

    The encoder has `depth` blocks, each followed by max pooling. One more
    block is the bottleneck. The decoder has `depth` blocks, each after
    upsampling by two, and ends with a 1×1 convolution. A block is

        x ↦ P x + C(x)

    where C is two 3×3 convolutions without bias, each with instance
    normalisation and leaky ReLU (negative slope 0.2), as in `fastmri_unet`. P
    is the identity, or a 1×1 convolution without bias if the number of
    channels changes, as in residual networks (He et al., CVPR 2016).

    This is the network of Zalman and Zohar ("MRI compressed sensing", report,
    Technion, 2025), who learned a mask and such a reconstruction from
    single-coil images. Their text specifies seven blocks each way, the
    convolutions, the normalisation, the activation, max pooling, residual
    blocks and the bottleneck. It leaves open the rest, for which this function
    chooses two convolutions per block, channels that double up to
    `max_filters`, nearest-neighbour upsampling, and `skips`.

    All sizes work: pooling rounds odd sizes up, and the decoder crops.

    Args:
        input_shape: Tuple `(H, W, C)`.
        output_channels: Integer, channels of the output.
        filters: Integer, channels at the finest scale.
        max_filters: Integer, largest number of channels. Scale i has
            `min(filters · 2ⁱ, max_filters)`.
        depth: Integer ≥ 1, the number of times the image is halved.
        skips: Boolean. If `True`, each block of the decoder also gets the
            output of the encoder's block at the same scale (Zhang et al., IEEE
            GRSL 2018). If `False`, everything in the output has passed through
            the bottleneck.
        dropout: Float in [0, 1), the probability that a channel is dropped
            after each activation, in training only.
        output_initializer: Initializer of the last convolution. With the
            default zeros, a model that adds the output to an image, as LOUPE
            does, starts from that image.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is invalid, or if the image is so small that
            one pixel is left at the coarsest scale, where instance
            normalisation would set it to zero.

    Example:

    ```python
    network = loupe_tf.models.encoder_decoder((320, 320, 2))
    model = loupe_tf.models.loupe_model(
        (320, 320, 1), acceleration=4, reconstructor=network
    )
    ```
    """
    input_shape = tuple(input_shape)
    check_integer("depth", depth, at_least=1)
    check_integer("filters", filters, at_least=1)
    if max_filters < filters:
        raise invalid("max_filters", f"at least filters={filters}", max_filters)
    check_number("dropout", dropout, at_least=0, below=1)
    if max(input_shape[:2]) <= 2**depth:
        raise invalid(
            "input_shape",
            f"H or W above {2**depth} for depth={depth}",
            input_shape,
        )
    widths = [min(filters * 2**i, max_filters) for i in range(depth + 1)]

    def block(x, channels, name):
        shortcut = x
        if x.shape[-1] != channels:
            shortcut = layers.Conv2D(
                channels,
                1,
                use_bias=False,
                kernel_initializer=initializer(),
                data_format="channels_last",
                name=f"{name}_shortcut",
            )(x)
        x = conv_block(x, channels, dropout, name)
        return layers.Add(name=f"{name}_add")([shortcut, x])

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x = inputs
    encoded = []
    for scale in range(depth):
        x = block(x, widths[scale], f"down_{scale}")
        encoded.append(x)
        x = layers.MaxPooling2D(
            2, padding="same", data_format="channels_last", name=f"pool_{scale}"
        )(x)
    x = block(x, widths[depth], "bottom")
    for scale in reversed(range(depth)):
        x = layers.UpSampling2D(
            2, data_format="channels_last", name=f"upsample_{scale}"
        )(x)
        skip = encoded[scale]
        crop = [(0, x.shape[i] - skip.shape[i]) for i in (1, 2)]
        if any(after for _, after in crop):
            x = layers.Cropping2D(
                crop, data_format="channels_last", name=f"crop_{scale}"
            )(x)
        if skips:
            x = layers.Concatenate(name=f"skip_{scale}")([x, skip])
        x = block(x, widths[scale], f"up_{scale}")
    # Float32, so that mixed precision does not round the loss.
    x = layers.Conv2D(
        output_channels,
        1,
        kernel_initializer=output_initializer,
        data_format="channels_last",
        dtype="float32",
        name="output",
    )(x)
    return keras.Model(inputs, x, name=name)
