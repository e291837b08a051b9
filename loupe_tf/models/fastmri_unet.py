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
    """Build the baseline U-Net of the fastMRI challenge.

    Each scale has two 3×3 convolutions without bias, each followed by instance
    normalisation, leaky ReLU (negative slope 0.2) and dropout of channels. The
    way down uses average pooling. The way up uses a transposed 2×2
    convolution, instance normalisation and leaky ReLU, and then concatenation
    with the same scale of the way down. A 1×1 convolution with bias ends the
    network (Zbontar et al., arXiv:1811.08839, 2018). Weights and outputs agree
    with the `Unet` of the authors' code. Scale i has `filters · 2ⁱ` channels.

    All sizes work: for an odd size, pooling leaves out the last row or column,
    and the way up pads by reflection.

    Let the optimizer apply weight decay, if any, and exclude a learned mask
    from it, because it would pull the probabilities towards 1/2:

    ```python
    optimizer = keras.optimizers.RMSprop(1e-3, rho=0.99, weight_decay=1e-4)
    optimizer.exclude_from_weight_decay(var_names=["logits"])
    ```

    Args:
        input_shape: Tuple `(H, W, C)`.
        output_channels: Integer, channels of the output.
        filters: Integer, channels at the finest scale; 256 in the fastMRI
            leaderboard, 32 in its examples.
        depth: Integer ≥ 1, the number of times the image is halved. (The
            `depth` of `unet` is the number of scales instead, one more.)
        dropout: Float in [0, 1), the probability that a channel is dropped
            after each activation, in training only.
        standardize: Standardization of the input. Below, f is the network, and
            μ and σ are the mean and the standard deviation of the example's
            input over all pixels and channels:

            - `None`: f(x), without standardization.
            - `"image"`: σ·f(x') + μ with x' = (x − μ) / σ clipped to ±6, as in
              fastMRI. For a network whose output is the image.
            - `"residual"`: σ·f(x'). For a network whose output is added to an
              image, as in `loupe_model`.

            A network with standardization does not depend on the scale of an
            image, which is arbitrary in MRI.
        output_initializer: Initializer of the last convolution. `None` means
            the same as for the others. With `"zeros"`, a model that adds the
            output to an image, as LOUPE does, starts from that image.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to
        `(batch, H, W, output_channels)`, float32.

    Raises:
        ValueError: If an argument is invalid, or if the image is so small that
            one pixel is left at the coarsest scale, where instance
            normalisation would set it to zero.

    Example:

    In LOUPE, the output is added to the magnitude of the zero-filled image:

    ```python
    network = loupe_tf.models.fastmri_unet(
        (320, 320, 2), standardize="residual"
    )
    model = loupe_tf.models.loupe_model(
        (320, 320, 1), acceleration=4, reconstructor=network
    )
    ```

    In fastMRI, the network gets magnitudes and its output is the image. The
    loss is the mean absolute error, there in units of σ and here in those of
    the image:

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
        x, mean, deviation = standardized(inputs)
        x = ops.clip(x, -6, 6)
    x = unet_layers(
        x, output_channels, filters, depth, dropout, output_initializer
    )
    if standardize:
        x = x * deviation
    if standardize == "image":
        x = x + mean
    return keras.Model(inputs, x, name=name)


def unet_layers(
    x, output_channels, filters, depth, dropout, output_initializer
):
    """Apply the layers of the network to an image."""
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
    # Float32, so that mixed precision does not round the loss.
    return layers.Conv2D(
        output_channels,
        1,
        kernel_initializer=output_initializer or initializer(),
        data_format="channels_last",
        dtype="float32",
        name="output",
    )(x)


def conv_block(x, channels, dropout, name):
    """Apply two 3×3 convolutions, with normalisation, activation, dropout."""
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
    """Return instance normalisation without weights."""
    return layers.GroupNormalization(
        groups=-1, epsilon=1e-5, center=False, scale=False, name=name
    )


def initializer():
    """Return PyTorch's initializer of convolutions: uniform in ±1/√(fan-in)."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def standardized(x):
    """Return (x - μ) / σ, μ and σ, over the axes 1 to 3, as fastMRI does.

    σ has Bessel's correction. It is 0 where x is constant: an output times σ
    then sends no gradient back, which the normalisations would let overflow.
    """
    axes = (1, 2, 3)
    count = x.shape[1] * x.shape[2] * x.shape[3]
    mean = ops.mean(x, axes, keepdims=True)
    variance = ops.sum(ops.square(x - mean), axes, keepdims=True) / (count - 1)
    # A root has an infinite gradient at zero, hence the bound. It is low
    # because raw fastMRI images are near 1e-6.
    bound = 1e-22
    bounded = ops.sqrt(ops.maximum(variance, bound))
    deviation = ops.where(variance > bound, bounded, 0.0)
    return (x - mean) / bounded, mean, deviation
