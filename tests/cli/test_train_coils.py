"""`loupe-tf train` with several coils, noise and unrolled networks."""

import inspect
import json
import re
import warnings

import keras
import numpy as np
import pytest

from loupe_tf import cli, distribution, masks, metrics, models, simulation
from loupe_tf.cli.train import load_data
from loupe_tf.cli.training import (
    before_a_scan,
    calibration,
    classical,
    networks,
    rounds,
    scans,
)
from loupe_tf.cli.training.models import build_model
from loupe_tf.cli.training.options import complete
from loupe_tf.datasets import Slices
from loupe_tf.evaluation import REGULARIZATIONS, per_volume
from loupe_tf.numpy_fourier import fft2c, ifft2c

pytestmark = pytest.mark.usefixtures("eager", "undrawn")


def parse(*arguments):
    options = cli.parser().parse_args(["train", *arguments])
    complete(options)
    return options


def train(arguments):
    return cli.main(["train", *arguments])


def _arguments(folder, *others):
    return [
        *("--data", str(folder / "data"), "--out", str(folder / "run")),
        *("--epochs", "1", "1", "--filters", "2", "--depth", "1"),
        *("--batch-size", "3", *others),
    ]


@pytest.fixture
def quick(monkeypatch):
    """CG-SENSE of few iterations, whose images these tests do not look at."""
    monkeypatch.setitem(classical.ITERATIONS, classical.CG_SENSE, 2)
    monkeypatch.setattr(classical, "REGULARIZATIONS", (1e-2,))


COILS = "--lines", "columns", "--coils", "3", "--snr", "20"
MODL = "--network", "modl", "--iterations", "2"
UNET = "--network", "unet"


def _read(folder):
    run = folder / "run"
    metrics = json.loads((run / "metrics.json").read_text())
    report = (run / "report.html").read_text()
    return keras.models.load_model(run / "model.keras"), metrics, report


@pytest.mark.parametrize("network", ["modl", "varnet", "xpdnet"])
def test_unrolled_networks_with_coils(folder, network, capsys, quick):
    options = *COILS, "--network", network, "--iterations", "2"
    words = _arguments(folder, *options)
    assert train(words) == 0
    model, found, report = _read(folder)
    title = {"modl": "MoDL", "varnet": "VarNet", "xpdnet": "XPDNet"}[network]
    # CG-SENSE stands beside the network, on each mask.
    assert list(found["results"]) == [
        "learned, zero-filled",
        "learned, CG-SENSE",
        f"learned, {title}",
        "equispaced_lines, zero-filled",
        "equispaced_lines, CG-SENSE",
        f"equispaced_lines, {title}",
        "central_lines, zero-filled",
        "central_lines, CG-SENSE",
    ]
    reconstructor = model.reconstructor
    assert type(reconstructor).__name__ == title
    assert reconstructor.iterations == 2 and not reconstructor.shared
    assert model.coils == 3 and model.settings["snr"] == 20
    assert found["facts"]["measurement"].startswith("3 coils around")
    assert "20 dB below" in found["facts"]["measurement"]
    assert re.fullmatch(
        r"λ = [\d.]+ \(learned\), [\d.]+ \(equispaced lines\), [\d.]+ "
        r"\(central lines\), by PSNR on validation slices",
        found["facts"]["CG-SENSE"],
    )
    # Magnitude images get a phase, and the page says so.
    assert "simulated phase of 1 rad" in found["facts"]["data"]
    assert "<dt>coils</dt><dd>3</dd>" in report
    assert "<dt>iterations</dt><dd>2</dd>" in report
    assert "3 coils around the image" in report
    assert "gain over equispaced lines by CG-SENSE" in report
    assert re.search(r"dB below the signal, peak SNR \d[\d.]* on the", report)
    assert "peak SNR" in found["facts"]["measurement"]
    assert "scan.seq --fov H W" in report
    # Nobody is told the rule of the U-Net's lines.
    assert "2.6 dB" not in report
    printed = " ".join(capsys.readouterr().out.split())
    assert "By CG-SENSE, which uses the maps and learns nothing, the" in printed
    assert "the same number of equispaced lines" in printed
    assert re.search("By CG-SENSE, the learned lines .* central lines", printed)
    mask = masks.SamplingMask.load(folder / "run" / "mask.npz")
    assert mask.provenance["simulated_coils"] == 3
    assert mask.provenance["simulated_snr"] == 20
    assert mask.provenance["network"] == network
    if network == "modl":
        _check_zero_filling(folder, words, found)
        _check_scans_are_rebuilt(folder, capsys)


