import math

import keras
from keras import ops

from loupe_tf.layers.seed_generator import ReplicaSeedGenerator, SavesSeedState
from loupe_tf.metrics.mean_over_images import per_image
from loupe_tf.regimes.regime import of_replica


@keras.saving.register_keras_serializable(package="loupe_tf")
class ScoreMatching(SavesSeedState, keras.Model):
    """Train a score network by denoising score matching.

    For images x, levels s whose logarithm is uniform in the network's range,
    and standard normal u, the loss is

        E ‖u + s r(x + s u, s)‖²

    as a mean over pixels and channels. Its minimum is the score of images plus
    noise, `r = ∇ log p_s` (Vincent, "A connection between score matching and
    denoising autoencoders", 2011; weighted by s² as in Song and Ermon, 2019).
    Every level then counts alike. Validation draws noise as well.

    Args:
        score: Model from `[image, s]` to the score, with the attribute
            `levels`, a pair of floats, such as `loupe_tf.models.ScoreNetwork`.
        seed: Integer or `None`.

    Inputs:
        Complex images `(batch, H, W, 2)`. `fit` needs no targets.

    Example:

    ```python
    score = loupe_tf.models.ScoreNetwork((0.01, 1), filters=4, depth=2)
    pairs = np.concatenate([images, 0 * images], axis=-1)
    score.adapt(pairs)
    training = loupe_tf.regimes.ScoreMatching(score, seed=0)
    training.compile(keras.optimizers.Adam(1e-3))
    training.fit(pairs, epochs=100)
    ```
    """

    def __init__(self, score, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.score = score
        self.seed = seed
        self.seed_generator = ReplicaSeedGenerator(seed)

    def build(self, input_shape):
        if not self.score.built:
            rank = len(input_shape)
            levels = (input_shape[0], *[1] * (rank - 1))
            self.score.build([tuple(input_shape), levels])
        self.built = True

    def call(self, images, training=None):
        """Return `u + s r(x + s u, s)`."""
        images = ops.cast(images, "float32")
        shape = ops.shape(images)
        low, high = map(math.log, self.score.levels)
        one_each = (shape[0], *[1] * (len(images.shape) - 1))
        uniform = keras.random.uniform(
            one_each, dtype="float32", seed=self.seed_generator
        )
        s = ops.exp(low + (high - low) * uniform)
        noise = keras.random.normal(
            shape, dtype="float32", seed=self.seed_generator
        )
        score = self.score([images + s * noise, s], training=training)
        return noise + s * ops.cast(score, "float32")

    def compute_loss(self, x, y, y_pred, sample_weight=None, **kwargs):
        """Return the mean square of what `call` returns."""
        errors = ops.mean(ops.square(y_pred), tuple(range(1, y_pred.ndim)))
        if sample_weight is not None:
            errors = errors * ops.reshape(per_image(sample_weight), (-1,))
        return of_replica(ops.mean(errors) + sum(self.losses))

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "score": keras.saving.serialize_keras_object(self.score),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        score = keras.saving.deserialize_keras_object(config["score"])
        return cls(**{**config, "score": score})
