import hashlib
import json
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from loupe_tf import export_model, masks
from loupe_tf.models import (
    NonUniformAdjointNetwork,
    freeze_mask,
    loupe_model,
    unet,
)
from loupe_tf.reconstruction import Network
from loupe_tf.samplers import GivenTrajectory, TrajectoryInput
from loupe_tf.trajectories import radial

RANDOM = {"output_initializer": "glorot_uniform"}
SMALL = {"filters": 2, "depth": 1, **RANDOM}
LINES = masks.random_lines((1, 17), 3, calibration=4, seed=0)
POINTS = masks.gaussian((16, 15), 3, calibration=4, seed=0)
BACKEND = keras.backend.backend()
FORMATS = {
    "tensorflow": ["tf_saved_model", "onnx"],
    "jax": ["tf_saved_model"],
    "torch": [],
}[BACKEND]


def learned_points():
    options = {"acceleration": 3, "data_consistency": True, "seed": 0}
    options = {**RANDOM, **options}
    return loupe_model((17, 15, 1), filters=2, depth=1, **options)


def learned_rows():
    options = {"acceleration": 3, "lines": "rows", "calibration": 4}
    return loupe_model((16, 18, 2), **options, **SMALL)


def given_columns():
    options = {"reconstruction": "complex", "data_consistency": True}
    return loupe_model((16, 17, 2), mask=LINES, **options, **SMALL)


def mask_as_input():
    options = {"mask_input": True, "data_consistency": True}
    return loupe_model((16, 15, 1), **options, **SMALL)


def groups_of_columns():
    """Several masks, so that one is an input: of lines, as in the model."""
    options = {"acceleration": 3, "lines": "columns", "data_consistency": True}
    return loupe_model((16, 17, 1), groups=2, **options, **SMALL)


def half_plane():
    options = {"acceleration": 4, "half_plane": True, "seed": 0}
    return loupe_model((15, 16, 1), **options, **SMALL)


# Model, whether k-space has several coils, formats.
CASES = [
    (learned_points, False, FORMATS),
    (learned_rows, True, FORMATS),
    (given_columns, False, FORMATS),
    (mask_as_input, False, FORMATS),
    (groups_of_columns, False, FORMATS[:1]),
    (half_plane, False, FORMATS[:1]),
]


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


def channels(x):
    return np.stack([x.real, x.imag], axis=-1)


def load(path):
    """What is at the path, as a function, and what it says of itself."""
    if path.suffix == ".onnx":
        import onnx
        import onnxruntime

        onnx.checker.check_model(path, full_check=True)
        session = onnxruntime.InferenceSession(
            path, providers=["CPUExecutionProvider"]
        )
        facts = session.get_modelmeta().custom_metadata_map
        facts = {
            key: json.loads(value) if value[0] == "{" else value
            for key, value in facts.items()
        }
        return lambda **inputs: session.run(["image"], inputs)[0], facts
    # Kept, or its variables are gone.
    loaded = tf.saved_model.load(str(path))
    facts = json.loads((path / "assets.extra/loupe_tf.json").read_text())

    def run(**inputs):
        inputs = {key: tf.constant(value) for key, value in inputs.items()}
        return loaded.signatures["serving_default"](**inputs)["image"].numpy()

    return run, facts


def path_of(folder, format):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    return folder / {"onnx": "model.onnx"}.get(format, "model")


