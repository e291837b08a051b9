import keras
from keras import ops

from loupe_tf.metrics.images import energy, to_images
from loupe_tf.metrics.mean_over_images import MeanOverImages


def nmse(y_true, y_pred):
    """Compute the normalised mean squared error of each image.

    Formula:

    ```python
    nmse = np.sum(np.abs(y_true - y_pred) ** 2) / np.sum(np.abs(y_true) ** 2)
    ```

    Args:
        y_true: True images, `(batch, H, W, 1)` or `(batch, H, W, 2)`, or
            volumes, with D after the batch.
        y_pred: Predicted images, same shape.

    Returns:
        Float32 tensor `(batch,)`. The value is 0 for a true image that is zero
        everywhere, whatever the prediction.

    Example:

    >>> y_true = np.ones((1, 8, 8, 1))
    >>> np.round(loupe_tf.metrics.nmse(y_true, 0.9 * y_true), 3)
    array([0.01], dtype=float32)
    """
    y_true, y_pred = to_images(y_true, y_pred, volumes=True)
    return ops.divide_no_nan(
        energy(y_true - y_pred, ops.sum), energy(y_true, ops.sum)
    )


@keras.saving.register_keras_serializable(package="loupe_tf")
class NMSE(MeanOverImages):
    """Mean over images of the normalised mean squared error.

    Formula:

    ```python
    nmse = np.sum(np.abs(y_true - y_pred) ** 2) / np.sum(np.abs(y_true) ** 2)
    ```

    for each image. fastMRI divides the energies of whole volumes instead,
    which gives dark slices less weight. A true image that is zero everywhere
    counts as 0; leave it out with a `sample_weight` of 0 (see `PSNR`).

    Args:
        name: (Optional) string name of the metric instance.
        dtype: (Optional) dtype of the state and result, float32 by default.

    Example:

    >>> metric = loupe_tf.metrics.NMSE()
    >>> metric.update_state(np.ones((1, 8, 8, 1)), np.full((1, 8, 8, 1), 0.9))
    >>> round(float(metric.result()), 3)
    0.01
    """

    _direction = "down"  # Lower is better; Keras reads this.

    def __init__(self, name="nmse", dtype=None):
        super().__init__(nmse, name=name, dtype=dtype or "float32")

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
