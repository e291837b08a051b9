"""Export trained models to files that run without this package."""

import hashlib
import json
import os
import pathlib
import warnings

import keras

from loupe_tf import fourier, layers, masks
from loupe_tf.atomic import written_aside
from loupe_tf.checks import invalid
from loupe_tf.masks.centre import judged
from loupe_tf.models.reconstructor_of import (
    kspace_shape,
    mask_shape,
    reconstructor_of,
)
from loupe_tf.reconstruction.network import load_model
from loupe_tf.version import __version__

# Suffixes of model files; an exported folder must not have one.
MODEL_FILES = (".onnx", ".keras", ".h5", ".hdf5", ".tflite", ".pb", ".pt")
FORMATS = ("tf_saved_model", "onnx")
INPUTS = ("kspace", "image")
MASK = "1 where k-space is acquired, else 0"
NUMBER = "the index of the mask, counted from 0"
MEANINGS = {
    "kspace": "orthonormal k-space, last axis (real, imaginary), in the unit "
    "of the training images (by default, each volume is divided by its "
    "maximum); samples that are not acquired must be finite but have no effect",
    "maps": "sensitivity maps of the coils, in image space, last axis (real, "
    "imaginary)",
    "mask": MASK,
    "mask_input": MASK,
    "group": NUMBER,
    "acceleration_index": NUMBER,
}


def export_model(model, path, format=None, inputs="kspace", maps=False):
    """Write a model to a file that runs without this package or Keras.

    The file holds the reconstruction from measured k-space to the image, with
    the mask of the model inside. It computes the same as
    `loupe_tf.reconstruction.Network`, for a whole batch. Nothing in it is
    random.

    A SavedModel computes Fourier transforms by FFT. ONNX has no complex
    numbers, so its transforms are matrix products, exact to float32.

    Args:
        model: A `loupe_model`, a reconstructor, or another model for
            `loupe_tf.reconstruction.Network`; or the path of its `.keras`
            file. The mask becomes an input if the model does not have exactly
            one (a reconstructor alone, `mask_input=True`, groups, several
            accelerations).
        path: Path of the ONNX file, or of the folder of the SavedModel. An
            earlier export is replaced; if there is an error, it is unchanged.
        format: `"tf_saved_model"` or `"onnx"`. Defaults to ONNX if the path
            ends in `.onnx`, else to a SavedModel. ONNX requires the extra
            `onnx` and the TensorFlow backend. A SavedModel requires the
            TensorFlow or JAX backend. A `.keras` file of any backend can be
            loaded on TensorFlow for this.
        inputs: `"kspace"` as above, or `"image"` for the whole model with its
            own inputs. A model with `coils` has k-space as its own input.
        maps: Boolean. Whether a model without `coils` takes k-space of any
            number of coils, and their maps as another input.

    Inputs of the file:
        `kspace`, float32 `(batch, H, W, 2)`, or `(batch, coils, H, W, 2)` with
        maps: orthonormal, with DC at `(H // 2, W // 2)`. For volumes,
        `(batch, D, H, W, 2)` or `(batch, coils, D, H, W, 2)`, transformed
        along the read-out D. Entries that are not acquired may have any finite
        value. If needed, there are further inputs: `maps`, with the shape of
        `kspace`, and `mask`, `(batch, H, W, 1)`, 0 or 1, where H or W is 1 if
        the model has learned lines.

    Output of the file:
        `image`, float32 `(batch, H, W, 1)`, or `(batch, H, W, 2)` for (real,
        imaginary). Volumes have the axis D after the batch.

    The file describes its inputs, its output and the mask in JSON, in
    `assets.extra/loupe_tf.json` of a SavedModel and in `metadata_props` of
    ONNX. `mask.sha256` is the hash of the boolean array in C order, with one
    byte per entry.

    Raises:
        ValueError: If an argument is invalid, if the mask of the model is
            random, if the path exists but is not an earlier export, or if the
            format or the backend does not support the model.
        ImportError: If a package of the extra `onnx` is missing.

    Example:

    ```python
    loupe_tf.export_model(model, "model.onnx")
    session = onnxruntime.InferenceSession("model.onnx")
    (images,) = session.run(None, {"kspace": kspace})
    ```
    """
    path = pathlib.Path(path)
    if format is None:
        format = "onnx" if path.suffix == ".onnx" else "tf_saved_model"
    if format not in FORMATS:
        raise invalid("format", f"one of {FORMATS}", format)
    if inputs not in INPUTS:
        raise invalid("inputs", f"one of {INPUTS}", inputs)
    if isinstance(model, (str, os.PathLike)):
        model = load_model(model)
    _check_no_curves(model)
    own_kspace = getattr(model, "coils", None) is not None
    if inputs == "image" and not getattr(model, "inputs", None):
        raise invalid("model", "a functional Keras model", model)
    if inputs == "image" and (maps or own_kspace):
        raise invalid(
            "inputs", "'kspace' for a model with coils or maps", inputs
        )
    _check_path(path, format)
    _check_backend(format)
    mask = _mask(model)
    if inputs == "image" or own_kspace:
        exported = keras.Model(model.inputs, {"image": model.outputs[0]})
    else:
        exported = _from_kspace(model, mask, maps)
    write = _write_onnx if format == "onnx" else _write_saved_model
    with written_aside(path) as partial:
        write(exported, partial, _metadata(exported, mask))


