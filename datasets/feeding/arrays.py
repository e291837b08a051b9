"""Slices of many volumes as NumPy arrays."""

import pathlib

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.feeding.split_records import SplitRecords
from loupe_tf.datasets.prepared import prepared_builder
from loupe_tf.reading import BadFileError, load_npy, load_npz, naming

FLOATS = (np.float32, np.float64)


def load_arrays(
    name,
    split,
    data_dir=None,
    image_key="image",
    group_key="volume",
    others=(),
):
    """Load a split of a prepared TFDS data set into memory.

    Images are returned as stored, without normalisation.

    Example:

    ```python
    images, volumes = load_arrays("mni_brain/96", "train")
    ```

    Args:
        name: String, the name of a data set, such as `"mni_brain/96"`, or a
            `tfds.core.DatasetBuilder`.
        split: String, the split or a part of it, such as `"train[:50%]"`.
        data_dir: Optional path of the folder with the data sets. Not used if
            `name` is a builder.
        image_key: String, the feature with the images: float32 of shape
            `(H, W)`, `(H, W, 1)`, or `(H, W, 2)` for (real, imaginary), the
            same for all images.
        group_key: String, the feature with the volume (or patient) of each
            image.
        others: List of strings, further features to return, of the same shape
            in all examples.

    Returns:
        A tuple `(images, volumes, *others)`: a float32 array of shape
        `(n, H, W, 1)`, or `(n, H, W, 2)` for complex images, and for
        `group_key` and each of `others` an array of `n` values. Texts become
        strings.
    """
    builder = prepared_builder(name, data_dir)
    features = builder.info.features
    asked = [("image_key", image_key), ("group_key", group_key)]
    for argument, key in asked + [("others", key) for key in others]:
        if key not in features:
            raise invalid(
                argument,
                f"a feature of {builder.info.full_name} in "
                f"{builder.data_path}: {sorted(features)}",
                key,
            )

    keys = [group_key, *others]
    images, values = [], []
    records = SplitRecords(builder, split, [image_key, *keys])
    for example in records.fetch(range(records.count)):
        with naming(builder.data_path, "text in UTF-8"):
            values.append([_text(example[key]) for key in keys])
        image = np.asarray(example[image_key])
        where = f"volume {values[-1][0]} of {builder.data_path}"
        if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (2,)):
            raise ValueError(
                f"Invalid image in {where}. Expected shape (H, W), (H, W, 1) "
                f"or (H, W, 2). Received: shape={image.shape}"
            )
        if image.dtype != np.float32:
            raise ValueError(
                f"Invalid image in {where}. Expected dtype float32. "
                f"Received: dtype={image.dtype}"
            )
        image = image.reshape(*image.shape[:2], -1)
        _check_finite(image, where)
        _check_size(image, images, where)
        images.append(image)
    return np.stack(images), *(np.array(column) for column in zip(*values))


def load_volumes(path, complex_images=False):
    """Load volumes of images from `.npy` and `.npz` files.

    Each volume is divided by the maximum of its own magnitudes.

    Args:
        path: Path of a file, or of a folder whose `.npy` and `.npz` files are
            read in the order of their names. A `.npy` file has one volume, a
            `.npz` file has one or several. A volume is a float32 or float64
            array of shape `(H, W)`, `(slices, H, W)` or `(slices, H, W, 1)`,
            with the same `H` and `W` in all volumes.
        complex_images: Boolean. If `True`, volumes may be complex64 or
            complex128 too, all of them or none.

    Returns:
        A tuple `(images, volumes)`: a float32 array of shape `(n, H, W, 1)`,
        or `(n, H, W, 2)` of the real and imaginary parts of complex images,
        with the largest magnitude 1 in each volume, and an array of shape
        `(n,)` of strings with the names of the volumes: `"file.npy"` or
        `"file.npz:key"`.
    """
    images, volumes = [], []
    for file in _files(path):
        for name, volume in _read(file):
            is_complex = np.iscomplexobj(volume)
            if volume.dtype not in FLOATS and not (
                complex_images and is_complex
            ):
                also = ", complex64 or complex128" if complex_images else ""
                raise ValueError(
                    f"Invalid volume {name}. Expected dtype float32 or "
                    f"float64{also}. Received: dtype={volume.dtype}"
                )
            if images and is_complex != (images[0].shape[-1] == 2):
                raise ValueError(
                    f"Invalid volume {name}. Expected complex images in all "
                    "volumes or in none. Received: "
                    f"dtype={volume.dtype} beside others"
                )
            if volume.ndim == 2:
                volume = volume[None]
            if (
                volume.ndim not in (3, 4)
                or volume.shape[3:] not in ((), (1,))
                or volume.size == 0
            ):
                raise ValueError(
                    f"Invalid volume {name}. Expected shape (H, W), "
                    "(slices, H, W) or (slices, H, W, 1). "
                    f"Received: shape={volume.shape}"
                )
            volume = volume.reshape(*volume.shape[:3], 1)
            maximum = (np.abs(volume) if is_complex else volume).max()
            if is_complex:
                volume = np.concatenate([volume.real, volume.imag], axis=-1)
            _check_finite(volume, f"volume {name}")
            _check_size(volume[0], images, f"volume {name}")
            if maximum <= 0:
                raise ValueError(
                    f"Invalid volume {name}. Expected a maximum above 0. "
                    f"Received: maximum={maximum}"
                )
            images.extend((volume / maximum).astype("float32"))
            volumes.extend([name] * len(volume))
    return np.stack(images), np.array(volumes)


