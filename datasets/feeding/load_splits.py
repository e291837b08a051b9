import dataclasses
import pathlib

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.feeding.arrays import (
    check_volumes,
    load_arrays,
    load_volumes,
    split_by_volume,
)
from loupe_tf.datasets.prepared import find_data_set
from loupe_tf.datasets.resize import crop_to_acquired
from loupe_tf.datasets.splits import SPLITS
from loupe_tf.datasets.voxel_size import common_voxel_size


@dataclasses.dataclass(frozen=True)
class Slices:
    """The slices of a split and their origin.

    Attributes:
        images: Float32 array `(n, H, W, 1)`, or `(n, H, W, 2)` of real and
            imaginary parts.
        volumes: Array `(n,)`, the volume of each slice.
        patients: Array `(n,)`, the patient of each slice, or `None` if unknown.
        sources: Array `(n,)`, the kind of data, such as `"raw_multicoil"`, or
            `None` if unknown.
        voxel_sizes: Array `(n, 3)`, the distance between slices, rows and
            columns in mm, 0 if unknown; `None` if all are unknown.
        phase_axes: Array `(n,)`, the axis of phase encoding of each slice,
            `"H"`, `"W"` or `""` if unknown; `None` if all are unknown.
    """

    images: np.ndarray
    volumes: np.ndarray
    patients: np.ndarray | None = None
    sources: np.ndarray | None = None
    voxel_sizes: np.ndarray | None = None
    phase_axes: np.ndarray | None = None

    @property
    def voxel_size(self):
        """`(slices, rows, columns)` in mm, `None` for unknown or mixed ones."""
        if self.voxel_sizes is None:
            return (None, None, None)
        return common_voxel_size(self.voxel_sizes)

    @property
    def field_of_view(self):
        """`(H, W)` of the images in mm, or `None` if it is unknown or mixed."""
        _, *pixel = self.voxel_size
        if None in pixel:
            return None
        return tuple(
            float(f"{n * mm:.6g}")
            for n, mm in zip(self.images.shape[1:3], pixel)
        )

    def __str__(self):
        count = len(np.unique(self.volumes))
        volumes = f"{count} volume{'s' * (count > 1)}"
        return f"{volumes} ({len(self.images)} slices)"

    def select(self, rows):
        """Select slices by indices or a boolean array."""
        fields = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self)
        }
        return Slices(
            **{k: None if x is None else x[rows] for k, x in fields.items()}
        )

    def evenly(self, count):
        """Select up to `count` evenly spaced slices of each volume."""
        chosen = []
        for volume in np.unique(self.volumes):
            rows = np.flatnonzero(self.volumes == volume)
            parts = np.array_split(rows, count)
            chosen += [part[len(part) // 2] for part in parts if len(part)]
        return self.select(np.array(chosen))

    def crop_to_acquired(self, extent):
        """Crop k-space to `(h, w)`, see `resize.crop_to_acquired`.

        Each volume is divided by its new maximum, that of the magnitudes.
        """
        real, *imaginary = np.moveaxis(self.images, -1, 0)
        images = real + 1j * imaginary[0] if imaginary else real
        images = crop_to_acquired(images, extent)
        for volume in np.unique(self.volumes):
            rows = self.volumes == volume
            images[rows] /= np.abs(images[rows]).max()
        parts = [images.real, images.imag] if imaginary else [images]
        images = np.stack(parts, axis=-1)
        sizes = self.voxel_sizes
        if sizes is not None:
            # The field of view does not change.
            pairs = zip(self.images.shape[1:3], images.shape[1:3])
            larger = [1.0, *(old / new for old, new in pairs)]
            sizes = (sizes * larger).astype("float32")
        return dataclasses.replace(self, images=images, voxel_sizes=sizes)


def load_splits(data, data_dir=None, seed=0, complex_images=False):
    """Load training, validation and test images from files or a data set.

    Files are split by volume at random. A TFDS data set keeps its own splits.
    If it has no test split, a random half of the patients in its validation
    split (or of the volumes, if patients are unknown) becomes the test split.

    Args:
        data: String: a `.npy` or `.npz` file or a folder of such files, as in
            `load_volumes`; or the name of a prepared TFDS data set with the
            features `image` and `volume`, such as
            `"fastmri_slices/knee_singlecoil"`. `mni_brain` needs no download
            and is prepared here if necessary.
        data_dir: Optional path of the folder with the TFDS data sets.
        seed: Integer, the seed of random splits.
        complex_images: Boolean, whether files or the data set may hold complex
            images.

    Returns:
        A tuple `(splits, source)`: a dict of `Slices` by `"train"`,
        `"validation"` and `"test"`, and a sentence that states their origin
        and how they were split.

    Raises:
        ValueError: If the file or data set does not exist, is not prepared or
            cannot be split.
    """
    path = pathlib.Path(data)
    if path.exists():
        every = Slices(*load_volumes(path, complex_images))
        check_volumes(path, every.volumes)
        rows = split_by_volume(every.volumes, seed=seed)
        splits = {name: every.select(row) for name, row in rows.items()}
        return splits, f"files {path.name}, split by volume at random"
    builder = find_data_set(data, data_dir)
    name = f"{builder.info.full_name}{_how_built(builder)}"
    features = dict(builder.info.features.items())
    shape = features["image"].shape if "image" in features else ()
    if shape[2:] == (2,) and not complex_images:
        raise invalid(
            "data",
            "magnitude images, of shape (H, W, 1)",
            found=f"{name}, whose images are complex, of shape {shape}",
        )
    missing = set(SPLITS[:2]) - set(builder.info.splits)
    if missing:
        raise ValueError(
            f"Invalid data set {name}. Expected splits {SPLITS}, of which "
            f"'test' may be absent. Received: {list(builder.info.splits)} in "
            f"{builder.data_path / 'dataset_info.json'}"
        )
    splits = {
        split: _load(builder, split)
        for split in SPLITS
        if split in builder.info.splits
    }
    if "test" in splits:
        return splits, f"TFDS {name}, its own splits, by volume"
    group, halves = _halves(splits["validation"], seed)
    splits |= halves
    return splits, (
        f"TFDS {name}, its own splits; it has no test split, so its validation "
        f"split was divided by {group} at random"
    )


def _how_built(builder):
    """The settings of `mri_volumes` that change its images, in brackets."""
    settings = (builder.info.metadata or {}).get("settings", {})
    names = (
        "complex_images",
        "crop_to_acquired",
        "field_of_view",
        "size",
        "zero_fill",
    )
    chosen = [
        f"{name}={settings[name]}" for name in names if settings.get(name)
    ]
    return f" (built with {', '.join(chosen)})" if chosen else ""


def _load(builder, split):
    names = {
        "patient": "patients",
        "source": "sources",
        "voxel_size": "voxel_sizes",
    }
    names = {k: v for k, v in names.items() if k in builder.info.features}
    images, volumes, *others = load_arrays(builder, split, others=list(names))
    columns = dict(zip(names.values(), others))
    axes = (builder.info.metadata or {}).get("phase_axes")
    if axes:
        each = [axes.get(volume, "") for volume in volumes.tolist()]
        columns["phase_axes"] = np.array(each)
    return Slices(images, volumes, **columns)


def _halves(validation, seed):
    """Divide a validation split by patient into validation and test."""
    group, names = "volume", validation.volumes
    if validation.patients is not None and (validation.patients != "").any():
        # Each volume of an unknown patient is one of its own.
        unknown = validation.patients == ""
        group, names = "patient", np.where(unknown, names, validation.patients)
    every = np.random.default_rng(seed).permutation(np.unique(names))
    if len(every) < 2:
        raise ValueError(
            "Invalid validation split. Expected at least two patients or "
            "volumes, one of them for the missing test split. "
            f"Received: {every.tolist()}"
        )
    test = np.isin(names, every[: len(every) // 2])
    halves = {"validation": ~test, "test": test}
    return group, {k: validation.select(rows) for k, rows in halves.items()}
