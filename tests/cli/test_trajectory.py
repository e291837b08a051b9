import re
import shlex
import sys

import keras
import numpy as np
import pytest

import loupe_tf
from loupe_tf import cli, trajectories
from loupe_tf.formats import load_trajectory
from loupe_tf.masks.files.steady_state import repetitions_within
from loupe_tf.trajectories import HARDWARE, radial


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(text):
    return cli.main(shlex.split(text))


MAKE = (
    "trajectory make {} --shots 3 --samples 32 --hardware prisma --dwell 2e-5 "
    "--iterations 2 --levels 1 "
)


def test_from_a_model_to_a_protocol(folder, capsys):
    pytest.importorskip("pypulseq")
    model = loupe_tf.models.loupe_model(
        (24, 32, 1), 4, filters=1, depth=1, seed=0, field_of_view=(200, 220)
    )
    model.save("model.keras")
    out = "--out a.npz a.seq a.png"
    assert run(MAKE.format("model.keras") + f"--te 6 {out}") == 0
    made = load_trajectory("a.npz")
    assert HARDWARE["prisma"].check(made).ok
    assert (made.matrix, made.field_of_view) == ((24, 32), (200, 220))
    mask = loupe_tf.masks.from_model(keras.models.load_model("model.keras"))
    digest = mask.provenance["weights_sha256"]
    assert made.provenance["weights_sha256"] == digest
    assert made.provenance["smoothing"] == 24 / 32
    scan = load_trajectory("a.seq")
    np.testing.assert_allclose(scan.positions, made.positions, atol=1e-6)
    assert scan.provenance["weights_sha256"] == digest
    assert (folder / "a.png").read_bytes()[:4] == b"\x89PNG"
    text = capsys.readouterr().out
    assert "prisma can run it: gradient at most" in text
    slices = (
        r"one slice of 5 mm \(default\), spoiled gradient echo, TE 6\.0\d ms, "
        r"TR [\d.]+ ms, flip angle 15°, \d+ dummy scans \(default\), RF "
        r"spoiling 117°, Pulseq 1\.5"
    )
    gradient = HARDWARE["prisma"].check(made).gradient.max()
    runs = (
        rf"scan time [\d.]+ s: TR [\d.]+ ms × \({made.shots} shots \+ \d+ "
        rf"dummy scans\); read-out {1000 * made.samples * made.dwell:.4g} ms "
        rf"at 50 kHz, .* Hz per pixel\ngradient at most {gradient:.4g} of 80 "
        r"mT/m, slew rate at most [\d.]+ of 200 T/m/s along the shots"
    )
    end = f"a.npz\na.seq\n{slices}\n{runs}\na.png\n$"
    assert re.search(end, text, re.DOTALL)
    assert text.count("nerve stimulation") == 1
    steps = ", ".join(
        f"{s:.3g} along {axis}" for s, axis in zip(made.largest_steps, "HW")
    )
    assert re.search(f"^largest step +{steps}, in 1/FOV$", text, re.MULTILINE)
    before, after = made.provenance["distance"]
    row = f"{before:.3f} at first, {after:.3f} in the end"
    assert f"distance to density  {row}\n" in text and "energy" not in text


def test_from_other_densities(folder):
    np.save("density.npy", np.ones((20, 20)))
    for name in (
        "density.npy",
        "uniform --matrix 20 20",
        "decay --matrix 20 20 --decay 0.0001 --cutoff 0.5",
    ):
        assert run(MAKE.format(name) + "--fov 220 220 --echo 5") == 0
        found = load_trajectory("trajectory.npz")
        assert found.matrix == (20, 20)
        np.testing.assert_allclose(found.positions[:, 5], 0, atol=1e-12)


@pytest.mark.parametrize(
    "text, message",
    [
        (MAKE.format("x.txt"), "DENSITY.*decay, uniform"),
        ("trajectory show a.keras", "TRAJECTORY.*seq. Received: a.keras"),
        ("trajectory convert a.mat b.npz", "TRAJECTORY.*Received: a.mat"),
        (MAKE.format("missing.npy"), "missing.npy"),
        (
            MAKE.format("k.npy") + "--fov 99 99",
            "DENSITY.*real numbers.*complex",
        ),
        (
            MAKE.format("missing.npy") + "--out a.xyz",
            "--out.*seq. .*--out a.xyz",
        ),
        (MAKE.format("bad.npy") + "--fov 0 99", "argument --fov"),
        (MAKE.format("lines.keras"), "without --lines.*decay.*has columns"),
        (MAKE.format("uniform") + "--fov 9 9", "--matrix"),
        (MAKE.format("uniform --matrix 9 9"), "--fov"),
        (MAKE.format("bad.npy") + "--fov 99 99", "DENSITY.*NaN"),
        (
            MAKE.format("uniform --matrix 64 64") + "--fov 9 9",
            "--samples.*at least",
        ),
    ],
)
def test_what_is_refused(folder, capsys, text, message):
    np.save("bad.npy", np.full((9, 9), np.nan))
    np.save("k.npy", np.ones((9, 9), "complex64"))
    if "lines.keras" in text:
        model = loupe_tf.models.loupe_model(
            (9, 9, 1), 4, lines="columns", filters=1, depth=1
        )
        model.save("lines.keras")
    if "--fov 0" in text:
        np.save("bad.npy", np.ones((9, 9)))
    assert run(text) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not (folder / "trajectory.npz").exists()


