import keras
import numpy as np

from loupe_tf import models, numpy_fourier

SIZE = (7, 8)


@keras.saving.register_keras_serializable(package="tests")
class LastImage(keras.layers.Layer):
    """Return the last image of the input, for each of the buffers."""

    def __init__(self, buffers=2, **kwargs):
        super().__init__(**kwargs)
        self.buffers = buffers

    def call(self, x):
        return keras.ops.concatenate([x[..., -2:]] * self.buffers, axis=-1)

    def get_config(self):
        return {**super().get_config(), "buffers": self.buffers}


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


def scan(rng, mask):
    image = rng.normal(size=(1, *SIZE, 2)) @ [1, 1j]
    kspace = mask * numpy_fourier.fft2c(image[:, None])
    return [channels(kspace), mask[..., None].astype("float32")], image


def test_network_sees_the_gradient(rng):
    """`X = X + u` with u = Aᴴ (A X - y), of which X is minus a half."""
    mask = (rng.uniform(size=(1, *SIZE)) < 0.5).astype("float32")
    inputs, _ = scan(rng, mask)
    model = models.XPDNet(LastImage(), iterations=2, buffers=2, normalize=False)
    found = model.predict_on_batch(inputs) @ np.array([1, 1j])
    y = inputs[0][:, 0] @ np.array([1, 1j])
    expected = numpy_fourier.ifft2c(y)
    for _ in range(2):
        residual = mask * numpy_fourier.fft2c(expected) - y
        expected = expected + numpy_fourier.ifft2c(mask * residual)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_true_image_has_no_gradient(rng):
    """With everything acquired, and with relaxed masks too."""
    inputs, image = scan(rng, np.ones((1, *SIZE), "float32"))
    model = models.XPDNet(LastImage(), iterations=1, buffers=2)
    found = model.predict_on_batch(inputs) @ np.array([1, 1j])
    np.testing.assert_allclose(found, image, atol=1e-5)
    mask = rng.uniform(size=(1, *SIZE)).astype("float32")
    inputs, image = scan(rng, mask)
    operator = models.unrolled.Cartesian(inputs[1])
    kspace = keras.ops.convert_to_tensor(inputs[0])
    buffers = keras.ops.convert_to_tensor(
        np.concatenate([channels(image)] * 2, axis=-1)
    )
    (found,) = model.step(0, operator, kspace, buffers)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found), buffers, atol=1e-5
    )


def test_default_starts_at_the_adjoint(rng):
    mask = (rng.uniform(size=(1, *SIZE)) < 0.5).astype("float32")
    inputs, _ = scan(rng, mask)
    model = models.XPDNet(iterations=1)
    found = model.predict_on_batch(inputs) @ np.array([1, 1j])
    expected = numpy_fourier.ifft2c(inputs[0][:, 0] @ np.array([1, 1j]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
