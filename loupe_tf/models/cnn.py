import keras
from keras import layers

from loupe_tf.checks import check_integer, invalid
from loupe_tf.models.unet import activate, check_normalization


def cnn(
    input_shape,
    output_channels=2,
    depth=5,
    filters=64,
    kernel_size=3,
    normalization="batch",
    activation="relu",
    output_initializer="zeros",
    name="cnn",
):
    """Build the plain convolutional network of MoDL.

    All but the last of the `depth` convolutions are followed by a
    normalisation and an activation (Aggarwal et al., "MoDL: model-based deep
    learning architecture for inverse problems", IEEE TMI 2019). The authors'
    code also normalises the output of the last convolution. This function does
    not, so that the scale of the output does not depend on the batch.

    The network N estimates noise and aliasing. The denoiser of MoDL is
    `x - N(x)`, or, with the sign in the weights, `x + N(x)`.

    With `depth=17`, this is DnCNN (Zhang et al., "Beyond a Gaussian denoiser",
    IEEE TIP 2017), which leaves out the first of the normalisations. The DnCNN
    of XPDNet has `depth=20, normalization=None`.

    Args:
        input_shape: Tuple `(H, W, C)`. H and W may be `None`.
        output_channels: Integer, channels of the output.
        depth: Integer ≥ 1, number of convolutions.
        filters: Integer, channels between the convolutions.
        kernel_size: Integer, size of the convolutions.
        normalization: `"batch"`, `"layer"`, `"instance"`, `None`, or a
            callable that takes a name and returns a layer. A convolution has a
            bias only if no normalisation follows.
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

    >>> loupe_tf.models.cnn((None, None, 2)).output_shape
    (None, None, None, 2)
    """
    input_shape = check_image_shape(input_shape)
    check_integer("depth", depth, at_least=1)
    check_integer("filters", filters, at_least=1)
    normalize = check_normalization(normalization)

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x = inputs
    for i in range(1, depth):
        x = layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            use_bias=normalize is None,
            data_format="channels_last",
            name=f"conv_{i}",
        )(x)
        if normalize is not None:
            x = normalize(name=f"norm_{i}")(x)
        x = activate(activation, f"act_{i}")(x)
    # Float32, so that mixed precision does not round the loss.
    x = layers.Conv2D(
        output_channels,
        kernel_size,
        padding="same",
        kernel_initializer=output_initializer,
        data_format="channels_last",
        dtype="float32",
        name="output",
    )(x)
    return keras.Model(inputs, x, name=name)


def check_image_shape(input_shape):
    """Refuse what is not `(H, W, C)`, with H and W known or `None`."""
    input_shape = tuple(input_shape)
    if len(input_shape) != 3 or any(
        n is not None and n < 1 for n in input_shape
    ):
        raise invalid("input_shape", "(H, W, C)", input_shape)
    return input_shape
