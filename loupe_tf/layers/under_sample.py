import keras
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.arguments import standardize_field_of_view
from loupe_tf.operators.cartesian import fit_mask


@keras.saving.register_keras_serializable(package="loupe_tf")
class UnderSample(Float32Layer):
    """Keep the samples of k-space that a mask acquires: `y = M ∘ k`.

    This is equation 1 of the 4S paper (Martinini et al., BioCAS 2022). A
    sample that is not acquired becomes exactly `+0.0`. A plain product could
    leave `-0.0` and so tell the network the sign of an unmeasured sample.

    Args:
        centered: Boolean. Whether the k-space has DC at `(H // 2, W // 2)` or
            in the corner. The mask is centred in either case.
        field_of_view: (Optional) size `(H, W)` of the image in mm; the samples
            of k-space are `1 / field_of_view` apart. The layer does not use
            it, but masks read from the model carry it.

    Inputs:
        A pair `[kspace, mask]` of shapes `(batch, ..., H, W, 2)`, with any
        axes in between, such as coils, and `(1 or batch, H or 1, W or 1, 1)`.

    Output shape:
        The shape of the k-space, float32.
    """

    def __init__(self, centered=True, field_of_view=None, **kwargs):
        super().__init__(**kwargs)
        self.centered = centered
        self.field_of_view = standardize_field_of_view(field_of_view)

    def build(self, input_shape):
        kspace, mask = (tuple(shape) for shape in input_shape)
        if any(m not in (1, k) for m, k in zip(mask[-3:-1], kspace[-3:-1])):
            raise ValueError(
                "Invalid shape of the mask. Expected (batch or 1, "
                f"{kspace[-3]} or 1, {kspace[-2]} or 1, 1), to fit the "
                f"k-space. Received: shape={mask}"
            )

    def call(self, inputs, training=None):
        kspace, mask = inputs
        self.check_floating("kspace", kspace)
        if not self.centered:
            mask = fourier.ifftshift(mask)
        mask = fit_mask(mask, kspace)[..., 0]

        # Adding 0.0 turns -0.0 into +0.0 and keeps the gradient of the
        # product: a sample that was not acquired must still tell the mask how
        # useful it would have been. A constant would be optimised away, so
        # the zero is computed.
        zero = ops.stop_gradient(ops.minimum(ops.ravel(mask)[0], 0.0))

        def keep(part):
            sampled = mask * part
            if not training:
                return ops.where(mask == 0, 0.0, sampled)
            return sampled + zero

        real, imag = fourier.split(kspace)
        return fourier.join(keep(real), keep(imag))

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        config = {**super().get_config(), "centered": self.centered}
        if self.field_of_view is not None:
            config["field_of_view"] = list(self.field_of_view)
        return config