def close(actual, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize(
    "build, maps, format",
    [
        (build, maps, format)
        for build, maps, formats in CASES
        for format in formats
    ],
)
def test_same_image_as_network(rng, tmp_path, build, maps, format):
    model = build()
    path = path_of(tmp_path, format)
    export_model(model, path, maps=maps)
    assert [*tmp_path.iterdir()] == [path]
    run, facts = load(path)

    given = build not in (mask_as_input, groups_of_columns)
    if given:
        mask = masks.from_model(model)
    else:
        mask = {mask_as_input: POINTS, groups_of_columns: LINES}[build]
    size = tuple(model.inputs[0].shape[1:3])
    kspace = draw(rng, 3, 5, *size)
    sensitivities = draw(rng, 3, 5, *size)
    if not maps:
        kspace, sensitivities = kspace[:, 0], [None] * 3
    expected = np.stack(
        [Network(model)(y, mask, s) for y, s in zip(kspace, sensitivities)]
    )
    complex_image = np.iscomplexobj(expected)
    expected = channels(expected) if complex_image else expected[..., None]
    # It is the mask that counts, not what happens to lie beside it.
    inputs = {"kspace": channels(np.where(mask.array, kspace, 1e4))}
    if maps:
        inputs["maps"] = channels(sensitivities)
    if not given:
        entries = np.broadcast_to(mask.array, (3, *mask.shape))
        inputs["mask"] = entries[..., None].astype(np.float32)
    images = run(**inputs)
    assert images.dtype == np.float32
    close(images, expected)
    np.testing.assert_array_equal(run(**inputs), images)
    close(run(**{k: x[:1] for k, x in inputs.items()}), expected[:1])

    assert list(facts["inputs"]) == list(inputs)
    for name, x in inputs.items():
        shape = ["batch", *x.shape[1:]]
        shape[1:2] = ["coils"] if x.ndim == 5 else shape[1:2]
        assert facts["inputs"][name]["shape"] == shape
    assert facts["output"]["shape"] == ["batch", *images.shape[1:]]
    assert ("imaginary" in facts["output"]["meaning"]) == complex_image
    assert facts["dc"] == "N // 2"
    assert ("mask" in facts) == given
    assert len(facts.get("masks", [])) == (
        2 if build is groups_of_columns else 0
    )
    if given:
        digest = hashlib.sha256(mask.array.tobytes()).hexdigest()
        assert facts["mask"].pop("sha256") == digest
        found = masks.SamplingMask.from_metadata(mask.array, facts["mask"])
        assert found == mask


@pytest.mark.parametrize("format", FORMATS)
def test_model_with_coils(rng, tmp_path, format):
    """Its own input is k-space already."""
    options = {"coils": "any", "data_consistency": True, "mask": LINES}
    options["reconstruction"] = "complex"
    model = loupe_model((16, 17, 2), **options, **SMALL)
    path = path_of(tmp_path, format)
    export_model(model, path)
    run, facts = load(path)
    kspace = channels(draw(rng, 3, 2, 16, 17))
    maps = channels(draw(rng, 3, 2, 16, 17))
    expected = model([kspace, maps], training=False)
    expected = keras.ops.convert_to_numpy(expected)
    close(run(kspace=kspace, maps=maps), expected)
    close(run(kspace=kspace[:1], maps=maps[:1]), expected[:1])
    assert facts["inputs"]["maps"]["axes"][1] == "coils"
    assert facts["mask"]["lines"] == "columns"
    with pytest.raises(ValueError, match="`inputs`.*with coils or maps"):
        export_model(model, tmp_path / "other", inputs="image")


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_volumes(rng, tmp_path, format, consistent):
    model = loupe_model(
        (4, 16, 17, 1),
        3,
        reconstruction="complex",
        data_consistency=consistent,
        **SMALL,
    )
    path = path_of(tmp_path, format)
    export_model(model, path)
    run, facts = load(path)
    kspace = draw(rng, 2, 4, 16, 17)
    mask = masks.from_model(model)
    kspace = np.where(mask.array, kspace, 0)
    expected = [
        Network(model).reconstruct(y[None], mask.array, None) for y in kspace
    ]
    close(run(kspace=channels(kspace)), np.stack(expected)[..., None])
    assert facts["inputs"]["kspace"]["axes"][1] == "D"
    assert facts["output"]["axes"] == ["batch", "D", "H", "W", "channels"]


@pytest.mark.skipif("tf_saved_model" not in FORMATS, reason="not on torch")
def test_volumes_of_several_coils(rng, tmp_path):
    options = {"reconstruction": "complex", "data_consistency": True}
    model = loupe_model((4, 16, 17, 1), 3, **options, **SMALL)
    export_model(model, tmp_path / "model", maps=True)
    run, facts = load(tmp_path / "model")
    kspace, maps = draw(rng, 2, 3, 4, 16, 17), draw(rng, 2, 3, 4, 16, 17)
    mask = masks.from_model(model).array
    kspace = np.where(mask, kspace, 0)
    expected = [
        Network(model).reconstruct(y, mask, s) for y, s in zip(kspace, maps)
    ]
    close(
        run(kspace=channels(kspace), maps=channels(maps)),
        np.stack(expected)[..., None],
    )
    axes = ["batch", "coils", "D", "H", "W", "channels"]
    assert facts["inputs"]["kspace"]["axes"] == axes


@pytest.mark.parametrize("format", FORMATS)
def test_the_whole_model(rng, tmp_path, format):
    model = learned_points()
    path = path_of(tmp_path, format)
    export_model(model, path, inputs="image")
    run, facts = load(path)
    images = rng.uniform(size=(3, 17, 15, 1)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    close(run(input=images), expected)
    np.testing.assert_array_equal(run(input=images), run(input=images))
    assert facts["mask"]["acquired"] == 85


def export(model, path, **options):
    """An export on TensorFlow, or on JAX."""
    if BACKEND == "torch":
        pytest.skip("torch writes no SavedModel")
    export_model(model, path, **options)


def test_an_earlier_export_is_replaced(rng, tmp_path):
    path = tmp_path / "new" / "model"
    for size in ((16, 15), (17, 15)):
        export(unet((*size, 2), **SMALL), path)
    run, _ = load(path)
    kspace = channels(draw(rng, 1, 17, 15))
    mask = np.ones((1, 17, 15, 1), "float32")
    assert run(kspace=kspace, mask=mask).shape == (1, 17, 15, 1)
    assert [*path.parent.iterdir()] == [path]


def test_an_error_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model"
    model = unet((16, 15, 2), **SMALL)
    export(model, path)
    before = sorted(tmp_path.rglob("*"))

    def fail(model, path, *args, **kwargs):
        pathlib.Path(path).mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "export", fail)
    with pytest.raises(KeyboardInterrupt):
        export_model(model, path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif("onnx" not in FORMATS, reason="needs TensorFlow")
def test_what_onnx_cannot_compute(tmp_path):
    path = path_of(tmp_path, "onnx")
    image = keras.Input((16, 15, 2))
    model = keras.Model(image, keras.ops.erfinv(image))
    with pytest.raises(ValueError, match="`model`.*ONNX has.*Erfinv"):
        export_model(model, path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif("onnx" not in FORMATS, reason="needs TensorFlow")
def test_missing_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"loupe-tf\[onnx\]"):
        export_model(unet((16, 15, 2), **SMALL), tmp_path / "model.onnx")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "backend, name", [("jax", "a.onnx"), ("torch", "a.onnx"), ("torch", "a")]
)
def test_backends_that_cannot(tmp_path, monkeypatch, backend, name):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        export_model(unet((16, 15, 2), **SMALL), tmp_path / name)


def test_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    path = tmp_path / "model"
    model = unet((16, 15, 2), **SMALL)
    with pytest.raises(ValueError, match="path that ends in .keras"):
        export_model("model.h5", path)
    with pytest.raises(ValueError, match="`format`.*'tflite'"):
        export_model(model, path, format="tflite")
    with pytest.raises(ValueError, match="`inputs`.*'adjoint'"):
        export_model(model, path, inputs="adjoint")
    for wrong in (None, unet((16, 15, 1), **SMALL)):
        with pytest.raises(ValueError, match="`model`"):
            export_model(wrong, path)
    with pytest.raises(ValueError, match="`model`.*known size"):
        any_size = keras.Sequential(
            [keras.Input((None, None, 2)), keras.layers.Conv2D(1, 1)]
        )
        export_model(any_size, path)
    for binarization in ("sampled", "relaxed"):
        options = {"acceleration": 3, "binarization": binarization}
        random = loupe_model((16, 15, 1), **options, **SMALL)
        with pytest.raises(ValueError, match="`model`.*mask"):
            export_model(random, path)
    with pytest.raises(ValueError, match="`inputs`.*with coils or maps"):
        export_model(model, path, inputs="image", maps=True)
    assert [*tmp_path.iterdir()] == []
    # Neither somebody's folder nor a file is replaced.
    (tmp_path / "file").touch()
    for wrong in (tmp_path, tmp_path / "file"):
        with pytest.raises(ValueError, match="`path`.*SavedModel"):
            export_model(model, wrong)
    with pytest.raises(ValueError, match="`path`.*file"):
        export_model(model, tmp_path, format="onnx")
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


@pytest.mark.parametrize(
    "name, format",
    [("a.keras", None), ("a.h5", None), ("a.onnx", "tf_saved_model")],
)
def test_a_name_of_another_format_is_refused(tmp_path, name, format):
    model = loupe_model((8, 9, 1), 2, filters=1, depth=1)
    with pytest.raises(ValueError, match=f"`path`.*onnx.*folder.*{name}"):
        export_model(model, tmp_path / name, format)
    assert not any(tmp_path.iterdir())


def test_a_model_along_curves_is_refused(tmp_path):
    """Its samples and positions would be taken for k-space and a mask."""
    spokes = radial(3, 8, matrix=(8, 8))
    network = NonUniformAdjointNetwork((8, 8), unet((8, 8, 2), **SMALL))
    for sampler in (GivenTrajectory(spokes), TrajectoryInput(3, 8)):
        model = loupe_model(
            (8, 8, 2), sampler=sampler, reconstructor=network, seed=0
        )
        for each in (model, model.reconstructor):
            with pytest.raises(ValueError, match="`model`.*along curves"):
                export_model(each, tmp_path / "model")
        with pytest.raises(ValueError, match="`model`.*along curves"):
            freeze_mask(model)
    assert not list(tmp_path.iterdir())
