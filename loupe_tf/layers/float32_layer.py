import keras

from loupe_tf.checks import invalid


class Float32Layer(keras.layers.Layer):
    """Base of the mask and Fourier layers: float32 under every dtype policy.

    No backend has an FFT in half precision, and a logit or a slope rounded to
    8 bits no longer learns. The inputs, weights and outputs of these layers
    therefore stay float32 under `mixed_float16` and `mixed_bfloat16` too.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def check_floating(self, name, x):
        """Refuse a dtype that a cast to float32 would silently change."""
        dtype = keras.backend.standardize_dtype(x.dtype)
        if not (dtype.startswith("float") or dtype == "bfloat16"):
            raise invalid(
                name,
                f"a floating-point tensor for layer {self.name!r} (a complex "
                "image is two channels, real and imaginary)",
                found=f"dtype={dtype}",
            )
