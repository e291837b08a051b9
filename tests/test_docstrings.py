"""What docstrings show is run: their examples, and what comes of them.

All examples of a docstring share the names that `names` prepares. They run at a
smaller size, and for one epoch.
"""

import ast
import doctest
import importlib
import pathlib
import re

import h5py
import keras
import matplotlib.figure
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from code_blocks import blocks

import loupe_tf
import loupe_tf.datasets
from loupe_tf import masks
from loupe_tf.numpy_fourier import fft2c, nudft

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ("loupe_tf", "callbacks", "datasets")
SMALLER = {
    r"(?<!/)\b(320|240|96)\b": "32",
    r"\bepochs=\d+": "epochs=1",
    r"(loupe_model\(\(32, 32, [12]\), acceleration=4)\)": r"\1, filters=4)",
}


# Examples that take seconds.
SLOW = {
    "BackupAndRestore",
    "CoilBatches",
    "DeepEquilibrium",
    "Distillation",
    "Distribution",
    "FromScans",
    "HoldOut",
    "KBand",
    "KeepContraction",
    "MaskedBatches",
    "MoDL",
    "MultiWorkerTrainer",
    "NCPDNet",
    "RunFolder",
    "SelfShrinkingSigmoidSlope",
    "SlopeSchedule",
    "VarNet",
    "XPDNet",
    "add_phase",
    "loupe_model",
    "norm_unet",
    "simulate_kspace",
    "with_unet",
    "write_fastmri_dataset",
    "zero_shot",
}
# What asks for fastMRI's files, or for a network for curves, is run by tests of
# its own.
ELSEWHERE = {
    "CurveNetwork",
    "FastmriSlicesConfig",
    "coil_pipeline",
    "load_fastmri_weights",
}


