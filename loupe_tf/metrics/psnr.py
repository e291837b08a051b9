import math

import keras
from keras import ops

from loupe_tf.checks import check_number
from loupe_tf.metrics.images import energy, to_images
from loupe_tf.metrics.mean_over_images import MeanOverImages

# A perfect image scores this, not infinity.
MAX_PSNR = 100.0


def psnr(y_true, y_pred, max_value=1.0):
    """Compute the peak signal-to-noise ratio of each image, in decibels.

    Formula:

    ```python
    mse = np.mean(np.abs(y_true - y_pred) ** 2)  # over the H·W pixels
    psnr = 20 * np.log10(max_value) - 10 * np.log10(mse)
    ```

    See `loupe_tf.metrics.PSNR` for the convention.

    Args:
        y_true: True images, `(batch, H, W, 1)` or `(batch, H, W, 2)`, or
            volumes, with D after the batch.
        y_pred: Predicted images, same shape.
        max_value: Positive float, the peak.

    Returns:
        Float32 tensor `(batch,)`, at most 100.

    Example:

    >>> y_true = np.zeros((1, 8, 8, 1))
    >>> np.round(loupe_tf.metrics.psnr(y_true, y_true + 0.1), 3)
    array([20.], dtype=float32)
    """
    max_value = check_number("max_value", max_value, above=0)
    y_true, y_pred = to_images(y_true, y_pred, volumes=True)
    mse = energy((y_true - y_pred) / max_value, ops.mean)
    # `-log10(x) = -log(x) / log(10)`. The maximum keeps NaN.
    floor = 10.0 ** (-MAX_PSNR / 10.0)
    return ops.log(ops.maximum(mse, floor)) * (-10.0 / math.log(10.0))


@keras.saving.register_keras_serializable(package="loupe_tf")
class PSNR(MeanOverImages):
    """Mean over images of the peak signal-to-noise ratio, in decibels.

    This is equation 7 of the 4S paper (Martinini et al., BioCAS 2022),
    `-10 log10(MSE)`, for images divided by the maximum of their volume. With
    another peak, it is `20 log10(max_value) - 10 log10(MSE)`.

    **Say which convention a PSNR follows.** This one takes the MSE of one
    image, a fixed peak, and the mean of the decibels. Others take as the peak
    the maximum of the slice or of the volume, or maximum minus minimum, and
    some take the MSE of a whole volume. The convention alone can change PSNR
    by 5 dB: fastMRI's single-coil knee U-Net was reported at 27.02 dB with
    norms and peaks of slices, and at 32.34 dB with those of volumes
    (facebookresearch/fastMRI#130). For one value per volume, pass the volume
    to `psnr` as `(1, D, H, W, 1)`.

    An MSE below `1e-10·max_value²` counts as `1e-10·max_value²`. A perfect
    image thus scores 100 dB instead of infinity, which would make the mean
    infinite. Blank padding slices also score 100 dB; leave them out with a
    `sample_weight` of 0, of shape `(n, 1, 1)` if it also weights a loss of
    Keras.

    Args:
        max_value: Positive float, the peak: 1 for images divided by the
            maximum of their volume.
        name: (Optional) string name of the metric instance.
        dtype: (Optional) dtype of the state and result, float32 by default.

    Example:

    >>> metric = loupe_tf.metrics.PSNR()
    >>> metric.update_state(np.zeros((1, 8, 8, 1)), np.full((1, 8, 8, 1), 0.1))
    >>> round(float(metric.result()), 3)
    20.0

    Usage with the `compile()` API:

    ```python
    model.compile("adam", loss="mse", metrics=[loupe_tf.metrics.PSNR()])
    ```
    """

    _direction = "up"  # Higher is better; Keras reads this.

    def __init__(self, max_value=1.0, name="psnr", dtype=None):
        max_value = check_number("max_value", max_value, above=0)
        super().__init__(
            psnr, name=name, dtype=dtype or "float32", max_value=max_value
        )
        self.max_value = max_value

    def get_config(self):
        return {
            "max_value": self.max_value,
            "name": self.name,
            "dtype": self.dtype,
        }
