import keras
import tensorflow as tf

import loupe_tf


class OriginalGraph(keras.layers.Layer):
    """The original's layers from an image to the adjoint of its k-space.

    `x̂ = F⁻¹(σ(s·(P - U)) ∘ F(x + 0i))` on complex64 tensors, F un-normalised
    and with DC in the corner. The logits are first broadcast over the batch, so
    that each example has its own probabilities, which are rescaled by their
    mean over the batch.

    Args:
        acceleration: Float, R: the mean of the probabilities becomes 1/R.
        prob_slope: Float, slope of the sigmoid that gives the probabilities.
        slope: Float, s, of the relaxed threshold.

    Input shape:
        `(batch, H, W, 1)`, real.

    Output shape:
        A pair: `|x̂|`, `(batch, H, W, 1)`, and the real and imaginary parts of
        x̂, `(batch, H, W, 2)`.
    """

    def __init__(self, acceleration, prob_slope, slope, **kwargs):
        super().__init__(**kwargs)
        self.acceleration = acceleration
        self.prob_slope = prob_slope
        self.slope = slope

    def build(self, input_shape):
        self.logits = self.add_weight(
            name="logits",
            shape=tuple(input_shape[1:]),
            initializer=loupe_tf.layers.LogitUniform(self.prob_slope),
        )

    def call(self, image):
        kspace = tf.signal.fft2d(to_complex(image))
        logits = tf.broadcast_to(self.logits, tf.shape(image))
        prob = tf.sigmoid(self.prob_slope * logits)
        prob = self.rescale(prob, 1 / self.acceleration)
        mask = tf.sigmoid(self.slope * (prob - self.uniform(tf.shape(prob))))
        adjoint = tf.signal.ifft2d(to_complex(mask) * kspace)
        parts = [tf.math.real(adjoint), tf.math.imag(adjoint)]
        return tf.abs(adjoint)[..., None], tf.stack(parts, axis=-1)

    def rescale(self, prob, sparsity):
        mean = tf.reduce_mean(prob)
        down = prob * (sparsity / mean)
        up = 1 - (1 - prob) * ((1 - sparsity) / (1 - mean))
        return tf.where(mean >= sparsity, down, up)

    def uniform(self, shape):
        return tf.random.uniform(shape)


def to_complex(x):
    """`(batch, H, W, 1)`, real, to `(batch, H, W)`, complex64."""
    return tf.complex(x, tf.zeros_like(x))[..., 0]