def docstrings():
    """Docstrings with examples, each with where it stands."""
    for path in (p for f in FOLDERS for p in sorted((ROOT / f).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if ">>>" in text or "```python" in text:
                    where = path.relative_to(ROOT).with_suffix("").as_posix()
                    name = getattr(node, "name", "")
                    where = f"{where}:{name}"
                    marks = [pytest.mark.slow] if name in SLOW else []
                    if name not in ELSEWHERE:
                        yield pytest.param(where, text, id=where, marks=marks)


def smaller(code):
    if "encoder_decoder(" in code:  # Of seven scales.
        return code
    for pattern, replacement in SMALLER.items():
        code = re.sub(pattern, replacement, code)
    return code


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with `mni_brain`, in small, and the name there."""
    pytest.importorskip("nilearn")
    folder = tmp_path_factory.mktemp("data")
    subjects = {"train": 2, "validation": 1, "test": 1}
    config = loupe_tf.datasets.MniBrainConfig(32, slices=3, subjects=subjects)
    builder = tfds.builder("mni_brain", config=config, data_dir=folder)
    builder.download_and_prepare()
    return folder, f"mni_brain/{config.name}"


@pytest.fixture
def names(tmp_path, monkeypatch, images, text):
    """What the examples take as given, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    # No data set is built, or found, where the user keeps theirs.
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(loupe_tf.reading, "_limit", None)
    keras.utils.set_random_seed(0)
    images = np.tile(images, (1, 2, 2, 1))[:4, :32, :32]
    mask = masks.uniform_random((32, 32), 2, calibration=16)
    maps = loupe_tf.simulation.birdcage_maps((32, 32), coils=4)
    kspace = fft2c(maps * images[0, ..., 0]) * mask.array
    return {
        "images": images,
        "train": tf.data.Dataset.from_tensor_slices((images, images)).batch(2),
        "validation": (images, images),
        "train_images": images,
        "validation_images": images,
        "test_images": images,
        "test_volumes": ["one", "one", "two", "two"],
        "volume": images[..., 0],
        "adjoint": images,
        "output": images,
        "weights": np.ones(len(images)),
        "y_true": images,
        "y_pred": images + 0.01,
        "max_value": 1.0,
        "alpha": 0.84,
        "mask": mask,
        "maps": maps,
        "kspace": kspace,
        "kspaces": [kspace],
        "targets": [images[0, ..., 0]],
        "sampler": loupe_tf.samplers.from_keywords(acceleration=4),
        **(prepare_model() if re.search("model|probability", text) else {}),
        "evaluation": loupe_tf.evaluation,
        "keras": keras,
        "loupe_tf": loupe_tf,
        "masks": masks,
        "matplotlib": matplotlib,
        "np": np,
        "plots": loupe_tf.plots,
        "report": loupe_tf.report,
        "tf": tf,
        "tfds": tfds,
    }


def prepare_model():
    model = loupe_tf.models.loupe_model((32, 32, 1), 2, filters=1, depth=1)
    model.compile("adam", "mse")
    probability = masks.probability_from_model(model)
    return {"model": model, "probability": probability}


def prepare_tensors(names):
    """As layers have them, `(1, coils, H, W, 2)` and `(1, H, W, 1)`."""
    for name in "kspace", "maps":
        pair = [names[name].real, names[name].imag]
        names[name] = np.stack(pair, axis=-1)[None].astype("float32")
    names["image"] = names["kspace"][:, 0]
    names["mask"] = names["mask"].array[None, ..., None].astype("float32")


def prepare_one_coil(names):
    prepare_tensors(names)
    names["kspace"] = names["kspace"][:, :1]


def prepare_regimes(names):
    prepare_tensors(names)
    network = loupe_tf.models.cnn((None, None, 2), 2, filters=2, depth=2)
    names["reconstructor"] = loupe_tf.models.VarNet(network, iterations=1)


def prepare_export(names):
    prepare_one_coil(names)
    names["kspace"] = names["kspace"][:, 0]
    names["onnxruntime"] = pytest.importorskip("onnxruntime")


def prepare_lines(names):
    points = masks.gaussian((16, 16), 2, seed=0)
    names["points"] = points.replace(field_of_view=(240, 240))
    mask = masks.equispaced_lines((1, 32), 2, calibration=10)
    names["mask"] = mask.replace(field_of_view=(240, 240))


def prepare_files(names):
    model = names.get("model") or prepare_model()["model"]
    model.save("model.keras")
    with h5py.File("raw_data.mat", "w") as file:
        file["raw"] = names["kspace"]
    pathlib.Path("singlecoil_val").mkdir()
    loupe_tf.datasets.write_fastmri_volume(
        "singlecoil_val/file1000001.h5", size=(32, 32), recon_size=(32, 32)
    )


def prepare_curves(names):
    """A scan of four coils along spokes, and its files."""
    spokes = loupe_tf.trajectories.radial(40, 48, matrix=(32, 32))
    names["trajectory"] = spokes.replace(field_of_view=(240, 240))
    coils = names["maps"] * names["images"][0, ..., 0]
    samples = nudft(coils, spokes.positions).astype("complex64")
    names["samples"] = samples
    spokes.save("spokes.cfl")
    array = samples.transpose(2, 1, 0)[None]
    loupe_tf.formats.write_cfl("samples.cfl", array)


def prepare_noise(names):
    noise = np.random.default_rng(0).normal(size=(4, 99, 2)) @ [1, 1j]
    np.save("noise.npy", noise)


def prepare_scans(names):
    pathlib.Path("scans").mkdir()
    for patient in ("01", "12", "19"):
        np.save(f"scans/patient{patient}_FLAIR.npy", names["volume"])


def prepare_submission(names):
    """A folder of two volumes, and zero-filled reconstructions of them."""
    size = {"size": (32, 32), "recon_size": (32, 32), "coils": 2}
    files = loupe_tf.datasets.write_fastmri_dataset(
        ".", {"multicoil_val": 2}, anatomy="brain", slices=1, **size
    )
    method = loupe_tf.reconstruction.ZeroFilled()
    for path in files["multicoil_val"]:
        images = loupe_tf.evaluation.rebuild_volume(method, path, "4x")
        loupe_tf.evaluation.write_submission("mine", path.name, images)


# By a part of the name, what an example takes as given in another form.
PREPARE = {
    "layers/": prepare_tensors,
    "operators/": prepare_tensors,
    "regimes/": prepare_regimes,
    ":AdjointNetwork": prepare_one_coil,
    ":CgSense": prepare_curves,
    ":CurveTotalVariation": prepare_curves,
    ":CurveWaveletL1": prepare_curves,
    ":CompensatedAdjoint": prepare_curves,
    ":Grappa": prepare_lines,
    ":Prewhitened": prepare_noise,
    ":whitening_matrix": prepare_noise,
    ":SampleVolume": prepare_curves,
    ":curve_maps": prepare_curves,
    ":judge_submission": prepare_submission,
    ":load_noise": prepare_noise,
    ":load_samples": prepare_curves,
    ":export_model": prepare_export,
    ":save_mask": prepare_lines,
    ":MriVolumesConfig": prepare_scans,
}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("where, text", list(docstrings()))
def test_examples_run(where, text, names, request, monkeypatch, write_ismrmrd):
    path = where.partition(":")[0].removeprefix("loupe_tf/")
    module = "loupe_tf." + path.replace("/", ".").removesuffix(".__init__")
    if ".h5" in text or ".keras" in text or ".mat" in text:
        prepare_files(names)
    if "scan.h5" in text:
        coils = names["kspace"][: 4 if "espirit" in text else 1]
        write_ismrmrd("scan.h5", np.stack([coils, coils]))
    for part, prepare in PREPARE.items():
        if part in where:
            prepare(names)
    if "mni_brain/" in text:
        folder, name = request.getfixturevalue("prepared")
        text = text.replace("mni_brain/96", name)
        monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    names = {
        **vars(masks),
        **vars(loupe_tf.callbacks),
        **vars(loupe_tf.datasets),
        **vars(loupe_tf.reconstruction),
        **vars(importlib.import_module(module)),
        **names,
    }
    for line, code in blocks(text, "python"):
        code = "\n" * (line - 1) + smaller(code)
        exec(compile(code, where, "exec"), names)
    parser = doctest.DocTestParser()
    test = parser.get_doctest(text, names, where, None, 0)
    failures = []
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    runner.run(test, out=failures.append)
    assert not failures, "".join(failures)
