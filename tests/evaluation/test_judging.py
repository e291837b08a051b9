import numpy as np
import pytest

import loupe_tf
from loupe_tf import evaluation, masks
from loupe_tf.numpy_fourier import fft2c, ifft2c
from loupe_tf.reconstruction import Network, ZeroFilled, adjoint, forward


def _zero_filled(image, mask):
    """An independent version: DC in the corner throughout."""
    kspace = np.fft.fft2(image)
    kept = np.where(np.fft.ifftshift(np.broadcast_to(mask, image.shape)), 1, 0)
    return np.abs(np.fft.ifft2(kspace * kept))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("lines", [False, True])
def test_judge_agrees_with_numpy(images, volumes, rng, channels, lines):
    mask = rng.uniform(size=(1, 18) if lines else (16, 18)) < 0.5
    phase = np.exp(0.7j) if channels == 2 else 1
    given = images * phase
    if channels == 2:
        given = np.concatenate([given.real, given.imag], axis=-1)
    outputs = [_zero_filled(image, mask) for image in images[..., 0] * phase]
    errors = np.square(np.array(outputs) - images[..., 0])
    squares = np.square(images[..., 0])

    found = evaluation.judge(
        ZeroFilled(), mask, given.astype("float32"), volumes
    )

    assert found["refused"] == {}
    for volume in "ab":
        rows = volumes == volume
        per_slice = errors[rows].mean(axis=(1, 2))
        ours = found["unit_range"][volume]
        assert ours["psnr"] == pytest.approx(
            np.mean(-10 * np.log10(per_slice)), abs=1e-3
        )
        nmse = errors[rows].sum((1, 2)) / squares[rows].sum((1, 2))
        assert ours["nmse"] == pytest.approx(nmse.mean(), rel=1e-4)
        ours = found["fastmri"][volume]
        peak = images[rows].max()
        assert ours["psnr"] == pytest.approx(
            10 * np.log10(peak**2 / errors[rows].mean()), abs=1e-3
        )
        assert ours["nmse"] == pytest.approx(
            errors[rows].sum() / squares[rows].sum(), rel=1e-4
        )
        assert 0 < ours["ssim"] < 1


def test_complex_images_are_real_and_imaginary_part(rng):
    images = rng.normal(size=(2, 16, 18, 2)).astype("float32")
    seen = []

    def method(kspace, mask, maps):
        seen.append(kspace)
        return np.zeros((16, 18), "float32")

    evaluation.reconstruct(method, np.ones((1, 18), bool), images)
    expected = fft2c(images[..., 0] + 1j * images[..., 1])
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_network_on_its_own_mask_is_the_model(images):
    model = loupe_tf.models.loupe_model(
        (16, 18, 1),
        acceleration=3,
        filters=2,
        depth=2,
        output_initializer="glorot_uniform",
        seed=0,
    )
    output = evaluation.reconstruct(
        Network(model), masks.from_model(model), images
    )
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_bad_volumes_are_left_out_with_a_reason(images, volumes):
    mask = np.ones((1, 18), bool)
    whole = evaluation.judge(ZeroFilled(), mask, images, volumes)
    for value, reason in [
        (0, "0 everywhere"),
        (0.5, "0.5"),
        (np.nan, "finite"),
    ]:
        bad = images.copy()
        bad[volumes == "b"] = value
        found = evaluation.judge(ZeroFilled(), mask, bad, volumes)
        assert reason in found["refused"]["b"]
        assert found["unit_range"] == {"a": whole["unit_range"]["a"]}
        assert found["fastmri"] == {"a": whole["fastmri"]["a"]}


def test_a_reconstruction_that_is_not_finite_has_no_figures(images, volumes):
    class Broken(ZeroFilled):
        def reconstruct(self, kspace, mask, maps):
            return np.full(mask.shape, np.nan, "float32")

    found = evaluation.judge(Broken(), np.ones((1, 18)), images, volumes)
    assert found["unit_range"] == found["fastmri"] == {}
    assert set(found["refused"]) == {"a", "b"}


def test_another_matrix_size_is_refused(images, volumes):
    with pytest.raises(ValueError, match=r"`mask`.*\(16, 18\)"):
        evaluation.judge(ZeroFilled(), np.ones((16, 16)), images, volumes)
    with pytest.raises(ValueError, match="`images`.*shape=.5, 16, 18"):
        evaluation.judge(
            ZeroFilled(), np.ones((16, 18)), images[..., 0], volumes
        )


def test_images_that_are_there_are_judged_alike(images, volumes):
    mask = np.arange(18)[None] % 2 > 0
    outputs = evaluation.reconstruct(ZeroFilled(), mask, images)
    found = evaluation.judge_images(images, outputs, volumes)
    assert found == evaluation.judge(ZeroFilled(), mask, images, volumes)
    outputs[0, 0, 0] = np.inf
    refused = evaluation.judge_images(images, outputs, volumes)
    assert list(refused["refused"]) == ["b"]
    assert refused["unit_range"] == {"a": found["unit_range"]["a"]}


def test_any_callable_is_judged(images, volumes, rng):
    """Coils, with maps of each image, by a reconstructor of one line."""
    shape = len(images), 3, *images.shape[1:3]
    maps = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    mask = np.arange(18)[None] % 2 > 0

    def sum_of_coils(kspace, mask, maps):
        assert kspace.shape == maps.shape == shape[1:]
        return (maps.conj() * ifft2c(kspace)).sum(axis=0)

    found = evaluation.judge(sum_of_coils, mask, images, volumes, maps)
    expected = [
        np.abs(adjoint(forward(x[..., 0], mask, s), mask, s))
        for x, s in zip(images, maps)
    ]
    expected = evaluation.per_volume(
        images, np.array(expected)[..., None], volumes
    )
    for volume, values in expected.items():
        assert found["unit_range"][volume] == pytest.approx(values, rel=1e-4)
    one = evaluation.judge(sum_of_coils, mask, images[:1], ["a"], maps[0])
    assert one == evaluation.judge(
        sum_of_coils, mask, images[:1], ["a"], maps[:1]
    )
    for wrong in (maps[:2], maps[0, :, :4]):
        with pytest.raises(ValueError, match="`maps`"):
            evaluation.judge(sum_of_coils, mask, images, volumes, wrong)


def test_kspace_with_noise_takes_the_place_of_the_images(images, volumes, rng):
    mask = np.arange(18)[None] % 2 > 0
    shape = len(images), 3, *images.shape[1:3]
    maps = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    noise = 0.1 * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    coils = fft2c(maps * images[:, None, ..., 0]) + noise
    one = coils[:, 0]
    for kspace, given in ((coils, maps), (coils, maps[0]), (one, None)):

        def check(samples, mask, own):
            assert not samples[..., ~mask[0]].any()
            return adjoint(samples, mask, own)

        found = evaluation.judge(check, mask, images, volumes, given, kspace)
        expected = []
        for i, samples in enumerate(kspace):
            own = given[i] if np.ndim(given) == 4 else given
            expected.append(np.abs(adjoint(samples, mask, own)))
        expected = np.array(expected)[..., None]
        expected = evaluation.judge_images(images, expected, volumes)
        for volume, values in expected["unit_range"].items():
            assert found["unit_range"][volume] == pytest.approx(values, 1e-4)
    for kspace, given in ((coils, None), (one, maps), (coils[:2], maps)):
        with pytest.raises(ValueError, match="`kspace`.*n = 8"):
            evaluation.judge(ZeroFilled(), mask, images, volumes, given, kspace)
