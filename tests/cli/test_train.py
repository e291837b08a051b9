import dataclasses
import importlib
import json
import re
import warnings

import keras
import numpy as np
import pytest

from loupe_tf import cli, distribution, evaluation, masks, report
from loupe_tf.cli.phase import images_of
from loupe_tf.cli.train import load_data, warn_of_phase_axis
from loupe_tf.cli.training import (
    before_a_scan,
    models,
    page,
    rivals,
    rounds,
    sentences,
    words,
)
from loupe_tf.cli.training.options import DEMO, complete
from loupe_tf.cli.vocabulary import settings_of
from loupe_tf.datasets import Slices, load_splits
from loupe_tf.evaluation import per_volume
from loupe_tf.layers.estimators import ESTIMATORS
from loupe_tf.masks.description import side_lobe_text
from loupe_tf.numpy_fourier import fft2c, ifft2c
from loupe_tf.reconstruction import ZeroFilled

# The first test trains in a graph and draws all figures, others do not.
pytestmark = pytest.mark.usefixtures("eager", "undrawn")


def train(arguments):
    return cli.main(["train", *arguments])


def parse(*arguments):
    options = cli.parser().parse_args(["train", *arguments])
    complete(options)
    return options


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "run")),
        *("--epochs", "2", "1", "--filters", "2", "--depth", "1"),
        *("--batch-size", "3", *others),
    ]


@pytest.mark.graph
def test_leaves_everything_and_does_not_run_twice(folder, capsys):
    assert train(_arguments(folder)) == 0
    printed = capsys.readouterr().out
    assert (
        "\nTwo trainings (U-Net, R = 4, at most 3 epochs each): with a learned "
        "mask, then with central points, the fixed mask\n" in printed
    )
    assert (
        "\nComparing the masks on 1 test volume, by total variation too\n"
        in printed
    )
    assert f"/report.html, and the mask in {folder}/run/mask.npz\n" in printed
    # One test volume gives neither a deviation nor a verdict.
    assert (
        "\nUndecided: one test volume does not tell whether the learned points "
        "are better than the same number of central points.\nPSNR " in printed
    )
    assert re.search(
        r"\nPSNR [+-][\d.]+ dB; SSIM .*, R = 4, one seed\.", printed
    )
    command = f"<code>loupe-tf mask convert {folder}/run/mask.npz scan.seq"
    assert command in (folder / "run" / "report.html").read_text()
    assert "±" not in printed and "better in" not in printed
    run = folder / "run"
    mask = masks.SamplingMask.load(run / "mask.npz")
    assert mask.array.sum() == round(16 * 18 / 4)
    # The calibration region of fastMRI.
    assert mask.calibration == 1 and mask.array[8, 9]
    assert len(mask.provenance["slope_history"]) == 3
    assert mask.provenance["slope_history"][0] == 20 and mask.matrix == (
        16,
        18,
    )
    model = keras.models.load_model(run / "model.keras")
    np.testing.assert_array_equal(masks.from_model(model).array, mask.array)
    for picture in ("mask.png", "overview.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["results"]) == {
        "learned, zero-filled",
        "learned, total variation",
        "learned, U-Net",
        "central_points, zero-filled",
        "central_points, total variation",
        "central_points, U-Net",
    }
    assert "the same number of central points, whose image" in printed
    for result in metrics["results"].values():
        assert result["achieved_acceleration"] == 4.0
        assert len(result["volumes"]) == 1
    # What is worse than zero filling is said to be so.
    doubted = False
    for mask_name in ("learned", "central_points"):
        own, other = (
            next(
                iter(
                    metrics["results"][f"{mask_name}, {kind}"][
                        "volumes"
                    ].values()
                )
            )
            for kind in ("U-Net", "zero-filled")
        )
        worse = own["psnr"] < other["psnr"] or own["ssim"] < other["ssim"]
        title = mask_name.replace("_", " ")
        said = f"{title}, U-Net is worse than zero filling" in printed
        assert said == worse
        doubted |= worse
    compared = "The masks cannot be compared by their networks yet" in printed
    assert compared == doubted
    history = json.loads((run / "history.json").read_text())
    assert history["learned"]["round"] == [1, 1, 2]
    report = (run / "report.html").read_text()
    assert (
        "Undecided: one test volume" in report
        and report.count("data:image/png") == 8
    )
    assert "http://" not in report and "https://" not in report
    assert "Not yet for a scanner: " in report
    assert '<span class="open">open</span>' in report
    # The words are explained before the long lists.
    headings = re.findall("<h2>(.*?)</h2>", report)
    assert headings[-3:] == ["Words", "How it was obtained", "Settings"]
    # Only those that the page uses.
    for word in ("NMSE", "4S", "rounds", "central points, central lines"):
        assert f"<dt>{word}</dt>" in report
    # The harder rival is named.
    assert "<dt>Poisson-disc points</dt>" in report
    for word in ("CG-SENSE", "peak SNR", "equispaced lines", "[a, b]"):
        assert f"<dt>{word}</dt>" not in report
    # The same as `loupe-tf mask show` prints, with a minus sign.
    lobe = side_lobe_text(mask).replace("-", "−")
    assert f"ringing or an alias: {lobe}." in report
    assert "comparison: central points for 16×18: 72 of 288" in report
    assert (
        "central points, U-Net" in report and "central_points, " not in report
    )
    assert report.index('class="box"') < report.index("<img")
    # Two panels: the mask itself has been drawn beside its probability.
    assert f'width="{2 * 4 * 96}"' in report and 'width="1152"' not in report
    assert "or with <code>--phase" in report and "learn lines" in report
    assert "<dt>crop_to_acquired</dt><dd>False</dd>" in report
    # Magnitude images: said once, and written down.
    (crime,) = metrics["data_crimes"]
    assert "Hermitian" in crime and "Hermitian" in report
    assert "loupe-tf train --phase" in crime

    # The same command again: the same result, nothing trained.
    again = dict(metrics["results"]["learned, U-Net"]["volumes"])
    assert train(_arguments(folder)) == 0
    assert "fixed mask: 100%" in capsys.readouterr().err
    metrics = json.loads((run / "metrics.json").read_text())
    got = metrics["results"]["learned, U-Net"]["volumes"]
    for volume, values in again.items():
        np.testing.assert_allclose(
            list(got[volume].values()), list(values.values()), rtol=1e-5
        )
    capsys.readouterr()

    # Another configuration is refused, in one line.
    assert train(_arguments(folder, "--acceleration", "8")) == 2
    error = capsys.readouterr().err
    assert "--out" in error and "8.0" in error and "4.0" in error
    assert len(error.strip().splitlines()) == 1


