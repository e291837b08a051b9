"""TFDS builder of the data set `mri_volumes`."""

import dataclasses
import pathlib
import re

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.datasets.inspector import Inspector
from loupe_tf.datasets.mri_volumes.mri_volumes_config import MriVolumesConfig
from loupe_tf.datasets.mri_volumes.patient_split import (
    split_of_patients,
    without_suffix,
)
from loupe_tf.datasets.readers import find_volumes, read_header, read_volume
from loupe_tf.datasets.resize import center_crop_or_pad, crop_to_acquired
from loupe_tf.datasets.volume_builder import VolumeBuilder, common_features
from loupe_tf.datasets.volume_reader import BadVolumeError, VolumeReader

# Bytes that a record takes beside its image, about.
OVERHEAD = 600


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
    - `source`: string, `"magnitude_image"`, or what a file of fastMRI says;
    - `normalized_by`, `combined_by`: strings;
    - `cropped_by`: string, `"none"`, or what was done, in order, joined by
        `"+"`: `"acquired_extent"`, `"center_crop"`, `"center_pad"`.

    Args:
        config: A `MriVolumesConfig`.
        on_bad_volume: String, `"stop"` or `"skip"`. Defaults to `"stop"`.
        **kwargs: As those of `tfds.core.DatasetBuilder`.
    """

    code_path = epath.Path(__file__)
    pkg_dir_path = code_path.parent

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}

    def _info(self):
        config = self.builder_config
        if not isinstance(config, MriVolumesConfig):
            raise ValueError(
                "Invalid value for argument `config`. Expected a "
                "loupe_tf.datasets.MriVolumesConfig, which names the folder. "
                f"Received: config={config}"
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
            raise ValueError(
                "Invalid value for argument `config`. Expected the folder and "
                f"the settings that {self.info.full_name} was built with: "
                f"{metadata['settings']}. Give the others another name, or "
                f"overwrite it. Received: {config.settings}"
            )
        super().download_and_prepare(download_config=download_config, **kwargs)

    def _reader(self):
        config = self.builder_config
        layout = _layout(config)
        return _Reader(
            size=layout.size, extent=layout.extent, slice_axis=config.slice_axis
        )

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
        return layout.splits


@dataclasses.dataclass(frozen=True)
class _Volume:
    """A volume of the folder; its `str` is its name there."""

    path: pathlib.Path
    name: str
    patient: str

    def __str__(self):
        return self.name


@dataclasses.dataclass(frozen=True)
class _Layout:
    """What a folder holds: read from headers alone, unless it is cropped."""

    splits: dict
    size: tuple
    extent: tuple | None
    bad: list


def _layout(config):
    if config.layout is None:
        config.layout = _read_layout(config)
    return config.layout


def _read_layout(config):
    names = find_volumes(config.folder, config.include, config.exclude)
    if not names:
        raise ValueError(
            "Invalid value for argument `folder`. Expected a folder with "
            f"volumes that match include={config.include!r} and not "
            f"exclude={config.exclude!r}. Received: none in {config.folder}"
        )
    shapes, patients, bad = {}, {}, []
    for name in names:
        path = config.folder / name
        try:
            shape, patient, _ = read_header(path, config.slice_axis)
        except BadVolumeError as error:
            bad.append(BadVolumeError(name, error.reason))
            continue
        shapes[name] = shape
        patients[name] = patient
        if config.patient is not None:
            match = re.search(config.patient, name)
            if match is None or not match[1]:
                raise ValueError(
                    "Invalid value for argument `patient`. Expected a pattern "
                    "that matches each volume. "
                    f"Received: patient={config.patient!r}, which does not "
                    f"match {name}"
                )
            patients[name] = match[1]
    if not shapes:
        raise bad[0]
    _check_names(shapes)

    counted = {name: patient or name for name, patient in patients.items()}
    splits = split_of_patients(counted, config.split, config.seed)
    # A CSV may have named patients that the files do not.
    patients = {
        name: "" if counted[name] == name else counted[name] for name in counted
    }
    splits = {
        split: [
            _Volume(config.folder / name, name, patients[name]) for name in each
        ]
        for split, each in splits.items()
    }
    taken = {
        v.name: shapes[v.name][1:] for each in splits.values() for v in each
    }
    extent = None
    if config.crop_to_acquired or config.size is None:
        size = _one_size(taken)
        if config.crop_to_acquired is True:
            extent = _find_extent(
                [v for each in splits.values() for v in each], config
            )
        elif config.crop_to_acquired:
            extent = config.crop_to_acquired
            if extent[0] > size[0] or extent[1] > size[1]:
                raise ValueError(
                    "Invalid value for argument `crop_to_acquired`. Expected "
                    f"at most the size of the images, {size}. "
                    f"Received: crop_to_acquired={extent}"
                )
        size = config.size or extent or size
    else:
        size = config.size
    return _Layout(splits=splits, size=tuple(size), extent=extent, bad=bad)


def _check_names(names):
    seen = {}
    for name in names:
        short = without_suffix(name)
        if short in seen:
            raise ValueError(
                "Invalid value for argument `folder`. Expected volumes whose "
                "names differ in more than their endings; `exclude` leaves "
                f"some out. Received: {seen[short]} and {name}"
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
            "Invalid sizes of the images. Expected one size: choose volumes by "
            "`include` and `exclude`, or give a `size` (without "
            f"`crop_to_acquired`). Received: {several}"
        )
    return next(iter(found))


def _find_extent(volumes, config):
    inspector = Inspector()
    for volume in volumes:
        try:
            images = read_volume(volume.path, config.slice_axis).images
        except BadVolumeError:
            continue  # The build will meet it again.
        for image in images:
            inspector.add(image, volume=volume.name)
    return inspector.result().extent


@dataclasses.dataclass(frozen=True)
class _Reader(VolumeReader):
    size: tuple
    extent: tuple | None
    slice_axis: int | None

    def header(self, volume):
        with _naming(volume):
            count = read_header(volume.path, self.slice_axis).shape[0]
        height, width = self.size
        return count, count * (4 * height * width + OVERHEAD)

    def __call__(self, volume):
        with _naming(volume):
            read = read_volume(volume.path, self.slice_axis)
        images, cropped_by = self._resize(read.images)
        maximum = images.max()
        if not maximum > 0:
            raise BadVolumeError(
                volume,
                "Expected a maximum above 0 after cropping. "
                f"Received: {maximum}.",
            )
        common = {
            "volume": without_suffix(volume.name),
            "patient": volume.patient,
            "acquisition": read.acquisition,
            "max": maximum,
            "norm": np.linalg.norm(images),
            "source": read.source,
            "normalized_by": "volume_maximum",
            "cropped_by": cropped_by,
            "combined_by": read.combined_by,
        }
        for i, image in enumerate(images):
            image = (image / maximum)[..., None]
            yield {**common, "image": image, "slice": i}

    def _resize(self, images):
        done = []
        if self.extent is not None and images.shape[1:] != self.extent:
            images = crop_to_acquired(images, self.extent)
            done.append("acquired_extent")
        pairs = list(zip(self.size, images.shape[1:]))
        if any(new < old for new, old in pairs):
            done.append("center_crop")
        if any(new > old for new, old in pairs):
            done.append("center_pad")
        if images.shape[1:] != self.size:
            images = center_crop_or_pad(images, self.size)
        return images, "+".join(done) or "none"


class _naming:
    """Calls a bad volume by the name that it has in the folder."""

    def __init__(self, volume):
        self._volume = volume

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, BadVolumeError):
            raise BadVolumeError(self._volume, error.reason) from error
