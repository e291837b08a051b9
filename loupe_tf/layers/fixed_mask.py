import keras
import numpy as np
from keras import ops

from loupe_tf.checks import invalid
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.centre import judged


@keras.saving.register_keras_serializable(package="loupe_tf")
class FixedMask(Float32Layer):
    """A given mask in place of a learned one.

    Args:
        mask: Boolean array or `SamplingMask` of shape `(H, W)`, `(1, W)` or
            `(H, 1)`, with DC at `(H // 2, W // 2)`. The mask is part of the
            configuration, so it is saved, loaded and cloned with the layer. A
            mask that seems to have DC in the corner
            (`loupe_tf.masks.dc_position`) causes a warning.

    Input shape:
        `(..., H, W, C)`. Only the shape is read.

    Output shape:
        `(1, H, W, 1)`, `(1, 1, W, 1)` or `(1, H, 1, 1)`, float32, 0 or 1.
    """

    def __init__(self, mask, **kwargs):
        super().__init__(**kwargs)
        given = mask
        if isinstance(mask, list | tuple) and isinstance(mask[0], str):
            mask = [[int(entry) for entry in row] for row in mask]
            given = None  # DC was checked before the layer was saved.
        mask = np.asarray(mask)
        if mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
            raise invalid(
                "mask",
                "a two-dimensional array of booleans, or of zeros and ones",
                found=f"shape={mask.shape}, dtype={mask.dtype}",
            )
        self.mask = mask.astype(bool)
        with judged(given):
            pass

    def build(self, input_shape):
        given, image = self.mask.shape, tuple(input_shape[-3:-1])
        lines = ((1, image[1]), (image[0], 1))
        if given != image and given not in lines:
            raise invalid(
                "mask",
                f"shape {image}, {lines[0]} or {lines[1]}, to fit the input",
                found=f"shape={given}",
            )

    def call(self, inputs):
        return ops.convert_to_tensor(
            self.mask[None, :, :, None].astype("float32")
        )

    def compute_output_shape(self, input_shape):
        return (1, *self.mask.shape, 1)

    def get_config(self):
        rows = ["".join("01"[entry] for entry in row) for row in self.mask * 1]
        return {**super().get_config(), "mask": rows}
