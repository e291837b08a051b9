import json
import math

import keras
import numpy as np
import pytest

import loupe_tf
from experiments import conventions, drawn_lines
from experiments.drawn_lines import rebuild
from experiments.presets.fastmri_unet import PRESETS
from loupe_tf.datasets import Slices
from loupe_tf.run_folder import RunFolder


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_fastmri_unet.py")


@pytest.fixture
def folder(folder, rng):
    """Seven volumes: one to validate, one to test."""
    for i in range(4, 7):
        volume = rng.uniform(size=(3, 16, 16)).astype("float32")
        np.save(folder / "data" / f"volume_{i}.npy", volume)
    return folder


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--accelerations", "4", "--epochs", "5", "--filters", "2"),
        *("--depth", "1", *others),
    ]


def _zero_filled(images, mask):
    """Independent of the package: a centred mask, DC of NumPy in the corner."""
    kspace = np.fft.fft2(images) * np.fft.ifftshift(mask, axes=(-1,))
    return np.abs(np.fft.ifft2(kspace))


@pytest.mark.slow
def test_leaves_everything_and_repeats_no_run(
    script, folder, capsys, monkeypatch
):
    arguments = _arguments(folder)
    assert script.main(arguments) == 0
    first = capsys.readouterr().out
    for other in ("random", "equispaced"):
        assert f"R = 4, U-Net on learned against {other} lines" in first
    out = folder / "out"
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {"curves", "masks", "reconstructions_R4"}
    assert (out / "report.html").read_text().count("<img") == 3
    results = json.loads((out / "results.json").read_text())
    records = {record["mask"]: record for record in results["runs"]}
    assert set(records) == {"random", "equispaced", "learned"}
    for mask, record in records.items():
        assert record["calibration_lines"] == 1
        achieved = record["achieved_acceleration"]
        assert achieved["test"] == pytest.approx(4)
        assert achieved["training"] == (
            None if mask == "learned" else pytest.approx(4)
        )
        assert record["trace"]["learning_rate"] == [1e-3] * 4 + [1e-4]
        for name in ("val_nmse", "val_psnr", "val_ssim"):
            assert len(record["trace"][name]) == 5
        assert ("slope" in record["trace"]) == (mask == "learned")
        assert set(record["test"]) == {"unet", "zero_filled"}

        # What it says of the zero-filled images, NumPy says as well.
        images = script.experiments.load_images(
            RunFolder(out), f"R4-{mask}-seed0"
        )
        assert images["mask"].shape == (1, 16) and images["mask"].sum() == 4
        found = _zero_filled(images["truth"][..., 0], images["mask"])
        np.testing.assert_allclose(
            images["zero_filled"][..., 0], found, atol=2e-3
        )
        (name,) = record["test"]["zero_filled"]["volume"]
        volume = np.load(folder / "data" / name).astype("float64")
        volume /= volume.max()
        error = _zero_filled(volume, images["mask"]) - volume
        whole = record["test"]["zero_filled"]["volume"][name]
        slices = record["test"]["zero_filled"]["slice"][name]
        expected = np.sum(error**2) / np.sum(volume**2)
        assert whole["nmse"] == pytest.approx(expected, rel=1e-4)
        expected = np.mean(-10 * np.log10(np.mean(error**2, axis=(1, 2))))
        assert slices["psnr"] == pytest.approx(expected, rel=1e-4)

    def refuse(*_):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(script, "train", refuse)
    assert script.main(arguments) == 0
    assert capsys.readouterr().out == first


@pytest.fixture
def part(rng):
    """Five slices of two volumes."""
    return Slices(
        rng.uniform(size=(5, 16, 16, 1)).astype("float32"),
        np.array(["a", "a", "b", "b", "b"]),
    )


@pytest.mark.parametrize("mask", ["random", "equispaced", "fixed"])
def test_masks_in_test(script, part, mask):
    """Of a volume's name alone; a fixed one is another for each seed."""
    found = {}
    for seed in (0, 1):
        run = script.Run(2.0, mask, seed)
        settings = {**PRESETS["smoke"], "depth": 1}
        model = script.build_model(run, settings, (16, 16, 1))
        lines = drawn_lines.of(mask, 16, 2.0)
        outputs, acquired = rebuild(model, part, 2, lines)
        assert acquired.shape == (5, 1, 16)
        assert (acquired.sum(axis=2) == 8).all()
        np.testing.assert_allclose(
            outputs["zero_filled"][..., 0],
            _zero_filled(part.images[..., 0], acquired),
            atol=1e-5,
        )
        assert (acquired[0] == acquired[1]).all()
        assert (acquired[2] == acquired[4]).all()
        assert (acquired[0] == acquired[2]).all() == (mask == "fixed")
        found[seed] = acquired
    assert (found[0] == found[1]).all() == (mask != "fixed")


def test_the_network_sees_the_magnitude_and_gives_the_image(script, rng):
    run = script.Run(4.0, "random", 0)
    settings = {**PRESETS["smoke"], "depth": 1}
    model = script.build_model(run, settings, (18, 20, 1))
    x = rng.uniform(size=(2, 18, 20, 1)).astype("float32")
    lines = drawn_lines.of("random", 20, 4.0)
    batches = loupe_tf.callbacks.MaskedBatches(x, x, lines)
    masks = batches.masks([0, 1])
    network = model.reconstructor.get_layer("fastmri_unet")
    zero_filled = _zero_filled(x[..., 0], masks[:, :1, :, 0])[..., None]
    np.testing.assert_allclose(
        model.predict([x, masks], verbose=0),
        network.predict(zero_filled.astype("float32"), verbose=0),
        atol=1e-5,
    )


