"""Image losses that Keras does not have: SSIM, and a mix of SSIM and L1.

For the mean squared and mean absolute errors, use Keras's own `"mse"` and
`"mae"`. A `sample_weight` of shape `(batch, 1, 1)` works for all of them; see
`loupe_tf.metrics`.
"""

import keras
from keras import ops

from loupe_tf import metrics
from loupe_tf.checks import check_choice, check_number
from loupe_tf.metrics.images import modulus, to_images
from loupe_tf.metrics.mean_over_images import per_image
from loupe_tf.metrics.ssim import WINDOWS

__all__ = ["L1SSIM", "SSIM"]


# The name "SSIM" is registered for `loupe_tf.metrics.SSIM`.
@keras.saving.register_keras_serializable(package="loupe_tf", name="SSIMLoss")
class SSIM(keras.losses.Loss):
    """One minus the structural similarity of each image.

    Formula:

    ```python
    loss = 1 - loupe_tf.metrics.ssim(y_true, y_pred)
    ```

    See `loupe_tf.metrics.SSIM` for the definition and the images. The gradient
    is finite everywhere, also for constant and all-zero images.

    Args:
        max_value: Positive float, the range of the pixel values: 1 for images
            divided by the maximum of their volume.
        window: `"gaussian"` (11×11, σ = 1.5) or `"uniform"` (7×7).
        reduction: Type of reduction to apply to the loss, as in
            `keras.losses.MeanSquaredError`.
        name: Optional name for the loss instance.
        dtype: The dtype of the loss, float32 by default.

    Example:

    >>> images = np.random.uniform(size=(4, 31, 33, 1))
    >>> round(float(loupe_tf.losses.SSIM()(images, images)), 3)
    0.0
    """

    def __init__(
        self,
        max_value=1.0,
        window="gaussian",
        reduction="sum_over_batch_size",
        name="ssim",
        dtype=None,
    ):
        super().__init__(
            name=name, reduction=reduction, dtype=dtype or "float32"
        )
        self.max_value = check_number("max_value", max_value, above=0)
        self.window = check_choice("window", window, WINDOWS)

    def __call__(self, y_true, y_pred, sample_weight=None):
        return super().__call__(y_true, y_pred, per_image(sample_weight))

    def call(self, y_true, y_pred):
        return 1.0 - metrics.ssim(y_true, y_pred, self.max_value, self.window)

    def get_config(self):
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "window": self.window,
        }


@keras.saving.register_keras_serializable(package="loupe_tf")
class L1SSIM(SSIM):
    """A mix of the structural similarity and the mean absolute error.

    Formula:

    ```python
    ssim = loupe_tf.metrics.ssim(y_true, y_pred)
    l1 = np.mean(np.abs(y_true - y_pred)) / max_value
    loss = alpha * (1 - ssim) + (1 - alpha) * l1
    ```

    for each image. For complex images, `np.abs` is the modulus of the complex
    difference.

    The loss follows Zhao et al., "Loss functions for image restoration with
    neural networks", 2017, who chose `alpha = 0.84` empirically. They use the
    multi-scale MS-SSIM and weight the absolute error with a Gaussian window.
    This loss uses the single-scale SSIM and the plain mean.

    Args:
        alpha: Float in [0, 1], the weight of the structural similarity.
        max_value: Positive float, the range of the pixel values: 1 for images
            divided by the maximum of their volume.
        window: `"gaussian"` (11×11, σ = 1.5) or `"uniform"` (7×7).
        reduction: Type of reduction to apply to the loss, as in
            `keras.losses.MeanSquaredError`.
        name: Optional name for the loss instance.
        dtype: The dtype of the loss, float32 by default.

    Example:

    ```python
    model.compile("adam", loss=loupe_tf.losses.L1SSIM())
    ```
    """

    def __init__(
        self,
        alpha=0.84,
        max_value=1.0,
        window="gaussian",
        reduction="sum_over_batch_size",
        name="l1_ssim",
        dtype=None,
    ):
        super().__init__(max_value, window, reduction, name, dtype)
        self.alpha = check_number("alpha", alpha, at_least=0, at_most=1)

    def call(self, y_true, y_pred):
        ssim_loss = super().call(y_true, y_pred)
        y_true, y_pred = to_images(y_true, y_pred)
        error = modulus(y_true - y_pred) / self.max_value
        l1 = ops.mean(error, axis=(1, 2, 3))
        return self.alpha * ssim_loss + (1.0 - self.alpha) * l1

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}
