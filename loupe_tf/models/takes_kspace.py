import keras

from loupe_tf.checks import invalid


def takes_kspace(reconstructor, input_shape, coils=None):
    """Tell a reconstructor from a network on the adjoint image.

    A functional model says so by its inputs. Any other layer is called with
    what a reconstructor gets, and is one if it takes it: no layer of images
    takes a list of k-space and mask, whose numbers of axes differ.

    Args:
        reconstructor: Keras layer or model, or `"zero_filled"`.
        input_shape: Shape of the images, `(H, W, C)` or `(D, H, W, C)`.
        coils: `None`, the number of coils, or `"any"`.

    Returns:
        A boolean: whether its input is `[kspace, mask]`, or
        `[kspace, mask, maps]` with coils, not an image `(batch, H, W, 2)`.

    Raises:
        ValueError: If it takes neither.
    """
    if isinstance(reconstructor, str) and reconstructor == "zero_filled":
        return False
    if not isinstance(reconstructor, keras.layers.Layer):
        raise invalid(
            "reconstructor",
            "a Keras layer or model, 'zero_filled' or None",
            reconstructor,
        )
    inputs = getattr(reconstructor, "inputs", None)
    if inputs:
        return len(inputs) > 1
    *size, _ = input_shape
    counts = {None: 1, "any": None}
    kspace = keras.Input((counts.get(coils, coils), *size, 2))
    maps = [] if coils is None else [kspace]
    try:
        reconstructor([kspace, keras.Input((*size[-2:], 1)), *maps])
        return True
    except Exception as error:
        refusal = error
    try:
        reconstructor(keras.Input((*size, 2)))
        return False
    except Exception as error:
        raise invalid(
            "reconstructor",
            "a layer that takes [kspace, mask], or [kspace, mask, maps] with "
            "coils, or the adjoint image (batch, H, W, 2)",
            found=f"{reconstructor.name!r}. It says of the first: {refusal} "
            f"And of the second: {error}",
        ) from refusal
