"""Image quality: PSNR, NMSE and SSIM, as Keras metrics and as functions.

Images are real tensors, channels last: magnitude `(batch, H, W, 1)` or complex
`(batch, H, W, 2)` = (real, imaginary). PSNR and NMSE compare complex images as
complex numbers, SSIM compares their magnitudes. PSNR and NMSE take volumes
`(batch, D, H, W, 1)` or `(batch, D, H, W, 2)` too, each as a single image.

The functions return one float32 value per image, `(batch,)`, and take NumPy
arrays too; the classes average those values over the images. Everything is
computed in float32, also under `mixed_float16`.

A `sample_weight` of the classes, and of `loupe_tf.losses`, is one number an
image: `(batch,)`, with any further axes of length 1. Keras's own `"mse"`
weights pixels, `(batch, H, W)`, so that `(batch,)` fails there, or weights
columns if there are as many of them. **The shape `(batch, 1, 1)` serves both**
(of volumes `(batch, 1, 1, 1)`):

```python
model.compile("adam", loss="mse", weighted_metrics=[loupe_tf.metrics.PSNR()])
model.fit(images, images, sample_weight=weights[:, None, None])
```
"""

import math

import keras
from keras import ops

__all__ = ["NMSE", "PSNR", "SSIM", "nmse", "psnr", "ssim"]

# A perfect image scores this, not infinity.
MAX_PSNR = 100.0


def psnr(y_true, y_pred, max_value=1.0):
    """Peak signal-to-noise ratio of each image, in decibels.

    Formula:

    ```python
    mse = mean(abs(y_true - y_pred) ** 2)  # over the H·W pixels
    psnr = 20 * log10(max_value) - 10 * log10(mse)
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
    >>> loupe_tf.metrics.psnr(y_true, y_true + 0.1)
    [20.0]
    """
    max_value = check_max_value(max_value)
    y_true, y_pred = to_images(y_true, y_pred, volumes=True)
    mse = _energy((y_true - y_pred) / max_value, ops.mean)
    # `-log10(x) = -log(x) / log(10)`; the maximum keeps a NaN a NaN.
    floor = 10.0 ** (-MAX_PSNR / 10.0)
    return ops.log(ops.maximum(mse, floor)) * (-10.0 / math.log(10.0))


def nmse(y_true, y_pred):
    """Normalised mean squared error of each image.

    Formula:

    ```python
    nmse = sum(abs(y_true - y_pred) ** 2) / sum(abs(y_true) ** 2)
    ```

    Args:
        y_true: True images, `(batch, H, W, 1)` or `(batch, H, W, 2)`, or
            volumes, with D after the batch.
        y_pred: Predicted images, same shape.

    Returns:
        Float32 tensor `(batch,)`; 0 where the true image is zero everywhere,
        whatever the prediction.

    Example:

    >>> y_true = np.ones((1, 8, 8, 1))
    >>> loupe_tf.metrics.nmse(y_true, 0.9 * y_true)
    [0.01]
    """
    y_true, y_pred = to_images(y_true, y_pred, volumes=True)
    return ops.divide_no_nan(
        _energy(y_true - y_pred, ops.sum), _energy(y_true, ops.sum)
    )


def ssim(y_true, y_pred, max_value=1.0, window="gaussian"):
    """Structural similarity of each image.

    Equation 13 of Wang et al., "Image quality assessment: from error
    visibility to structural similarity", 2004, with `C1 = (0.01·max_value)²`
    and `C2 = (0.03·max_value)²`:

        (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2))

    averaged over every position where the window lies inside the image. See
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
    >>> loupe_tf.metrics.ssim(y_true, y_true)
    [1.0]
    """
    max_value = check_max_value(max_value)
    weights, bias = window_weights(window)
    y_true, y_pred = to_images(y_true, y_pred)
    size = len(weights)
    if any(n is not None and n < size for n in y_true.shape[1:3]):
        raise ValueError(
            f"Images too small for argument `window`. Expected H and W of at "
            f"least {size}, the width of the {window} window. Received: "
            f"window={window!r}, shape={tuple(y_true.shape)}"
        )
    x = magnitude(y_true) / max_value
    y = magnitude(y_pred) / max_value

    # One pass over the four maps, side by side along the batch axis.
    maps = ops.concatenate([x, y, x * x + y * y, x * y], axis=0)
    mean_x, mean_y, mean_squares, mean_xy = ops.split(
        _local_mean(maps, weights), 4, axis=0
    )
    squares = mean_x * mean_x + mean_y * mean_y
    product = mean_x * mean_y
    # What rounding leaves of the differences, where pixels are large and alike,
    # is no variance: it may be negative, or smaller than the covariance.
    variances = ops.maximum(bias * (mean_squares - squares), 0.0)
    covariance = bias * (mean_xy - product)
    covariance = ops.clip(covariance, -variances / 2, variances / 2)
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2.0 * product + c1) * (2.0 * covariance + c2)) / (
        (squares + c1) * (variances + c2)
    )
    return ops.mean(similarity, axis=(1, 2, 3))


