import numpy as np
import pytest

from loupe_tf.callbacks import CoilBatches
from loupe_tf.callbacks.coil_batches import turn
from loupe_tf.numpy_fourier import ifft2c


def test_batches_are_of_seed_and_epoch(rng):
    images = rng.uniform(size=(6, 16, 16, 1)).astype("float32")
    batches = CoilBatches(images, coils=8, batch_size=4)
    assert len(batches) == 2

    def draw(epoch):
        batches.set_epoch(epoch)
        (kspace, maps), targets = batches[0]
        return kspace, maps, targets

    first, again, other = draw(0), draw(0), draw(1)
    for a, b, c in zip(first, again, other):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
    kspace, maps, targets = first
    assert kspace.shape == maps.shape == (4, 8, 16, 16, 2)
    # The combination of all coils is the image, with a phase.
    unit = np.array([1, 1j])
    image = np.fft.ifft2(
        np.fft.ifftshift(kspace @ unit, axes=(2, 3)), norm="ortho"
    )
    image = np.fft.fftshift(image, axes=(2, 3))
    combined = np.sum((maps @ unit).conj() * image, axis=1)
    np.testing.assert_allclose(np.abs(combined), targets[..., 0], atol=1e-5)
    # Coils stand elsewhere for each example.
    assert (maps != maps[:1]).any()


def test_a_seed_of_several_numbers(images):
    """All of them count."""
    one = CoilBatches(images, coils=2, batch_size=8, seed=3)
    other = CoilBatches(images, coils=2, batch_size=8, seed=[3, 9, 1])
    again = CoilBatches(images, coils=2, batch_size=8, seed=(3, 9, 1))
    np.testing.assert_array_equal(other.order(1), again.order(1))
    np.testing.assert_array_equal(other[0][0], again[0][0])
    assert (other.order(0) != one.order(0)).any()
    assert (other.order(0) != other.order(1)).any()


def test_images_lie_as_they_are_without_turns(images):
    batches = CoilBatches(images, coils=2, batch_size=3, turns=False)
    _, targets = batches[0]
    np.testing.assert_array_equal(targets, images[batches.rows(0)])


def test_orientations():
    image = np.arange(6.0).reshape(2, 3, 1)
    seen = {
        turn(image[:, :2], np.random.default_rng(i)).tobytes()
        for i in range(60)
    }
    assert len(seen) == 8
    # Of a rectangle only those of its own shape.
    shapes = {turn(image, np.random.default_rng(i)).shape for i in range(20)}
    assert shapes == {(2, 3, 1)}


def test_complex_images_and_their_noise(rng):
    """They keep their phase; the targets are magnitudes without noise."""
    images = rng.uniform(-1, 1, size=(5, 16, 18, 2)).astype("float32")
    options = {"coils": 3, "batch_size": 2, "phase": 0, "turns": False}
    clean = CoilBatches(images, **options)
    noisy = CoilBatches(images, **options, snr=10, drop_remainder=True)
    assert len(clean) == 3 and len(noisy) == 2
    (kspace, maps), targets = clean[0]
    unit = np.array([1, 1j])
    expected = images[clean.rows(0)] @ unit
    np.testing.assert_allclose(targets[..., 0], np.abs(expected), rtol=1e-5)
    image = np.sum((maps @ unit).conj() * ifft2c(kspace @ unit), axis=1)
    np.testing.assert_allclose(image, expected, atol=1e-5)
    (with_noise, same_maps), same = noisy[0]
    np.testing.assert_array_equal(same_maps, maps)
    np.testing.assert_array_equal(same, targets)
    power = np.sum(np.square(kspace), axis=(1, 2, 3, 4))
    noise = np.sum(np.square(with_noise - kspace), axis=(1, 2, 3, 4))
    np.testing.assert_allclose(noise / power, 0.1, rtol=0.1)
    peak = CoilBatches(images, **options, peak_snr=50)[0][0][0]
    assert np.std(peak - kspace) == pytest.approx(0.02, rel=0.1)
    with pytest.raises(ValueError, match="`peak_snr`"):
        CoilBatches(images, **options, snr=10, peak_snr=50)
    # It is the same whenever the batch is asked for.
    np.testing.assert_array_equal(noisy[0][0][0], with_noise)
