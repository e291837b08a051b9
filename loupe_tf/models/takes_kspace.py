import keras

from loupe_tf.checks import invalid


def takes_kspace(reconstructor, measured):
    """Tell a reconstructor from a network on the adjoint image.

    A functional model says so by its inputs. Any other layer is called with
    what a reconstructor gets, and is one if it takes it: no layer of images
    takes a list of k-space and mask, whose numbers of axes differ.

    Args:
        reconstructor: Keras layer or model.
        measured: List of the Keras tensors k-space, mask and, of several
            coils, maps.

    Returns:
        A boolean: whether it takes them, rather than an image
        `(batch, H, W, 2)`.

    Raises:
        ValueError: If it takes neither.
    """
    if not isinstance(reconstructor, keras.layers.Layer):
        raise invalid(
            "reconstructor",
            "a Keras layer or model, 'zero_filled' or None",
            reconstructor,
        )
    inputs = getattr(reconstructor, "inputs", None)
    if inputs:
        return len(inputs) > 1
    try:
        reconstructor(measured)
        return True
    except Exception as error:
        refusal = error
    kspace = measured[0]
    try:
        reconstructor(keras.Input(kspace.shape[2:]))
        return False
    except Exception as error:
        raise invalid(
            "reconstructor",
            "a layer that takes [kspace, mask], or [kspace, mask, maps] with "
            "coils, or the adjoint image (batch, H, W, 2)",
            found=f"{reconstructor.name!r}. It says of the first: {refusal} "
            f"And of the second: {error}",
        ) from refusal
