import keras

from loupe_tf.checks import invalid


def takes_kspace(reconstructor, measured):
    """Tell whether a layer takes k-space rather than the adjoint image.

    A functional model shows this by its inputs. Any other layer is called with
    the inputs of a reconstructor. If that works, it is a reconstructor: a
    layer for images cannot take a list of k-space and mask, whose numbers of
    axes differ.

    Args:
        reconstructor: Keras layer or model.
        measured: List of Keras tensors: k-space, mask and, with several coils,
            maps.

    Returns:
        Boolean: `True` if the layer takes `measured`, `False` if it takes an
        image `(batch, H, W, 2)`.

    Raises:
        ValueError: If the layer takes neither.
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
        if hasattr(reconstructor, "half_plane"):
            raise  # One of this package: it takes k-space, and says why not.
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
            found=f"{reconstructor.name!r}. Error with k-space: {refusal} "
            f"Error with the image: {error}",
        ) from refusal
