import keras
from keras import layers, ops

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.models.spatial_dropout import SpatialDropout

STANDARDIZE = (None, "image", "residual")


def fastmri_unet(
    input_shape,
    output_channels=1,
    filters=32,
    depth=4,
    dropout=0.0,
    standardize=None,
    output_initializer=None,
    name="fastmri_unet",
):
    """Build the U-Net that the fastMRI challenge gives as its baseline.

    At each scale two 3×3 convolutions without bias, each with instance
    normalisation, leaky ReLU (negative slope 0.2) and dropout of channels;
    average pooling on the way down; a transposed 2×2 convolution, instance
    normalisation and leaky ReLU on the way up, then concatenation with the
    same scale; a 1×1 convolution with bias at the end (Zbontar et al.,
    arXiv:1811.08839, 2018; weights and outputs agree with the `Unet` of its
    authors' code). Scale i has `filters · 2ⁱ` channels.

    Where a size is odd, pooling leaves out the last row or column, and the
    way up repeats the last but one in its place, so that all sizes work.

    With weight decay, ask the optimizer for it, and spare a learned mask,
    whose probabilities would be drawn towards 1/2:

    ```python
    optimizer = keras.optimizers.RMSprop(1e-3, rho=0.99, weight_decay=1e-4)
    optimizer.exclude_from_weight_decay(var_names=["logits"])
    ```

    Args:
        input_shape: Tuple `(H, W, C)`.
        output_channels: Integer, channels of the output.
        filters: Integer, channels at the finest scale; 256 in the fastMRI
            leaderboard, 32 in its examples.
        depth: Integer ≥ 1, how many times the image is halved. (`unet`
            counts scales instead, which are `depth + 1`.)
        dropout: Float in [0, 1), the probability that a channel is dropped
            after each activation; in training only.
        standardize: With μ and σ, the mean and the standard deviation of
            the example's input (all pixels and channels), and f the network:

            - `None`: f(x), without further ado;
            - `"image"`: σ·f(x') + μ, x' = (x − μ) / σ clipped to ±6, which
              is what fastMRI does; for a network whose output is the image;
            - `"residual"`: σ·f(x'); for a network whose output is added to
              an image, as in `loupe_model`.

            The network then does not see the scale of an image, which
            scanners leave open.
        output_initializer: Of the last convolution; `None` is that of the
            others. With `"zeros"` a model that adds the output to an image,
            as LOUPE does, starts from that image.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is not one of the above, or the image is
            so small that one pixel is left at the coarsest scale, which an
            instance normalisation makes zero.

    Example:

    As the reconstruction network of LOUPE, which adds the output to the
    magnitude of the zero-filled image:

    ```python
    network = loupe_tf.models.fastmri_unet(
        (320, 320, 2), standardize="residual"
    )
    model = loupe_tf.models.loupe_model(
        (320, 320, 1), acceleration=4, reconstructor=network
    )
    ```

    As in fastMRI, where nothing is added and the network sees magnitudes. Its
    loss is the mean absolute error, in units of σ; here in those of the image:

    ```python
    adjoint = loupe_tf.models.loupe_model(
        (320, 320, 1), mask=mask, reconstructor="zero_filled"
    )
    network = loupe_tf.models.fastmri_unet((320, 320, 1), standardize="image")
    model = keras.Model(adjoint.input, network(adjoint.output))
    model.compile(keras.optimizers.RMSprop(1e-3, rho=0.99), loss="mae")
    ```
    """
    input_shape = tuple(input_shape)
    check_integer("depth", depth, at_least=1)
    check_integer("filters", filters, at_least=1)
    check_number("dropout", dropout, at_least=0, below=1)
    check_choice("standardize", standardize, STANDARDIZE)
    coarsest = [size // 2**depth for size in input_shape[:2]]
    if min(coarsest) < 1 or max(coarsest) < 2:
        raise invalid(
            "input_shape",
            f"H and W of at least {2**depth}, and one of them of "
            f"{2 ** (depth + 1)}, for depth={depth}",
            input_shape,
        )

    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x = inputs
    if standardize:
        mean, deviation = _moments(inputs)
        x = ops.clip((inputs - mean) / deviation, -6, 6)
    skips = []
    for scale in range(depth):
        x = conv_block(x, filters * 2**scale, dropout, f"down_{scale}")
        skips.append(x)
        x = layers.AveragePooling2D(
            2, data_format="channels_last", name=f"pool_{scale}"
        )(x)
    x = conv_block(x, filters * 2**depth, dropout, "bottom")
    for scale in reversed(range(depth)):
        x = layers.Conv2DTranspose(
            filters * 2**scale,
            2,
            strides=2,
            use_bias=False,
            kernel_initializer=initializer(),
            data_format="channels_last",
            name=f"upsample_{scale}",
        )(x)
        x = instance_norm(f"upsample_{scale}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"upsample_{scale}_act")(x)
        skip = skips[scale]
        pad = [skip.shape[i] - x.shape[i] for i in (1, 2)]
        if any(pad):
            width = ((0, 0), (0, pad[0]), (0, pad[1]), (0, 0))
            x = ops.pad(x, width, mode="reflect")
        x = layers.Concatenate(name=f"skip_{scale}")([x, skip])
        x = conv_block(x, filters * 2**scale, dropout, f"up_{scale}")
    # Float32, so that a loss under mixed precision is not rounded.
    x = layers.Conv2D(
        output_channels,
        1,
        kernel_initializer=output_initializer or initializer(),
        data_format="channels_last",
        dtype="float32",
        name="output",
    )(x)
    if standardize:
        x = x * deviation
    if standardize == "image":
        x = x + mean
    return keras.Model(inputs, x, name=name)


def conv_block(x, channels, dropout, name):
    """Two 3×3 convolutions, each normalised, activated and dropped out."""
    for i in (1, 2):
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=initializer(),
            data_format="channels_last",
            name=f"{name}_conv_{i}",
        )(x)
        x = instance_norm(f"{name}_norm_{i}")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_act_{i}")(x)
        if dropout:
            x = SpatialDropout(dropout, name=f"{name}_drop_{i}")(x)
    return x


def instance_norm(name):
    """Each channel of each example: mean 0, variance 1; no weights."""
    return layers.GroupNormalization(
        groups=-1, epsilon=1e-5, center=False, scale=False, name=name
    )


def initializer():
    """Uniform in ±1/√(fan-in), where PyTorch's convolutions begin."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def _moments(x):
    """Mean and (unbiased) standard deviation of each example, as fastMRI's."""
    axes = (1, 2, 3)
    count = x.shape[1] * x.shape[2] * x.shape[3]
    mean = ops.mean(x, axes, keepdims=True)
    variance = ops.sum(ops.square(x - mean), axes, keepdims=True) / (count - 1)
    # The gradient of a root at zero is infinite: that of an image of zeros
    # would be NaN. Raw fastMRI images are as small as 1e-6.
    return mean, ops.sqrt(ops.maximum(variance, 1e-22))
