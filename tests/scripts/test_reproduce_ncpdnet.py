import json

import numpy as np
import pytest

import loupe_tf
from experiments import curve_scan
from experiments.presets import ncpdnet
from loupe_tf.numpy_fourier import ifft2c, nudft


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_ncpdnet.py")


@pytest.mark.parametrize("name", ["radial", "spiral"])
def test_trajectory_has_the_acceleration(name):
    """Spokes count by π/2 · N, turns of a spiral by N / 2."""
    trajectory = curve_scan.make_trajectory(name, (64, 60), 4)
    assert trajectory.matrix == (64, 60)
    if name == "radial":
        assert trajectory.shots == round(np.pi / 2 * 64 / 4)
        return
    turns = trajectory.provenance["turns"]
    assert trajectory.shots * turns == pytest.approx(32 / 4)
    steps = np.diff(trajectory.positions, axis=1)
    # Along the outermost turn, two samples for each point of the grid.
    assert np.linalg.norm(steps[:, -1], axis=-1) * 64 == pytest.approx(1, 0.1)


def test_shots_that_go_in_and_out():
    """The paper counts them as lines: N / R, of as many samples as a spoke."""
    size = (64, 60)
    found = curve_scan.make_trajectory("in_out_spiral", size, 4)
    spokes = curve_scan.make_trajectory("radial", size, 4)
    assert found.shots == 16
    assert found.provenance["turns"] == 3
    assert found.positions.shape[1] == spokes.positions.shape[1]


@pytest.mark.parametrize("size", [(64, 60), (33, 48)])
@pytest.mark.parametrize("name", ["radial", "spiral", "one_turn_spiral"])
def test_a_receiver_would_take_these_samples(name, size):
    """They are at most 1/FOV apart along a curve."""
    found = curve_scan.make_trajectory(name, size, 4.7)
    assert max(found.largest_steps) <= 1
    if name == "one_turn_spiral":
        assert found.shots == round(max(size) / 2 / 4.7)
        assert 0.45 < max(found.largest_steps) < 0.5


def test_phase_leaves_the_magnitude(rng):
    images = rng.uniform(size=(3, 8, 9, 1)).astype("float32")
    found = curve_scan.with_phase(images, 0)
    magnitude = np.linalg.norm(found, axis=-1, keepdims=True)
    np.testing.assert_allclose(magnitude, images, atol=1e-6)
    assert np.abs(found[0, ..., 1]).max() > 0
    np.testing.assert_array_equal(found, curve_scan.with_phase(images, 0))


def test_coils_measure_the_image_through_their_maps(rng):
    """So do the model's inputs, which it transforms itself."""
    images = rng.normal(size=(2, 8, 9, 2)).astype("float32")
    maps = curve_scan.coil_maps((8, 9), 3)
    spokes = curve_scan.make_trajectory("radial", (8, 9), 2)
    one = curve_scan.measure(images, spokes)
    several = curve_scan.measure(images, spokes, maps)
    assert several.shape == (2, 3, *one.shape[2:])
    # Conjugate maps, whose squares sum to 1, undo what maps do to an image.
    kspace, seen = curve_scan.model_inputs(images, maps)
    coils = ifft2c(kspace @ np.array([1, 1j]))
    combined = ((seen @ np.array([1, -1j])) * coils).sum(1)
    np.testing.assert_allclose(combined, images @ [1, 1j], atol=1e-5)
    expected = nudft(coils, spokes.positions)
    np.testing.assert_allclose(several, expected, atol=1e-4)
    assert curve_scan.coil_maps((8, 9), 1) is None
    assert curve_scan.model_inputs(images) is images


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--transfer", str(folder / "data"), "--epochs", "1"),
        *("--coils", "1", "3"),
    ]
    assert script.main(arguments) == 0
    said = capsys.readouterr().out
    assert "spokes, NC-PDNet against NC-PDNet without D" in said
    assert "data: R = 4.7: spokes, NC-PDNet against" in said
    assert "spokes, 3 coils, NC-PDNet against NC-PDNet without D" in said
    records = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert {r["network"] for r in records} == {*ncpdnet.METHODS}
    assert {r["coils"] for r in records} == {1, 3}
    for record in records:
        assert record["transfer"]["data"]["unit_range"]
        # One that does not train towards the image is far below 0.
        found = record["test"]["unit_range"].values()
        assert min(each["psnr"] for each in found) > 2
        assert record["test"]["unit_range"] and not record["diverged"]
        assert bool(record["parameters"]) == ("epochs" in record)

    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)
    assert script.main(arguments) == 0
    assert script.main(["--report", "--out", str(folder / "out")]) == 0
    assert "NC-PDNet" in capsys.readouterr().out


@pytest.mark.slow
def test_networks_of_the_preset_are_as_large(script):
    """U-Net and NC-PDNet, within a percent."""
    settings = ncpdnet.PRESETS["cpu"] | {"epochs": 1}
    found = [
        script.count_parameters(
            script.build_model(
                script.Run("radial", 16.0, name, 0), settings, (16, 16, 1)
            ).reconstructor
        )
        for name in ("unet", "ncpdnet")
    ]
    assert found[1] == pytest.approx(found[0], rel=0.01)


@pytest.mark.parametrize(
    "others, said",
    [
        (("--trajectories", "rosette"), "rosette"),
        (("--iterations", "0"), "--iterations"),
        (("--epochs", "0"), "--epochs"),
        (("--coils", "0"), "--coils"),
    ],
)
def test_refuses_wrong_options(capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        ncpdnet.parse("Title.\n\nText.", ["--preset", "cpu", *others])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_other_data_of_one_name_are_refused(capsys):
    with pytest.raises(SystemExit):
        ncpdnet.parse("Title.\n\nText.", ["--transfer", "a/x.npy", "b/x.npy"])
    assert "--transfer: expected different names" in capsys.readouterr().err