def _from_kspace(model, mask, maps):
    """Make the model from k-space, and further inputs if needed, to image."""
    reconstructor = reconstructor_of(model)
    shape = kspace_shape(reconstructor)
    if shape is None or None in shape[2:]:
        raise invalid("model", "one built for images of known size", shape)
    size = shape[2:-1]
    coils = () if shape[1] == 1 and not maps else (None,)
    kspace = keras.Input((*coils, *size, 2), dtype="float32", name="kspace")
    inputs = [kspace]
    if coils:
        inputs.append(
            keras.Input((*coils, *size, 2), dtype="float32", name="maps")
        )
    if isinstance(mask, masks.SamplingMask):
        with judged():
            mask_tensor = layers.FixedMask(mask)(kspace)
    else:
        own = getattr(model, "mask", None)
        # Lines keep their shape, by which `SensitivityMaps` know them.
        shape = mask_shape(reconstructor) if own is None else own.shape
        shape = (None, *size[-2:], 1) if shape is None else shape
        mask_tensor = keras.Input(shape[1:], dtype="float32", name="mask")
        inputs.append(mask_tensor)
    measured = layers.UnderSample()([kspace, mask_tensor])
    if not coils:
        measured = layers.ExpandCoils()(measured)
    output = reconstructor([measured, mask_tensor, *inputs[1 : 1 + len(coils)]])
    return keras.Model(inputs if len(inputs) > 1 else kspace, {"image": output})


def _check_no_curves(model):
    """Refuse a model along curves, whose inputs are no k-space and mask."""
    sampler = getattr(model, "sampler", None)
    parts = model, getattr(model, "reconstructor", None)
    if getattr(sampler, "curves", False) or any(
        getattr(part, "curves", None) is not None for part in parts
    ):
        raise invalid(
            "model",
            "one that samples with a mask",
            found=f"{model.name!r}, which samples along curves",
        )


def _mask(model):
    """Return the mask of the model or a tuple; `None` if it is an input."""
    tensor = getattr(model, "mask", None)
    if tensor is None or any(tensor is x for x in model.inputs):
        return None
    mask = masks.from_model(model)
    binarizations = {getattr(x, "binarization", None) for x in model.layers}
    if "sampled" in binarizations:
        raise invalid(
            "model",
            "one mask at inference, by binarization='exact' or 'threshold'",
            found="binarization='sampled'",
        )
    return mask


