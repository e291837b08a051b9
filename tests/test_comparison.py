import numpy as np
import pytest

import loupe_tf
from loupe_tf import comparison, masks
from loupe_tf.reconstruction import Network, TotalVariation, ZeroFilled


@pytest.fixture
def volumes():
    return np.array(["b"] * 3 + ["a"] * 5)


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

    found = comparison.judge(
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


def test_network_on_its_own_mask_is_the_model(images):
    model = loupe_tf.models.loupe_model(
        (16, 18, 1), acceleration=3, filters=2, depth=2, seed=0
    )
    output = comparison.reconstruct(
        Network(model), masks.from_model(model), images
    )
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_bad_volumes_are_left_out_with_a_reason(images, volumes):
    mask = np.ones((1, 18), bool)
    whole = comparison.judge(ZeroFilled(), mask, images, volumes)
    for value, reason in [
        (0, "0 everywhere"),
        (0.5, "0.5"),
        (np.nan, "finite"),
    ]:
        bad = images.copy()
        bad[volumes == "b"] = value
        found = comparison.judge(ZeroFilled(), mask, bad, volumes)
        assert reason in found["refused"]["b"]
        assert found["unit_range"] == {"a": whole["unit_range"]["a"]}
        assert found["fastmri"] == {"a": whole["fastmri"]["a"]}


def test_a_reconstruction_that_is_not_finite_has_no_figures(images, volumes):
    class Broken(ZeroFilled):
        def reconstruct(self, kspace, mask, maps):
            return np.full(mask.shape, np.nan, "float32")

    found = comparison.judge(Broken(), np.ones((1, 18)), images, volumes)
    assert found["unit_range"] == found["fastmri"] == {}
    assert set(found["refused"]) == {"a", "b"}


def test_another_matrix_size_is_refused(images, volumes):
    with pytest.raises(ValueError, match=r"`mask`.*\(16, 18\)"):
        comparison.judge(ZeroFilled(), np.ones((16, 16)), images, volumes)
    with pytest.raises(ValueError, match="`images`.*Received: .5, 16, 18"):
        comparison.judge(
            ZeroFilled(), np.ones((16, 18)), images[..., 0], volumes
        )


@pytest.mark.parametrize("pattern", comparison.PATTERNS)
def test_fixed_masks_have_the_budget(images, pattern):
    mask = comparison.fixed_mask(pattern, images, 4, seed=3)
    entries = 18 if pattern.endswith("lines") else 16 * 18
    assert mask.acquired == round(entries / 4)
    assert mask.provenance["pattern"] == pattern
    # 8 % of the smaller side, and the spectrum finds its own.
    assert mask.calibration == (None if pattern == "spectrum" else 1)
    assert comparison.fixed_mask(pattern, images, 4, 2).calibration == 2
    if pattern != "spectrum":
        assert mask.provenance["seed"] == 3


def test_unknown_names_are_refused(images):
    with pytest.raises(ValueError, match="`pattern`.*uniform_random.*spiral"):
        comparison.fixed_mask("spiral", images, 4)
    with pytest.raises(ValueError, match="`method`.*zero_filled.*magic"):
        comparison.tune("magic", np.ones((1, 18)), images)
    with pytest.raises(ValueError, match="`acceleration`"):
        comparison.fixed_mask("gaussian", images, 1)


def test_tune_looks_at_a_few_slices_of_all(images, monkeypatch):
    seen = {}

    def choose(reconstructor, candidates, kspaces, masks, targets):
        seen.update(locals())
        return reconstructor, {}

    monkeypatch.setattr(comparison, "choose_regularization", choose)
    many = np.repeat(images, 2, axis=0)
    many[[0, 1, 5]] = 0  # Empty slices say nothing.
    mask = np.ones((1, 18), bool)
    comparison.tune("total_variation", mask, many, [0.1], slices=3)
    # Of slices 2, 3, 4, 6 ... 15 in parts of 5, 4, 4: their middles.
    assert seen["candidates"] == [0.1]
    for target, row in zip(seen["targets"], [4, 10, 14], strict=True):
        np.testing.assert_array_equal(target, many[row, ..., 0])
    for kspace, target in zip(seen["kspaces"], seen["targets"]):
        energy = np.linalg.norm(target)
        assert np.linalg.norm(kspace) == pytest.approx(energy, rel=1e-5)


def test_tune_keeps_the_best(images):
    pytest.importorskip("sigpy")
    mask = comparison.fixed_mask("random_lines", images, 2)
    best, scores = comparison.tune(
        "total_variation", mask, images, [0.0, 0.01, 10.0], slices=2
    )
    assert isinstance(best, TotalVariation)
    assert best.regularization == max(scores, key=scores.get) == 0.01
    assert comparison.tune("zero_filled", mask, images) == (ZeroFilled(), {})
    with pytest.raises(ValueError, match="`images`.*not constant"):
        comparison.tune("total_variation", mask, np.ones((2, 16, 18, 1)))


def test_middle_slice(volumes):
    assert comparison.middle_slice(volumes) == 1
    assert comparison.middle_slice(volumes, "a") == 5


def test_central_slices():
    volumes = np.repeat(["a", "b", "c", "d"], 9)
    assert comparison.central_slices(volumes) == [4, 13, 22]
    assert comparison.central_slices(volumes[:18]) == [3, 4, 13]
    assert comparison.central_slices(volumes[:9]) == [3, 4, 6]
    assert comparison.central_slices(["a", "b"]) == [0, 1]
    # Volumes whose slices do not come one after another.
    mixed = np.tile(["a", "b", "c"], 5)
    assert comparison.central_slices(mixed) == [6, 7, 8]