class _PerImage(keras.metrics.MeanMetricWrapper):
    """A mean over images, with weights of images."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, y_pred, per_image(sample_weight))


@keras.saving.register_keras_serializable(package="loupe_tf")
class PSNR(_PerImage):
    """Mean over images of the peak signal-to-noise ratio, in decibels.

    Equation 7 of the 4S paper (Martinini et al., BioCAS 2022),
    `-10 log10(MSE)`, for images divided by the maximum of their volume; with
    another peak, `20 log10(max_value) - 10 log10(MSE)`.

    **Say which convention a PSNR follows.** This one takes the MSE of one
    image, a fixed peak, and the mean of the decibels. Others take the maximum
    of the slice or of the volume as the peak, maximum minus minimum, or the
    MSE of a whole volume. The convention alone moves PSNR by 5 dB: fastMRI's
    single-coil knee U-Net was reported at 27.02 dB with norms and peaks of
    slices, and at 32.34 dB with those of volumes
    (facebookresearch/fastMRI#130). For one value per volume, give `psnr` the
    volume as `(1, D, H, W, 1)`.

    An MSE below `1e-10·max_value²` counts as that: a perfect image scores
    100 dB, where infinity would swallow the mean. Blank padding slices score
    100 dB too: leave them out with a `sample_weight` of 0, of shape `(n, 1, 1)`
    if there is a loss of Keras's beside it.

    Args:
        max_value: Positive float, the peak: 1 for images divided by the
            maximum of their volume.
        name: (Optional) string name of the metric instance.
        dtype: (Optional) dtype of the state and result, float32 by default.

    Example:

    >>> metric = loupe_tf.metrics.PSNR()
    >>> metric.update_state(np.zeros((1, 8, 8, 1)), np.full((1, 8, 8, 1), 0.1))
    >>> metric.result()
    20.0

    Usage with the `compile()` API:

    ```python
    model.compile("adam", loss="mse", metrics=[loupe_tf.metrics.PSNR()])
    ```
    """

    def __init__(self, max_value=1.0, name="psnr", dtype=None):
        max_value = check_max_value(max_value)
        super().__init__(
            psnr, name=name, dtype=dtype or "float32", max_value=max_value
        )
        self.max_value = max_value
        # Metric should be maximized during optimization.
        self._direction = "up"

    def get_config(self):
        return {
            "max_value": self.max_value,
            "name": self.name,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable(package="loupe_tf")
class NMSE(_PerImage):
    """Mean over images of the normalised mean squared error.

    Formula:

    ```python
    nmse = sum(abs(y_true - y_pred) ** 2) / sum(abs(y_true) ** 2)
    ```

    for each image. fastMRI divides the energies of whole volumes instead,
    which gives dark slices less weight. An image that is zero everywhere
    counts as 0: leave it out with a `sample_weight` of 0; see `PSNR`.

    Args:
        name: (Optional) string name of the metric instance.
        dtype: (Optional) dtype of the state and result, float32 by default.

    Example:

    >>> metric = loupe_tf.metrics.NMSE()
    >>> metric.update_state(np.ones((1, 8, 8, 1)), np.full((1, 8, 8, 1), 0.9))
    >>> metric.result()
    0.01
    """

    def __init__(self, name="nmse", dtype=None):
        super().__init__(nmse, name=name, dtype=dtype or "float32")
        # Metric should be minimized during optimization.
        self._direction = "down"

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="loupe_tf")
class SSIM(_PerImage):
    """Mean over images of the structural similarity (Wang et al., 2004).

    Two windows are in use, and their values do not compare:

    - `"gaussian"`: 11×11, σ = 1.5, the paper's. scikit-image gives the same
      with `structural_similarity(..., gaussian_weights=True, sigma=1.5,
      use_sample_covariance=False)`.
    - `"uniform"`: 7×7, with the unbiased (N - 1) covariance, fastMRI's window
      and scikit-image's default. fastMRI takes the maximum of the volume as
      `max_value`.

    Both images are compared by magnitude. Complex images `(batch, H, W, 2)`
    lose their phase; a single channel is taken as it is, sign included.

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
    >>> metric.result()
    1.0
    """

    def __init__(
        self, max_value=1.0, window="gaussian", name="ssim", dtype=None
    ):
        max_value = check_max_value(max_value)
        window_weights(window)  # Refuses an unknown window.
        super().__init__(
            ssim,
            name=name,
            dtype=dtype or "float32",
            max_value=max_value,
            window=window,
        )
        self.max_value = max_value
        self.window = window
        # Metric should be maximized during optimization.
        self._direction = "up"

    def get_config(self):
        return {
            "max_value": self.max_value,
            "window": self.window,
            "name": self.name,
            "dtype": self.dtype,
        }


def per_image(sample_weight):
    """Weights of images as `(batch,)`, further axes of length 1 left out."""
    if sample_weight is None:
        return None
    weight = ops.convert_to_tensor(sample_weight, "float32")
    if any(n not in (None, 1) for n in weight.shape[1:]):
        raise ValueError(
            "Invalid shape for argument `sample_weight`. Expected one number "
            "an image: (batch,), or (batch, 1, 1), which losses of Keras's own "
            f"take too. Received: shape={tuple(weight.shape)}"
        )
    # Fails where an unknown axis turns out to be longer than 1.
    return (
        ops.reshape(weight, ops.shape(weight)[:1]) if weight.shape else weight
    )


def to_images(y_true, y_pred, volumes=False):
    """Check a pair of image batches and return them in float32."""
    y_true = _to_image("y_true", y_true, volumes)
    y_pred = _to_image("y_pred", y_pred, volumes)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shapes[0]) != len(shapes[1]) or any(
        true != pred and None not in (true, pred) for true, pred in zip(*shapes)
    ):
        raise ValueError(
            "Invalid shapes for arguments `y_true` and `y_pred`. Expected "
            f"equal shapes. Received: y_true={shapes[0]}, y_pred={shapes[1]}"
        )
    return y_true, y_pred


def modulus(x):
    """Modulus over the channels, `(batch, H, W, 1)`.

    Its gradient at zero is zero on every backend: that of a root is infinite,
    and that of `ops.abs` is 0 on some and 1 on others.
    """
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    positive = square > 0.0
    root = ops.sqrt(ops.where(positive, square, 1.0))
    return ops.where(positive, root, 0.0)


def magnitude(x):
    """Magnitude of two channels; one channel stays as it is, sign included."""
    return x if x.shape[-1] == 1 else modulus(x)


def _to_image(name, x, volumes):
    x = ops.convert_to_tensor(x)
    if "complex" in keras.backend.standardize_dtype(x.dtype):
        raise ValueError(
            f"Invalid dtype for argument `{name}`. Expected real images; a "
            "complex image is two channels, (real, imaginary). Received: "
            f"dtype={keras.backend.standardize_dtype(x.dtype)}"
        )
    axes = (4, 5) if volumes else (4,)
    if len(x.shape) not in axes or x.shape[-1] not in (1, 2):
        raise ValueError(
            f"Invalid shape for argument `{name}`. Expected (batch, H, W, 1) "
            f"or (batch, H, W, 2){', or volumes' if volumes else ''}. "
            f"Received: shape={tuple(x.shape)}"
        )
    return ops.cast(x, "float32")


def check_max_value(max_value):
    """Return `max_value` as a float, or say what is wrong with it."""
    if not (max_value > 0 and math.isfinite(max_value)):
        raise ValueError(
            "Invalid value for argument `max_value`. Expected a positive "
            f"number. Received: max_value={max_value}"
        )
    return float(max_value)


def _energy(x, reduce):
    """Reduce the squared modulus over the pixels of each image."""
    square = ops.sum(ops.square(x), axis=-1)
    return reduce(square, axis=tuple(range(1, len(square.shape))))


def window_weights(window):
    """Weights of a window along one axis, and its factor on covariances."""
    if window == "gaussian":
        weights = [math.exp(-0.5 * (i / 1.5) ** 2) for i in range(-5, 6)]
        return [w / sum(weights) for w in weights], 1.0
    if window == "uniform":
        return [1 / 7] * 7, 49 / 48
    raise ValueError(
        "Invalid value for argument `window`. Expected 'gaussian' or "
        f"'uniform'. Received: window={window!r}"
    )


def _local_mean(x, weights):
    """Separable weighted mean over H and W, where the window fits inside.

    A sum of shifted slices instead of a convolution: GPUs run float32
    convolutions in TF32 by default, and its 10-bit mantissa is too coarse for
    the difference of squares in a variance. It moves SSIM by some 0.05.
    """
    size = len(weights)
    # An end of 0 would give an empty slice.
    ends = [i + 1 - size or None for i in range(size)]
    x = sum(w * x[:, i : ends[i]] for i, w in enumerate(weights))
    return sum(w * x[:, :, i : ends[i]] for i, w in enumerate(weights))
