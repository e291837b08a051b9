"""What `loupe_model` measures with a mask, in NumPy."""

import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.models import VarNet, cnn, loupe_model

pytestmark = pytest.mark.usefixtures("eager")


def _build(size, acceleration, **options):
    return loupe_model(
        (*size, 1), acceleration, reconstructor="zero_filled", seed=0, **options
    )


@pytest.mark.parametrize("size", [(16, 18), (15, 17), (16, 17), (17, 16)])
def test_whole_half_plane_is_the_whole_image(rng, size):
    half = masks.half_plane(size)
    everything = half.size / int(half.sum())
    model = _build(size, everything, half_plane=True)
    x = rng.normal(size=(4, *size, 1)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), abs(x), atol=1e-5)


@pytest.mark.parametrize("size", [(16, 18), (15, 17)])
@pytest.mark.parametrize("lines", [None, "columns", "rows"])
def test_mirrored_half_is_the_conjugate(rng, size, lines):
    """What is filled in is what a scanner's half tells, in NumPy."""
    model = _build(size, 3, half_plane=True, lines=lines)
    x = rng.normal(size=(4, *size, 1)).astype("float32")
    mask = masks.from_model(model).array
    axes = (1, 2)
    y = np.fft.fftshift(np.fft.fft2(x[..., 0], axes=axes), axes=axes)
    y = np.where(mask, y, 0)
    known = mask | masks.mirrored(mask)
    filled = np.where(mask, y, np.conj(masks.mirrored(y)))
    assert known.sum() > 1.5 * mask.sum()
    filled = np.fft.ifftshift(filled, axes=axes)
    expected = abs(np.fft.ifft2(filled, axes=axes))
    got = model.predict(x, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def _varnet(size, **options):
    network = cnn((*size, 2), 2, filters=2, depth=2, normalization=None)
    return VarNet(network, iterations=1, **options)


def test_unrolled_networks_fill_the_mirror(rng):
    """Without its network, a VarNet is the adjoint of its measurement."""
    size = (15, 18)
    options = {"half_plane": True, "calibration": 4}
    with pytest.raises(ValueError, match=r"VarNet\(..., half_plane=True\)"):
        loupe_model((*size, 1), 4, reconstructor=_varnet(size), **options)
    varnet = _varnet(size, half_plane=True)
    model = loupe_model((*size, 1), 4, reconstructor=varnet, seed=0, **options)
    for weight in varnet.networks[0].weights:
        weight.assign(np.zeros(weight.shape))
    x = rng.uniform(size=(2, *size, 1)).astype("float32")
    expected = _build(size, 4, **options).predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


def test_a_given_mask_of_half_a_plane_is_filled_too(rng):
    size = (16, 18)
    learned = _build(size, 4, half_plane=True, calibration=4)
    mask = masks.from_model(learned)
    x = rng.uniform(size=(2, *size, 1)).astype("float32")
    expected = learned.predict(x, verbose=0)

    def predicted(mask, **options):
        model = loupe_model(
            (*size, 1), mask=mask, reconstructor="zero_filled", **options
        )
        return model.predict(x, verbose=0)

    np.testing.assert_allclose(predicted(mask), expected, atol=1e-5)
    filled = predicted(mask.array, half_plane=True)
    np.testing.assert_allclose(filled, expected, atol=1e-5)
    half = predicted(mask.array)
    np.testing.assert_array_equal(predicted(mask, half_plane=False), half)
    assert abs(half - expected).max() > 0.01
    # Images with a phase have no mirror to fill.
    for options in {"coils": 2, "reconstructor": "unet"}, {}:
        loupe_model((*size, 2), mask=mask, **options)
    with pytest.raises(ValueError, match="`half_plane`.*two channels"):
        loupe_model((*size, 2), 4, half_plane=True)


def test_volume_is_measured_by_a_transform_of_three_axes(rng):
    model = _build((3, 15, 18), 4)
    x = rng.normal(size=(4, 3, 15, 18, 1)).astype("float32")
    mask = np.fft.ifftshift(masks.from_model(model).array)
    axes = (1, 2, 3)
    y = np.where(mask, np.fft.fftn(x[..., 0], axes=axes), 0)
    expected = abs(np.fft.ifftn(y, axes=axes))
    got = model.predict(x, verbose=0)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.graph
def test_half_planes_are_trained(rng):
    """On every backend: gradients pass through what is filled in."""
    model = _build((8, 6), 3, half_plane=True)
    # XLA takes longer to compile this than it takes to train.
    model.compile("adam", loss="mse", jit_compile=False)
    x = rng.uniform(size=(2, 8, 6, 1)).astype("float32")
    before = [weight.copy() for weight in model.get_weights()]
    history = model.fit(x, x, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    pairs = zip(before, model.get_weights())
    assert any((old != new).any() for old, new in pairs)
