import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from loupe_tf import cli
from loupe_tf.cli import convert
from loupe_tf.formats import load_mask, pulseq_sequence
from loupe_tf.masks import (
    SamplingMask,
    central_lines,
    equispaced_lines,
    gaussian,
    poisson_disc,
    random_lines,
    regular_lines,
    regular_points,
)
from loupe_tf.masks.description import side_lobe_text
from loupe_tf.masks.files.steady_state import (
    excess_signal,
    repetitions_within,
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a few masks, which is the current one."""
    monkeypatch.chdir(tmp_path)
    lines = random_lines((24, 32), 4, 6)
    lines.save("lines.npz")
    points = poisson_disc((24, 32), 4, 6)
    points.replace(slope=300.0, field_of_view=(240, 320)).save("points.npz")
    np.save("corner.npy", np.fft.ifftshift(points.array))
    SamplingMask([[0, 1, 1, 0]]).save("small.npz")
    return tmp_path


def run(text):
    return cli.main(shlex.split(text))


def test_show(files, capsys):
    assert run("mask show points.npz --out new/points.png") == 0
    text = capsys.readouterr().out
    for words in (
        "points",
        "24×32",
        "240×320 mm",
        "192 of 768 points",
        "R achieved",
        "4.692",  # Outside the calibration region: 732 of 156.
        "poisson_disc",
        "300",
        "largest side lobe",
        "share acquired",
    ):
        assert words in text, words
    assert (files / "new/points.png").read_bytes()[:4] == b"\x89PNG"
    assert run("mask show lines.npz") == 0
    text = capsys.readouterr().out
    assert "8 of 32 columns" in text and "NOT acquired" not in text
    assert re.search(r"R asked for +4\n", text)
    assert re.search(r"calibration region +6 columns\n", text)
    maps = " ".join(text.partition("\nsensitivity maps")[2].split())
    assert maps.startswith("6 columns around DC without a gap: too few for ")
    # What a bare array does not say is not known.
    assert run("mask show corner.npy --shift") == 0
    text = capsys.readouterr().out
    for name in ("R asked for", "R outside calibration", "calibration region"):
        assert re.search(f"^{name} +not known$", text, re.MULTILINE), name
    assert run("mask show small.npz") == 0
    text = capsys.readouterr().out
    assert re.search(r"\ncalibration region +none\n", text)
    flank = r"largest off the peak +70.7 % of the peak, in a neighbouring pixel"
    assert re.search(flank, text)
    # Where that is the side lobe itself, it is said once.
    SamplingMask([[1, 0] * 4]).save("aliases.npz")
    assert run("mask show aliases.npz") == 0
    text = capsys.readouterr().out
    assert "100.0 % of the peak" in text and "off the peak" not in text
    hollow = SamplingMask.load("lines.npz").array.copy()
    hollow[0, hollow.size // 2] = False
    SamplingMask(hollow).save("hollow.npz")
    assert run("mask show hollow.npz --as-is") == 0
    assert "NOT acquired: of little use" in capsys.readouterr().out


def test_show_begins_with_what_a_scan_needs(files, capsys):
    """What the training noted is behind it, and short."""
    history = [20.0] * 30 + [30.0] * 30 + [45.0] * 30
    mask = SamplingMask.load("lines.npz").replace(
        matrix=(24, 32),
        field_of_view=(240, 320),
        slope=30.0,
        provenance={
            "weights_sha256": "0123456789" * 6 + "abcd",
            "data": "knees, " * 40,
            "slope_history": history,
        },
    )
    mask.save("learned.npz")
    assert run("mask show learned.npz") == 0
    text = capsys.readouterr().out
    names = re.findall(r"^(\w[\w ]*?)  +\S", text, re.MULTILINE)
    order = (
        "R achieved",
        "shape",
        "acquired",
        "calibration region",
        "resolution",
        "field of view",
        "largest side lobe",
        "slope",
        "weights_sha256",
    )
    assert [name for name in names if name in order] == list(order)
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"weights_sha256 +012345678901\.\.\.\n", text)
    assert "20 -> 45 in 90 epochs, 30 when the mask was kept" in text
    assert "slope_history" not in text and text.count("knees") < 15
    # The same words as in the report.
    assert side_lobe_text(mask) in text and "% of the peak" in text


@pytest.mark.parametrize(
    "slope, history, expected",
    [
        (45.0, [20.0, 30.0, 45.0], "20 -> 45 in 3 epochs"),
        (20.0, [20.0, 20.0], "20, not raised in 2 epochs"),
        (None, [20.0], "20, not raised in 1 epoch"),
        (300.0, None, "300"),
        (300.0, [], "300"),
        (300.0, "see paper", "300"),
    ],
)
def test_show_says_how_the_slope_rose(files, capsys, slope, history, expected):
    facts = {} if history is None else {"slope_history": history}
    mask = SamplingMask.load("lines.npz")
    mask.replace(slope=slope, provenance=facts).save("slopes.npz")
    assert run("mask show slopes.npz") == 0
    text = capsys.readouterr().out
    assert re.search(rf"^slope +{re.escape(expected)}$", text, re.MULTILINE)
    # What cannot be told in fewer words is shown as it is.
    assert ("see paper" in text) == (history == "see paper")


def test_a_mask_that_leaves_out_one_half_is_said_to(files, capsys):
    k = np.arange(64) - 32
    # Each line once: even ones on the right, odd ones on the left.
    array = (abs(k) < 3) | ((abs(k) < 15) & ((k % 2 == 0) == (k > 0)))
    SamplingMask(
        array[None],
        calibration=5,
        provenance={"pattern": "learned"},
        matrix=(64, 64),
        field_of_view=(240, 240),
    ).save("half.npz")
    said = "0 of 12 outer lines have their mirror image acquired"
    assert run("mask show half.npz") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.count(said) == 2 and "train --phase" in text
    assert "acquired; in a random mask of the same density at each" in text
    # It is a note: the file is written.
    assert run("mask convert half.npz half.csv") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Note: {said}" in text and "leaves out one half" in text
    assert load_mask("half.csv").acquired == 17
    # Not on the way to a scanner, or not one half: no note.
    assert run("mask convert half.npz half.npy") == 0
    assert run("mask convert lines.npz lines.csv") == 0
    assert "Note" not in capsys.readouterr().out
    assert run("mask show lines.npz") == 0
    text = capsys.readouterr().out
    assert "mirror images" in text and "one half" not in text
    # Lines at -N/2 are not counted as outer lines.
    array[[0, 1]] = True
    SamplingMask(array[None], calibration=5).save("edge.npz")
    assert run("mask show edge.npz") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "13 outer lines" in text and "(1 more at -N/2 not counted)" in text
    array[[0, 1, 63]] = False, True, True
    SamplingMask(array[None], calibration=5).save("edge.npz")
    assert run("mask show edge.npz") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "2 of 14 outer lines" in text and "-N/2" not in text


def test_a_mask_learned_from_magnitudes_has_a_note(files, capsys):
    array = np.zeros((1, 64), bool)
    array[0, 32 - 8 : 32 + 9] = True

    def convert_with(name, **provenance):
        SamplingMask(
            array,
            provenance={"pattern": "learned", **provenance},
            matrix=(64, 64),
            field_of_view=(240, 240),
        ).save("learned.npz")
        assert run(f"mask convert learned.npz {name}") == 0
        return " ".join(capsys.readouterr().out.split())

    text = convert_with("a.csv", trained_on="magnitudes")
    assert "Note: This mask was learned from magnitudes" in text
    assert "16 of 16 outer lines have their mirror" in text
    assert "columns -8 to 8 without a gap, 14.12 mm along W" in text
    for name, facts in (
        ("a.csv", {}),
        ("a.csv", {"trained_on": "magnitudes", "half_plane": True}),
        ("a.npy", {"trained_on": "magnitudes"}),
    ):
        assert "magnitudes" not in convert_with(name, **facts)


@pytest.mark.parametrize(
    "name, provenance, said",
    [
        (
            "a.csv",
            {"pattern": "learned"},
            "`loupe-tf train --lines columns --coils N`",
        ),
        ("a.npy", {"pattern": "learned"}, ""),  # Not for a scanner.
        ("a.csv", {"pattern": "given"}, ""),
        # Those of a U-Net with coils are no better.
        (
            "a.csv",
            {"pattern": "learned", "simulated_coils": 6, "network": "unet"},
            "2.6 dB worse",
        ),
        (
            "a.csv",
            {"pattern": "learned", "simulated_coils": 6, "network": "modl"},
            "learned for 6 simulated coils",
        ),
    ],
)
def test_learned_lines_have_a_note_on_coils(
    files, capsys, name, provenance, said
):
    mask = equispaced_lines((64, 64), 4, 4)
    mask.replace(provenance=provenance).save("learned.npz")
    assert run(f"mask convert learned.npz {name}") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert said in text and ("Note: " in text) == bool(said)


@pytest.mark.parametrize(
    "provenance, said",
    [
        ({"pattern": "given"}, ""),
        (
            {"pattern": "learned", "network": "unet"},
            "a U-Net learned were wors",
        ),
        (
            {"pattern": "learned", "network": "modl", "simulated_coils": 8},
            "points were learned for 8 simulated coils, and serve the network "
            "that they were learned with, MoDL. Before you scan, see in its "
            "report whether they are better than a Poisson disc.",
        ),
    ],
)
def test_points_have_notes_on_the_scan_and_on_coils(
    files, capsys, provenance, said
):
    mask = poisson_disc((64, 64), 4, 8)
    mask.replace(provenance=provenance).save("learned.npz")
    for words in ("convert learned.npz a.csv", "show learned.npz"):
        assert run(f"mask {words}") == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "Note: points are for a 3-D scan. H and W are its two" in text
        assert "--readout SAMPLES MM` writes a .seq" in text and said in text
        assert text.count("Note: ") == 1 + bool(said)
    assert run("mask convert learned.npz a.npy") == 0
    assert "Note: " not in capsys.readouterr().out  # Not for a scanner.
    assert run("mask show lines.npz") == 0
    assert "Note: " not in capsys.readouterr().out


@pytest.mark.parametrize(
    "suffix, module", [("seq", "pypulseq"), ("mrd", "h5py")]
)
def test_formats_of_scanners_have_the_note(
    files, capsys, monkeypatch, suffix, module
):
    pytest.importorskip(module)
    monkeypatch.setattr(convert, "lacks_mirror_images", lambda mask: "Few.")
    assert run(f"mask convert lines.npz a.{suffix} --fov 240 240") == 0
    assert "Note: Few." in capsys.readouterr().out


def test_make(files, capsys):
    text = "mask make central_lines a.npz --matrix 24 32 --lines rows"
    assert run(f"{text} --acceleration 3 --calibration 4 --fov 220 180") == 0
    made = SamplingMask.load("a.npz")
    expected = central_lines((24, 32), 3, 4, lines="rows")
    assert made == expected.replace(field_of_view=(220, 180))
    text = capsys.readouterr().out
    assert "a.npz: central_lines for 24×32: 8 of 24 rows" in text
    assert "field of view 220×180 mm" in text
    # Points, with the calibration region of fastMRI's share.
    assert run("mask make gaussian b.cfl --matrix 24 32 --seed 5") == 0
    found = load_mask("b.cfl")
    assert found == gaussian((24, 32), 4.0, 2, seed=5)
    capsys.readouterr()
    # R is a result: 11 of 32 lines, and 4 more in the centre.
    text = "mask make regular_lines d.npz --matrix 24 32 --spacing 3"
    assert run(f"{text} --calibration 6") == 0
    assert "15 of 32 columns acquired, R = 2.13" in capsys.readouterr().out
    assert load_mask("d.npz") == regular_lines((24, 32), 3, 6)
    text = "mask make regular_points g.npz --matrix 24 32 --spacing 2 3"
    assert run(f"{text} --row-shift 1 --calibration 6") == 0
    assert load_mask("g.npz") == regular_points((24, 32), (2, 3), 1, 6)
    assert run(text) == 0
    assert load_mask("g.npz") == regular_points((24, 32), (2, 3))
    capsys.readouterr()
    # The shape of random patterns.
    text = "mask make poisson_disc f.npz --matrix 24 32 --growth 3"
    assert run(f"{text} --crop-corners") == 0
    expected = poisson_disc((24, 32), 4.0, 2, growth=3.0, corners=False)
    assert load_mask("f.npz") == expected != poisson_disc((24, 32), 4.0, 2)
    assert run("mask make gaussian e.npz --matrix 24 32 --std 0.2") == 0
    assert load_mask("e.npz") == gaussian((24, 32), 4.0, 2, std=0.2)
    for words, message in (
        ("poisson_disc c.npz --matrix 24 32 --std 1", "--std.*gaussian or"),
        ("gaussian c.npz --matrix 24 32 --growth 1", "--growth.*poisson_disc"),
        ("gaussian c.npz --matrix 24 32 --crop-corners", "--crop-corners.*po"),
        ("gaussian c.npz --matrix 24 32 --std 0", "--std"),
        ("gaussian c.npz --matrix 24 32 --lines rows", "--lines.*has points"),
        ("random_lines c.npz --matrix 24 32 --acceleration 1", "--accel"),
        ("random_lines c.mat --matrix 24 32", "c.mat"),
        ("regular_lines c.npz --matrix 24 32", "--spacing"),
        ("regular_lines c.npz --matrix 24 32 --spacing 3 --std 1", "--std"),
        ("regular_lines c.npz --matrix 24 32 --spacing 1", "--spacing"),
        (
            "regular_lines c.npz --matrix 24 32 --spacing 3 --acceleration 3",
            "--acceleration.*--spacing",
        ),
        ("random_lines c.npz --matrix 24 32 --spacing 3", "--spacing.*regular"),
        ("regular_lines c.npz --matrix 24 32 --spacing 3 2", "--spacing.*one"),
        ("regular_points c.npz --matrix 24 32 --spacing 3", "--spacing.*two"),
        ("regular_points c.npz --matrix 24 32 --spacing 1 1", "--spacing"),
        (
            "regular_points c.npz --matrix 24 32 --spacing 2 2 --row-shift 2",
            "--row-shift. Expected an integer below 2.*--row-shift 2",
        ),
        (
            "regular_points c.npz --matrix 24 32 --spacing 2 2 --lines rows",
            "--lines.*has points.*regular_lines",
        ),
        ("gaussian c.npz --matrix 24 32 --row-shift 1", "--row-shift.*_points"),
        (
            "regular_lines c.npz --matrix 24 32 --spacing 2 --row-shift 1",
            "--row-shift.*regular_points",
        ),
    ):
        assert run(f"mask make {words}") == 2
        assert re.search(message, capsys.readouterr().err)
    assert not (files / "c.npz").exists()


def test_convert(files, capsys):
    source = SamplingMask.load("lines.npz")
    for name in ("a.json", "a.csv", "a.cfl", "a.h5", "a.npy"):
        assert run(f"mask convert lines.npz {name}") == 0
        np.testing.assert_array_equal(load_mask(name).array, source.array)
    assert run("mask export a.cfl back.npz") == 0  # Its other name.
    assert SamplingMask.load("back.npz") == source
    text = capsys.readouterr().out
    assert "a.json: random_lines for 24×32: 8 of 32 columns" in text


def test_convert_with_options(files):
    run("mask convert lines.npz a.csv --order shuffled --seed 3 --fov 240 200")
    found = load_mask("a.csv")
    assert found.field_of_view == (240, 200)
    numbers = [
        int(line.split(",")[0])
        for line in pathlib.Path("a.csv").read_text().splitlines()
        if line[0].isdigit()
    ]
    assert numbers != sorted(numbers) and len(numbers) == 8
    SamplingMask([[0, 1, 1, 0]]).save("old.npz")
    assert run("mask convert old.npz old.cfl") == 2
    assert run("mask convert old.npz old.cfl --matrix 3 4") == 0
    assert load_mask("old.cfl").matrix == (3, 4)


def test_convert_to_protocols(files, capsys):
    pytest.importorskip("pypulseq")
    pytest.importorskip("ismrmrd")
    source = SamplingMask.load("lines.npz")
    words = "--fov 240 240 --te 6 --tr 20 --order smooth --bandwidth 400"
    words += " --flip-angle 10 --slice-thickness 4 --dummy-scans 2"
    assert run(f"mask convert lines.npz scan.seq {words}") == 0
    text = capsys.readouterr().out
    assert "; field of view " in text and "Note: the mask" not in text
    # A mask's own field of view is not replaced in silence.
    assert run("mask convert scan.seq c.mrd --fov 200 240") == 0
    assert "made for a field of view of 240×240 mm" in capsys.readouterr().out
    assert re.search(
        r"\none slice of 4 mm, spoiled gradient echo, TE 6.0\d ms, TR 20.00 "
        "ms, flip angle 10°, 2 dummy scans, RF spoiling 117°, Pulseq 1.5\n",
        text,
    )
    # 8 lines and 2 dummy scans.
    assert (
        "\nscan time 0.20 s (all 32 lines: 0.68 s): TR 20.00 ms × (8 lines + 2 "
        "dummy scans); read-out 400 Hz per pixel, oversampled 2 times\n"
        "gradient at most " in text
    )
    said = r"at most ([\d.]+) of 28 mT/m, .* ([\d.]+) of 150 T/m/s in any or"
    peaks = [float(x) for x in re.search(said, text).groups()]
    made = pulseq_sequence(
        source.replace(field_of_view=(240, 240)),
        **{"te": 6, "tr": 20, "order": "smooth", "bandwidth": 400},
        **{"flip_angle": 10, "slice_thickness": 4, "dummy_scans": 2},
    )
    waves = [wave for wave in made.waveforms_and_times()[0] if wave.size]
    tesla = 1 / made.system.gamma
    # An oblique slice may have the sum of all axes on one.
    time = np.arange(0, max(w[0, -1] for w in waves), 5e-6)
    vectors = np.stack([np.interp(time, w[0], w[1]) for w in waves])
    slews = np.diff(vectors) / 5e-6
    largest, fastest = (
        np.linalg.norm(v, axis=0).max() for v in (vectors, slews)
    )
    assert peaks[0] == pytest.approx(1000 * tesla * largest, rel=1e-3)
    assert 0.95 * peaks[1] <= tesla * fastest <= 1.001 * peaks[1] <= 150
    assert run("mask convert lines.npz b.seq --fov 240 240") == 0
    text = capsys.readouterr().out
    (line,) = [x for x in text.splitlines() if x.startswith("one slice")]
    match = re.fullmatch(
        r"one slice of 5 mm \(default\), spoiled gradient echo, TE ([\d.]+) "
        r"ms, TR ([\d.]+) ms, flip angle 15°, (\d+) dummy scans \(default\), "
        r".*, Pulseq 1.5",
        line,
    )
    *times, dummies = match.groups()
    # They reach the steady state at the shortest TR.
    tr = times[1]
    enough = repetitions_within(0.02, float(tr), 15, 1000)
    assert int(dummies) == enough and "steady" not in text
    assert run("mask convert lines.npz old.seq --fov 240 240 --pulseq 1.4") == 0
    assert capsys.readouterr().out.count("Pulseq 1.4") == 1
    few = f"--fov 240 240 --tr {tr} --dummy-scans 16"
    assert run(f"mask convert lines.npz few.seq {few}") == 0
    said = " ".join(capsys.readouterr().out.split())
    excess = 100 * excess_signal(16, float(tr), 15, 1000)
    assert f"first line is {excess:.0f} % above the steady state" in said
    assert f"; {enough} dummy scans, the default, bring it within 2 %." in said
    assert "minor 4" in pathlib.Path("old.seq").read_text()
    assert load_mask("old.seq") == load_mask("b.seq")
    # Another scanner, whose limits one may lower.
    fast = "mask convert lines.npz fast.seq --fov 240 240 --hardware mr750"
    assert run(f"{fast} --max-slew 120 --oversampling 1") == 0
    text = capsys.readouterr().out
    assert " of 50 mT/m" in text and " of 120 T/m/s" in text
    assert "oversampled 1 times" in text
    assert "GradientRasterTime 4e-06" in pathlib.Path("fast.seq").read_text()
    assert run("mask convert lines.npz a.csv --hardware skyra") == 2
    assert "--hardware" in capsys.readouterr().err
    # The shortest ones.
    for name, value in zip(("te", "tr"), times, strict=True):
        less = f"--fov 240 240 --{name} {float(value) - 0.02}"
        assert run(f"mask convert lines.npz c.seq {less}") == 2
    capsys.readouterr()
    assert run("mask convert lines.npz a.mrd --fov 240 240") == 0
    assert "\nslice thickness 5 mm (default)\n" in capsys.readouterr().out
    text = pathlib.Path("scan.seq").read_text()
    assert "FlipAngle 10" in text and "Order smooth" in text
    assert "FOV 0.24 0.24 0.004" in text
    assert (
        run("mask convert scan.seq a.h5 --format ismrmrd --order linear") == 0
    )
    assert load_mask("a.h5").acquired == 8


def test_convert_points_to_a_protocol(files, capsys):
    pytest.importorskip("pypulseq")
    source = SamplingMask.load("points.npz")
    words = "--fov 240 200 --readout 32 256 --tr 20 --dummy-scans 5"
    assert run(f"mask convert points.npz scan.seq {words}") == 0
    text = capsys.readouterr().out
    count, every = source.acquired, source.array.size
    assert "\none slab of 200 mm (default), spoiled gradient echo, TE " in text
    assert (
        f"\nscan time {0.02 * (count + 5):.2f} s (all {every} points: "
        f"{0.02 * (every + 5):.2f} s): TR 20.00 ms × ({count} points + 5 dummy "
        "scans); read-out 250 Hz per pixel, oversampled 2 times\n" in text
    )
    said = " ".join(text.split())
    assert "signal of the first point is " in said
    assert "Note: points are for a 3-D scan." in said
    assert "Their slab has no sharp edges" in said
    assert (load_mask("scan.seq").array == source.array).all()
    assert (
        run(f"mask convert points.npz a.seq {words} --slice-thickness 90") == 0
    )
    assert "\none slab of 90 mm, spoiled" in capsys.readouterr().out


def test_compare_says_what_is_not_known(files, capsys):
    points = SamplingMask.load("points.npz")
    np.save("bare.npy", points.array)
    assert run("mask compare points.npz bare.npy") == 0
    text = capsys.readouterr().out
    assert re.search(r"R asked for +4 +not known\n", text)
    assert re.search(r"calibration region +6×6 +not known\n", text)


@pytest.mark.parametrize(
    "words, message",
    [
        (
            "convert points.npz a.seq",
            "--readout. Expected .samples, mm.*mask convert points.npz "
            "scan.seq --readout 256 256`. Received: no --readout",
        ),
        (
            "convert points.npz a.seq --fov 240 240 --readout 8.5 200",
            "--readout. Expected .samples, mm.*Received: --readout 8.5 200.0",
        ),
        (
            "convert lines.npz a.seq --fov 240 240 --readout 8 200",
            "--readout. Expected None for a mask of lines",
        ),
        (
            "convert points.npz a.csv --readout 8 200",
            "--readout. Expected nothing for the format 'csv'",
        ),
        ("convert points.npz a.h5", "MASK. Expected columns"),
        ("convert corner.npy a.cfl", "--shift"),
        ("convert points.npz a.npz --shift", "argument --shift"),
        (
            "convert points.npz a.npz --te 3",
            "--te. .*takes no options. Received: --te 3",
        ),
        ("convert points.npz a.npz --matrix 3 4", "argument --matrix"),
        ("convert points.npz a.npz --fov -1 4", "argument --fov"),
        (
            "convert points.npz a.mat",
            "OUT. Expected a path that ends .*or a --format. Received: a.mat",
        ),
        (
            "convert a.mat a.npz",
            "MASK. Expected .*or a --from-format. Received: a.mat",
        ),
        ("compare points.npz a.mat", "MASK. Expected .*Received: a.mat"),
        ("make gaussian a.mat --matrix 9 9", "OUT. .*seq. Received: a.mat"),
        ("show points.npz --out a.pdf", "--out. .*Received: --out a.pdf"),
        ("convert nothing.npz a.npz", "No such file"),
        ("show lines.npz --encoding 1", "argument --encoding.*no options"),
        ("compare lines.npz lines.npz", "two different"),
        ("compare lines.npz small.npz", "argument MASK. Expected"),
        ("show a.mat", "MASK.*or a --from-format. Received: a.mat"),
        (
            "show runs/model.keras",
            "MASK. .*mask.npz beside the model.*from_model.*: runs/model.keras",
        ),
    ],
)
def test_errors(files, capsys, words, message):
    before = sorted(os.listdir(files))
    assert run(f"mask {words}") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and re.search(message, error), error
    assert sorted(os.listdir(files)) == before


def test_shift(files):
    points = SamplingMask.load("points.npz")
    assert run("mask convert corner.npy a.npz --shift") == 0
    np.testing.assert_array_equal(load_mask("a.npz").array, points.array)
    assert run("mask convert corner.npy b.npz --as-is") == 0
    # What the file says, that DC is in the centre, is wrong.
    assert run("mask show b.npz") == 2
    assert run("mask show b.npz --shift") == 0


def test_compare(files, capsys):
    random_lines((24, 32), 4, 6, seed=1).save("other.npz")
    assert run("mask compare lines.npz other.npz --out both.png") == 0
    text = capsys.readouterr().out
    first, second = (
        set(np.flatnonzero(SamplingMask.load(f"{name}.npz").array))
        for name in ("lines", "other")
    )
    both, either = len(first & second), len(first | second)
    assert f"both {both}, either {either}: {both / either:.1%}" in text
    assert "density by distance from DC" in text and "0.00–" in text
    lobe = side_lobe_text(SamplingMask.load("lines.npz"))
    assert re.search(f"largest side lobe +{re.escape(lobe)}", text)
    assert re.search("largest off the peak .*in a neighbouring pixel", text)
    assert (files / "both.png").exists()
    assert run("mask compare lines.npz points.npz --out both.png") == 0
    assert "density by distance" not in capsys.readouterr().out
    os.mkdir("old")
    os.rename("other.npz", "old/lines.npz")
    assert run("mask compare lines.npz old/lines.npz") == 0
    assert "old/lines.npz" in capsys.readouterr().out


def test_export(files):
    """A file that loads alone, of a model whose layers must be registered."""
    from loupe_tf.models import fastmri_unet, loupe_model

    options = {"filters": 1, "depth": 1, "dropout": 0.1}
    network = fastmri_unet((8, 9, 2), standardize="residual", **options)
    loupe_model((8, 9, 1), 2, reconstructor=network).save("model.keras")
    root = pathlib.Path(cli.__file__).parents[2]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "loupe_tf.cli",
            "export",
            "model.keras",
            "out/model",
        ],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("out/model")
    assert (files / "out/model/saved_model.pb").is_file()


def every_parser(parser, name=""):
    """Pairs of the words of a command and its parser, groups too."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                yield from every_parser(command, f"{name} {word}")


def examples():
    """Words of the commands that the helps show."""
    for _, parser in every_parser(cli.parser()):
        yield from examples_of(parser)


def examples_of(parser):
    """Words of the commands that one help shows."""
    text = f"{parser.description}\n{parser.epilog}".replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip().startswith("loupe-tf"):
            yield shlex.split(line)[1:]


@pytest.mark.parametrize("words", list(examples()), ids=" ".join)
def test_examples_of_the_help_can_be_parsed(words):
    assert callable(cli.parser().parse_args(words).run)


@pytest.mark.parametrize("command", ["make", "show", "convert", "compare"])
def test_examples_of_masks_work_as_pasted(command, files, capsys):
    for module in ("pypulseq", "ismrmrd", "h5py") * (command == "convert"):
        pytest.importorskip(module)
    parsers = dict(every_parser(cli.parser()))
    for words in examples_of(parsers[f" mask {command}"]):
        assert cli.main(words) == 0, capsys.readouterr().err


NAMES = [module.__name__.rpartition(".")[2] for module in cli.COMMANDS]


@pytest.mark.parametrize("words", ["", "mask show", *NAMES])
def test_help_is_there_at_once(words, tmp_path):
    """Nothing heavy is imported for it, and nothing else is printed."""
    code = (
        "import sys; from loupe_tf.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    found = {'keras', 'tensorflow', 'matplotlib', 'jax',"
        " 'torch', 'tensorflow_datasets', 'pandas'} & set(sys.modules)\n"
        "    assert not found, found\n"
    )
    root = pathlib.Path(cli.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code, *words.split(), "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    assert result.stdout.startswith(f"usage: loupe-tf {words}".rstrip())
    before = result.stdout.partition("options:")[0]
    assert re.search(r"\n\nexamples:\n(.*\n)* {2,4}loupe-tf", before)


@pytest.mark.parametrize("words", ["", "mask"])
def test_alone_it_helps(capsys, words):
    assert run(words) == 0
    text = capsys.readouterr().out
    assert "{" not in text
    listed = re.findall(r"^    (\w+)(?:  | \()", text, re.M)
    assert listed == (
        ["make", "show", "convert", "compare"] if words else NAMES
    )


def test_one_name_for_one_thing():
    """An option has the same values and help wherever it is.

    But for those whose help says what the command does with it.
    """
    found = {}
    for command, parser in subcommands(cli.parser()):
        for action in parser._actions:
            for flag in action.option_strings[-1:]:
                kind = action.metavar, action.nargs, str(action.choices)
                found.setdefault(flag, {})[command] = kind, action.help
    for flag in ("--data-dir", "--include", "--exclude", "--slice-axis"):
        assert len(set(found[flag].values())) == 1, flag
    # The name is the same for one value and for several: no plurals.
    assert not [f for f in found if f"{f}s" in found]


def test_helps_are_alike():
    """A sentence, examples, and for each option its value and its default."""
    metavars = {}
    for command, parser in subcommands(cli.parser()):
        sentence, examples = parser.description.split("\n\n")
        assert re.fullmatch(r"[A-Z][^:]*[^.]\.", sentence), command
        assert examples.startswith("examples:\n  "), command
        for action in parser._actions:
            place = f"{command} {action.option_strings or action.dest}"
            text = action.help
            assert text and not text.endswith("."), place
            if action.nargs == 0:
                continue
            assert action.metavar or action.choices, place
            # Written in one way, at the end.
            assert not re.search(r"\((%\(default\)|\d[\d.]*\))", text), place
            if "default: " in text:
                assert re.search(r"\(default: .*\)$", text, re.S), place
            elif action.option_strings:
                no_default = action.default is None or action.required
                assert no_default, place
            for flag in action.option_strings[-1:]:
                if action.metavar:
                    metavars.setdefault(flag, set()).add(action.metavar)
    several = {flag for flag, known in metavars.items() if len(known) > 1}
    # A folder or a file; two axes or three; a pattern or one of the masks.
    assert several == {"--data", "--out", "--matrix", "--fov", "--baseline"}


def subcommands(parser, name=""):
    for words, command in every_parser(parser, name):
        actions = command._actions
        if not any(isinstance(x, argparse._SubParsersAction) for x in actions):
            yield words, command


def test_starts_without_keras(files):
    script = files / "script.py"  # As the console script does.
    script.write_text(
        "import sys\n"
        "from loupe_tf.cli import main\n"
        "code = main()\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)\n"
    )
    root = pathlib.Path(cli.__file__).parents[2]
    for words in ("convert lines.npz a.json", "show lines.npz --out a.png"):
        result = subprocess.run(
            [sys.executable, str(script), "mask", *words.split()],
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            encoding="utf-8",
        )
        assert result.returncode == 0, result.stderr
    assert load_mask("a.json") == SamplingMask.load("lines.npz")


def test_a_reader_that_leaves_is_no_error(files):
    process = subprocess.Popen(
        [sys.executable, "-m", "loupe_tf.cli", "mask", "show", "lines.npz"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert "ipe" not in error


def test_show_keeps_what_a_file_says_of_itself(tmp_path, capsys):
    path = tmp_path / "mask.npz"
    facts = {"source": "/data/" + 80 * "x", "empty": "", 80 * "k": "v"}
    SamplingMask(np.ones((1, 9), bool), provenance=facts).save(path)
    assert cli.main(["mask", "show", str(path)]) == 0
    said = capsys.readouterr().out
    assert "/data/xxx" in said and "\nempty\n" in said
    assert "R achieved             1\n" in said