@pytest.mark.parametrize(
    "suffix, package", [("seq", "pypulseq"), ("mrd", "ismrmrd")]
)
def test_a_missing_package_is_named_first(
    folder, capsys, monkeypatch, suffix, package
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(trajectories, "sparkling", None)  # Not called.
    text = MAKE.format("uniform --matrix 20 20") + "--fov 220 220"
    assert run(f"{text} --out a.npz a.{suffix}") == 2
    assert f"require the package {package}" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_thickness_of_ismrmrd(folder, capsys):
    ismrmrd = pytest.importorskip("ismrmrd")
    radial(4, 20, matrix=(20, 20), field_of_view=(220, 200)).save("a.npz")
    assert run("trajectory convert a.npz a.mrd --slice-thickness 3") == 0
    printed = capsys.readouterr().out
    assert printed == (
        "a.mrd\nslice thickness 3 mm\nlargest step 1 along H, 1 along W, in "
        "1/FOV\n"
    )
    with ismrmrd.Dataset("a.mrd", create_if_needed=False) as file:
        header = ismrmrd.xsd.CreateFromDocument(file.read_xml_header())
    assert header.encoding[0].encodedSpace.fieldOfView_mm.z == 3


def test_show_and_convert(folder, capsys):
    pytest.importorskip("pypulseq")
    radial(4, 200).save("bare.csv")
    sizes = "--matrix 64 64 --fov 220 200 --dwell 1e-5"
    assert run(f"trajectory convert bare.csv full.npz {sizes}") == 0
    assert run("trajectory show full.npz --hardware clinical --out a.png") == 0
    text = capsys.readouterr().out
    for words in ("4", "64×64", "220×200 mm", "10 µs", "2 ms", "radial"):
        assert words in text, words
    assert "clinical can run it" in text and text.endswith("a.png\n")
    assert "nerve stimulation" in text
    # 200 samples on a diameter of 64 / FOV.
    assert "largest step         0.32 along H, 0.32 along W, in 1/FOV" in text
    assert "a step above" not in text
    capsys.readouterr()
    command = "trajectory convert full.npz full.seq --tr 30"
    assert run(command) == 0
    text = capsys.readouterr().out
    assert "nerve stimulation" in text and "steady state" not in text
    # For a T1 of 1 s.
    assert f"{repetitions_within(0.02, 30, 15, 1000)} dummy scans (def" in text
    assert run(f"{command} --dummy-scans 3") == 0
    text = capsys.readouterr().out
    assert "first shot is" in text and "dummy scans, the default" in text
    assert "largest step 0.32 along H" in text and "a step above" not in text
    assert run("trajectory convert bare.csv b.seq --hardware prisma") == 2
    assert "--matrix" in capsys.readouterr().err
    # The receiver sees a third of a field of view of 4 times as many pixels.
    assert run("trajectory convert bare.csv wide.npz --matrix 640 256") == 0
    for text in ("show wide.npz", "convert wide.npz wide.csv"):
        assert run(f"trajectory {text}") == 0
    text = " ".join(capsys.readouterr().out.split())
    said = "keeps only the central 31 % of the field of view along H and 78 %"
    assert text.count("3.2 along H, 1.28 along W") == 3
    assert text.count(said) == 3 and "nerve" not in text
    # 10 times too fast.
    assert run("trajectory convert full.npz fast.npz --fov 22 20") == 0
    assert run("trajectory show fast.npz --hardware clinical") == 0
    text = capsys.readouterr().out
    assert "can NOT run it" in text and "above 28 mT/m" in text
    assert run("trajectory convert fast.npz fast.seq") == 2
    assert not (folder / "fast.seq").exists()


def test_help(capsys):
    assert run("trajectory") == 0
    text = capsys.readouterr().out
    assert "prisma" in text and ".seq" in text


def test_show_draws_pictures_and_writes_nothing_else(folder, capsys):
    path = folder / "radial.npz"
    known = {"matrix": (16, 16), "field_of_view": (230, 230), "dwell": 1e-5}
    trajectories.radial(4, 64, **known).save(path)
    for name in ("other.seq", "other.npz"):
        other = folder / name
        assert (
            cli.main(["trajectory", "show", str(path), "--out", str(other)])
            == 2
        )
        assert "--out" in capsys.readouterr().err and not other.exists()
    picture = folder / "radial.png"
    assert (
        cli.main(["trajectory", "show", str(path), "--out", str(picture)]) == 0
    )
    assert picture.exists()
