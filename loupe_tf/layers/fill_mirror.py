import keras
import numpy as np
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.half_plane import is_own_mirror
from loupe_tf.operators.cartesian import fit_mask


@keras.saving.register_keras_serializable(package="loupe_tf")
class FillMirror(Float32Layer):
    """Fill k-space and mask from their mirror: what a real image tells.

    A real image has `y(-k) = conj y(k)` (indices modulo N), so that whoever
    has acquired `k` knows `-k` too:

        y'(k) = y(k) + (1 - M(k)) conj y(-k),    M'(k) = M(k) + (1 - M(k)) M(-k)

    and y' = y, M' = M where `k` is its own mirror, or a line that is its own.
    What was acquired is not changed, and what is filled already stays as it is.

    Inputs:
        A pair `[kspace, mask]` of shapes `(batch, ..., H, W, 2)`, of images
        without a phase, zero where nothing was acquired, and
        `(1 or batch, H or 1, W or 1, 1)`. Both are centred.

    Output shape:
        A pair: that of the k-space, and `(1 or batch, H, W, 1)`; float32.
    """

    def call(self, inputs):
        kspace, mask = inputs
        self.check_floating("kspace", kspace)
        size = tuple(kspace.shape[-3:-1])
        # In training a line that is its own mirror is acquired in part, too.
        shape = [n if m is None else m for m, n in zip(mask.shape[1:3], size)]
        others = (~is_own_mirror(shape))[None, ..., None].astype(np.float32)
        mask = ops.broadcast_to(mask, (ops.shape(mask)[0], *size, 1))
        missing = (1.0 - mask) * others
        real, imag = fourier.split(mirrored(kspace))
        mirror = fourier.join(real, -imag)
        filled = kspace + fit_mask(missing, kspace) * mirror
        return filled, mask + missing * mirrored(mask)

    def compute_output_shape(self, input_shape):
        kspace, mask = input_shape
        return tuple(kspace), (mask[0], *kspace[-3:-1], 1)


def mirrored(x):
    """What is at `k` at `-k`: `(..., H, W, C)`, DC at `N // 2` of H and W."""
    # A flip takes n to N - 1 - n: for even N that is one short of -k.
    shift = [1 - n % 2 for n in x.shape[-3:-1]]
    return ops.roll(ops.flip(x, (-3, -2)), shift, (-3, -2))