def test_phase(folder, capsys, monkeypatch):
    monkeypatch.setattr(masks, "lacks_mirror_images", lambda mask: "Few.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert train(_arguments(folder, "--phase")) == 0
    run = folder / "run"
    model = keras.models.load_model(run / "model.keras")
    assert model.input_shape == (None, 16, 18, 2)
    assert model.output_shape == (None, 16, 18, 1)
    metrics = json.loads((run / "metrics.json").read_text())
    # What the images are, and that their mask is no good for a scanner.
    assert "simulated phase of 1 rad" in metrics["facts"]["data"]
    (limit,) = metrics["data_crimes"]
    assert "phase of the images is simulated" in limit
    assert metrics["doubts"][-1] == "The learned mask: Few."
    assert "The learned mask: Few." in capsys.readouterr().out
    report = (run / "report.html").read_text()
    assert "The learned mask: Few." in report
    assert "simulated, 1 rad" in report and "with <code>--phase" not in report
    mask = masks.SamplingMask.load(run / "mask.npz")
    assert mask.provenance["simulated_phase"] == 1
    # Metrics compare magnitudes: those of zero filling can be repeated.
    options = parse(*_arguments(folder, "--phase"))
    data, _ = load_data(options)
    inputs = images_of(data, options.phase, options.seed)
    kspace = fft2c(inputs["test"] @ np.array([1, 1j]))
    filled = np.abs(ifft2c(np.where(mask.array, kspace, 0)))[..., None]
    expected = per_volume(data["test"].images, filled, data["test"].volumes)
    got = metrics["results"]["learned, zero-filled"]["volumes"]
    assert list(got) == list(expected)
    for volume, values in expected.items():
        assert got[volume]["psnr"] == pytest.approx(values["psnr"], rel=1e-4)


def test_complex_images(folder, rng):
    """The mask and the network get them whole; the targets are magnitudes."""
    for i in range(4):
        real, imaginary = rng.uniform(-1, 1, size=(2, 3, 16, 18))
        volume = (real + 1j * imaginary).astype("complex64")
        np.save(folder / "data" / f"volume_{i}.npy", volume)
    assert train(_arguments(folder)) == 0
    report = (folder / "run" / "report.html").read_text("utf-8")
    assert (
        "Hermitian k-space" not in report and "with <code>--phase" not in report
    )
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    data, _ = load_data(parse(*_arguments(folder)))
    images = data["test"].images @ np.array([1, 1j])
    mask = masks.SamplingMask.load(folder / "run" / "mask.npz")
    filled = np.abs(
        np.fft.ifft2(
            np.fft.ifftshift(mask.array)
            * np.fft.fft2(images.astype("complex128"))
        )
    )[..., None]
    truth = np.abs(images)[..., None].astype("float32")
    assert truth.max() == pytest.approx(1)
    expected = per_volume(truth, filled.astype("float32"), data["test"].volumes)
    got = metrics["results"]["learned, zero-filled"]["volumes"]
    for volume, values in expected.items():
        assert got[volume]["psnr"] == pytest.approx(values["psnr"], rel=1e-4)


def test_complex_images_have_a_phase_already(folder, capsys):
    for i in range(4):
        volume = np.ones((3, 16, 18), "complex64")
        np.save(folder / "data" / f"volume_{i}.npy", volume)
    assert train(_arguments(folder, "--phase")) == 2
    assert "--phase. Expected none, since" in capsys.readouterr().err


def test_the_help_names_all_estimators(capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["train", "--help"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ESTIMATORS)


def test_data_or_demo_has_to_be_given(capsys):
    for arguments in ([], ["--epochs", "1", "1"]):
        assert train(arguments) == 2
        assert "give --data DIR, or --demo" in capsys.readouterr().err
    # A part of its name would not bring the settings of the demo.
    with pytest.raises(SystemExit):
        train(["--dem"])
    assert "--dem" in capsys.readouterr().err


@pytest.mark.parametrize(
    "accelerators, epochs, said",
    [(0, (), True), (1, (), False), (0, (3, 1), 0)],
)
def test_many_epochs_without_a_gpu(
    folder, monkeypatch, capsys, accelerators, epochs, said
):
    module = importlib.import_module("loupe_tf.provenance")
    monkeypatch.setattr(module, "count_accelerators", lambda: accelerators)
    monkeypatch.setattr(models, "build_model", lambda *_, **__: 1 / 0)
    given = ["--data", str(folder / "data"), "--out", str(folder / "run")]
    given += ["--epochs", *map(str, epochs)] if epochs else []
    with pytest.raises(ZeroDivisionError):
        train(given)
    line = "No GPU was found: 1000 + 500 epochs take long. --epochs 30 10 "
    assert (line in capsys.readouterr().out) == bool(said)


@pytest.mark.parametrize(
    "gains, expected",
    [
        ([1.0, 2.0], "1.50 dB [-4.85, 7.85]"),
        ([-1.0, -2.0], "1.50 dB [-4.85, 7.85]"),
        ([0.0, 0.0], "0.00 dB [0.00, 0.00]"),
        ([-1.0], "1.00 dB"),
    ],
)
def test_a_gain_in_words(gains, expected):
    """Without a sign, also where both masks are the same."""
    assert sentences.size_of(np.array(gains)) == expected


@pytest.mark.parametrize("sign, direction", [(1, "better"), (-1, "worse")])
def test_the_central_points_stand_beside(sign, direction):
    volume = {"psnr": 30.0, "ssim": 0.9}
    learned = {"a": {**volume, "psnr": 30.0 + sign}}
    results = {
        "learned, total variation": {"volumes": learned},
        "central_points, total variation": {"volumes": {"a": volume}},
    }
    kind, pattern, text = sentences.against_the_centre(
        parse("--data", "x"), results
    )
    assert (kind, pattern) == ("points", "central_points")
    said = f"1.00 dB {direction} than the same number of central points, whose"
    assert said in text


def test_settings_that_were_not_given_are_said():
    options = parse("--data", "images")
    found = page.settings(options, {"learned": {"slope": [20.0, 30.0]}})
    assert found["slope"] == 20 and found["phase"] == "none"
    assert found["lines"] == "none (points are learned)"
    options = parse(*"--data images --lines rows --slope 5 --phase".split())
    found = page.settings(options, {"learned": {"slope": [5.0]}})
    assert (found["slope"], found["phase"]) == (5.0, 1.0)
    assert found["lines"] == "rows"


def test_words_are_those_of_the_page():
    assert words.words_of({"": ["Nothing."]}) == {}
    # The words that explain another one are explained, too; in the order of
    # the list.
    sections = {"": ["Poisson-disc points"], "b": [report.facts({"SSIM": 1})]}
    assert list(words.words_of(sections)) == [
        "k-space",
        "Poisson-disc points",
        "DC",
        "SSIM",
    ]
    assert [*words.words_of({"": ["1.2 dB [0.30, 1.43]"]})] == ["[a, b]"]
    assert words.words_of({"": ["epochs [30, 10]"]}) == {}
    # Tags are no text.
    part = report.Part('<img alt="NMSE"><p>4S</p>')
    assert "NMSE" not in words.words_of({"": [part]})
    assert "4S" in words.words_of({"": [part]})
    for name, pattern in words.SPELLINGS.items():
        assert name in words.WORDS and re.compile(pattern)


def test_a_training_that_might_have_gone_on():
    falls = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 4.0, 2.0]}
    rises = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 2.0]}
    said = sentences.still_falling({"learned": falls, "fixed": rises})
    assert said.startswith("With the learned mask, loss and validation loss")
    said = sentences.still_falling({"learned": falls, "fixed": falls})
    assert said.startswith("With the learned and the fixed mask, loss")
    assert not sentences.still_falling({"learned": rises, "fixed": rises})
    alone = {"loss": [1.0], "val_loss": [1.0]}
    assert not sentences.still_falling({"learned": alone})


