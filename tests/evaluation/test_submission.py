import h5py
import numpy as np
import pytest

from loupe_tf import evaluation, masks, simulation
from loupe_tf.datasets import write_fastmri_scan
from loupe_tf.formats.fastmri_file import FastmriFile
from loupe_tf.numpy_fourier import ifft2c
from loupe_tf.reconstruction import ZeroFilled, crop_readout

# contrast, tesla, coils, rows of k-space
VOLUMES = {
    "file_a": ("AXT2", 3.0, 4, 48),
    "file_b": ("AXT2", 1.5, 4, 48),
    "file_c": ("AXFLAIR", 1.5, 3, 24),
}


@pytest.fixture
def truth(tmp_path, rng):
    """Three volumes of two slices of 24×24, two of them oversampled."""
    folder = tmp_path / "truth"
    folder.mkdir()
    y, x = np.mgrid[-1:1:24j, -1:1:24j]
    for name, (contrast, tesla, coils, rows) in VOLUMES.items():
        maps = simulation.birdcage_maps((rows, 24), coils)
        images = np.zeros((2, rows, 24, 1))
        first = rows // 2 - 12
        disc = (np.hypot(y, x) < 0.8) * (1 + np.cos(7 * x + coils))
        images[:, first : first + 24, :, 0] = 1e-4 * disc
        kspace = simulation.simulate_kspace(images, maps, seed=0)[0]
        write_fastmri_scan(
            folder / f"{name}.h5",
            kspace @ np.array([1, 1j]),
            (24, 24),
            acquisition=contrast,
            patient_id=name,
            model=f"model {coils}",
            field_strength=tesla,
        )
    return folder


@pytest.fixture
def mine(truth, tmp_path):
    """Zero-filled reconstructions of all volumes."""
    for path in truth.iterdir():
        images = evaluation.rebuild_volume(ZeroFilled(), path, "4x")
        evaluation.write_submission(tmp_path / "mine", path.name, images)
    return tmp_path / "mine"


def edit(path, value):
    with h5py.File(path, "r+") as file:
        del file["reconstruction"]
        file["reconstruction"] = value


def test_zero_filled_by_hand(truth, mine):
    path = truth / "file_a.h5"
    mask = masks.fastmri_lines(24, 4, seed="file_a.h5")
    assert evaluation.challenge_mask(path, "transfer") == mask
    with FastmriFile(path) as file, h5py.File(mine / "file_a.h5") as found:
        images = ifft2c(np.where(mask.array, file.kspace(1), 0))[:, 12:36]
        expected = np.sqrt(np.sum(np.abs(images) ** 2, axis=0))
        output = found["reconstruction"]
        assert output.dtype == np.float32 and output.shape == (2, 24, 24)
        np.testing.assert_allclose(output[1], expected, atol=1e-9)


def test_the_mask_of_the_file_counts(truth):
    path = truth / "file_a.h5"
    columns = np.arange(24) % 3 == 0
    with h5py.File(path, "r+") as file:
        file["mask"] = columns
    found = evaluation.challenge_mask(path, "8x")
    np.testing.assert_array_equal(found.array, columns[None])
    with h5py.File(path, "r+") as file:
        del file["mask"]
        file["mask"] = np.ones(7)
    with pytest.raises(ValueError, match="file_a.h5.*mask of 24 columns"):
        evaluation.challenge_mask(path, "8x")


def test_short_read_outs_are_padded(truth):
    seen = []

    def method(kspace, mask, maps):
        seen.append(kspace)
        return ZeroFilled()(kspace, mask, maps)

    path = truth / "file_c.h5"
    plain = evaluation.rebuild_volume(ZeroFilled(), path, "4x")
    padded = evaluation.rebuild_volume(method, path, "4x", rows=48)
    assert {kspace.shape for kspace in seen} == {(3, 48, 24)}
    # Divided by the maximum of the volume.
    images = [np.linalg.norm(ifft2c(kspace), axis=0).max() for kspace in seen]
    assert max(images) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(padded, plain, atol=1e-9)
    with FastmriFile(path) as file:
        original = file.kspace(0) * evaluation.challenge_mask(path, "4x").array
    ratio = crop_readout(seen[0], 24) / np.where(original, original, 1)
    assert np.ptp(np.abs(ratio[original != 0])) < 1e-2 * np.abs(ratio).max()


