import keras
from keras import ops

from loupe_tf.checks import invalid


class MeanOverImages(keras.metrics.MeanMetricWrapper):
    """Mean over images, weighted per image."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, y_pred, per_image(sample_weight))


def per_image(sample_weight):
    """Return weights as `(batch,)`, without further axes of length 1."""
    if sample_weight is None:
        return None
    weight = ops.convert_to_tensor(sample_weight, "float32")
    if any(n not in (None, 1) for n in weight.shape[1:]):
        raise invalid(
            "sample_weight",
            "one number per image: (batch,), or (batch, 1, 1), which Keras's "
            "own losses also accept",
            found=f"shape={tuple(weight.shape)}",
        )
    # This fails if an unknown axis turns out to be longer than 1.
    return (
        ops.reshape(weight, ops.shape(weight)[:1]) if weight.shape else weight
    )
