import math

import keras
from keras import ops

from loupe_tf.checks import check_number, invalid
from loupe_tf.layers import GaussianScore
from loupe_tf.models.u_resnet import u_resnet


@keras.saving.register_keras_serializable(package="loupe_tf")
class ScoreNetwork(keras.Model):
    """A network for the score of complex images plus noise of any level.

    The score `∇ log p_s(x)` of images with white noise of level s is that of a
    Gaussian prior with the images' power spectrum, corrected by a network N:

        r(x, s) = g(x, s) + N([x / √(P̄ + s²), s g(x, s), l(s)]) / s
        g(x, s) = -Fᴴ [ F x / (P + s²) ]

    with P̄ the mean of P and l the logarithm of s, scaled to [-1, 1] in the
    range of levels. The network is given the Gaussian score as in Remy et al.,
    "Probabilistic mass mapping with neural score estimation", 2023; for large s
    it has nothing to add. It starts at zero, so an untrained model is the
    Gaussian prior.

    Train it with `loupe_tf.regimes.ScoreMatching`, after `adapt`.

    Args:
        levels: Pair of floats, the smallest and the largest level s.
        network: (Optional) layer N from `(batch, H, W, 5)` to
            `(batch, H, W, 2)`. Defaults to `u_resnet`.
        filters: Integer, channels of `u_resnet` at the finest scale.
        depth: Integer, scales of `u_resnet`.
        spectral_norm: (Optional) positive float, limit of the spectral norm of
            each kernel of `u_resnet`, of the kind of
            `loupe_tf.models.SpectralNorm`.

    Inputs:
        A pair `[image, s]`: `(batch, H, W, 2)`, (real, imaginary), and levels
        `(batch, 1, 1, 1)`.

    Output shape:
        `(batch, H, W, 2)`, float32.

    Example:

    ```python
    score = loupe_tf.models.ScoreNetwork(levels=(0.01, 1), filters=4, depth=2)
    score.adapt(np.zeros((3, 32, 32, 2)))
    ```
    """

    def __init__(
        self,
        levels=(0.01, 1.0),
        network=None,
        filters=32,
        depth=3,
        spectral_norm=None,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        smallest, largest = levels
        check_number("levels", smallest, above=0)
        check_number("levels", largest, above=smallest)
        self.levels = (float(smallest), float(largest))
        """Pair of floats, the range of levels."""
        if network is not None and not isinstance(network, keras.layers.Layer):
            raise invalid("network", "a Keras layer or model, or None", network)
        self.network = network
        self._is_default = network is None
        self.filters = filters
        self.depth = depth
        self.spectral_norm = spectral_norm
        self.prior = GaussianScore(name="prior")

    @property
    def power(self):
        """Weight `(H, W)`, the power spectrum P of the Gaussian prior."""
        return self.prior.power

    def adapt(self, images):
        """Set the power spectrum to that of complex images `(n, H, W, 2)`."""
        self.prior.adapt(images)
        self.build([(None, *images.shape[1:]), (None, 1, 1, 1)])

    def build(self, input_shape):
        if self.built:
            return
        image = tuple(input_shape[0])
        self.prior.build(input_shape)
        if self.network is None:
            self.network = u_resnet(
                (*image[1:3], 5),
                filters=self.filters,
                depth=self.depth,
                spectral_norm=self.spectral_norm,
            )
        elif not self.network.built:
            self.network.build((*image[:3], 5))
        self.built = True

    def call(self, inputs, training=None):
        image, s = inputs
        image, s = (ops.cast(each, "float32") for each in (image, s))
        gaussian = self.prior([image, s])
        scale = ops.sqrt(ops.mean(self.power) + ops.square(s))
        low, high = map(math.log, self.levels)
        level = 2.0 * (ops.log(s) - low) / (high - low) - 1.0
        level = level * ops.ones_like(image[..., :1])
        features = [image / scale, s * gaussian, level]
        found = self.network(ops.concatenate(features, -1), training=training)
        return gaussian + ops.cast(found, "float32") / s

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        # The default one is built again.
        network = None if self._is_default else self.network
        return {
            "name": self.name,
            "levels": self.levels,
            "network": network and keras.saving.serialize_keras_object(network),
            "filters": self.filters,
            "depth": self.depth,
            "spectral_norm": self.spectral_norm,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})
