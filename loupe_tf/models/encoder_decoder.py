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
    """Build a deep residual encoder and decoder with a bottleneck between.

    `depth` blocks, each followed by max pooling; one more, the bottleneck;
    `depth` blocks, each after upsampling by two; a 1×1 convolution at the
    end. With C the two 3×3 convolutions without bias of `fastmri_unet`, each
    with instance normalisation and leaky ReLU (negative slope 0.2), a block is

        x ↦ P x + C(x)

    where P is the identity, or a 1×1 convolution without bias where the
    number of channels changes, as in residual networks (He et al., CVPR 2016).

    This is the network of Zalman and Zohar ("MRI compressed sensing", report,
    Technion, 2025), who learned a mask and a reconstruction of this kind from
    single-coil images. Their text gives seven blocks each way, the
    convolutions, the normalisation, the activation, max pooling, residual
    blocks and the bottleneck. It leaves open, and this function chooses: two
    convolutions a block, channels that double up to `max_filters`,
    nearest-neighbour upsampling, and `skips`.

    Pooling rounds up where a size is odd, and the way up is cropped, so that
    all sizes work.

    Args:
        input_shape: Tuple `(H, W, C)`.
        output_channels: Integer, channels of the output.
        filters: Integer, channels at the finest scale.
        max_filters: Integer, the most channels; scale i has
            `min(filters · 2ⁱ, max_filters)`.
        depth: Integer ≥ 1, how many times the image is halved.
        skips: Boolean. If `True`, blocks of the decoder see the output of the
            encoder's block of the same scale beside what was upsampled (Zhang
            et al., IEEE GRSL 2018). If `False`, all that the output shows
            went through the bottleneck.
        dropout: Float in [0, 1), the probability that a channel is dropped
            after each activation; in training only.
        output_initializer: Of the last convolution. By default a model that
            adds the output to an image, as LOUPE does, starts from that image.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is not one of the above, or the image is
            so small that one pixel is left at the coarsest scale, which an
            instance normalisation makes zero.

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
    # Float32, so that a loss under mixed precision is not rounded.
    x = layers.Conv2D(
        output_channels,
        1,
        kernel_initializer=output_initializer,
        data_format="channels_last",
        dtype="float32",
        name="output",
    )(x)
    return keras.Model(inputs, x, name=name)