def test_names_in_words():
    assert sentences.title_of("learned, zero-filled") == "learned, zero-filled"
    assert sentences.title_of("poisson_disc, MoDL") == (
        "Poisson-disc points, MoDL"
    )


def test_slope_epochs_and_seconds_are_those_of_trainings():
    volumes = {"a": {"psnr": 30.0, "ssim": 0.9, "nmse": 0.01}}
    result = {"volumes": volumes, "achieved_acceleration": 4.0, "slope": 45.0}
    trained = {**result, "epochs": 18, "seconds": 101.0}
    assert page.row(trained) == ["30.00", "0.9000", "0.01000"]
    assert page.training_row(trained) == ["4.000", "45", "18", "101"]
    outcome = rounds.Outcome(
        {
            "learned, U-Net": trained,
            "learned, zero-filled": result,
            "central_points, U-Net": {**trained, "slope": None},
        },
        {},
        {},
    )
    (table,) = page.training_section(outcome, "U-Net")
    cells = re.findall("<td.*?>(.*?)</td>", table)
    assert cells[::5] == ["learned", "central points"]
    assert cells[2::5] == ["45", "-"]


def test_how_far_a_mask_makes_use_of_the_symmetry():
    array = np.zeros((9, 9), bool)
    array[4, 2:8] = True
    (crime, said) = sentences.limits(["Hermitian."], masks.SamplingMask(array))
    assert crime == "Hermitian."
    assert said.startswith(
        "Besides DC, the mask acquires both k and −k for 4 of its 5 points. A "
        "random mask of the same density at each distance from DC does so for "
    )
    assert said.endswith("mask does not clearly exploit the missing phase.")
    # For an even size, those at the edge are not counted: 4 of the 8 are at -4.
    array = np.zeros((8, 8), bool)
    array[4, :] = array[0, 2:5] = array[3:5, 4] = True
    mask = masks.SamplingMask(array, calibration=1)
    (_, said) = sentences.limits(["Hermitian."], mask)
    assert said.startswith("Outside the calibration region, the mask acquires")
    assert "for 6 of its 7 points that have a mirror image. A " in said
    assert said.endswith(
        " The 4 points at −N/2 have none, and are not counted."
    )
    array[0], array[4, 0] = False, True
    (_, said) = sentences.limits(["Hermitian."], mask.replace(array=array))
    assert "The 1 point at −N/2 has none, and is not" in said
    # One half of k-space leaves out what chance would acquire.
    array = np.zeros((33, 33), bool)
    array[:, 17:] = True
    mask = masks.SamplingMask(array)
    (_, said) = sentences.limits(["Hermitian."], mask)
    assert "both k and −k for 0 of its 528 points." in said
    assert said.endswith(
        "So this mask exploits the missing phase, and part of the gain may be "
        "lost on a real scan."
    )
    # It says nothing where the images have a phase.
    assert sentences.limits(["Leak."], masks.SamplingMask(array)) == ["Leak."]


