import keras
from keras import layers, ops

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.models.cnn import check_image_shape
from loupe_tf.models.fastmri_unet import standardized, unet_layers

# The authors' code pads to multiples of this, whatever the depth.
MULTIPLE = 16


def norm_unet(
    input_shape,
    output_channels=2,
    filters=18,
    depth=4,
    dropout=0.0,
    standardize="image",
    output_initializer=None,
    name="norm_unet",
):
    """Build the U-Net of the end-to-end variational network.

    It is `fastmri_unet` between a standardization and its inverse (Sriram et
    al., "End-to-end variational networks for accelerated MRI reconstruction",
    MICCAI 2020). With f the U-Net, and μ and σ the mean and the standard
    deviation, with Bessel's correction, over all pixels of an example,
    computed for its real and its imaginary part separately, the output is

        σ · f((x - μ) / σ) + μ.

    So the network does not depend on the scale of an image, which is arbitrary
    in MRI. Weights and outputs agree with the `NormUnet` of the authors' code.
    For a constant image, such as an empty slice, σ is 0 and that code returns
    NaN; here the output is μ and the gradient is finite.

    Between standardization and U-Net, the image is padded with zeros on both
    sides to multiples of 16; of an odd number of zeros, the larger half is at
    the end.

    Args:
        input_shape: Tuple `(H, W, C)`. The channels are pairs (real,
            imaginary); all pairs share μ and σ.
        output_channels: Even integer, channels of the output.
        filters: Integer, channels at the finest scale: 18 for images in the
            paper, 8 for sensitivity maps.
        depth: Integer ≥ 1, the number of times the image is halved, as in
            `fastmri_unet`.
        dropout: Float in [0, 1), the probability that a channel is dropped
            after each activation, in training only.
        standardize: `"image"`, the equation above, or `"residual"`,
            `σ · f((x - μ) / σ)`.
        output_initializer: Initializer of the last convolution. `None` means
            the same as for the others, as in the paper. With `"zeros"` and
            `standardize="residual"`, the output starts at zero, so an unrolled
            network starts as the classical iteration without a network.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is invalid, or if the padded image is so
            small that one pixel is left at the coarsest scale, where instance
            normalisation would set it to zero.

    Example:

    >>> loupe_tf.models.norm_unet((320, 320, 2)).output_shape
    (None, 320, 320, 2)
    """
    height, width, channels = check_image_shape(input_shape)
    check_integer("filters", filters, at_least=1)
    check_integer("depth", depth, at_least=1)
    check_number("dropout", dropout, at_least=0, below=1)
    check_choice("standardize", standardize, ("image", "residual"))
    if check_integer("output_channels", output_channels, at_least=2) % 2:
        raise invalid("output_channels", "an even integer", output_channels)
    if None in (height, width) or channels % 2:
        raise invalid(
            "input_shape",
            "(H, W, C) with known H and W and an even number of channels",
            tuple(input_shape),
        )
    missing = [-size % MULTIPLE for size in (height, width)]
    pad = tuple((n // 2, n - n // 2) for n in missing)
    padded = [size + n for size, n in zip((height, width), missing)]
    if max(padded) < 2 ** (depth + 1) or min(padded) < 2**depth:
        raise invalid(
            "input_shape",
            f"padded H and W of at least {2**depth}, and one of them of "
            f"{2 ** (depth + 1)}, for depth={depth}",
            tuple(input_shape),
        )

    def as_pairs(x):
        return ops.reshape(x, (-1, height, width, x.shape[-1] // 2, 2))

    def as_channels(x):
        return ops.reshape(x, (-1, height, width, 2 * x.shape[-2]))

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x, mean, deviation = standardized(as_pairs(inputs))
    x = layers.ZeroPadding2D(
        pad, data_format="channels_last", dtype="float32", name="pad"
    )(as_channels(x))
    x = unet_layers(
        x, output_channels, filters, depth, dropout, output_initializer
    )
    x = layers.Cropping2D(
        pad, data_format="channels_last", dtype="float32", name="crop"
    )(x)
    x = as_pairs(x) * deviation
    if standardize == "image":
        x = x + mean
    return keras.Model(inputs, as_channels(x), name=name)