def test_the_order_of_coils_changes_nothing(truth):
    path = truth / "file_a.h5"
    before = evaluation.rebuild_volume(ZeroFilled(), path, "8x")
    with h5py.File(path, "r+") as file:
        file["kspace"][...] = file["kspace"][()][:, ::-1]
    after = evaluation.rebuild_volume(ZeroFilled(), path, "8x")
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_judges_by_volume(truth, mine):
    found = evaluation.judge_submission(mine, truth)
    assert list(found) == list(VOLUMES)
    for name, (contrast, tesla, coils, _) in VOLUMES.items():
        volume = found[name]
        assert (volume["contrast"], volume["coils"]) == (contrast, coils)
        assert volume["field_strength"] == tesla
        assert volume["model"] == f"model {coils}"
        assert volume["vendor"] == "simulated" and volume["patient"] == name
        assert 0 < volume["ssim"] < 1 and 0 < volume["ssim_foreground"] < 1
    with FastmriFile(truth / "file_b.h5") as file:
        target = file.target()
    with h5py.File(mine / "file_b.h5") as file:
        metrics = evaluation.fastmri_metrics(target, file["reconstruction"][()])
    assert metrics.items() <= found["file_b"].items()

    by = evaluation.break_down(found, "contrast")
    assert {k: v["volumes"] for k, v in by.items()} == {"AXFLAIR": 1, "AXT2": 2}
    pair = found["file_a"], found["file_b"]
    assert by["AXT2"]["psnr"] == pytest.approx(
        np.mean([v["psnr"] for v in pair])
    )
    assert list(evaluation.break_down(found, "field_strength")) == [1.5, 3.0]
    with pytest.raises(ValueError, match="`by`.*contrast"):
        evaluation.break_down(found, "weather")


def test_all_that_is_wrong_is_listed_and_nothing_is_judged(truth, mine):
    assert evaluation.check_submission(mine, truth) == []
    (mine / "file_a.h5").unlink()
    edit(mine / "file_b.h5", np.ones((2, 24, 25)))
    output = np.ones((2, 24, 24))
    output[1, 3, :4] = np.nan
    edit(mine / "file_c.h5", output)
    (mine / "file_d.h5").write_bytes(b"no")
    wrong = evaluation.check_submission(mine, truth)
    for text, expected in zip(
        wrong,
        (
            "file_a.h5: missing",
            "file_b.h5: shape (2, 24, 25) instead of (2, 24, 24)",
            "file_c.h5: 4 values that are not finite",
            "file_d.h5: no volume of",
        ),
        strict=True,
    ):
        assert text.startswith(expected)
    with pytest.raises(ValueError) as refused:
        evaluation.judge_submission(mine, truth)
    for text in wrong:
        assert text in str(refused.value)


def test_files_that_cannot_be_read_are_listed(truth, mine):
    (mine / "file_a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    edit(mine / "file_b.h5", "text")
    with h5py.File(truth / "file_c.h5", "r+") as file:
        file["reconstruction_rss"][0, 0, 0] = np.inf
    wrong = evaluation.check_submission(mine, truth)
    assert len(wrong) == 3
    for text, name in zip(wrong, VOLUMES):
        assert name in text
    assert "real numbers in a data set reconstruction" in wrong[1]


def test_refuses_folders_and_images(truth, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="`truth`"):
        evaluation.check_submission(truth, tmp_path / "empty")
    with pytest.raises(ValueError, match="`folder`"):
        evaluation.check_submission(tmp_path / "none", truth)
    for images in (np.ones((4, 4)), np.ones((1, 4, 4)) * 1j):
        with pytest.raises(ValueError, match="`images`"):
            evaluation.write_submission(tmp_path, "a", images)
    with pytest.raises(ValueError, match="`images`.*finite"):
        evaluation.write_submission(tmp_path, "a", np.full((1, 4, 4), np.nan))
    with pytest.raises(ValueError, match="`track`"):
        evaluation.challenge_mask(truth / "file_a.h5", "2x")
