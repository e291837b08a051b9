"""TFDS builder of the data set `mri_volumes`."""

import dataclasses
import pathlib
import re
import warnings

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.checks import invalid
from loupe_tf.datasets import voxel_size
from loupe_tf.datasets.building.readers import (
    find_volumes,
    read_header,
    read_volume,
)
from loupe_tf.datasets.building.volume_builder import (
    VolumeBuilder,
    common_features,
)
from loupe_tf.datasets.building.volume_reader import VolumeReader
from loupe_tf.datasets.inspecting.inspector import Inspector
from loupe_tf.datasets.mri_volumes.geometry import (
    Resizing,
    common_field_of_view,
    plan,
)
from loupe_tf.datasets.mri_volumes.mri_volumes_config import MriVolumesConfig
from loupe_tf.datasets.mri_volumes.patient_split import (
    split_of_patients,
    without_suffix,
)
from loupe_tf.datasets.voxel_size import common_voxel_size
from loupe_tf.formats.bad_volume import BadVolumeError

# Bytes that a record takes beside its image, about.
OVERHEAD = 600
# Share of the energy that a crop may take without a warning: heads are bright,
# and air is not.
CUT_OFF = 0.005


class Builder(VolumeBuilder):
    """Slices of a folder of the user's own volumes.

    It takes a `loupe_tf.datasets.MriVolumesConfig`. Records come volume by
    volume and slice by slice, and have

    - `image`: float32 of shape `(H, W, 1)`, divided by its volume's maximum;
    - `volume`: string, the path relative to the folder, without ending;
    - `patient`, `acquisition`: strings, `""` where nothing is known;
    - `slice`: int32, the number of the slice in its volume, from 0;
    - `max`, `norm`: float32, the maximum and the 2-norm of the volume before it
        was divided, and after it was cropped;
    - `voxel_size`: float32 of shape `(3,)`, the distance of slices, rows and
        columns in mm after all that was done; 0 where it is not known;
    - `source`: string, `"magnitude_image"`, `"magnitude_of_complex"`,
        `"signed_image"`, or what a file of fastMRI says;
    - `normalized_by`, `combined_by`: strings;
    - `cropped_by`: string, `"none"`, or what was done, in order, joined by
        `"+"`: `"acquired_extent"`, `"center_crop"`, `"center_pad"`,
        `"kspace_crop"`, `"kspace_pad"`.

    `info.metadata["volumes"]` says of each volume its matrix and its voxel size
    in the file and after, and what was done to it.

    Args:
        config: A `MriVolumesConfig`.
        on_bad_volume: String, `"stop"` or `"skip"`. Defaults to `"stop"`.
        **kwargs: As those of `tfds.core.DatasetBuilder`.
    """

    code_path = epath.Path(__file__)
    pkg_dir_path = code_path.parent

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {
        "1.0.0": "Initial release.",
        "1.1.0": "Voxel sizes, and a common field of view.",
    }

    def _info(self):
        config = self.builder_config
        if not isinstance(config, MriVolumesConfig):
            raise invalid(
                "config",
                "a loupe_tf.datasets.MriVolumesConfig, which names the folder",
                config,
            )
        if (self.data_path / "features.json").exists():
            # The folder need not be there any more.
            stored = tfds.features.FeaturesDict.from_config(self.data_dir)
            shape = stored["image"].shape
        else:
            shape = (*_layout(config).size, 1)
        features = {
            "image": tfds.features.Tensor(
                shape=shape, dtype=np.float32, encoding="bytes"
            ),
            **common_features(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(
                digest=config.digest, settings=config.settings
            ),
        )

    def download_and_prepare(self, *, download_config=None, **kwargs):
        overwrite = (
            download_config is not None
            and download_config.download_mode.overwrite_dataset
        )
        config, metadata = self.builder_config, self.info.metadata
        if overwrite:
            metadata.update(digest=config.digest, settings=config.settings)
        elif metadata["digest"] != config.digest:
            raise invalid(
                "config",
                f"the folder and the settings that {self.info.full_name} was "
                f"built with: {metadata['settings']}. Give the others another "
                "name, or overwrite it",
                found=config.settings,
            )
        super().download_and_prepare(download_config=download_config, **kwargs)

    def _reader(self):
        config = self.builder_config
        return _Reader(config.slice_axis, _layout(config).size)

    def _volumes_per_split(self, dl_manager):
        del dl_manager  # Nothing is downloaded.
        layout = _layout(self.builder_config)
        expected = self.info.features["image"].shape[:2]
        if layout.size != expected:
            raise ValueError(
                "Invalid folder. Expected images of the size of the data set "
                f"that is there, {expected}; delete it first. "
                f"Received: {layout.size}"
            )
        for error in layout.bad:
            self._add_bad("", error)
        self.info.metadata["volumes"] = {
            volume.name: volume.description
            for each in layout.splits.values()
            for volume in each
        }
        return layout.splits


@dataclasses.dataclass(frozen=True)
class _Volume:
    """A volume of the folder; its `str` is its name there."""

    path: pathlib.Path
    name: str
    patient: str
    spacing: np.ndarray
    resizing: Resizing

    def __str__(self):
        return self.name

    @property
    def description(self):
        """What is done to it, as a dictionary for JSON."""
        *_, size = [self.resizing.size, *(n for _, n in self.resizing.steps)]
        after = self.resizing.voxel_size(self.spacing)
        return {
            "size_in_file": list(self.resizing.size),
            "voxel_size_in_file": [round(float(s), 5) for s in self.spacing],
            "steps": [[space, list(n)] for space, n in self.resizing.steps],
            "size": list(size),
            "voxel_size": [round(float(s), 5) for s in after],
        }


@dataclasses.dataclass(frozen=True)
class _Layout:
    """What a folder holds: read from headers alone, unless it is cropped."""

    splits: dict
    size: tuple
    bad: list


def _layout(config):
    if config.layout is None:
        config.layout = _read_layout(config)
    return config.layout


def _read_layout(config):
    names = find_volumes(config.folder, config.include, config.exclude)
    if not names:
        raise invalid(
            "folder",
            f"a folder with volumes that match include={config.include!r} and "
            f"not exclude={config.exclude!r}",
            found=f"none in {config.folder}",
        )
    sizes, spacings, patients, bad = {}, {}, {}, []
    for name in names:
        path = config.folder / name
        try:
            header = read_header(path, config.slice_axis)
            spacing = voxel_size.standardize(header.spacing)
            if config.field_of_view and not spacing[1:].all():
                raise BadVolumeError(
                    name,
                    "Expected a file that says its voxel size, for "
                    "`field_of_view`. Received: none.",
                )
        except BadVolumeError as error:
            bad.append(BadVolumeError(name, error.reason))
            continue
        sizes[name] = tuple(header.shape[1:])
        spacings[name] = spacing
        patients[name] = header.patient
        if config.patient is not None:
            match = re.search(config.patient, name)
            if match is None or not match[1]:
                raise invalid(
                    "patient",
                    "a pattern that matches each volume",
                    found=f"patient={config.patient!r}, which does not match "
                    f"{name}",
                )
            patients[name] = match[1]
    if not sizes:
        raise bad[0]
    _check_names(sizes)

    counted = {name: patient or name for name, patient in patients.items()}
    splits = split_of_patients(counted, config.split, config.seed)
    # A CSV may have named patients that the files do not.
    patients = {
        name: "" if counted[name] == name else counted[name] for name in counted
    }
    taken = [name for each in splits.values() for name in each]
    size, resizings = _plan(
        config,
        {name: sizes[name] for name in taken},
        {name: spacings[name] for name in taken},
    )
    splits = {
        split: [
            _Volume(
                config.folder / name,
                name,
                patients[name],
                spacings[name],
                resizings[name],
            )
            for name in each
        ]
        for split, each in splits.items()
    }
    return _Layout(splits=splits, size=tuple(size), bad=bad)


def _plan(config, sizes, spacings):
    """The matrix of all images, and a `Resizing` by name."""
    if config.field_of_view:
        extents = sizes
        if config.crop_to_acquired:
            extents = {
                name: _find_extent([name], config) or size
                for name, size in sizes.items()
            }
        view = config.field_of_view
        if view is True:
            view = common_field_of_view(
                list(sizes.values()), list(spacings.values())
            )
        return plan(
            sizes, spacings, extents, view, config.size, config.zero_fill
        )
    steps = []
    if config.crop_to_acquired or config.size is None:
        size = _one_size(sizes)
        if config.crop_to_acquired is True:
            extent = _find_extent(sizes, config) or size
            steps.append(("acquired_extent", extent))
        elif config.crop_to_acquired:
            extent = config.crop_to_acquired
            if extent[0] > size[0] or extent[1] > size[1]:
                raise invalid(
                    "crop_to_acquired",
                    f"at most the size of the images, {size}",
                    extent,
                )
            steps.append(("acquired_extent", extent))
    size = config.size or (steps[-1][1] if steps else size)
    steps.append(("image", size))
    _check_mixed(sizes, spacings, config.size)
    return size, {
        name: Resizing(old, tuple(steps)) for name, old in sizes.items()
    }


def _check_mixed(sizes, spacings, size):
    """Refuse to crop where a pixel is not a pixel; warn of mixed ones."""
    known = {
        name: spacing for name, spacing in spacings.items() if spacing[1:].all()
    }
    if not known or None not in common_voxel_size(list(known.values()))[1:]:
        return
    groups = {}
    for name, spacing in known.items():
        key = *sizes[name], *(round(float(s), 3) for s in spacing[1:])
        groups.setdefault(key, []).append(name)
    found = "; ".join(
        f"{h}×{w} of {y:g}×{x:g} mm ({len(each)} volumes, such as {each[0]})"
        for (h, w, y, x), each in sorted(groups.items())
    )
    advice = (
        "`field_of_view=True` (--field-of-view) brings all volumes to one "
        "field of view and one voxel size"
    )
    if size and any(new < n for s in sizes.values() for new, n in zip(size, s)):
        raise invalid(
            "size",
            "volumes of one voxel size, for where pixels are small a crop "
            f"cuts off more; {advice}",
            found=found,
        )
    warnings.warn(f"Voxel sizes are mixed: {found}. {advice}.", stacklevel=2)


def _check_names(names):
    seen = {}
    for name in names:
        short = without_suffix(name)
        if short in seen:
            raise invalid(
                "folder",
                "volumes whose names differ in more than their endings; "
                "`exclude` leaves some out",
                found=f"{seen[short]} and {name}",
            )
        seen[short] = name


def _one_size(sizes):
    found = {}
    for name, size in sizes.items():
        found.setdefault(tuple(size), []).append(name)
    if len(found) > 1:
        several = ", ".join(
            f"{h}×{w} ({len(each)} volumes, such as {each[0]})"
            for (h, w), each in sorted(found.items())
        )
        raise ValueError(
            "Invalid sizes of the images. Expected one size: give a "
            "`field_of_view` (--field-of-view), or choose volumes by `include` "
            "and `exclude`, or give a `size` (without `crop_to_acquired`). "
            f"Received: {several}"
        )
    return next(iter(found))


def _find_extent(names, config):
    """The extent that the images of some volumes show, `None` without any."""
    inspector, found = Inspector(), False
    for name in names:
        try:
            images = read_volume(config.folder / name, config.slice_axis).images
        except BadVolumeError:
            continue  # The build will meet it again.
        found = True
        for image in images:
            inspector.add(image, volume=name)
    return inspector.result().extent if found else None


@dataclasses.dataclass(frozen=True)
class _Reader(VolumeReader):
    slice_axis: int | None
    size: tuple

    def header(self, volume):
        with _naming(volume):
            count = read_header(volume.path, self.slice_axis).shape[0]
        height, width = self.size
        return count, count * (4 * height * width + OVERHEAD)

    def __call__(self, volume):
        with _naming(volume):
            read = read_volume(volume.path, self.slice_axis)
        resizing = volume.resizing
        if read.images.shape[1:] != resizing.size:
            raise BadVolumeError(
                volume,
                f"Expected images of {resizing.size}, as its header says. "
                f"Received: {read.images.shape[1:]}.",
            )
        lost = resizing.share_cut_off(read.images)
        if lost > CUT_OFF:
            warnings.warn(
                f"The crop of the images of {volume} cuts off {lost:.1%} of "
                "their energy: something of the object, with a larger `size` "
                "or `field_of_view` it would stay.",
                stacklevel=1,
            )
        images = resizing(read.images)
        maximum = images.max()
        if not maximum > 0:
            raise BadVolumeError(
                volume,
                "Expected a maximum above 0 after cropping. "
                f"Received: {maximum}.",
            )
        spacing = voxel_size.standardize(read.spacing)
        common = {
            "volume": without_suffix(volume.name),
            "patient": volume.patient,
            "acquisition": read.acquisition,
            "max": maximum,
            "norm": np.linalg.norm(images),
            "voxel_size": np.array(resizing.voxel_size(spacing), "float32"),
            "source": read.source,
            "normalized_by": "volume_maximum",
            "cropped_by": resizing.cropped_by,
            "combined_by": read.combined_by,
        }
        for i, image in enumerate(images):
            image = (image / maximum)[..., None]
            yield {**common, "image": image, "slice": i}


class _naming:
    """Calls a bad volume by the name that it has in the folder."""

    def __init__(self, volume):
        self._volume = volume

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, BadVolumeError):
            raise BadVolumeError(self._volume, error.reason) from error
