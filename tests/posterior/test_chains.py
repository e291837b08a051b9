import numpy as np
import pytest
from gaussian_case import Case

from loupe_tf import posterior
from loupe_tf.operators import Cartesian
from loupe_tf.posterior import chains as module

LEVELS = posterior.noise_levels(0.5, 0.02, count=5)


def draw(case, method=None, **options):
    return posterior.sample(
        case.score,
        case.scan,
        case.kspace,
        0.05,
        method or posterior.HMC(steps=2, leapfrog=2),
        LEVELS,
        **{"final": 0.01, "chains": 3, **options},
    ).samples


def test_chains_are_independent_and_know_no_others():
    case = Case((8, 9), batch=2, sigma=0.05)
    three, five = draw(case), draw(case, chains=5)
    np.testing.assert_allclose(three, five[:3], atol=1e-4)
    flat = five.reshape(10, -1) - five.reshape(5, 2, -1).mean(0).repeat(5, 0)
    assert len(np.unique(flat.round(4), axis=0)) == 10
    assert np.abs(draw(case, seed=1) - three).max() > 0.05


def test_a_file_belongs_to_one_scan_and_one_score(tmp_path):
    """Also where the adjoint of the measurement is the same."""
    file = tmp_path / "chains.npz"
    mask = np.ones((1, 8, 9, 1), "float32")
    mask[:, :, ::2] = 0
    rng = np.random.default_rng(0)
    kspace = (mask[:, None] * rng.normal(size=(1, 1, 8, 9, 2))).astype(
        "float32"
    )

    def narrow(inputs):
        return -inputs[0] / (0.01 + inputs[1] ** 2)

    def wide(inputs):
        return -inputs[0] / (1.0 + inputs[1] ** 2)

    def draw(score, scan):
        return posterior.sample(
            score,
            scan,
            kspace,
            0.05,
            levels=LEVELS,
            final=0.01,
            chains=3,
            file=file,
        ).samples

    whole, masked = Cartesian(), Cartesian(mask)
    draw(wide, whole)
    for score, scan in ((wide, masked), (narrow, whole)):
        with pytest.raises(ValueError, match="`file`.*same measurement"):
            draw(score, scan)
    file.unlink()
    np.testing.assert_array_equal(draw(wide, masked), draw(wide, masked))


@pytest.mark.parametrize("killed_at", [2, 8])
def test_a_killed_run_goes_on_bit_by_bit(tmp_path, monkeypatch, killed_at):
    """In the levels, and in the flow after them."""
    case = Case((8, 9), batch=2, sigma=0.05)
    whole = draw(case)
    saves = []

    def save(*arguments, keep=module._save):
        keep(*arguments)
        saves.append(arguments)
        if len(saves) == killed_at:
            raise KeyboardInterrupt

    file = tmp_path / "chains.npz"
    monkeypatch.setattr(module, "_save", save)
    with pytest.raises(KeyboardInterrupt):
        draw(case, file=file)
    first = len(saves)
    resumed = draw(case, file=file)
    assert len(saves) - first == 12 - killed_at  # Five levels, seven of flow.
    np.testing.assert_array_equal(resumed, whole)
    with pytest.raises(ValueError, match="`file`.*same measurement"):
        draw(case, file=file, seed=1)
    with pytest.raises(ValueError, match="`file`.*same measurement"):
        draw(case, posterior.HMC(steps=2, leapfrog=3), file=file)
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="`file`.*same measurement"):
        draw(case, file=file)


def test_random_numbers_are_drawn_in_parts_that_fit(monkeypatch):
    case = Case((8, 9), batch=2, sigma=0.05)
    method = posterior.Langevin(steps=6)
    whole = draw(case, method)
    monkeypatch.setattr(module, "LARGEST", 4 * 6 * 8 * 9 * 2 * 4)
    np.testing.assert_allclose(draw(case, method), whole, atol=1e-5)
