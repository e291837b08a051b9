import keras

from loupe_tf.checks import invalid
from loupe_tf.layers.expand_coils import split_maps
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.operators.coils import combine_coils


@keras.saving.register_keras_serializable(package="loupe_tf")
class CombineCoils(Float32Layer):
    """Combine the images of all coils into one: `x = Σ_i conj(S_i) x_i`.

    This is the adjoint of `ExpandCoils`. Where the squared magnitudes of the
    maps sum to 1, it also inverts `ExpandCoils`, and it gives the best
    signal-to-noise ratio if the noise of the coils is uncorrelated and of
    equal power (Roemer et al., "The NMR phased array", 1990).

    Inputs:
        A pair `[images, maps]` of shapes `(batch, coils, H, W, 2)` and
        `(batch or 1, coils, H, W, 2)`: (real, imaginary), in image space.
        Alternatively the images of a single coil, `(batch, 1, H, W, 2)`,
        which are returned unchanged, without the coil axis. Images and maps
        may have a read-out axis D after the coils.

    Output shape:
        `(batch, H, W, 2)`, float32.

    Example:

    >>> images = loupe_tf.layers.IFFT()(kspace)
    >>> image = loupe_tf.layers.CombineCoils()([images, maps])
    """

    def build(self, input_shape):
        images, maps = split_maps(input_shape)
        if maps is None:
            if images[1] not in (1, None):
                raise invalid(
                    "inputs", "[images, maps] of several coils", images
                )
        elif len(images) not in (5, 6) or images[2:] != maps[2:]:
            raise invalid(
                "inputs",
                "images (batch, coils, H, W, 2) and maps (batch or 1, coils, "
                "H, W, 2)",
                [images, maps],
            )
        elif None not in (images[1], maps[1]) and images[1] != maps[1]:
            raise invalid(
                "inputs",
                "one map for each coil",
                found=f"{images[1]} coils and {maps[1]} maps",
            )

    def call(self, inputs):
        images, maps = split_maps(inputs)
        self.check_floating("images", images)
        if maps is not None:
            self.check_floating("maps", maps)
        return combine_coils(images, maps)

    def compute_output_shape(self, input_shape):
        images, _ = split_maps(input_shape)
        return (images[0], *images[2:])