def check_volumes(path, volumes):
    """Refuse files with too few volumes to split, and say what they hold.

    A single slice looks like an image to its owner, and counts as a volume.

    Args:
        path: See `load_volumes`.
        volumes: Array of shape `(n,)`, the volume of each slice.
    """
    names, slices = np.unique(volumes, return_counts=True)
    missing = 3 - len(names)
    if missing <= 0:
        return
    pairs = (pair for file in _files(path) for pair in _read(file))
    shapes = {name: array.shape for name, array in pairs}
    found = ", ".join(
        f"{name} of shape {shapes[name]}"
        + (", which is a single slice" if count == 1 else "")
        for name, count in zip(names.tolist(), slices.tolist(), strict=True)
    )
    raise invalid(
        "data",
        "three volumes or more, at least one for each split, each an array "
        "of shape (slices, H, W)",
        found=f"{found}. Slices of one volume stay together: add at least "
        f"{missing} more volume{'s' * (missing != 1)}",
    )


def split_by_volume(volumes, fractions=(0.7, 0.15, 0.15), seed=0):
    """Split slices into training, validation and test, by volume.

    Args:
        volumes: Array of shape `(n,)`, the volume of each slice.
        fractions: Three floats above 0 that sum to 1, the share of the volumes
            in each split. Each split gets at least one volume.
        seed: Integer, the seed for the order of the volumes.

    Returns:
        A dict of three boolean arrays of shape `(n,)`, `"train"`,
        `"validation"` and `"test"`. Each volume is in exactly one of them,
        with all its slices.
    """
    if (
        len(fractions) != 3
        or min(fractions) <= 0
        or not np.isclose(sum(fractions), 1.0)
    ):
        raise invalid(
            "fractions", "three floats above 0 that sum to 1", fractions
        )
    volumes = np.asarray(volumes)
    names = np.unique(volumes)
    names = np.random.default_rng(seed).permutation(names)
    validation, test = (
        max(1, round(fraction * len(names))) for fraction in fractions[1:]
    )
    while validation + test >= len(names) >= 3:  # Keep one to train on.
        if validation > test:
            validation -= 1
        else:
            test -= 1
    train = len(names) - validation - test
    if train < 1:
        count = len(names)
        raise invalid(
            "volumes",
            "three volumes or more, at least one for each split",
            found=f"{count} volume{'s' * (count != 1)}, and slices of one "
            f"volume stay together. Add at least {3 - count} more",
        )
    parts = np.split(names, [train, train + validation])
    train, validation, test = (np.isin(volumes, part) for part in parts)
    return {"train": train, "validation": validation, "test": test}


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def _check_finite(array, where):
    if not np.isfinite(array).all():
        raise ValueError(
            f"Invalid values in {where}. Expected finite values. "
            f"Received: {np.sum(~np.isfinite(array))} that are not"
        )


def _check_size(image, others, where):
    if others and image.shape != others[0].shape:
        raise ValueError(
            f"Invalid image in {where}. Expected the size of the previous "
            f"images, {others[0].shape[:2]}. Received: {image.shape[:2]}"
        )


def _way_on(path):
    """Advice on how to train on volumes in other files."""
    if not path.exists():
        return ""
    source = path if path.is_dir() else path.parent
    return (
        ". For NIfTI, DICOM and HDF5, build a data set first: `loupe-tf "
        f"build mri_volumes/mine --data {source}`, then use the data set "
        "mri_volumes/mine (--data mri_volumes/mine)"
    )


def _files(path):
    """Paths of the files that a path stands for."""
    path = pathlib.Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [file for file in files if file.suffix in (".npy", ".npz")]
    if not files or not path.exists():
        raise invalid(
            "path",
            "a .npy or .npz file, or a folder of such files",
            found=f"path={path}{_way_on(path)}",
        )
    return files


def _read(file):
    """Yield the name and the array of each volume in a file."""
    if file.suffix == ".npy":
        yield file.name, load_npy(file)
        return
    arrays = load_npz(file)
    if not arrays:
        raise BadFileError(file, "Expected arrays. Received: none")
    for key, array in arrays.items():
        yield f"{file.name}:{key}", array
