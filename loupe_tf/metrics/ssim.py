import math

import keras
from keras import ops

from loupe_tf.checks import check_choice, check_number, invalid
from loupe_tf.metrics.images import magnitude, to_images
from loupe_tf.metrics.mean_over_images import MeanOverImages

_GAUSSIAN = [math.exp(-0.5 * (i / 1.5) ** 2) for i in range(-5, 6)]
# Weights along one axis, and the factor on covariances.
WINDOWS = {
    "gaussian": ([w / sum(_GAUSSIAN) for w in _GAUSSIAN], 1.0),
    "uniform": ([1 / 7] * 7, 49 / 48),
}


def ssim(y_true, y_pred, max_value=1.0, window="gaussian"):
    """Compute the structural similarity of each image.

    This is equation 13 of Wang et al., "Image quality assessment: from error
    visibility to structural similarity", 2004,

        (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2))

    with `C1 = (0.01·max_value)²` and `C2 = (0.03·max_value)²`, averaged over
    every position where the window lies inside the image. See
    `loupe_tf.metrics.SSIM` for the windows.

    Args:
        y_true: True images, `(batch, H, W, 1)` or `(batch, H, W, 2)`.
        y_pred: Predicted images, same shape.
        max_value: Positive float, the range of the pixel values.
        window: `"gaussian"` or `"uniform"`.

    Returns:
        Float32 tensor `(batch,)`, at most 1.

    Example:

    >>> y_true = np.random.uniform(size=(1, 31, 33, 1))
    >>> np.round(loupe_tf.metrics.ssim(y_true, y_true), 3)
    array([1.], dtype=float32)
    """
    max_value = check_number("max_value", max_value, above=0)
    weights, bias = WINDOWS[check_choice("window", window, WINDOWS)]
    y_true, y_pred = to_images(y_true, y_pred)
    size = len(weights)
    if any(n is not None and n < size for n in y_true.shape[1:3]):
        raise invalid(
            "y_true",
            f"H and W of at least {size}, the width of the {window} window",
            found=f"shape={tuple(y_true.shape)}",
        )
    x = magnitude(y_true) / max_value
    y = magnitude(y_pred) / max_value

    # Filter the four maps in one pass, stacked along the batch axis.
    maps = ops.concatenate([x, y, x * x + y * y, x * y], axis=0)
    mean_x, mean_y, mean_squares, mean_xy = ops.split(
        _local_mean(maps, weights), 4, axis=0
    )
    squares = mean_x * mean_x + mean_y * mean_y
    product = mean_x * mean_y
    # Where pixels are large and nearly equal, these differences are rounding
    # errors: a variance may be negative, or smaller than the covariance.
    variances = ops.maximum(bias * (mean_squares - squares), 0.0)
    covariance = bias * (mean_xy - product)
    covariance = ops.clip(covariance, -variances / 2, variances / 2)
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2.0 * product + c1) * (2.0 * covariance + c2)) / (
        (squares + c1) * (variances + c2)
    )
    return ops.mean(similarity, axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="loupe_tf")
class SSIM(MeanOverImages):
    """Mean over images of the structural similarity (Wang et al., 2004).

    Two windows are in use, and their values are not comparable:

    - `"gaussian"`: 11×11, σ = 1.5, as in the paper. scikit-image gives the same
      values with `structural_similarity(..., gaussian_weights=True, sigma=1.5,
      use_sample_covariance=False)`.
    - `"uniform"`: 7×7, with the unbiased (N - 1) covariance, as in fastMRI and
      by default in scikit-image. fastMRI takes the maximum of the volume as
      `max_value`.

    Complex images `(batch, H, W, 2)` are compared by magnitude, without phase.
    A single channel is used unchanged, sign included.

    Args:
        max_value: Positive float, the range of the pixel values: 1 for images
            divided by the maximum of their volume.
        window: `"gaussian"` or `"uniform"`.
        name: (Optional) string name of the metric instance.
        dtype: (Optional) dtype of the state and result, float32 by default.

    Example:

    >>> images = np.random.uniform(size=(4, 31, 33, 1))
    >>> metric = loupe_tf.metrics.SSIM()
    >>> metric.update_state(images, images)
    >>> round(float(metric.result()), 3)
    1.0
    """

    _direction = "up"  # Higher is better; Keras reads this.

    def __init__(
        self, max_value=1.0, window="gaussian", name="ssim", dtype=None
    ):
        max_value = check_number("max_value", max_value, above=0)
        check_choice("window", window, WINDOWS)
        super().__init__(
            ssim,
            name=name,
            dtype=dtype or "float32",
            max_value=max_value,
            window=window,
        )
        self.max_value = max_value
        self.window = window

    def get_config(self):
        return {
            "max_value": self.max_value,
            "window": self.window,
            "name": self.name,
            "dtype": self.dtype,
        }


def _local_mean(x, weights):
    """Compute a separable weighted mean where the window fits inside.

    It is a sum of shifted slices instead of a convolution. GPUs run float32
    convolutions in TF32 by default, whose 10-bit mantissa is too coarse for
    the difference of squares in a variance: it changes SSIM by about 0.05.
    """
    size = len(weights)
    # An end of 0 would give an empty slice.
    ends = [i + 1 - size or None for i in range(size)]
    x = sum(w * x[:, i : ends[i]] for i, w in enumerate(weights))
    return sum(w * x[:, :, i : ends[i]] for i, w in enumerate(weights))
