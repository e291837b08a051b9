import numpy as np

from experiments import posterior_scans as scans
from loupe_tf.datasets import Slices


def test_exact_samples_agree_with_the_exact_posterior(rng):
    power = np.full((8, 9), 0.3)
    truth = scans.gaussian_images(power, 400, seed=0)
    kspace = np.fft.fft2(truth[..., 0] + 1j * truth[..., 1], norm="ortho")
    np.testing.assert_allclose(kspace.real.var(), 0.3, rtol=0.05)
    draws = truth.reshape(100, 4, 8, 9, 2)
    mask = np.arange(9)[None] < 4
    zeros = np.zeros((4, 8, 9))
    found = scans.exact_comparison(draws, zeros, power, mask)
    assert set(found) == {
        f"{name}_{part}"
        for name in ("variance", "mean_error")
        for part in ("measured", "unmeasured")
    }
    np.testing.assert_allclose(list(found.values()), 1, atol=0.2)


def test_slices_of_each_volume_and_their_phase(rng):
    images = rng.uniform(size=(10, 8, 9, 1)).astype("float32")
    part = Slices(images, np.repeat(["a", "b"], 5))
    found = scans.with_phase(part, seed=0, count=2)
    assert list(found.volumes) == ["a", "a", "b", "b"]
    modulus = np.linalg.norm(found.images, axis=-1)
    np.testing.assert_allclose(modulus, images[[1, 3, 6, 8], ..., 0], rtol=1e-5)
    assert np.ptp(np.arctan2(found.images[..., 1], found.images[..., 0])) > 0.5


def test_noise_is_added_where_the_mask_acquires(rng):
    from loupe_tf import masks

    mask = masks.SamplingMask(np.arange(9)[None] % 2 == 0)
    images = np.zeros((50, 8, 9, 2))
    kspace = scans.measure(images, mask, 0.3, seed=0)
    assert kspace.shape == (50, 1, 8, 9, 2)
    assert not kspace[:, :, :, ~mask.array[0]].any()
    np.testing.assert_allclose(
        kspace[:, :, :, mask.array[0]].std(), 0.3, rtol=0.05
    )
    images = rng.normal(size=(2, 8, 9, 2))
    every = masks.SamplingMask(np.ones((1, 9), bool))
    again = scans.adjoint(scans.measure(images, every, 0, seed=0))
    np.testing.assert_allclose(again, images, atol=1e-5)
