import dataclasses

import numpy as np
import pytest

from experiments import unseen_scans
from experiments.presets.unseen import PRESETS
from loupe_tf import numpy_fourier, simulation
from loupe_tf.datasets import Slices
from loupe_tf.reconstruction import Sense, ZeroFilled

SETTINGS = {
    **PRESETS["smoke"],
    "data_dir": None,
    "calibration": 2,
    "tested": 2,
}


@pytest.fixture
def part(images):
    volumes = np.repeat(["a", "b"], 4)
    patients = np.repeat(["one", "two"], 4)
    return Slices(images, volumes, patients)


@pytest.fixture
def scans(part):
    return dict(unseen_scans.unseen(part, SETTINGS, seed=0))


def test_each_differs_in_one_respect(scans):
    assert list(scans) == [
        "as trained",
        "R = 6",
        "random lines",
        "8 coils",
        "noise",
        "oversampled",
    ]
    first = scans["as trained"]
    assert first.mask.acquired == round(18 / 4) and first.maps.shape[0] == 4
    for name, scan in scans.items():
        different = [
            field.name
            for field in dataclasses.fields(scan)
            if getattr(scan, field.name) is not getattr(first, field.name)
        ]
        assert len(different) == (name != "as trained"), (name, different)
    assert scans["R = 6"].mask.acquired == 3
    assert scans["8 coils"].maps.shape[0] == 8


def test_more_samples_of_the_same_lines_change_nothing(scans):
    """The read-out sees zeros; the zero-filled image is the same."""
    method = ZeroFilled()
    np.testing.assert_allclose(
        unseen_scans.reconstruct(method, scans["oversampled"]),
        unseen_scans.reconstruct(method, scans["as trained"]),
        atol=1e-5,
    )


def test_noise_is_added_to_what_is_measured(scans):
    seen = []

    def method(kspace, mask, maps):
        seen.append(kspace)
        return np.zeros(kspace.shape[1:], "float32")

    scan = scans["noise"]
    unseen_scans.reconstruct(method, scan)
    measured = np.broadcast_to(scan.mask.array, seen[0].shape[1:])
    truth = numpy_fourier.fft2c(scan.maps * scan.images[0])
    noise = (seen[0] - truth)[:, measured]
    assert not seen[0][:, ~measured].any()
    for component in (noise.real, noise.imag):
        assert component.std() == pytest.approx(scan.noise, rel=0.15)


def test_more_noise_asks_for_more_regularization(part):
    pytest.importorskip("sigpy")
    candidates = [1e-4, 0.1]
    chosen = [
        unseen_scans.tune(
            "total_variation",
            candidates,
            unseen_scans.scan_of(part, SETTINGS, seed=0, noise=noise),
        ).regularization
        for noise in (0.0, 0.3)
    ]
    assert chosen == candidates


def test_a_lesion_is_kept_by_a_method_that_sees_everything(part):
    scan = unseen_scans.scan_of(part, SETTINGS, seed=0)
    whole = dataclasses.replace(
        scan, mask=scan.mask.replace(array=np.ones((1, 18), bool))
    )
    pytest.importorskip("sigpy")
    found = unseen_scans.lesion_kept(Sense(0.0), whole)
    assert found == {
        "a": pytest.approx(1, abs=1e-2),
        "b": pytest.approx(1, abs=1e-2),
    }
    lost = unseen_scans.lesion_kept(lambda k, m, s: np.zeros((16, 18)), scan)
    assert lost == {"a": 0.0, "b": 0.0}
    assert unseen_scans.lesion_kept(ZeroFilled(), scan)["a"] < 0.9


def test_others_are_of_the_same_patients(part, monkeypatch):
    other = Slices(part.images, part.volumes, np.repeat(["one", "three"], 4))
    monkeypatch.setattr(
        unseen_scans, "load_splits", lambda *_: ({"train": other}, "")
    )
    settings = {**SETTINGS, "others": ["T1=some/t1"], "tested": 1}
    scans = dict(unseen_scans.unseen(part, settings, seed=0))
    assert scans["T1"].volumes.tolist() == ["a"]
    strangers = dataclasses.replace(part, patients=np.repeat("four", 8))
    assert "T1" not in dict(unseen_scans.unseen(strangers, settings, seed=0))


def test_snr_of_one_deviation(rng):
    """As much noise is drawn as the deviation says, on average."""
    scale = np.reshape([1, 1, 3, 5], (4, 1, 1, 1, 1))
    kspace = (scale * rng.normal(size=(4, 3, 16, 16, 2))).astype("float32")
    found = unseen_scans.snr_of(kspace, 0.1)
    noise = simulation.add_noise(kspace, found, seed=0) - kspace
    np.testing.assert_allclose(np.sqrt(np.mean(noise**2)), 0.1, rtol=0.1)
