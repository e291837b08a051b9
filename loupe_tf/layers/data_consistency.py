import keras

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.operators.cartesian import fit_mask


@keras.saving.register_keras_serializable(package="loupe_tf")
class DataConsistency(Float32Layer):
    """Put the measured samples back into a reconstruction.

    The output is `x' = F⁻¹[(1 - M) ∘ F x + y]`. With a binary mask, this
    replaces each acquired sample of F x by its measurement.

    Args:
        centered: Boolean. Whether the k-space has DC at `(H // 2, W // 2)` or
            in the corner; see `UnderSample`.

    Inputs:
        A triple `[image, kspace, mask]`: the reconstruction
        `(batch, ..., H, W, 2)`, with any axes in between, such as coils; the
        measured k-space of the same shape, zero where nothing was acquired;
        and the centred mask `(1 or batch, H or 1, W or 1, 1)`.

    Output shape:
        The shape of the image, float32.
    """

    def __init__(self, centered=True, **kwargs):
        super().__init__(**kwargs)
        self.centered = centered

    def call(self, inputs):
        image, kspace, mask = inputs
        mask = fit_mask(mask, image)
        if self.centered:
            predicted = fourier.fft2c(image)
            return fourier.ifft2c((1.0 - mask) * predicted + kspace)
        mask = fourier.ifftshift(mask)
        predicted = fourier.fft2(image)
        return fourier.ifft2((1.0 - mask) * predicted + kspace)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "centered": self.centered}
