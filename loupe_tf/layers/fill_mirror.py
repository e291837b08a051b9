import keras
import numpy as np
from keras import ops

from loupe_tf import fourier
from loupe_tf.layers.float32_layer import Float32Layer
from loupe_tf.masks.half_plane import is_own_mirror
from loupe_tf.operators.cartesian import fit_mask


@keras.saving.register_keras_serializable(package="loupe_tf")
class FillMirror(Float32Layer):
    """Fill missing k-space samples, and their mask, from their mirror.

    The k-space of a real image satisfies `y(-k) = conj y(k)` (indices modulo
    N), so a sample at `k` also determines the one at `-k`:

        y'(k) = y(k) + (1 - M(k)) conj y(-k),    M'(k) = M(k) + (1 - M(k)) M(-k)

    Points and lines that are their own mirror keep y' = y and M' = M. Acquired
    samples do not change, nor do samples that were filled before.

    Inputs:
        A pair `[kspace, mask]`, both centred. The k-space of images without
        phase, `(batch, ..., H, W, 2)`, is zero where nothing was acquired. The
        mask has shape `(1 or batch, H or 1, W or 1, 1)`.

    Output shape:
        A pair, float32: the shape of the k-space, and `(1 or batch, H, W, 1)`.
    """

    def call(self, inputs):
        kspace, mask = inputs
        self.check_floating("kspace", kspace)
        size = tuple(kspace.shape[-3:-1])
        # In training, even a line that is its own mirror may be acquired only
        # in part.
        shape = [n if m is None else m for m, n in zip(mask.shape[1:3], size)]
        others = (~is_own_mirror(shape))[None, ..., None].astype(np.float32)
        mask = ops.broadcast_to(mask, (ops.shape(mask)[0], *size, 1))
        # Not `*`: PyTorch does not multiply gradients by NumPy's arrays.
        missing = ops.multiply(1.0 - mask, others)
        real, imag = fourier.split(mirrored(kspace))
        mirror = fourier.join(real, -imag)
        filled = kspace + fit_mask(missing, kspace) * mirror
        return filled, mask + missing * mirrored(mask)

    def compute_output_shape(self, input_shape):
        kspace, mask = input_shape
        return tuple(kspace), (mask[0], *kspace[-3:-1], 1)


def mirrored(x):
    """Move `k` to `-k` in `(..., H, W, C)`, with DC at `(H // 2, W // 2)`."""
    # A flip moves n to N - 1 - n, which for even N is one short of -k.
    shift = [1 - n % 2 for n in x.shape[-3:-1]]
    return ops.roll(ops.flip(x, (-3, -2)), shift, (-3, -2))
