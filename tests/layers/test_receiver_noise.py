import keras
import numpy as np
import pytest

from loupe_tf import simulation
from loupe_tf.layers import ReceiverNoise, UnderSample
from loupe_tf.numpy_fourier import ifft2c


def _numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.fixture
def kspace(rng):
    # Examples of very different power.
    scale = np.array([1e-3, 1.0, 1e3]).reshape(3, 1, 1, 1, 1)
    return (scale * rng.normal(size=(3, 4, 40, 41, 2))).astype("float32")


@pytest.mark.parametrize("coils", [None, 3])
def test_layer(check_layer, kspace, coils):
    x = kspace[:, 0] if coils is None else kspace[:, :coils]
    check_layer(ReceiverNoise(20, seed=0), x)
    check_layer(ReceiverNoise(peak_snr=50, seed=0), x)


@pytest.mark.parametrize("snr", [-3.0, 0.0, 20])
def test_ratio_of_powers(kspace, snr):
    noisy = _numpy(ReceiverNoise(snr, seed=0)(kspace, training=True))
    noise = (noisy - kspace).astype("float64")
    for n, k in zip(noise, kspace):
        power, total = np.sum(n**2, -1), np.sum(k.astype("float64") ** 2, -1)
        ratio = 10 * np.log10(total.mean() / power.mean())
        # 6560 complex samples: their power is known to 0.05 dB.
        assert ratio == pytest.approx(snr, abs=0.25)
        # White, and the same in real and imaginary part.
        parts = np.mean(n**2, axis=(0, 1, 2))
        assert parts[0] == pytest.approx(parts[1], rel=0.1)
        pair = n[..., :-1, 0] * n[..., 1:, 0]
        assert abs(pair.mean()) < 0.05 * parts[0]
        # Another in each coil.
        assert abs(np.mean(n[0] * n[1])) < 0.1 * parts[0]


@pytest.mark.parametrize("coils", [None, 4])
def test_peak_snr_is_one_sigma_for_all_slices(kspace, coils):
    """σ = 1 / peak SNR in both parts, in slices of any power."""
    kspace[2] = 0  # A slice without signal has the noise of the scan too.
    kspace = kspace[:, 0] if coils is None else kspace
    layer = ReceiverNoise(peak_snr=50, seed=0)
    noise = _numpy(layer(kspace, training=True)) - kspace
    for n in noise:
        parts = np.std(n.reshape(-1, 2), axis=0)
        # 1640 or 6560 samples.
        np.testing.assert_allclose(parts, 0.02, rtol=0.07)
    # The image of the coils, combined with maps of Σ|S|² = 1, has the same σ.
    if coils:
        maps = simulation.birdcage_maps((40, 41), coils)
        images = ifft2c(noise[0] @ np.array([1, 1j]))
        combined = np.sum(maps.conj() * images, axis=0)
        assert combined.real.std() == pytest.approx(0.02, rel=0.07)
        assert combined.imag.std() == pytest.approx(0.02, rel=0.07)


def test_peak_snr_of_curves_is_that_of_samples(rng):
    samples = np.zeros((2, 3, 20, 50, 2), "float32")
    images = rng.normal(size=(2, 3, 8, 8, 2)).astype("float32")
    images[:, 2] = 0
    layer = ReceiverNoise(peak_snr=10, seed=0)
    noise = _numpy(layer([samples, images], training=True))
    assert noise[:, :2].std() == pytest.approx(0.1, rel=0.05)
    assert not noise[:, 2].any()


def test_none_at_inference(kspace):
    for training in (None, False):
        got = ReceiverNoise(0)(kspace, training=training)
        np.testing.assert_array_equal(_numpy(got), kspace)


def test_what_is_not_acquired_stays_zero(rng, kspace):
    mask = rng.integers(0, 2, size=(1, 40, 41, 1)).astype("float32")
    noisy = ReceiverNoise(0, seed=0)(kspace, training=True)
    got = _numpy(UnderSample()([noisy, mask], training=True))
    acquired = np.broadcast_to(mask[:, None] == 1, kspace.shape)
    assert (got[~acquired] == 0).all() and not np.signbit(got[~acquired]).any()
    assert (got[acquired] != kspace[acquired]).mean() > 0.99


def test_an_example_of_zeros_and_one_of_nan(kspace):
    kspace[0], kspace[1] = 0, np.nan
    got = _numpy(ReceiverNoise(10, seed=0)(kspace, training=True))
    assert (got[0] == 0).all() and np.isfinite(got[2]).all()


@pytest.mark.parametrize("ratio", [{"snr": 10}, {"peak_snr": 10}])
def test_coils_of_zeros_do_not_count(kspace, ratio):
    few = ReceiverNoise(**ratio, seed=0)(kspace[:, :2], training=True)
    power = np.mean((_numpy(few) - kspace[:, :2]) ** 2, axis=(1, 2, 3, 4))
    kspace[:, 2:] = 0
    got = _numpy(ReceiverNoise(**ratio, seed=0)(kspace, training=True))
    assert (got[:, 2:] == 0).all()
    found = np.mean((got - kspace)[:, :2] ** 2, axis=(1, 2, 3, 4))
    np.testing.assert_allclose(found, power, rtol=0.1)


@pytest.mark.parametrize("ratio", [{"snr": 10}, {"peak_snr": 0.1}])
def test_seed(kspace, ratio):
    draws = [
        _numpy(ReceiverNoise(**ratio, seed=s)(kspace, training=True))
        for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize("ratio", [{"snr": 10}, {"peak_snr": 0.1}])
def test_seed_state_is_saved(tmp_path, kspace, ratio):
    x = keras.Input(kspace.shape[1:])
    model = keras.Model(x, ReceiverNoise(**ratio, seed=0)(x))
    model(kspace, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        _numpy(model(kspace, training=True)),
        _numpy(loaded(kspace, training=True)),
    )


@pytest.mark.parametrize("snr", [None, "20", True, float("inf"), float("nan")])
def test_wrong_snr(snr):
    with pytest.raises(ValueError, match="`snr`. Expected a finite number"):
        ReceiverNoise(snr)


@pytest.mark.parametrize("peak_snr", [0, -50, "50", True, float("nan")])
def test_wrong_peak_snr(peak_snr):
    with pytest.raises(ValueError, match="`peak_snr`. Expected a.* number"):
        ReceiverNoise(peak_snr=peak_snr)


def test_both_ratios_or_none():
    with pytest.raises(ValueError, match="`peak_snr`. Expected None with"):
        ReceiverNoise(15, peak_snr=50)
    with pytest.raises(ValueError, match="`snr`"):
        ReceiverNoise()


def test_wrong_dtype(kspace):
    with pytest.raises(ValueError, match="`inputs`.*complex64"):
        ReceiverNoise(10)(kspace.astype("complex64"))