def test_points_with_coils(folder, quick, capsys):
    """A Poisson disc is their rival; the central ones stand beside it."""
    words = "--coils", "3", "--snr", "20", *MODL
    assert train(_arguments(folder, *words)) == 0
    _, found, report = _read(folder)
    assert list(found["results"])[3:] == [
        "poisson_disc, zero-filled",
        "poisson_disc, CG-SENSE",
        "poisson_disc, MoDL",
        "central_points, zero-filled",
        "central_points, CG-SENSE",
    ]
    printed = " ".join(capsys.readouterr().out.split())
    assert "better than the same number of Poisson-disc points" in printed
    assert "gain over Poisson-disc points by CG-SENSE" in report
    assert "gain over central points" in report
    for word in ("CG-SENSE", "peak SNR", "Poisson-disc points"):
        assert f"<dt>{word}</dt>" in report
    assert "<dt>equispaced lines</dt>" not in report


@pytest.mark.parametrize("coils", [None, 8])
def test_the_peak_snr_is_that_of_the_noise(rng, coils):
    """As the noise that is added has it, in the image of one coil."""
    images = np.zeros((4, 64, 64, 1), "float32")
    images[:3, 16:48, 16:48] = rng.uniform(size=(3, 32, 32, 1))
    options = parse("--snr", "12")
    options.coils = coils
    volumes = np.array(["a", "a", "b", "b"])  # One slice of b is empty.
    found = before_a_scan.peak_snr(options, images, volumes)
    maps = simulation.birdcage_maps((64, 64), coils or 1)
    kspace = simulation.simulate_kspace(images, maps, phase=0.0, seed=0)[0]
    noise = simulation.add_noise(kspace, 12, seed=1) - kspace
    peaks = [images[i].max() / noise[i].std() for i in range(3)]
    expected = np.median([np.median(peaks[:2]), peaks[2]])
    assert found == pytest.approx(expected, rel=0.03)
    options.snr = None
    assert before_a_scan.peak_snr(options, images, volumes) is None
    options.snr = 12
    assert before_a_scan.peak_snr(options, 0 * images, volumes) is None


def _check_zero_filling(folder, words, found):
    """With coils it is the SENSE combination, of scans with noise."""
    options = parse(*words)
    data, _ = load_data(options)
    scan = scans.simulate(options, data, distribution.Distribution("none"))
    (kspace, maps), truth = scan["test"][0]
    assert len(scan["test"]) == 1
    mask = masks.SamplingMask.load(folder / "run" / "mask.npz").array
    unit = np.array([1, 1j])
    image = ifft2c(np.where(mask, kspace @ unit, 0))
    image = np.abs(np.sum((maps @ unit).conj() * image, axis=1))[..., None]
    volumes = data["test"].volumes[scan["test"].rows(0)]
    expected = per_volume(truth, image.astype("float32"), volumes)
    got = found["results"]["learned, zero-filled"]["volumes"]
    for volume, values in expected.items():
        assert got[volume]["psnr"] == pytest.approx(values["psnr"], rel=1e-4)


