"""TFDS builder of the data set `mri_volumes`."""

import contextlib
import dataclasses
import json
import warnings

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.checks import invalid
from loupe_tf.datasets import voxel_size
from loupe_tf.datasets.building.readers import read_header, read_volume
from loupe_tf.datasets.building.volume_builder import (
    VolumeBuilder,
    common_features,
)
from loupe_tf.datasets.building.volume_reader import VolumeReader
from loupe_tf.datasets.mri_volumes.layout import layout_of
from loupe_tf.datasets.mri_volumes.mri_volumes_config import MriVolumesConfig
from loupe_tf.datasets.mri_volumes.patient_split import without_suffix
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.run_folder import as_arguments

# Approximate bytes per record in addition to its image.
OVERHEAD = 600
# A crop that removes more than this share of the energy gives a warning: it
# removes more than dark air.
CUT_OFF = 0.005


class Builder(VolumeBuilder):
    """Slices from a folder of the user's own volumes.

    It takes a `loupe_tf.datasets.MriVolumesConfig`. Records are ordered by
    volume and slice, and have

    - `image`: float32 of shape `(H, W, 1)`, divided by its volume's maximum;
        with `complex_images`, `(H, W, 2)`, real and imaginary parts divided
        by the volume's maximum magnitude;
    - `volume`: string, the path relative to the folder, without suffix;
    - `patient`, `acquisition`: strings, `""` if unknown;
    - `slice`: int32, the index of the slice in its volume, from 0;
    - `max`, `norm`: float32, the maximum magnitude and the 2-norm of the
        volume after cropping and before the division;
    - `voxel_size`: float32 of shape `(3,)`, the distance between slices, rows
        and columns in mm after all steps; 0 if unknown;
    - `source`: string, `"magnitude_image"`, `"magnitude_of_complex"`,
        `"complex_image"`, `"signed_image"`, or the source stated in a fastMRI
        file;
    - `normalized_by`, `combined_by`: strings;
    - `cropped_by`: string, `"none"`, or the steps, in order, joined by `"+"`:
        `"acquired_extent"`, `"center_crop"`, `"center_pad"`, `"kspace_crop"`,
        `"kspace_pad"`.

    `info.metadata["volumes"]` has the matrix and the voxel size of each volume
    before and after the steps, and the steps. `info.metadata["phase_axes"]` has
    the axis of phase encoding, `"H"` or `"W"`, of each volume whose header
    states it, by its name in the records.

    Args:
        config: A `MriVolumesConfig`.
        on_bad_volume: String, `"stop"` or `"skip"`. Defaults to `"stop"`.
        **kwargs: Arguments of `tfds.core.DatasetBuilder`.
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
            # The folder may no longer exist.
            stored = tfds.features.FeaturesDict.from_config(self.data_dir)
            shape = stored["image"].shape
        else:
            shape = (*layout_of(config).size, _channels(config))
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
            raise self._other_settings(config, metadata)
        super().download_and_prepare(download_config=download_config, **kwargs)

    def _other_settings(self, config, metadata):
        """The error of a data set that is there with other settings."""
        stored = metadata["settings"]
        settings = json.loads(json.dumps(config.settings))
        differing = [
            k for k in stored | settings if stored.get(k) != settings.get(k)
        ]
        expected = as_arguments(stored, differing)
        found = as_arguments(settings, differing)
        if config.digest_of(stored) != metadata["digest"]:
            # Its path is not stored.
            expected = f"another folder, {expected}".removesuffix(", ")
            found = f"folder={str(config.folder)!r}, {found}".removesuffix(", ")
        return invalid(
            "config",
            f"what {self.info.full_name} was built with: {expected}. Give "
            "other settings another name, or replace the data set "
            "(`loupe-tf build --overwrite`)",
            found=found,
        )

    def _reader(self):
        config = self.builder_config
        return _Reader(
            config.slice_axis, layout_of(config).size, config.complex_images
        )

    def _volumes_per_split(self, dl_manager):
        del dl_manager  # Nothing is downloaded.
        layout = layout_of(self.builder_config)
        expected = self.info.features["image"].shape
        found = *layout.size, _channels(self.builder_config)
        if found != expected:
            raise ValueError(
                "Invalid folder. Expected images of the shape of the existing "
                f"data set, {expected}; delete it first. Received: {found}"
            )
        for error in layout.bad:
            self._add_bad("", error)
        self.info.metadata["volumes"] = {
            volume.name: volume.description
            for each in layout.splits.values()
            for volume in each
        }
        self.info.metadata["unknown_patients"] = sum(
            not volume.patient
            for each in layout.splits.values()
            for volume in each
        )
        self.info.metadata["phase_axes"] = {
            without_suffix(volume.name): volume.phase_axis
            for each in layout.splits.values()
            for volume in each
            if volume.phase_axis
        }
        return layout.splits


def _channels(config):
    return 2 if config.complex_images else 1


@dataclasses.dataclass(frozen=True)
class _Reader(VolumeReader):
    slice_axis: int | None
    size: tuple
    complex_images: bool

    def header(self, volume):
        with _naming(volume):
            count = read_header(volume.path, self.slice_axis).shape[0]
        height, width = self.size
        nbytes = (8 if self.complex_images else 4) * height * width
        return count, count * (nbytes + OVERHEAD)

    def __call__(self, volume):
        with _naming(volume):
            read = read_volume(
                volume.path, self.slice_axis, self.complex_images
            )
        resizing = volume.resizing
        if read.images.shape[1:] != resizing.size:
            raise BadVolumeError(
                volume,
                f"Expected images of {resizing.size}, as in its header. "
                f"Received: {read.images.shape[1:]}.",
            )
        lost = resizing.share_cut_off(read.images)
        if lost > CUT_OFF:
            warnings.warn(
                f"The crop of the images of {volume} cuts off {lost:.1%} of "
                "their energy, so part of the object is lost. A larger `size` "
                "or `field_of_view` would keep it.",
                stacklevel=1,
            )
        images = resizing(read.images)
        maximum = np.abs(images).max()
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
            image = image / maximum
            parts = [image.real, image.imag] if self.complex_images else [image]
            image = np.stack(parts, axis=-1)
            yield {**common, "image": image, "slice": i}


@contextlib.contextmanager
def _naming(volume):
    """Name a bad volume in errors by its name in the folder."""
    try:
        yield
    except BadVolumeError as error:
        raise BadVolumeError(volume, error.reason) from error
