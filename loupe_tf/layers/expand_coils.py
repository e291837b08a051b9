import keras

from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.operators.coils import expand_coils


@keras.saving.register_keras_serializable(package="loupe_tf")
class ExpandCoils(Float32Layer):
    """Weight an image by the sensitivity of each coil: `x_i = S_i x`.

    Followed by `FFT` and `UnderSample`, this is the forward operator of
    several coils, `y_i = M F S_i x` (Pruessmann et al., "SENSE: sensitivity
    encoding for fast MRI", 1999).

    Inputs:
        A pair `[image, maps]` of shapes `(batch, H, W, 2)` and
        `(batch or 1, coils, H, W, 2)`: (real, imaginary), in image space.
        Alternatively the image alone, for a single coil of uniform
        sensitivity. Image and maps may have a read-out axis D before H.

    Output shape:
        `(batch, coils, H, W, 2)`, float32.

    Example:

    >>> images = loupe_tf.layers.ExpandCoils()([image, maps])
    >>> kspace = loupe_tf.layers.FFT()(images)
    """

    def build(self, input_shape):
        image, maps = split_maps(input_shape)
        if maps is None:
            return
        if len(image) not in (4, 5) or image[1:] != maps[2:]:
            raise invalid(
                "inputs",
                "an image (batch, H, W, 2) and maps (batch or 1, coils, H, W, "
                "2)",
                [image, maps],
            )

    def call(self, inputs):
        image, maps = split_maps(inputs)
        self.check_floating("image", image)
        if maps is not None:
            self.check_floating("maps", maps)
        return expand_coils(image, maps)

    def compute_output_shape(self, input_shape):
        image, maps = split_maps(input_shape)
        coils = 1 if maps is None else maps[1]
        return (image[0], coils, *image[1:])


def split_maps(inputs):
    """Split a layer's inputs, or their shapes, into images and maps or None."""
    is_list = isinstance(inputs, list | tuple)
    if not is_list or isinstance(inputs[0], int | None):
        inputs = [inputs]  # A single tensor, or its shape.
    images, *maps = inputs
    return images, maps[0] if maps else None