def _check_scans_are_rebuilt(folder, capsys):
    """What the guide does with the files of a run."""
    run, volume = folder / "run", np.load(folder / "data" / "volume_0.npy")
    maps = simulation.birdcage_maps((16, 18), 3)
    kspace, _, _ = simulation.simulate_kspace(volume[..., None], maps, seed=9)
    np.save(folder / "scan.npy", kspace @ np.array([1, 1j]))
    np.save(folder / "maps.npy", maps)
    model = str(run / "model.keras")
    assert (
        cli.main(
            [
                *("reconstruct", str(folder / "scan.npy"), "--undersample"),
                *("--model", model, "--maps", str(folder / "maps.npy")),
                *("--out", str(folder / "images"), "--format", "npy"),
            ]
        )
        == 0
    )
    image = np.load(folder / "images" / "scan.npy")
    assert image.shape == (3, 16, 18)
    # It is what the model gives.
    loaded = keras.models.load_model(model)
    kspace, maps, _ = simulation.simulate_kspace(
        volume[..., None], maps, seed=9
    )
    expected = loaded.predict_on_batch([kspace, maps])[..., 0]
    assert np.corrcoef(np.abs(image).ravel(), expected.ravel())[0, 1] > 0.99
    capsys.readouterr()
    # Its note is not that of a U-Net's lines.
    words = "mask", "convert", str(run / "mask.npz"), str(folder / "lines.csv")
    assert cli.main([*words, "--fov", "220", "220"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "learned for 3 simulated coils" in printed
    assert "2.6 dB" not in printed


@pytest.mark.parametrize("network", ["modl", "varnet", "xpdnet"])
@pytest.mark.parametrize("phase", [(), ("--phase",)])
def test_unrolled_networks_with_one_coil(folder, network, phase):
    """The model's images are magnitudes, also if its inputs have a phase."""
    options = "--network", network, "--iterations", "1", *phase
    options = parse(*_arguments(folder, *options))
    devices = distribution.Distribution("none")
    shape = 16, 18, 2 if phase else 1
    model = build_model(options, devices, shape)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, 16, 18, 1)
    twin = type(model).from_config(model.get_config())
    assert twin.output_shape == (None, 16, 18, 1)


def test_modl_of_one_coil_with_a_phase_and_noise(folder):
    options = *MODL, "--phase", "--snr", "25"
    assert train(_arguments(folder, *options)) == 0
    model, found, report = _read(folder)
    assert model.reconstructor.solver_iterations == 4
    assert "CG-SENSE" not in found["facts"] and "learned, MoDL" in str(found)
    assert "one coil, receiver noise, 25 dB below the signal" in report
    assert "<code>--coils</code>" in report


def test_the_sizes_of_networks():
    assert parse("--network", "unet").filters == 32
    assert parse("--network", "unet").iterations is None
    for name in ("modl", "varnet", "xpdnet"):
        options = parse("--network", name)
        sizes = options.filters, options.depth, options.iterations
        assert sizes == (8, 3, 5)
    assert parse(*"--network modl --iterations 2 --filters 3".split()) != 0


def test_the_networks_of_iterations_drop_channels():
    options = parse(*MODL, "--dropout", "0.25", "--depth", "1")
    devices = distribution.Distribution("none")
    model = build_model(options, devices, (16, 18, 1))
    for network in model.reconstructor.networks:
        rates = [getattr(layer, "rate", None) for layer in network.layers]
        assert 0.25 in rates


@pytest.mark.parametrize("network", ["modl", "varnet"])
def test_weight_decay_spares_step_sizes(network):
    words = f"--network {network} --weight-decay 0.5 --learning-rate 1"
    options = parse(*words.split(), "--depth", "1", "--filters", "2")
    devices = distribution.Distribution("none")
    model = build_model(options, devices, (16, 18, 1))
    variables = model.trainable_variables
    before = [keras.ops.convert_to_numpy(v) for v in variables]
    model.optimizer.build(variables)
    model.optimizer.apply([np.zeros(v.shape, "float32") for v in variables])
    spared = []
    for variable, value in zip(variables, before):
        after = keras.ops.convert_to_numpy(variable)
        if variable.name in ("logits", "log_weights", "steps"):
            np.testing.assert_array_equal(after, value)
            spared.append(variable.name)
        else:
            np.testing.assert_allclose(after, 0.5 * value, rtol=1e-6)
    assert len(spared) == 2


@pytest.mark.parametrize(
    "words, match",
    [
        ("--iterations 3", "iterations.*not unrolled; modl, varnet, xpdnet"),
        ("--network fastmri_unet --iterations 3", "iterations.*fastmri_unet"),
        ("--network modl --iterations 0", "iterations.*at least 1"),
        ("--coils 0", "coils.*at least 1"),
        ("--snr nan", "snr.*finite"),
        ("--peak-snr 0", "peak-snr.*above 0"),
        ("--peak-snr 50 --snr 15", "peak-snr. Expected none beside --snr"),
        ("--coils 3 --lines rows --baseline gaussian", "baseline.*of lines"),
    ],
)
def test_refused_before_data_are_made(words, match, monkeypatch, capsys):
    monkeypatch.setattr(cli.train, "load_data", lambda options: 1 / 0)
    assert train(["--demo", *words.split()]) == 2
    error = capsys.readouterr().err
    assert re.match(f"error: Invalid value for argument --{match}", error)


def test_the_network_of_several_coils_uses_their_maps():
    for words, network in (
        ("", "unet"),
        ("--snr 20 --lines rows", "unet"),
        ("--coils 1", "unet"),
        ("--coils 2", "modl"),
        ("--coils 8 --lines rows", "modl"),
        ("--demo --coils 8", "modl"),
        ("--coils 8 --network unet", "unet"),
        ("--coils 8 --network varnet", "varnet"),
    ):
        assert parse(*words.split()).network == network, words
    assert parse("--coils", "2", "--iterations", "3").iterations == 3
    given, default = parse(*COILS, "--network", "modl"), parse(*COILS)
    assert vars(given) == vars(default)  # They go on in one folder.


def test_the_defaults_are_those_of_with_unet():
    options = parse("--network", "modl")
    taken = inspect.signature(models.MoDL.with_unet).parameters
    for name in "filters", "depth", "dropout", "iterations":
        assert getattr(options, name) == taken[name].default, name
    # The help of --iterations has it.
    own = models.MoDL.unet_defaults["solver_iterations"]
    assert networks.SOLVER_ITERATIONS == own


@pytest.mark.parametrize("name", ["modl", "varnet", "xpdnet"])
def test_the_network_is_built_by_with_unet(name):
    sizes = {"filters": 2, "depth": 2, "dropout": 0.1, "iterations": 2}
    words = [str(x) for k, v in sizes.items() for x in (f"--{k}", v)]
    options = parse("--network", name, *words)
    make = {
        "modl": models.MoDL,
        "varnet": models.VarNet,
        "xpdnet": models.XPDNet,
    }[name]
    expected = make.with_unet((16, 18), **sizes).get_config()
    made = networks.network_of(options, None, (16, 18))
    config = made["reconstructor"].get_config()
    del config["name"], expected["name"]
    assert config == expected and made["magnitude"]


def test_a_unet_that_was_asked_for_is_built_without_a_warning(recwarn):
    options = parse(*COILS, *UNET, "--filters", "2", "--depth", "1")
    build_model(options, distribution.Distribution("none"), (16, 18, 2))
    assert not [w for w in recwarn if "U-Net" in str(w.message)]


def test_the_rival_of_lines():
    assert parse("--lines", "rows").baseline == "central_lines"
    assert parse(*COILS).baseline == "equispaced_lines"
    assert parse(*COILS, "--baseline", "central_lines").baseline == (
        "central_lines"
    )
    # Nobody scans with central points.
    assert parse("--coils", "3").baseline == "poisson_disc"
    assert parse().baseline == "central_points"
    assert parse("--coils", "3", "--baseline", "central_points").baseline == (
        "central_points"
    )


def test_lines_of_a_unet_for_coils_are_warned_of(folder, monkeypatch):
    monkeypatch.setattr(rounds, "train", lambda *_: 1 / 0)
    with (
        pytest.warns(UserWarning, match="unet sees one combined .*2.6 dB"),
        pytest.raises(ZeroDivisionError),
    ):
        train(_arguments(folder, *COILS, *UNET))
    for words in (MODL + COILS, COILS, COILS[2:] + UNET, COILS[:2]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cli.train.warn_of_lines(parse(*words))


@pytest.mark.parametrize(
    "words, said, doubt",
    [
        (
            "--lines columns --coils 8 --calibration 13",
            "16 of 64 columns: 13 in the calibration region, 3 to learn; R = "
            "17 outside the region",
            "R = 17 outside .*number of coils, 8; .*takes 13 of the 16 columns "
            "and leaves 3 to learn, fewer than half. Give a lower --accel",
        ),
        # Fewer than half are left.
        (
            "--lines rows --calibration 9",
            "7 to learn; R = 7.86",
            "^the calibration region takes 9 of the 16 rows and leaves 7 to "
            "learn, fewer than half. Give .* --calibration.$",
        ),
        # Half is left; without coils, nothing is known of them.
        ("--lines rows --calibration 8", "8 to learn; R = 7", "^$"),
        ("--lines rows --calibration 8 --coils 4", "R = 7", "coils, 4. Giv"),
        ("--lines rows --calibration 8 --coils 8", "R = 7", "^$"),
        ("--lines columns --calibration 0", "16 of 64 columns", ""),
        (
            "--calibration 24 --coils 8",
            "768 of 3072 points: 576 in the calibration region, 192 to learn; "
            "R = 13 outside the region",
            "^R = 13 .*, 8; .* leaves 192 to learn, fewer than half",
        ),
    ],
)
def test_the_calibration_region_takes_of_the_budget(words, said, doubt):
    options = parse(*words.split())
    size = (64, 64) if options.lines else (48, 64)
    found = calibration.budget_of(options, size)
    assert said in str(found)
    assert re.search(doubt or "^$", calibration.doubt_of(found, options.coils))


def test_a_calibration_region_that_leaves_little_is_warned_of(
    folder, monkeypatch, capsys
):
    monkeypatch.setattr(rounds, "train", lambda *_: 1 / 0)
    words = "--lines", "columns", "--coils", "3", "--calibration", "3"
    with (
        pytest.warns(UserWarning, match="R = 15 outside the .*coils, 3"),
        pytest.raises(ZeroDivisionError),
    ):
        train(_arguments(folder, *words, "--iterations", "1"))
    assert "mask acquires 4 of 18 columns: 3 in" in capsys.readouterr().out


def test_points_of_a_unet_with_coils(folder, quick, monkeypatch):
    outcomes, judge = [], rounds.judge

    def spy(*arguments):
        outcomes.append(judge(*arguments))
        return outcomes[0]

    monkeypatch.setattr(rounds, "judge", spy)
    assert train(_arguments(folder, "--coils", "2", *UNET)) == 0
    _, found, report = _read(folder)
    # Images that no picture shows are not kept.
    title = networks.NETWORKS["unet"].title
    shown = "learned, zero-filled", f"learned, {title}"
    assert set(outcomes[0].outputs) == {*shown, f"poisson_disc, {title}"}
    # Those of the learned and the fixed mask, and two of the central points.
    assert len(found["results"]) == 8
    assert "2 coils around the image (birdcage maps), no noise" in report
    assert "give <code>--peak-snr</code>" in report and "2.6 dB" not in report


def test_a_stopped_run_goes_on(folder, monkeypatch, capsys, quick):
    def stop(self, epoch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds.Progress, "on_epoch_end", stop)
    assert train(_arguments(folder, *COILS, *MODL)) == 130
    monkeypatch.undo()
    other = "--coils", "4"
    assert train(_arguments(folder, *COILS, *MODL, *other)) == 2
    error = capsys.readouterr().err
    assert "--coils 4" in error and "--coils 3" in error
    # A network that is another one than the default is named, too.
    assert train(_arguments(folder, *COILS, *UNET)) == 2
    error = capsys.readouterr().err
    assert "--network unet" in error and "modl" in error
    assert train(_arguments(folder, *COILS, *MODL)) == 0
    history = json.loads((folder / "run" / "history.json").read_text())
    assert len(history["learned"]["loss"]) == 2


def test_a_run_of_an_older_version_goes_on(folder, capsys):
    """It lacks the new options, and had one coil and a U-Net."""
    assert train(_arguments(folder)) == 0
    path = folder / "run" / "settings.json"
    settings = json.loads(path.read_text())
    for name in ("coils", "snr", "iterations"):
        assert settings.pop(name) is None
    path.write_text(json.dumps(settings))
    assert train(_arguments(folder)) == 0
    capsys.readouterr()
    assert train(_arguments(folder, "--snr", "30")) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [0.01, 0.001, 0.1])
def test_a_step_moves_the_mask_as_far_at_each_rate(rate):
    options = parse(*f"--learning-rate {rate} --filters 2 --depth 1".split())
    devices = distribution.Distribution("none")
    model = build_model(options, devices, (16, 18, 1))
    slope = model.get_layer("prob_mask").slope
    assert slope * rate == pytest.approx(0.05)
    assert rate != 0.01 or slope == 5


def test_the_slope_of_another_rate_is_recorded(folder, capsys):
    """An older version had 5, and its unfinished run would go on with it."""
    words = _arguments(folder, "--learning-rate", "0.001")
    assert train(words) == 0
    path = folder / "run" / "settings.json"
    settings = json.loads(path.read_text())
    assert settings.pop("prob_slope") == pytest.approx(50)
    assert train(words) == 0
    path.write_text(json.dumps(settings))
    capsys.readouterr()
    assert train(words) == 2
    error = capsys.readouterr().err
    assert "another version, which did not record ['prob_slope']" in error


def _slices(count, channels, rng):
    shape = count, 16, 18, channels
    images = rng.uniform(0.1, 1, size=shape).astype("float32")
    return Slices(images, np.array(["a"] * count))


def test_coils_and_phase_of_training_are_new_in_each_epoch(rng):
    data = {
        name: _slices(4, 1, rng) for name in ("train", "validation", "test")
    }
    options = parse(*COILS, *"--phase 1 --snr 20 --batch-size 4".split())
    found = scans.simulate(options, data, distribution.Distribution("none"))
    assert scans.image_shape(found, options) == (16, 18, 1)
    first = {name: part[0] for name, part in found.items()}
    # The images lie as they were given.
    for name, (_, targets) in first.items():
        rows = found[name].rows(0)
        np.testing.assert_array_equal(targets, data[name].images[rows])
    assert found["train"]._maps is found["test"]._maps
    # Splits differ in what is drawn.
    maps = [inputs[1] for inputs, _ in first.values()]
    assert all((maps[0] != other).any() for other in maps[1:])
    found["train"].set_epoch(1)
    assert (found["train"][0][0][1] != maps[0]).any()
    # The noise of training is the model's; that of the others stays.
    for name, ((kspace, maps), targets) in first.items():
        unit = np.array([1, 1j])
        kspace, maps = kspace @ unit, maps @ unit
        image = np.sum(maps.conj() * ifft2c(kspace), axis=1)
        error = np.abs(image) - targets[..., 0]
        assert (np.abs(error).max() > 1e-3) == (name != "train")
        # 20 dB, over all samples of each example.
        clean = fft2c(maps * image[:, None])
        power = np.mean(np.abs(clean) ** 2, axis=(1, 2, 3))
        noise = np.mean(np.abs(kspace - clean) ** 2, axis=(1, 2, 3))
        if name != "train":
            assert np.all((noise > 0.004 * power) & (noise < 0.01 * power))
            again = found[name][0][0][0]
            np.testing.assert_array_equal(again @ unit, kspace)


@pytest.fixture
def streams(monkeypatch):
    """What tells the random numbers apart that are drawn from seeds."""
    found, make = [], np.random.default_rng

    def default_rng(seed=None):
        found.append(make(seed).integers(2**63))
        return make(seed)

    monkeypatch.setattr(np.random, "default_rng", default_rng)
    return found


def test_noise_has_random_numbers_of_its_own(rng, streams):
    data = {
        name: _slices(2, 1, rng) for name in ("train", "validation", "test")
    }
    options = parse("--phase", "1", "--snr", "20")
    scans.simulate(options, data, distribution.Distribution("none"))
    # Three phases, and the noise of two splits.
    assert len(streams) == len(set(streams)) == 5


def test_scans_of_splits_share_no_random_numbers(rng, streams):
    data = {
        name: _slices(2, 1, rng) for name in ("train", "validation", "test")
    }
    options = parse(*"--coils 2 --phase 1 --snr 9 --batch-size 1".split())
    found = scans.simulate(options, data, distribution.Distribution("none"))
    of_split = []
    for name, batches in found.items():
        streams.clear()
        for epoch in range(4 if name == "train" else 1):
            batches.set_epoch(epoch)
            for index in range(2):
                batches[index]
        of_split.append(set(streams))
    assert len(set.union(*of_split)) == sum(map(len, of_split))


@pytest.mark.parametrize("coils", [None, 2])
def test_peak_snr_is_one_sigma_for_all_slices(rng, coils):
    data = {
        name: _slices(4, 1, rng) for name in ("train", "validation", "test")
    }
    for part in data.values():
        part.images[::2] *= 0.1
    words = "--phase", "0", "--batch-size", "4"
    if coils:
        words = *words, "--coils", str(coils)
    devices = distribution.Distribution("none")
    clean = scans.simulate(parse(*words), data, devices)
    noisy = scans.simulate(parse(*words, "--peak-snr", "50"), data, devices)
    for name in data:
        one, other = clean[name], noisy[name]
        if coils:
            one, other = one[0][0][0], other[0][0][0]
        elif one.shape[-1] == 1:
            one = np.concatenate([one, np.zeros_like(one)], axis=-1)
        noise = other - one
        if name == "train":  # The model's.
            assert not noise.any()
            continue
        for each in noise:
            np.testing.assert_allclose(each.std(), 0.02, rtol=0.2)
    options = parse(*words, "--peak-snr", "50")
    # Given, not measured: the report has no second figure.
    images, volumes = data["test"].images, ["a"] * 4
    assert before_a_scan.peak_snr(options, images, volumes) is None


def test_noise_of_one_coil_is_complex(rng):
    data = {
        name: _slices(4, 1, rng) for name in ("train", "validation", "test")
    }
    options = parse("--snr", "10")
    found = scans.simulate(options, data, distribution.Distribution("none"))
    for name, images in found.items():
        assert images.shape == (4, 16, 18, 2)
        clean = np.concatenate([data[name].images] * 2, -1) * [1, 0]
        error = images - clean
        if name == "train":
            assert not error.any()
            continue
        power = np.sum(clean**2, axis=(1, 2, 3))
        ratio = np.sum(error**2, axis=(1, 2, 3)) / power
        np.testing.assert_allclose(ratio, 0.1, rtol=0.2)
        # Half of it is in the imaginary part.
        np.testing.assert_allclose(
            np.sum(error[..., 1] ** 2), np.sum(error[..., 0] ** 2), rtol=0.2
        )


def test_complex_images_keep_their_phase(folder, rng, capsys):
    for i in range(4):
        real, imaginary = rng.uniform(-1, 1, size=(2, 3, 16, 18))
        volume = (real + 1j * imaginary).astype("complex64")
        np.save(folder / "data" / f"volume_{i}.npy", volume)
    options = parse(*_arguments(folder, "--coils", "2"))
    data, source = load_data(options)
    assert options.phase == 0 and "phase" not in source
    found = scans.simulate(options, data, distribution.Distribution("none"))
    (kspace, maps), targets = found["test"][0]
    unit = np.array([1, 1j])
    image = np.sum((maps @ unit).conj() * ifft2c(kspace @ unit), axis=1)
    expected = data["test"].images[found["test"].rows(0)] @ unit
    np.testing.assert_allclose(image, expected, atol=1e-5)
    np.testing.assert_allclose(targets[..., 0], np.abs(expected), atol=1e-6)
    assert train(_arguments(folder, "--coils", "2", "--phase")) == 2
    assert "--phase. Expected none, since" in capsys.readouterr().err


def _scan(images, lines):
    maps = simulation.birdcage_maps((16, 18), 4)
    kspace, maps, _ = simulation.simulate_kspace(images, maps, seed=0)
    mask = masks.equispaced_lines((16, 18), 2, 4)
    return mask, kspace, maps


def test_cg_sense_is_that_of_sigpy(images):
    pytest.importorskip("sigpy")
    from loupe_tf.reconstruction import Sense

    mask, kspace, maps = _scan(images, "columns")
    model = classical.build((16, 18, 1), mask, 4, 0.01)
    output = model.predict_on_batch([kspace, maps])
    unit = np.array([1, 1j])
    for i in range(2):
        scan = np.where(mask.array, kspace[i] @ unit, 0).astype("complex64")
        expected = Sense(0.01)(scan, mask, (maps[i] @ unit).astype("complex64"))
        np.testing.assert_allclose(
            output[i, ..., 0], np.abs(expected), atol=1e-3
        )


@pytest.mark.parametrize("regularization", [3e-4, 1e-2])
def test_total_variation_is_that_of_sigpy(regularization):
    pytest.importorskip("sigpy")
    from loupe_tf.reconstruction import TotalVariation

    image = np.zeros((2, 24, 20), "complex64")
    image[:, 6:18, 5:15] = 1
    image[0, 9:14, 8:13] = 3j  # The images have units of their own.
    mask = masks.central_points((24, 20), 3)
    model = classical.build((24, 20, 2), mask, None, regularization)
    output = model.predict_on_batch(np.stack([image.real, image.imag], -1))
    assert output.shape == (2, 24, 20, 1)
    ones = np.ones((1, 24, 20), "complex64")
    for i in range(2):
        scan = np.where(mask.array, fft2c(image[i]), 0)[None]
        expected = TotalVariation(regularization, 2000)(scan, mask, ones)
        error = np.abs(output[i, ..., 0] - np.abs(expected)).max()
        assert error < 0.002 * np.abs(expected).max()


def test_total_variation_takes_the_best_weight(images):
    """For one coil: scans with noise get a larger one."""
    mask = masks.central_points((16, 18), 2, 4)
    noise = np.random.default_rng(0).normal(size=images.shape)
    found = {
        size: classical.choose(
            (16, 18, 1),
            mask,
            None,
            ((images + size * noise).astype("float32"), images),
        )[1]
        for size in (0, 0.5)
    }
    assert found[0.5] > found[0]
    empty = classical.build((16, 18, 1), mask, None, 0.01)
    assert not empty.predict_on_batch(0 * images).any()


def test_cg_sense_takes_the_best_weight(images, monkeypatch):
    """Scans with much noise get a large one, scans without a small one."""
    found = {}
    mask = _scan(images, "columns")[0]
    options = parse(*"--coils 4 --phase 1 --batch-size 8".split())
    volumes = np.array(["a"] * len(images))
    assert classical.REGULARIZATIONS == REGULARIZATIONS
    monkeypatch.setattr(classical, "REGULARIZATIONS", (1e-3, 1e-1))
    monkeypatch.setitem(classical.ITERATIONS, classical.CG_SENSE, 8)
    for snr in (None, 0.0):
        options.snr = snr
        data = {"validation": Slices(images, volumes)}
        batches = scans.simulate(
            options, data, distribution.Distribution("none")
        )["validation"]
        model, found[snr] = classical.choose((16, 18, 1), mask, 4, batches)
        # The middles of four equal parts, as `tune` takes them.
        rows = [list(batches.rows(0)).index(i) for i in (1, 3, 5, 7)]
        (kspace, maps), truth = batches[0]
        inputs, truth = [kspace[rows], maps[rows]], truth[rows]
        scores = [
            np.mean(
                metrics.psnr(
                    truth,
                    classical.build((16, 18, 1), mask, 4, one).predict_on_batch(
                        inputs
                    ),
                )
            )
            for one in classical.REGULARIZATIONS
        ]
        assert classical.REGULARIZATIONS[int(np.argmax(scores))] == (found[snr])
    assert found[0.0] > found[None]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_cg_sense_is_tuned_on_slices_that_show_something(
    images, size, monkeypatch
):
    """They do not depend on the size of the batches, whose order is random."""
    images = images.copy()
    images[:4] = 0
    options = parse(*f"--coils 2 --phase 0 --batch-size {size}".split())
    data = {"validation": Slices(images, np.array(["a"] * 8))}
    batches = scans.simulate(options, data, distribution.Distribution("none"))
    seen = []

    def psnr(truth, output):
        seen.append(truth)
        return truth[:, 0, 0, 0]

    monkeypatch.setattr(classical.metrics, "psnr", psnr)
    monkeypatch.setitem(classical.ITERATIONS, classical.CG_SENSE, 1)
    mask = masks.equispaced_lines((16, 18), 2, 4)
    classical.choose((16, 18, 1), mask, 2, batches["validation"])
    assert len(seen) == 7
    first = sorted(map(np.ndarray.tolist, seen[0]))
    assert first == sorted(map(np.ndarray.tolist, images[4:]))


@pytest.mark.parametrize(
    "words, state, said, remedy",
    [
        ("--lines rows", "open", "2.6 dB", "--coils` and `--peak-snr`; l"),
        ("", "open", "one coil, no noise", "`--coils` and `--peak"),
        ("--lines rows --network modl", "open", "one coil", "`--coils` and"),
        ("--coils 8", "open", "8 coils around the", "give `--peak-snr`"),
        ("--snr 30", "open", "30 dB", "give `--coils`"),
        ("--coils 8 --snr 30", "note", "8 coils", "your scanner's"),
        ("--coils 8 --peak-snr 50", "note", "peak SNR 50 in", "your scanner's"),
        (
            "--coils 8 --snr 30 --lines rows --network unet",
            "open",
            "2.6 dB",
            "--network modl",
        ),
        (
            "--coils 8 --snr 30 --lines rows --network varnet",
            "note",
            "30 dB below the signal",
            "your scanner's",
        ),
    ],
)
def test_what_was_simulated_before_a_scan(words, state, said, remedy):
    options = parse("--data", "images", *words.split())
    mask = masks.equispaced_lines((16, 18), 2, 4, "rows")
    if not options.lines:
        mask = masks.central_points((16, 18), 2)
    _, rows = before_a_scan.section(
        mask, BETTER, ("central_points", ""), options, True, demo=False
    )
    (row,) = [row for row in rows if row[0] == "receive coils and noise"]
    assert row[1] == state and said in row[2] and remedy in row[3]
    assert ("2.6 dB" in row[2]) == (said == "2.6 dB")


BETTER = {"psnr": np.array([1.0, 1.1, 1.2]), "ssim": np.full(3, 0.01)}


@pytest.mark.parametrize(
    "ssim, state, words",
    [
        # One seed is no proof.
        ([0.01, 0.02, 0.03], "seed", "SSIM 0.020 [-0.005, 0.045] better"),
        ([0.0, 0.0, 0.0], "seed", "; SSIM 0.000"),
        # Worse in each volume.
        ([-0.01, -0.011, -0.012], "open", "SSIM 0.011 [0.009, 0.013] worse"),
        # Worse on average, but the interval includes zero.
        ([-0.01, -0.03, 0.01], "note", "SSIM 0.010 [-0.040, 0.060] worse"),
    ],
)
def test_a_gain_needs_both_metrics(ssim, state, words):
    gains = {**BETTER, "ssim": np.array(ssim)}
    _, rows = before_a_scan.section(
        masks.central_points((16, 18), 2),
        gains,
        ("central_points", ""),
        parse("--data", "images"),
        complex_images=True,
        demo=False,
    )
    (row,) = [row for row in rows if row[0] == "gain over central points"]
    assert row[1] == state.replace("seed", "note") and words in row[2]
    assert ("disagree" in row[3]) == (state != "seed")
    assert ("--seed 1" in row[3]) == (state == "seed")


@pytest.mark.parametrize(
    "psnr, ssim, better",
    [
        ([1.0, 1.1, 1.2], [0.01, 0.01, 0.01], True),
        ([1.0, 1.1, 1.2], [-0.01, -0.01, -0.01], False),
        ([-1.0, -1.1, -1.2], [0.01, 0.01, 0.01], False),
        ([1.0, 1.1], [0.01, 0.01], False),
    ],
)
def test_the_gain_without_a_network(psnr, ssim, better):
    gains = {"psnr": np.array(psnr), "ssim": np.array(ssim)}
    _, rows = before_a_scan.section(
        masks.equispaced_lines((16, 18), 2, 4),
        BETTER,
        ("central_points", ""),
        parse("--data", "images", *COILS, *MODL),
        complex_images=True,
        demo=False,
        alone=gains,
    )
    (row,) = [row for row in rows if row[0].endswith("by CG-SENSE")]
    assert row[1] == "note" and ("--seed 1" in row[3]) == better
    # A cell that begins with a number would be a column of numbers.
    assert re.match(r"PSNR 1\.\d\d dB \[.*SSIM 0\.010 \[", row[2])


def test_nothing_may_be_open():
    mask = masks.equispaced_lines((64, 64), 2, 24)
    mask = mask.replace(field_of_view=(220, 220))
    # The central lines are no rival with several coils.
    words = "--data images --lines columns --coils 8 --snr 30 --network modl"
    options = parse(*words.split())
    text, rows = before_a_scan.section(
        mask, BETTER, ("central_lines", ""), options, True, demo=False
    )
    assert not [row for row in rows if row[1] == "open"]
    assert text == (
        "No item is open. Read the notes before you scan. Export the mask: "
        "`loupe-tf mask convert runs/loupe/mask.npz scan.seq`."
    )


def test_a_magnitude_of_complex_images():
    """The keyword that the command needs for one coil with a phase."""
    for magnitude, channels in ((None, 2), (True, 1), (False, 2)):
        model = models.loupe_model(
            (16, 18, 2),
            4,
            reconstructor=models.MoDL(iterations=1),
            magnitude=magnitude,
        )
        assert model.output_shape == (None, 16, 18, channels)
