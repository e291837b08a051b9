"""Trained models as files that run without this package."""

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
from loupe_tf.models.reconstructor_of import kspace_shape, reconstructor_of
from loupe_tf.reconstruction.network import load_model
from loupe_tf.version import __version__

# Suffixes of models in other formats, which no folder should have.
MODEL_FILES = (".onnx", ".keras", ".h5", ".hdf5", ".tflite", ".pb", ".pt")
FORMATS = ("tf_saved_model", "onnx")
INPUTS = ("kspace", "image")
MASK = "1 where k-space is acquired, else 0"
NUMBER = "which of the masks, counted from 0"
MEANINGS = {
    "kspace": "orthonormal k-space, last axis (real, imaginary), in the unit "
    "of the training images, each volume of which was divided by its maximum "
    "unless you did otherwise; finite, but of no effect where not acquired",
    "maps": "sensitivity maps of the coils, in image space, last axis (real, "
    "imaginary)",
    "mask": MASK,
    "mask_input": MASK,
    "group": NUMBER,
    "acceleration_index": NUMBER,
}


def export_model(model, path, format=None, inputs="kspace", maps=False):
    """Write a model as a file that runs without this package, or Keras.

    What is written is the reconstruction, from k-space that was measured to
    the image, with the mask of the model inside. It computes what
    `loupe_tf.reconstruction.Network` does, for a whole batch, and always the
    same: nothing in it is random.

    A SavedModel computes Fourier transforms by FFT. ONNX has no complex
    numbers, so there they are products with the matrices of the transform,
    exact to float32.

    Args:
        model: A `loupe_model`, a reconstructor, or another model that
            `loupe_tf.reconstruction.Network` takes; or the path of its
            `.keras` file. Where the mask is none or not one (a reconstructor
            alone, `mask_input=True`, groups, several accelerations) it becomes
            an input.
        path: Path of the ONNX file, or of the folder of the SavedModel. An
            earlier export there is replaced; after an error it is left as it
            was.
        format: `"tf_saved_model"` or `"onnx"`; by default ONNX if the path
            ends in `.onnx`, else a SavedModel. ONNX needs the extra `onnx` and
            the TensorFlow backend, a SavedModel that or JAX; a `.keras` file
            of any backend can be loaded on TensorFlow for it.
        inputs: `"kspace"` as above; or `"image"` for the whole model, with its
            own inputs. A model with `coils` has k-space as its own input.
        maps: Boolean. Whether a model without `coils` takes k-space of several
            coils, any number of them, and their maps as another input.

    Inputs of the file:
        `kspace`, float32 `(batch, H, W, 2)`, or `(batch, coils, H, W, 2)`
        where there are maps: orthonormal, DC at `(H // 2, W // 2)`. Of volumes
        `(batch, D, H, W, 2)`, or `(batch, coils, D, H, W, 2)`, transformed
        along the read-out D. Entries that are not acquired may have any finite
        value. Then, where they are needed, `maps`, as k-space, and `mask`,
        `(batch, H, W, 1)`, 0 or 1, H or W being 1 for lines if the model has
        learned lines.

    Output of the file:
        `image`, float32 `(batch, H, W, 1)`, or `(batch, H, W, 2)` for (real,
        imaginary); with a D after the batch for volumes.

    The file says all of this, and what the mask is, in JSON: in
    `assets.extra/loupe_tf.json` of the SavedModel, in `metadata_props` of
    ONNX. `mask.sha256` is the hash of the boolean array in C order, one byte
    an entry.

    Raises:
        ValueError: If an argument is invalid, if the mask of the model is
            random, if the path is that of something else, or if the format or
            the backend cannot compute the model.
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
    own_kspace = getattr(model, "coils", None) is not None
    if inputs == "image" and not getattr(model, "inputs", None):
        raise invalid("model", "a functional Keras model", model)
    if inputs == "image" and (maps or own_kspace):
        raise invalid(
            "inputs", "'kspace' where there are several coils", inputs
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
    """The model from k-space and whatever else it needs to the image."""
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
        shape = (*size[-2:], 1) if own is None else own.shape[1:]
        mask_tensor = keras.Input(shape, dtype="float32", name="mask")
        inputs.append(mask_tensor)
    measured = layers.UnderSample()([kspace, mask_tensor])
    if not coils:
        measured = layers.ExpandCoils()(measured)
    output = reconstructor([measured, mask_tensor, *inputs[1 : 1 + len(coils)]])
    return keras.Model(inputs if len(inputs) > 1 else kspace, {"image": output})


def _mask(model):
    """The mask inside, several of them, or `None` where it is an input."""
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
        # Keras would name the coils of the k-space and of the maps differently.
        inputs = metadata["inputs"]
        shapes = keras.tree.map_structure(
            lambda x: f"({', '.join(map(str, inputs[x.name]['shape']))})",
            model.input,
        )
        options["jax2tf_kwargs"] = {"polymorphic_shapes": [shapes]}
    model.export(str(path), format="tf_saved_model", verbose=False, **options)
    # The folder that TensorFlow leaves to those who write SavedModels.
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
        # Keras's, of `np.object`, which it gives back to tf2onnx.
        warnings.simplefilter("ignore", FutureWarning)
        # Without a signature Keras wants a model that was called before.
        signature = [model.input]
        model.export(
            str(path), "onnx", verbose=False, input_signature=signature
        )
    proto = onnx.load(path)
    try:  # tf2onnx copies what it does not know, with an error in the log.
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
    """What whoever runs the file must know, as JSON can store it."""
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
    """Refuse names of other formats, and all but an earlier export there."""
    own = ".onnx" if format == "onnx" else ""
    if path.suffix in MODEL_FILES and path.suffix != own:
        raise invalid(
            "path", "a path that ends in .onnx, or that of a folder", path
        )
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
            f"one that the backend can write; {format!r} needs KERAS_BACKEND="
            f"{' or '.join(able)}, where a .keras file of this model loads",
            found=f"format={format!r} on the backend {backend!r}",
        )
