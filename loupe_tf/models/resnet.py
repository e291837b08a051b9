import keras
from keras import layers

from loupe_tf.checks import check_integer, check_number
from loupe_tf.models.cnn import check_image_shape


def resnet(
    input_shape,
    output_channels=2,
    blocks=15,
    filters=64,
    kernel_size=3,
    scale=0.1,
    tied=False,
    output_initializer="zeros",
    name="resnet",
):
    """Build the residual network of SSDU.

    With convolutions C, the network maps an image x to (Yaman et al.,
    "Self-supervised learning of physics-guided reconstruction neural networks
    without fully sampled reference data", MRM 2020)

        h₀ = C(x),
        hᵢ = hᵢ₋₁ + scale · C(ReLU(C(hᵢ₋₁))),    i = 1, ..., blocks,
        output = C(h₀ + C(h_blocks)).

    Blocks without normalisation and with a scaled residual are those of EDSR
    (Lim et al., CVPR Workshops 2017). The convolutions have no bias, so
    `N(t x) = t N(x)` for t > 0: the network does not depend on the scale of an
    image.

    Args:
        input_shape: Tuple `(H, W, C)`. H and W may be `None`.
        output_channels: Integer, channels of the output.
        blocks: Integer ≥ 1, number of residual blocks.
        filters: Integer, channels between the convolutions.
        kernel_size: Integer, size of the convolutions.
        scale: Positive float, factor of each block's residual.
        tied: Boolean. If `True`, the two convolutions of a block have the same
            weights, as in the code that the authors published.
        output_initializer: Initializer of the last convolution. With the
            default zeros, an unrolled network starts as the classical
            iteration without a network. `None` means the same as for the
            others, as in the paper: normal with standard deviation 0.05.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> loupe_tf.models.resnet((None, None, 2)).count_params()
    1145088
    >>> loupe_tf.models.resnet((None, None, 2), tied=True).count_params()
    592128
    """
    input_shape = check_image_shape(input_shape)
    check_integer("blocks", blocks, at_least=1)
    check_integer("filters", filters, at_least=1)
    check_number("scale", scale, above=0)

    def convolution(name, channels=filters, initializer=None, dtype=None):
        return layers.Conv2D(
            channels,
            kernel_size,
            padding="same",
            use_bias=False,
            kernel_initializer=initializer
            or keras.initializers.RandomNormal(stddev=0.05),
            data_format="channels_last",
            dtype=dtype,
            name=name,
        )

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    first = convolution("first")(inputs)
    x = first
    for i in range(1, blocks + 1):
        inner = convolution(f"block_{i}_conv_1")
        outer = inner if tied else convolution(f"block_{i}_conv_2")
        residual = outer(layers.ReLU(name=f"block_{i}_act")(inner(x)))
        x = x + scale * residual
    x = first + convolution("last")(x)
    # Float32, so that mixed precision does not round the loss.
    x = convolution("output", output_channels, output_initializer, "float32")(x)
    return keras.Model(inputs, x, name=name)
