import keras

from loupe_tf.checks import check_integer, check_number
from loupe_tf.layers import SpectralConv2D
from loupe_tf.models.cnn import check_image_shape


def contracting_cnn(
    input_shape, norm=0.95, depth=3, filters=32, name="contracting_cnn"
):
    """Build a network that brings any two images closer together.

        D(x) = norm · (x + N(x)) / 2

    N has convolutions with an operator norm of at most 1 (`SpectralConv2D`) and
    ReLU between them, so `‖D(x) - D(y)‖ ≤ norm · ‖x - y‖`: in the form of an
    averaged operator (Ryu et al., "Plug-and-play methods provably converge with
    properly trained denoisers", ICML 2019). While it is trained, the bound
    holds up to the accuracy of that layer.

    As the network of `MoDL` or `ProximalGradient` with `residual=False`, it
    makes an iteration that contracts, for `DeepEquilibrium`. `MoDL` is the
    better one: what was measured does not become smaller by `norm`.

    Args:
        input_shape: Tuple `(H, W, C)`. H and W may be `None`.
        norm: Float in (0, 1), the factor of the distance.
        depth: Integer ≥ 1, number of convolutions of N.
        filters: Integer ≥ 1, channels between the convolutions.
        name: String, name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, C)` to the same shape, float32.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> loupe_tf.models.contracting_cnn((None, None, 2)).output_shape
    (None, None, None, 2)
    """
    input_shape = check_image_shape(input_shape)
    check_number("norm", norm, above=0, below=1)
    check_integer("depth", depth, at_least=1)
    check_integer("filters", filters, at_least=1)
    inputs = keras.Input(input_shape, dtype="float32", name="image")
    x = inputs
    for i in range(1, depth):
        x = SpectralConv2D(filters, 3, activation="relu", name=f"conv_{i}")(x)
    x = SpectralConv2D(input_shape[-1], 3, dtype="float32", name="output")(x)
    x = keras.layers.Add(name="add")([inputs, x])
    x = keras.layers.Rescaling(norm / 2, name="scale")(x)
    return keras.Model(inputs, x, name=name)