def test_the_verdict_comes_first():
    """One sentence for it, and one for the figures and Student's interval."""
    options = parse("--data", "images")
    gains = np.array([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.303, over the square root of 3.
    for sign, better in ((1, "better"), (-1, "worse")):
        ssim = 0.9, 0.9 - 0.01 * sign
        text, figures = sentences.sentence(
            options, sign * gains, ssim, "the same U-Net"
        )
        assert text == (
            "Undecided: the interval of the gain in PSNR over the same number "
            "of central points includes zero."
        )
        large = sign * (gains + 2)
        text, figures = sentences.sentence(options, large, ssim, "by TV")
        assert text == (
            f"In this run, the learned points are {better} than the same "
            "number of central points."
        )
        low, high = (1.52, 6.48) if sign > 0 else (-6.48, -1.52)
        assert figures == (
            f"PSNR {4 * sign:+.2f} dB [{low}, {high}], better in "
            f"{3 * (sign > 0)} of 3 test volumes; SSIM 0.900 against "
            f"{ssim[1]:.3f}; by TV, R = 4, one seed."
        )
        text, _ = sentences.sentence(options, large, ssim[::-1], "")
        ours, others = "the learned points", "the central points"
        if sign < 0:
            ours, others = others, ours
        assert text == (
            f"Undecided: {ours} have the better PSNR, {others} the better SSIM."
        )
        same = 0.9, 0.9 + 1e-4 * sign  # Both are printed as 0.900.
        text, _ = sentences.sentence(options, large, same, "")
        assert "Undecided" not in text
    text, figures = sentences.sentence(options, gains[:1], same, "")
    assert text.startswith("Undecided: one test volume does not tell whether")
    assert figures.startswith("PSNR +1.00 dB; SSIM 0.900 against ")


def test_a_network_worse_than_zero_filling_does_not_decide():
    volumes = {
        name: {
            "a": {"psnr": psnr, "ssim": 0.9},
            "b": {"psnr": psnr, "ssim": 0.9},
        }
        for name, psnr in (("learned", 30.0), ("central_points", 29.0))
    }
    results = {
        f"{name}, total variation": {"volumes": each}
        for name, each in volumes.items()
    }
    reason, text, figures, easy = sentences.verdict(
        parse("--data", "images"), "U-Net", results, None, ["It is worse."]
    )
    assert "by their networks yet" in reason
    assert reason.endswith("The next sentences compare total variation.")
    assert text.startswith("In this run, the learned points are better than")
    assert "; no network, total variation, R = 4, one seed." in figures
    assert easy.startswith("Central points are an easy rival")


@pytest.mark.parametrize(
    "pattern, words",
    [
        ("central_lines", "central lines"),
        ("gaussian", "Gaussian points"),
        ("poisson_disc", "Poisson-disc points"),
        ("gaussian_lines", "Gaussian lines"),
        ("regular_points", "regular points"),
        ("mine", "mine points"),
    ],
)
def test_patterns_in_words(pattern, words):
    assert sentences.in_words(pattern) == words


@pytest.mark.parametrize(
    "words, pattern, said",
    [
        ("", "central_points", "Central points are an easy rival, a scan of"),
        ("--lines rows", "central_lines", "give `--baseline equispaced_lines`"),
        ("", "gaussian", "Gaussian points are an easy rival. For a harder one"),
        ("--lines rows", "random_lines", "Random lines are an easy rival. For"),
        ("", "poisson_disc", ""),
        ("", "regular_points", ""),
        ("--lines rows", "gaussian_lines", ""),
    ],
)
def test_an_easy_rival_is_said_to_be_one(words, pattern, said):
    options = parse(*words.split(), "--baseline", pattern)
    text = sentences.easy(options)
    assert said in text and bool(text) == bool(said)


@pytest.mark.parametrize("lines", [None, "columns", "rows"])
def test_each_rival_has_the_budget(lines):
    """And a picture that names it."""
    names = rivals.rivals_of("lines" if lines else "points")
    words = "--calibration", "4", *(["--lines", lines] if lines else [])
    for name in names:
        options = parse(*words, "--baseline", name)
        mask = models.fixed_mask(options, (24, 32))
        size = {"columns": 32, "rows": 24}.get(lines, 24 * 32)
        assert mask.acquired == size / 4 and mask.lines == lines
        assert mask.array[masks.calibration_region(mask.shape, 4)].all()
        first, second = page.title_of_fixed(options, mask).split("\n")
        assert first.lower() == sentences.in_words(name).lower()
        assert second == f"{size // 4} of {size} {lines or 'points'}, R = 4"


def test_lines_may_be_the_rival_of_points():
    options = parse("--baseline", "equispaced_lines", "--calibration", "4")
    assert models.fixed_mask(options, (24, 32)).lines == "columns"
    options.baseline = "regular_lines"
    assert models.fixed_mask(options, (24, 32)).lines == "columns"
    gains = np.array([1.0, 1.1])
    text, _ = sentences.sentence(options, gains, (0.9, 0.8), "")
    assert text.endswith("better than regular lines of the same R.")


def test_regular_points_are_those_of_caipirinha():
    mask = rivals.make_rival("regular_points", (16, 16), 4, 0, None, 0)
    # Each row and each column has as many, unlike a grid without a shift.
    np.testing.assert_array_equal(
        mask.array.sum(0), 8 * (np.arange(16) % 2 == 0)
    )
    with pytest.raises(ValueError, match="`calibration`.*regular grid"):
        rivals.make_rival("regular_points", (16, 16), 4, 8, None, 0)


CENTRE = "central_points", "1 dB worse"


def both(gains, ssim=0.01):
    """The gains of test volumes, in both metrics."""
    gains = np.array(gains)
    return {"psnr": gains, "ssim": np.broadcast_to(ssim, gains.shape)}


@pytest.mark.parametrize("complex_images", [False, True])
@pytest.mark.parametrize("lines", [None, "columns"])
def test_before_a_scan(lines, complex_images):
    array = np.ones((1, 8) if lines else (8, 8), bool)
    view = (220, 240) if complex_images else None
    mask = masks.SamplingMask(array, field_of_view=view)
    options = parse("--data", "images", "--baseline", "gaussian")
    gains = np.array([1.0, 1.1, 1.2])
    text, rows = before_a_scan.section(
        mask, both(gains), CENTRE, options, complex_images, demo=False
    )
    assert "`loupe-tf mask convert runs/loupe/mask.npz " in text
    to = "scan.seq" + " --fov H W" * (not complex_images)
    to += "`" if lines else " --readout SAMPLES MM`"
    assert text.endswith(f"export the mask: {text.split(': ')[-1]}")
    assert to in text
    remedies = {name: remedy for name, *_, remedy in rows}
    assert bool(remedies["images with a phase"]) != complex_images
    fits = "fit into it along " + ("W, the" if lines else "H and W, the")
    said = fits if complex_images else "`--fov`"
    assert said in remedies["field of view"]
    # A mask of points is for 3-D; that is no fault.
    states = {name: state for name, state, *_ in rows}
    assert states["a sequence for it"] == ("ok" if lines else "note")
    assert ("CSV" in remedies["a sequence for it"]) != bool(lines)
    assert all(remedies[x] for x, state in states.items() if state == "open")
    assert "--baseline central" in remedies["gain over central points"]
    # One coil without noise is what the command simulates by default.
    assert states["receive coils and noise"] == "open"
    # Eight are too few for sensitivity maps, which need not be of this scan.
    assert states["region for sensitivity maps"] == (
        "note" if lines else "open"
    )
    open_points = 2 * (not complex_images) + 2 + (not lines)
    assert re.findall(r"(\d) items? (?:is|are) open", text) == [
        str(open_points)
    ]
    # One volume that loses, and simulated anatomy, are open points as well.
    _, more = before_a_scan.section(
        mask,
        both(gains * [1, -1, 1]),
        CENTRE,
        options,
        complex_images,
        demo=True,
    )
    assert sum(row[1] == "open" for row in more) == open_points + 2
    # A longer training need not help.
    (gain,) = [row for row in more if "2 of 3" in row[2]]
    assert (
        "PSNR better in 2 of 3" in gain[2] and "take the fixed mask" in gain[3]
    )
    # The baseline may be the central mask itself.
    options.baseline = "central_points"
    _, rows = before_a_scan.section(
        mask, both(gains), CENTRE, options, complex_images, demo=False
    )
    assert len([row for row in rows if "central" in row[0]]) == 1
    # A path with a blank can be pasted.
    options.out = "my runs/a"
    text, _ = before_a_scan.section(
        mask, both(gains), CENTRE, options, complex_images, demo=False
    )
    assert "convert 'my runs/a/mask.npz' " in text


@pytest.mark.parametrize(
    "gains, state, words",
    [
        ([0.01], "note", "too few volumes to tell"),
        ([1.0, 1.1], "note", "too few volumes to tell"),
        ([-0.01], "open", "0 of 1"),
        ([1.0, 1.1, 1.2], "note", "1.10 dB [0.85, 1.35]; SSIM 0.010"),
        # All gains are positive, and the interval includes zero.
        ([0.1, 0.2, 5.0], "open", "3 of 3"),
        ([1.0, 1.1, -0.1], "open", "2 of 3"),
    ],
)
def test_a_gain_needs_volumes_that_agree(gains, state, words):
    """A single volume that gains a hundredth of a decibel tells nothing."""
    _, rows = before_a_scan.section(
        masks.SamplingMask(np.ones((8, 8), bool)),
        both(gains),
        CENTRE,
        parse(*"--data images --baseline gaussian".split()),
        complex_images=True,
        demo=False,
    )
    (row,) = [row for row in rows if row[0] == "gain over Gaussian points"]
    assert row[1] == state and words in row[2] and row[3]


@pytest.mark.parametrize(
    "words, easy",
    [
        ("", True),
        ("--baseline gaussian", True),
        ("--baseline poisson_disc", False),
    ],
)
def test_one_seed_is_no_proof(words, easy):
    _, rows = before_a_scan.section(
        masks.SamplingMask(np.ones((8, 8), bool)),
        both([1.0, 1.1, 1.2]),
        CENTRE,
        parse("--data", "images", *words.split()),
        complex_images=True,
        demo=False,
    )
    (row,) = [row for row in rows if "PSNR better in 3 of 3" in row[2]]
    assert row[1] == "note" and "one seed" in row[2]
    assert ("an easy rival" in row[2]) == easy
    assert "`--seed 1`" in row[3]
    assert ("`--baseline poisson_disc`" in row[3]) == easy


@pytest.mark.parametrize(
    "coils, calibration, state, words",
    [
        (None, 8, "note", "R = 7; one coil was simulated"),
        (8, 8, "note", "R = 7; 8 coils"),
        (6, 8, "open", "R = 7; 6 coils: too few"),
        (6, 16, "note", "nothing is acquired there"),
    ],
)
def test_r_outside_the_calibration_region(coils, calibration, state, words):
    array = masks.calibration_region((1, 64), 8)
    array[0, :8] = True
    if calibration == 16:
        array = masks.calibration_region((1, 64), 16)
    options = parse("--data", "images", "--lines", "columns")
    options.coils = coils
    _, rows = before_a_scan.section(
        masks.SamplingMask(array, calibration=calibration, acceleration=4),
        both([1.0]),
        CENTRE,
        options,
        complex_images=True,
        demo=False,
    )
    (row,) = [row for row in rows if row[0].startswith("R outside")]
    assert row[1] == state and row[2] == words


def test_a_faster_scan_has_a_lower_snr():
    """By the square root of R, which is said of the mask's own R."""
    array = np.zeros((1, 18), bool)
    array[0, 8:10] = True
    _, rows = before_a_scan.section(
        masks.SamplingMask(array, acceleration=8),
        both([1.0, 2.0]),
        CENTRE,
        parse("--data", "images"),
        complex_images=True,
        demo=False,
    )
    said = {name: (state, text) for name, state, text, _ in rows}
    assert said["signal-to-noise ratio"][0] == "note"
    assert "√R·g = 3·g times the noise" in said["signal-to-noise ratio"][1]
    assert "spoiled gradient echo" in said["contrast and relaxation"][1]


@pytest.mark.parametrize(
    "centre, state, words",
    [
        (12, "note", "12 columns around DC without a gap: too few"),
        (13, "note", "need 13, but fewer than the usual 24"),
        (24, "ok", "24 columns around DC without a gap: enough"),
    ],
)
def test_the_report_says_if_maps_can_be_estimated(centre, state, words):
    mask = masks.equispaced_lines((64, 64), 2, centre)
    # No line beside the region.
    array = masks.calibration_region((1, 64), centre)
    _, rows = before_a_scan.section(
        mask.replace(array=array),
        both([1.0]),
        CENTRE,
        parse("--data", "images"),
        complex_images=True,
        demo=False,
    )
    (row,) = [row for row in rows if row[0] == "region for sensitivity maps"]
    assert row[1] == state and words in row[2]
    assert bool(row[3]) == (state != "ok")


def test_no_epochs_are_refused(folder, capsys):
    assert train(_arguments(folder, "--epochs", "0", "1")) == 2
    assert "--epochs. Expected two numbers" in capsys.readouterr().err


def test_patience_follows_the_epochs():
    """The paper's for its thousand epochs; in few, 4S would never act."""
    for epochs, patience, cooldown in (
        (1000, 40, 10),
        (30, 2, 1),
        (500, 33, 5),
    ):
        options = parse("--epochs", str(epochs), "10")
        assert (options.patience, options.cooldown) == (patience, cooldown)
    options = parse(*"--epochs 30 10 --patience 7 --cooldown 0".split())
    assert (options.patience, options.cooldown) == (7, 0)


def test_phases_of_splits_differ_and_follow_the_seed(folder):
    options = parse(*_arguments(folder, "--phase", "0.5"))
    assert options.phase == 0.5
    ones = Slices(np.ones((2, 16, 18, 1), "float32"), np.array(["a", "b"]))
    data = dict.fromkeys(("train", "validation", "test"), ones)
    first, again = images_of(data, 0.5, 0), images_of(data, 0.5, 0)
    every = [image for images in first.values() for image in images]
    for i, image in enumerate(every):
        assert all(np.abs(image - x).max() > 0.01 for x in every[:i])
    np.testing.assert_array_equal(first["test"], again["test"])
    assert (images_of(data, 0.5, 1)["test"] != first["test"]).any()
    # Without the option, nothing changes.
    for none in (parse(*_arguments(folder)).phase, 0.0):
        assert images_of(data, none, 0)["test"] is ones.images


@pytest.mark.parametrize(
    "lines, axes, match",
    [
        ("columns", "HHW", "1 training .* along H: .*--lines rows"),
        ("rows", "WWW", "--lines rows .* 2 training .* along W: .*columns"),
        ("columns", "WWW", None),
        ("rows", ["H", "", ""], None),
        (None, "HHH", None),
    ],
)
def test_lines_along_the_wrong_axis(lines, axes, match):
    data = Slices(
        np.ones((3, 4, 4, 1)), np.array(["a", "a", "b"]), phase_axes=None
    )
    options = parse(*(("--lines", lines) if lines else ()))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_of_phase_axis({"train": data}, options)  # Nothing is known.
        assert not said
        known = dataclasses.replace(data, phase_axes=np.array(list(axes)))
        warn_of_phase_axis({"train": known}, options)
    if match is None:
        assert not said
    else:
        (one,) = said
        assert re.search(match, str(one.message))


def test_the_axis_is_looked_at_before_training(folder, monkeypatch):
    def with_axes(options):
        data, source = load_data(options)
        return {
            name: dataclasses.replace(
                part, phase_axes=np.full(len(part.images), "H")
            )
            for name, part in data.items()
        }, source

    monkeypatch.setattr(cli.train, "load_data", with_axes)
    monkeypatch.setattr(rounds, "train", lambda *_: 1 / 0)
    with (
        pytest.warns(UserWarning, match="phase encoding along H"),
        pytest.raises(ZeroDivisionError),
    ):
        train(_arguments(folder, "--lines", "columns"))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's warning"
)
@pytest.mark.graph
def test_the_end_does_not_warn_of_retracing(folder, monkeypatch):
    """The last batch of the test slices has another size."""
    from tensorflow.python.eager.polymorphic_function import (
        polymorphic_function,
    )

    manager = polymorphic_function._FrequentTracingDetectorManager()
    name = "_frequent_tracing_detector_manager"
    monkeypatch.setattr(polymorphic_function, name, manager)
    said = []
    monkeypatch.setattr(
        polymorphic_function.logging, "warning", lambda *a: said.append(a)
    )
    options = parse(*_arguments(folder, "--batch-size", "2"))
    test = load_splits(str(folder / "data"))[0]["test"]
    built = []
    for mask in (None, masks.gaussian((16, 18), 4, seed=0)):
        built.append(
            models.build_model(
                options, distribution.Distribution(), (16, 18, 1), mask
            )
        )
    history = keras.callbacks.History()
    history.epoch, history.history = [0], {}
    trained = [(history, 1.0)] * 2
    data = {"test": test, "validation": test}
    rounds.judge(
        options, built, trained, data, {name: test.images for name in data}
    )
    assert len(test.images) == 3
    assert not [words for words in said if "retracing" in str(words)]


def test_no_calibration_if_it_is_0(folder):
    options = parse(*_arguments(folder, "--calibration", "0"))
    devices = distribution.Distribution("none")
    model = models.build_model(options, devices, (16, 18, 1))
    assert masks.from_model(model).calibration is None


@pytest.mark.slow
def test_lines_with_another_network_of_the_acquired_extent(folder, rng, capsys):
    """Of 24 columns, 12 were acquired and the others filled with zeros."""
    distance = np.hypot(*np.mgrid[-8:8, -12:12])
    for path in (folder / "data").iterdir():
        kspace = np.zeros((4, 16, 24), "complex128")
        kspace[:, :, 6:18] = rng.normal(size=(4, 16, 24)).view("complex128")
        kspace /= 1 + distance
        kspace[:, 8, 12] = 100
        image = np.fft.ifft2(np.fft.ifftshift(kspace, axes=(1, 2)))
        np.save(path, np.abs(image).astype("float32"))
    options = (
        *("--lines", "columns", "--calibration", "2", "--crop-to-acquired"),
        *("--network", "encoder_decoder", "--dropout", "0.1"),
    )
    assert train(_arguments(folder, *options)) == 0
    facts = json.loads((folder / "run" / "metrics.json").read_text())["facts"]
    assert facts["image size"] == "16×12"
    assert "acquired extent (16, 12)" in facts["data"]
    mask = masks.SamplingMask.load(folder / "run" / "mask.npz")
    assert mask.shape == (1, 12) and mask.array.sum() == round(12 / 4)
    assert mask.array[0, 5:7].all()
    printed = capsys.readouterr().out
    assert "encoder-decoder" in printed and "Undecided: one test" in printed
    run = folder / "run"
    results = json.loads((run / "metrics.json").read_text())["results"]
    assert "learned, encoder-decoder" in results
    assert "central_lines, encoder-decoder" in results
    # The central lines stand beside them.
    data, _ = load_data(parse(*_arguments(folder, *options)))
    central = masks.central_lines((16, 12), 4, 2)
    expected = evaluation.judge(
        ZeroFilled(), central, data["test"].images, data["test"].volumes
    )["unit_range"]
    got = results["central_lines, zero-filled"]["volumes"]
    assert list(got) == list(expected)
    for volume, values in expected.items():
        assert got[volume]["psnr"] == pytest.approx(values["psnr"], 1e-4)
    assert "than the same number of central lines" in printed
    report = (run / "report.html").read_text()
    assert "The learned mask acquires columns" in report
    assert "4S never raised the slope from 20" in printed
    model = keras.models.load_model(run / "model.keras")
    network = model.reconstructor.network
    assert network.get_layer("bottom_drop_1").rate == 0.1


@pytest.mark.parametrize("network", ["unet", "fastmri_unet"])
def test_weight_decay_spares_the_mask(folder, network):
    options = ("--weight-decay", "0.5", "--learning-rate", "1")
    options = parse(*_arguments(folder, *options, "--network", network))
    devices = distribution.Distribution("none")
    model = models.build_model(options, devices, (16, 18, 1))
    variables = model.trainable_variables
    before = [keras.ops.convert_to_numpy(v) for v in variables]
    model.optimizer.build(variables)
    model.optimizer.apply([keras.ops.zeros_like(v) for v in variables])
    for variable, value in zip(variables, before):
        factor = 1.0 if variable.name == "logits" else 0.5
        np.testing.assert_allclose(variable.numpy(), factor * value, rtol=1e-6)
    assert [v.name for v in variables].count("logits") == 1


def test_depth_of_each_network():
    for network, depth in (
        ("unet", 5),
        ("fastmri_unet", 4),
        ("encoder_decoder", 7),
    ):
        options = parse("--network", network)
        assert options.depth == depth


def test_other_options_win_over_the_demo():
    for arguments in (
        ["--demo", "--filters", "3"],
        ["--filters", "3", "--demo"],
    ):
        found = vars(parse(*arguments))
        assert found["filters"] == 3 and found["demo"]
        assert {**found, "filters": DEMO["filters"]} == {**found, **DEMO}
    assert parse().out == "runs/loupe"  # The next one knows nothing of it.


@pytest.mark.parametrize(
    "words, match",
    [
        ("--acceleration 0.5", "acceleration.*above 1.*--acceleration 0.5"),
        ("--acceleration nan", "acceleration"),
        ("--calibration -1", "calibration"),
        ("--slope 0", "slope.*above 0"),
        ("--filters 0", "filters.*at least 1"),
        ("--depth 0", "depth"),
        ("--dropout 1", "dropout"),
        ("--weight-decay -1", "weight-decay"),
        ("--epochs 3 0", "epochs"),
        ("--batch-size 0", "batch-size"),
        ("--learning-rate 0", "learning-rate"),
        ("--patience 0", "patience"),
        ("--cooldown -1", "cooldown"),
        ("--factor 0.5", "factor.*of at least 1"),
        ("--stop-patience -1", "stop-patience"),
        ("--lr-patience -1", "lr-patience"),
        ("--seed -1", "seed"),
        ("--estimator mine", "estimator"),
        ("--phase -1", "phase"),
    ],
)
def test_options_are_checked_before_data_are_made(
    words, match, monkeypatch, capsys
):
    monkeypatch.setattr(cli.train, "load_data", lambda options: 1 / 0)
    assert train(["--demo", *words.split()]) == 2
    error = capsys.readouterr().err
    assert re.match(f"error: Invalid value for argument --{match}", error)


def test_devices_share_a_batch_evenly(monkeypatch, capsys):
    """Refused before data are made, too."""

    class Devices:
        def __init__(self, *options):
            self.replicas = 3

    monkeypatch.setattr(distribution, "Distribution", Devices)
    assert train(["--demo", "--batch-size", "4"]) == 2
    assert "--batch-size. Expected a multiple" in capsys.readouterr().err


def test_rare_options_come_last(capsys):
    with pytest.raises(SystemExit):
        train(["--help"])
    first, last = capsys.readouterr().out.split("\nfor experts:")
    for option in (
        *("patience", "cooldown", "factor", "stop-patience", "lr-patience"),
        *("estimator", "slope", "dropout", "weight-decay"),
    ):
        assert f"\n  --{option} " in last and f"\n  --{option} " not in first


def test_a_slope_that_stays(folder):
    """What 4S is compared with, as docs/guide/training.md advises."""
    assert train(_arguments(folder, "--factor", "1", "--slope", "30")) == 0
    history = json.loads((folder / "run" / "history.json").read_text())
    assert history["learned"]["slope"] == [30.0] * 3


def test_a_single_image_is_no_data_set(folder, capsys):
    """The message says what a volume is, and what was given."""
    for i in range(1, 4):
        (folder / "data" / f"volume_{i}.npy").unlink()
    np.save(folder / "data" / "volume_0.npy", np.ones((32, 32), "float32"))
    assert train(_arguments(folder)) == 2
    error = capsys.readouterr().err
    assert re.search(
        r"--data. Expected three volumes or more, .*\(slices, H, W\).*"
        r"Received: volume_0.npy of shape \(32, 32\), which is a single slice.*"
        "2 more volumes",
        error,
    )
    volume = np.ones((5, 32, 32, 1), "float32")
    np.savez(folder / "data" / "more.npz", scan=volume)
    assert train(_arguments(folder)) == 2
    error = capsys.readouterr().err
    assert (
        "Received: more.npz:scan of shape (5, 32, 32, 1), volume_0.npy of "
        "shape (32, 32), which is a single slice" in error
    )
    assert "1 more volume" in error and "1 more volumes" not in error


def test_a_baseline_of_points_has_no_lines():
    assert parse("--lines", "rows").baseline == "central_lines"
    with pytest.raises(ValueError, match="`baseline`.*of lines"):
        parse("--lines", "rows", "--baseline", "gaussian")


def test_stopped_and_resumed(folder, monkeypatch, capsys):
    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(rounds.Progress, "on_epoch_end", stop)
    assert train(_arguments(folder)) == 130
    assert "goes on" in capsys.readouterr().err
    monkeypatch.undo()
    assert train(_arguments(folder)) == 0
    history = json.loads((folder / "run" / "history.json").read_text())
    assert len(history["learned"]["loss"]) == 3


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("--acceleration", "1"), "argument --acceleration.*above 1"),
        (("--calibration", "17"), "argument --calibration"),
        (("--dropout", "1"), "argument --dropout"),
        (("--weight-decay", "-1"), "argument --weight-decay"),
        (("--phase", "-1"), "argument --phase.*at least 0"),
        (
            ("--lines", "rows", "--baseline", "gaussian"),
            "argument --baseline.*--lines rows",
        ),
        (("--data", "no_such_data"), "argument --data.*no_such_data"),
        (("--distribute", "multiworker"), "`TF_CONFIG`"),
        (("--distribute", "jax"), "KERAS_BACKEND=jax"),
        (("--logical-devices", "2"), "argument --logical-devices"),
    ],
)
def test_bad_arguments(folder, capsys, arguments, match):

    assert train(_arguments(folder, *arguments)) == 2
    error = capsys.readouterr().err
    assert re.search(match, error) and len(error.strip().splitlines()) == 1
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    "content, match",
    [
        (np.full((3, 16, 18), np.nan, "float32"), "volume_9.npy.*finite"),
        (np.ones((3, 16, 18), "int16"), "volume_9.npy.*float32.*int16"),
        (np.ones((3, 16, 18), "complex64"), "volume_9.npy.*complex64"),
        (np.ones((3, 9, 9), "float32"), "volume_9.npy"),
    ],
)
def test_bad_volumes_are_named(folder, capsys, content, match):

    np.save(folder / "data" / "volume_9.npy", content)
    assert train(_arguments(folder)) == 2
    assert re.search(match, capsys.readouterr().err)


def test_images_too_small_for_ssim(folder, capsys):
    """Refused before training, not after it."""
    for path in (folder / "data").iterdir():
        np.save(path, np.ones((3, 8, 8), "float32"))
    assert train(_arguments(folder)) == 2
    assert "at least 11" in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_an_unreadable_npz_is_named(folder, capsys):
    (folder / "data" / "broken.npz").write_bytes(b"PK\x03\x04 not a zip")
    assert train(_arguments(folder)) == 2
    assert "broken.npz" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        train(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "report.html" in printed and "--demo" in printed
    # It says what --demo stands for.
    assert "--epochs 14 4" in " ".join(printed.split())
    for option in settings_of(parse()):
        assert "--" + option.replace("_", "-") in printed