def test_all_masks_of_a_seed_begin_with_one_network(script):
    settings = {**PRESETS["smoke"], "depth": 1}
    found = [
        script.build_model(script.Run(4.0, mask, 7), settings, (16, 16, 1))
        .reconstructor.get_layer("fastmri_unet")
        .get_weights()
        for mask in script.MASKS
    ]
    for weights in found[1:]:
        for a, b in zip(found[0], weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_learned_mask_has_budget_and_calibration(script):
    run = script.Run(8.0, "learned", 0)
    model = script.build_model(run, PRESETS["cpu"], (64, 64, 1))
    mask = script.masks.from_model(model)
    assert mask.array.shape == (1, 64) and mask.array.sum() == 8
    assert mask.array[0, 31:34].all()


def test_learning_rate_falls_at_epoch_40_of_50(script):
    rate = script.learning_rate({"learning_rate": 1e-3, "epochs": 50})
    assert rate(39) == 1e-3 and rate(40) == pytest.approx(1e-4)
    rate = script.learning_rate({"learning_rate": 1e-3, "epochs": 5})
    assert rate(3) == 1e-3 and rate(4) == pytest.approx(1e-4)


def test_the_optimizer_is_that_of_pytorch(script, rng):
    torch = pytest.importorskip("torch")
    run = script.Run(4.0, "random", 0)
    settings = {**PRESETS["smoke"], "depth": 1}
    optimizer = script.build_model(run, settings, (16, 16, 1)).optimizer
    ours = keras.Variable(np.ones(5, "float32"))
    theirs = torch.ones(5, requires_grad=True)
    other = torch.optim.RMSprop([theirs], lr=1e-3)
    for _ in range(20):
        # From tiny to large: ε matters for the first.
        gradient = (10.0 ** rng.uniform(-5, 1, 5)).astype("float32")
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [ours])
        theirs.grad = torch.tensor(gradient)
        other.step()
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(ours), theirs.detach().numpy(), rtol=1e-3
    )


@pytest.mark.slow
def test_a_run_that_diverges_is_recorded(script, folder, capsys, monkeypatch):
    real = script.learning_rate

    def diverging(settings):
        rate = real(settings)
        return lambda epoch: float("nan") if epoch else rate(epoch)

    monkeypatch.setattr(script, "learning_rate", diverging)
    arguments = _arguments(folder, "--masks", "random")
    assert script.main(arguments) == 0
    text = (folder / "out" / "results.json").read_text()
    assert "NaN" not in text
    results = json.loads(text)
    (record,) = results["runs"]
    assert record["diverged"] and record["test"] == {}
    assert record["trace"]["loss"][0] > 0
    assert record["trace"]["loss"][1] is None
    assert results["verdicts"] == [script.REPORTED]
    assert "random" in capsys.readouterr().out


@pytest.mark.parametrize(
    "others, said",
    [
        (("--accelerations", "1"), "--accelerations"),
        (("--masks", "no_such_mask"), "no_such_mask"),
        (("--epochs", "0"), "--epochs"),
    ],
)
def test_refuses_wrong_options(script, folder, capsys, others, said):
    with pytest.raises(SystemExit) as stop:
        script.main(_arguments(folder, *others))
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_refuses_before_training(script, folder, capsys, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(loupe_tf.callbacks, "fit_two_rounds", refuse)

    def error(*others):
        assert script.main(_arguments(folder, *others)) == 2
        return capsys.readouterr().err

    assert "for --depth 4" in error("--depth", "4")
    # The images have 16.
    assert "26 columns or more" in error("--accelerations", "16")
    assert not (folder / "out").exists()
    (folder / "out").mkdir()
    (folder / "out" / "settings.json").write_text('{"filters": 3}')
    (folder / "out" / "results.json").touch()
    assert "--out" in error()
    (folder / "out" / "settings.json").unlink()
    (folder / "out" / "results.json").unlink()
    for i in range(2, 7):
        (folder / "data" / f"volume_{i}.npy").unlink()
    assert "Expected three volumes or more" in error()
    assert not (folder / "out" / "runs").exists()


def test_pairs_are_of_the_same_seed_and_volume(script):
    def record(mask, seed, psnr):
        def metrics(shift):
            return {
                volume: {"psnr": psnr + shift, "ssim": 0.5, "nmse": 0.1}
                for volume in "ab"
            }

        unet = {"volume": metrics(seed), "slice": metrics(10)}
        return {
            "acceleration": 8.0,
            "mask": mask,
            "seed": seed,
            "diverged": False,
            "test": {"unet": unet},
        }

    records = [
        record("random", 1, 20.0),
        record("learned", 0, 99.0),
        record("learned", 1, 22.0),
        {**record("random", 0, math.nan), "diverged": True, "test": {}},
    ]
    claims = script.claims(script.Run.cells(records))
    sentence, _ = conventions.verdicts(
        claims, lambda name: script.volumes_of("unet", name)
    )
    assert sentence.startswith("R = 8, U-Net on learned against random lines")
    assert sentence.count("PSNR +2.00 ± 0.00 dB") == 2
    assert sentence.count("better in 2 of 2 pairs") == 2
