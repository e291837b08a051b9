import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class ExpandCoils(Float32Layer):
    """What each coil sees of an image: `x_i = S_i x`.

    With `FFT` and `UnderSample` behind it, the forward operator of several
    coils, `y_i = M F S_i x` (Pruessmann et al., "SENSE: sensitivity encoding
    for fast MRI", 1999).

    Inputs:
        A pair `[image, maps]` of shapes `(batch, H, W, 2)` and
        `(batch or 1, coils, H, W, 2)`: (real, imaginary), in image space.

    Output shape:
        `(batch, coils, H, W, 2)`, float32.

    Example:

    >>> images = loupe_tf.layers.ExpandCoils()([image, maps])
    >>> kspace = loupe_tf.layers.FFT()(images)
    """

    def build(self, input_shape):
        image, maps = (tuple(shape) for shape in input_shape)
        if len(image) != 4 or len(maps) != 5 or image[1:] != maps[2:]:
            raise ValueError(
                "Invalid shapes of the inputs. Expected an image (batch, H, W, "
                "2) and maps (batch or 1, coils, H, W, 2). Received: "
                f"shapes={image} and {maps}"
            )

    def call(self, inputs):
        image, maps = inputs
        self.check_floating("image", image)
        self.check_floating("maps", maps)
        real, imag = fourier.split(ops.expand_dims(image, 1))
        map_real, map_imag = fourier.split(maps)
        return fourier.join(
            map_real * real - map_imag * imag,
            map_real * imag + map_imag * real,
        )

    def compute_output_shape(self, input_shape):
        image, maps = input_shape
        return (image[0], *maps[1:])