def _write_saved_model(model, path, metadata):
    options = {}
    if keras.backend.backend() == "jax":
        # Keras would give the coil axes of k-space and maps different names.
        inputs = metadata["inputs"]
        shapes = keras.tree.map_structure(
            lambda x: f"({', '.join(map(str, inputs[x.name]['shape']))})",
            model.input,
        )
        options["jax2tf_kwargs"] = {"polymorphic_shapes": [shapes]}
    model.export(str(path), format="tf_saved_model", verbose=False, **options)
    # TensorFlow reserves this folder for files of other programs.
    extra = path / "assets.extra"
    extra.mkdir()
    text = json.dumps(metadata, indent=2)
    (extra / "loupe_tf.json").write_text(text, encoding="utf-8")


def _write_onnx(model, path, metadata):
    try:
        import onnx
        import tf2onnx  # noqa: F401  (`model.export` uses it)
    except ImportError as error:
        raise ImportError(
            "ONNX files require the packages onnx and tf2onnx. Install them "
            'with: pip install "loupe-tf[onnx]"'
        ) from error
    with fourier.by_matrices(), warnings.catch_warnings():
        # Keras restores `np.object` for tf2onnx, which causes a warning.
        warnings.simplefilter("ignore", FutureWarning)
        # Without a signature, Keras requires a model that was called before.
        signature = [model.input]
        model.export(
            str(path), "onnx", verbose=False, input_signature=signature
        )
    proto = onnx.load(path)
    try:  # tf2onnx copies unknown operations, with an error in the log.
        onnx.checker.check_model(proto, full_check=True)
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise ValueError(
            "Invalid value for argument `model`. Expected operations that "
            f"ONNX has, in float32 or float16. Received: {error}"
        ) from error
    properties = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
    onnx.helper.set_model_props(proto, properties)
    onnx.save(proto, path)


def _metadata(model, mask):
    """Return a description of the file for its users, as JSON can store it."""
    (output,) = model.outputs
    complex_image = output.shape[-1] == 2
    meaning = "last axis (real, imaginary)" if complex_image else "magnitude"
    is_volume = len(output.shape) == 5
    facts = {
        "written_by": f"loupe_tf {__version__}",
        "inputs": {
            x.name: _describe(x, is_volume, MEANINGS.get(x.name))
            for x in model.inputs
        },
        "output": _describe(output, is_volume, meaning),
        "dc": "N // 2",
        "fourier_transform": "orthonormal",
    }
    if isinstance(mask, tuple):
        facts["masks"] = [_describe_mask(x) for x in mask]
    elif mask is not None:
        facts["mask"] = _describe_mask(mask)
    return facts


def _describe_mask(mask):
    digest = hashlib.sha256(mask.array.tobytes()).hexdigest()
    return {**mask.metadata, "sha256": digest}


def _describe(tensor, is_volume, meaning):
    rank = len(tensor.shape)
    axes = ["batch", "coils", "D", "H", "W", "channels"]
    if rank < 5:
        axes = ["batch", "H", "W", "channels"][:rank]
    elif rank == 5:
        axes.remove("coils" if is_volume else "D")
    shape = [n or axis for n, axis in zip(tensor.shape, axes)]
    facts = {"axes": axes, "shape": shape, "dtype": tensor.dtype}
    return {**facts, "meaning": meaning} if meaning else facts


def _check_path(path, format):
    """Refuse suffixes of other formats, and paths of other files."""
    own = ".onnx" if format == "onnx" else ""
    if path.suffix in MODEL_FILES and path.suffix != own:
        raise invalid("path", "a path that ends in .onnx, or a folder", path)
    if format == "onnx":
        kind, earlier = "a file", path.is_file()
    else:
        kind = "a folder with a SavedModel, or of none"
        earlier = (path / "saved_model.pb").is_file()
    if path.exists() and not earlier:
        raise invalid("path", f"the path of {kind}", path)


def _check_backend(format):
    backend = keras.backend.backend()
    able = ("tensorflow",) if format == "onnx" else ("tensorflow", "jax")
    if backend not in able:
        raise invalid(
            "format",
            f"one that the backend can write. {format!r} requires "
            f"KERAS_BACKEND={' or '.join(able)}, which can load a .keras file "
            "of this model",
            found=f"format={format!r} on the backend {backend!r}",
        )
