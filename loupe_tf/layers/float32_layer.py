import keras

from loupe_tf.checks import invalid


class Float32Layer(keras.layers.Layer):
    """Base of the mask and Fourier layers: float32 under every dtype policy.

    No backend has an FFT in half precision, and a logit or a slope that is
    rounded to 8 bits no longer learns, so inputs, weights and outputs of these
    layers stay float32 also under `mixed_float16` and `mixed_bfloat16`.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def check_floating(self, name, x):
        """Refuse what a cast to float32 would silently change."""
        dtype = keras.backend.standardize_dtype(x.dtype)
        if not (dtype.startswith("float") or dtype == "bfloat16"):
            raise invalid(
                name,
                f"a floating-point tensor for layer {self.name!r} (a complex "
                "image is two channels, real and imaginary)",
                found=f"dtype={dtype}",
            )
