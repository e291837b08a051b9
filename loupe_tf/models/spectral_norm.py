import keras
from keras import ops

from loupe_tf.checks import check_number


@keras.saving.register_keras_serializable(package="loupe_tf")
class SpectralNorm(keras.constraints.Constraint):
    """Limit the spectral norm of a kernel, after each step of training.

    A kernel of the shape `(..., inputs, outputs)` is reshaped to a matrix with
    the columns `outputs`, whose largest singular value is limited (Miyato et
    al., "Spectral normalization for generative adversarial networks", 2018).
    For a 3×3 convolution this is not the norm of the convolution itself, which
    is at most 3 times as large. A kernel below the limit is not changed.

    Args:
        limit: Positive float, the largest norm.
    """

    def __init__(self, limit):
        self.limit = check_number("limit", limit, above=0)

    def __call__(self, w):
        matrix = ops.reshape(w, (-1, w.shape[-1]))
        if matrix.shape[0] < matrix.shape[1]:
            matrix = ops.transpose(matrix)
        gram = ops.matmul(ops.transpose(matrix), matrix)
        values, _ = ops.eigh(ops.cast(gram, "float32"))
        norm = ops.sqrt(ops.maximum(ops.max(values), 1e-12))
        return w * ops.cast(ops.minimum(1.0, self.limit / norm), w.dtype)

    def get_config(self):
        return {"limit": self.limit}
