import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer


@keras.saving.register_keras_serializable(package="loupe_tf")
class CombineCoils(Float32Layer):
    """One image from those of the coils: `x = Σ_i conj(S_i) x_i`.

    The adjoint of `ExpandCoils`. Where the squares of the maps sum to 1 it is
    its inverse too, and the combination of the best signal-to-noise ratio for
    noise of equal power that is not correlated (Roemer et al., "The NMR phased
    array", 1990).

    Inputs:
        A pair `[images, maps]` of shapes `(batch, coils, H, W, 2)` and
        `(batch or 1, coils, H, W, 2)`: (real, imaginary), in image space.

    Output shape:
        `(batch, H, W, 2)`, float32.

    Example:

    >>> images = loupe_tf.layers.IFFT()(kspace)
    >>> image = loupe_tf.layers.CombineCoils()([images, maps])
    """

    def build(self, input_shape):
        images, maps = (tuple(shape) for shape in input_shape)
        if len(images) != 5 or len(maps) != 5 or images[2:] != maps[2:]:
            raise ValueError(
                "Invalid shapes of the inputs. Expected images (batch, coils, "
                "H, W, 2) and maps (batch or 1, coils, H, W, 2). Received: "
                f"shapes={images} and {maps}"
            )
        if None not in (images[1], maps[1]) and images[1] != maps[1]:
            raise ValueError(
                "Invalid shapes of the inputs. Expected one map for each coil. "
                f"Received: {images[1]} coils and {maps[1]} maps"
            )

    def call(self, inputs):
        images, maps = inputs
        self.check_floating("images", images)
        self.check_floating("maps", maps)
        real, imag = fourier.split(images)
        map_real, map_imag = fourier.split(maps)
        return fourier.join(
            ops.sum(map_real * real + map_imag * imag, axis=1),
            ops.sum(map_real * imag - map_imag * real, axis=1),
        )

    def compute_output_shape(self, input_shape):
        images = input_shape[0]
        return (images[0], *images[2:])
