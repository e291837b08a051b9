"""TFDS builder of the data set `fastmri_slices`."""

import dataclasses
import json
import math
import pathlib

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.datasets import voxel_size
from loupe_tf.datasets.building.volume_builder import (
    VolumeBuilder,
    common_features,
)
from loupe_tf.datasets.building.volume_reader import VolumeReader
from loupe_tf.datasets.fastmri_slices import manifest as manifests
from loupe_tf.datasets.fastmri_slices.fastmri_slices_config import (
    KINDS,
    MAGNITUDE,
    FastmriSlicesConfig,
)
from loupe_tf.datasets.resize import center_crop_or_pad
from loupe_tf.formats.bad_volume import BadVolumeError
from loupe_tf.formats.fastmri_file import FastmriFile

# Prefixes of acquisition names. Knees and brains have folders of the same names
# and are easily mixed up.
ACQUISITIONS = {"knee": "COR", "brain": "AX"}
# Approximate bytes per record in addition to its arrays.
OVERHEAD = 600


class Builder(VolumeBuilder):
    """Slices of the fastMRI data set, which the user has downloaded.

    Records are ordered by volume and slice. All records have

    - `volume`, `patient`, `acquisition`: strings; `volume` is the name of the
        file without suffix;
    - `slice`: int32, the index of the slice in its volume, from 0;
    - `max`, `norm`: float32, the maximum and the 2-norm of the volume's
        reconstruction in the file;
    - `voxel_size`: float32 of shape `(3,)`, the thickness of slices and the
        size of rows and columns in mm; 0 if unknown;
    - `source`, `normalized_by`, `cropped_by`, `combined_by`: strings, the
        origin and the processing of the record.

    `knee_singlecoil` and `knee_singlecoil_4s` also have

    - `image`: float32 of shape `(size, size, 1)`, in `[0, 1]`, the
        reconstruction divided by the volume's maximum. After a crop, this
        maximum, `max` and `norm` are those of the cropped volume.

    The others also have

    - `kspace`: complex64 of shape `(H, W)` or `(coils, H, W)`, as acquired:
        orthonormal, DC in the centre, not normalised;
    - `target`: float32 of shape `(h, w)`, the reconstruction in the file;
    - `padding_left`, `padding_right`: int32, the first acquired column of
        `kspace` and the one after the last;
    - `encoded_size`, `recon_size`, `acquired_size`: int32 of shape `(3,)`, the
        matrix sizes of the header; `acquired_size` has the number of acquired
        columns instead of encoded ones.

    `info.metadata["coils"]` of `knee_multicoil` and `brain_multicoil` is the
    largest number of coils of a volume.

    Args:
        on_bad_volume: String, `"stop"` or `"skip"`. Defaults to `"stop"`.
        **kwargs: Arguments of `tfds.core.DatasetBuilder`.
    """

    code_path = epath.Path(__file__)
    pkg_dir_path = code_path.parent

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {"1.0.0": "Initial release.", "1.1.0": "Voxel sizes."}
    BUILDER_CONFIGS = [FastmriSlicesConfig(kind) for kind in KINDS]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
Request the data at https://fastmri.med.nyu.edu, and unpack the archives into
the manual directory, so that it contains one or both of these folders of .h5
files:
  singlecoil_train/ and singlecoil_val/  for knee_singlecoil, knee_singlecoil_4s
                                         (both needed) and
                                         knee_singlecoil_kspace
  multicoil_train/ and multicoil_val/    for knee_multicoil and brain_multicoil
Knees and brains have folders of the same names: use separate manual
directories.
"""

    def _info(self):
        features = common_features()

        def array(shape, dtype):
            return tfds.features.Tensor(
                shape=shape, dtype=dtype, encoding="bytes"
            )

        config = self.builder_config
        if config.kind in MAGNITUDE:
            shape = (config.size, config.size, 1)
            features["image"] = array(shape, np.float32)
        else:
            coils = (None,) if KINDS[config.kind][0] == "multicoil" else ()
            features["kspace"] = array((*coils, None, None), np.complex64)
            features["target"] = array((None, None), np.float32)
            for side in ("left", "right"):
                features[f"padding_{side}"] = tfds.features.Scalar(np.int32)
            for name in ("encoded", "recon", "acquired"):
                size = tfds.features.Tensor(shape=(3,), dtype=np.int32)
                features[f"{name}_size"] = size
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://fastmri.med.nyu.edu",
            metadata=tfds.core.MetadataDict(),
        )

    def _reader(self):
        kind = self.builder_config.kind
        size = self.builder_config.size
        anatomy, coils = kind.split("_")[:2]
        if kind in MAGNITUDE:
            return _ImageReader(anatomy, coils, size)
        return _KspaceReader(anatomy, coils)

    def _volumes_per_split(self, dl_manager):
        config = self.builder_config
        folder = self._manual_dir(dl_manager)
        coils = KINDS[config.kind][0]
        found = {
            part: sorted((folder / f"{coils}_{part}").glob("*.h5"))
            for part in ("train", "val")
        }
        if not any(found.values()):
            raise ValueError(
                f"Invalid manual directory. Expected .h5 files in {coils}_train"
                f" or {coils}_val. Received: none in {folder}\n\n"
                f"{self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        self._manifest = None
        available = {
            path.stem: path for each in found.values() for path in each
        }
        if config.manifest is not None:
            volumes = manifests.parse(config.manifest, available)
            self._manifest = config.manifest
        elif config.kind == "knee_singlecoil_4s":
            manifest = manifests.choose_4s(
                self._headers("train", found["train"]),
                self._headers("validation", found["val"]),
                config.seed,
            )
            text = json.dumps(manifest, indent=2) + "\n"
            self._manifest = text.encode()
            volumes = manifests.parse(text, available)
        else:
            volumes = {"train": found["train"], "validation": found["val"]}
            volumes = {split: each for split, each in volumes.items() if each}
        return {s: [str(path) for path in v] for s, v in volumes.items()}

    def _plan(self, reader, volumes):
        tasks = super()._plan(reader, volumes)
        if KINDS[self.builder_config.kind][0] == "multicoil" and tasks:
            # For batches of volumes of different numbers of coils.
            self.info.metadata["coils"] = max(
                reader.coils_of(task.volume) for task in tasks
            )
        return tasks

    def _manual_dir(self, dl_manager):
        try:
            return pathlib.Path(dl_manager.manual_dir)
        except AssertionError as error:
            # The folder is missing or empty; TFDS's message says what to do.
            raise ValueError(f"Invalid manual directory. {error}") from error

    def _headers(self, split, paths):
        """`{name: (slices, patient)}` of the volumes with a good header."""
        reader = self._reader()
        headers = {}
        for path in paths:
            try:
                count, _ = reader.header(path)
                headers[path.stem] = count, reader.patient(path)
            except BadVolumeError as error:
                self._add_bad(split, error)
        return headers

    def _download_and_prepare(self, dl_manager, download_config=None):
        super()._download_and_prepare(dl_manager, download_config)
        if self._manifest is not None:
            file = self.data_path / "manifest.json"
            file.write_bytes(self._manifest)


@dataclasses.dataclass(frozen=True)
class _Reader(VolumeReader):
    """Base class of the readers of images and of k-space."""

    anatomy: str
    coils: str

    def header(self, volume):
        with FastmriFile(volume) as file:
            self._check(file)
            count = file.target_shape[0]
            return count, count * (self._nbytes(file) + OVERHEAD)

    def patient(self, volume):
        with FastmriFile(volume) as file:
            return file.patient

    def coils_of(self, volume):
        with FastmriFile(volume) as file:
            return file.kspace_shape[1]

    def _check(self, file):
        multicoil = len(file.kspace_shape) == 4
        if multicoil != (self.coils == "multicoil"):
            raise BadVolumeError(
                file.path,
                f"Expected k-space of a {self.coils} file. "
                f"Received: shape={file.kspace_shape}.",
            )
        target = "rss" if multicoil else "esc"
        if file.target_name != f"reconstruction_{target}":
            raise BadVolumeError(
                file.path,
                f"Expected a reconstruction_{target}. Received: none.",
            )
        if file.target_shape[0] != file.kspace_shape[0]:
            raise BadVolumeError(
                file.path,
                "Expected equally many slices of k-space and reconstruction. "
                f"Received: {file.kspace_shape[0]} and {file.target_shape[0]}.",
            )
        for anatomy, prefix in ACQUISITIONS.items():
            other = anatomy != self.anatomy
            if other and file.acquisition.startswith(prefix):
                raise BadVolumeError(
                    file.path,
                    f"Expected a {self.anatomy}. "
                    f"Received: acquisition={file.acquisition}, a {anatomy}.",
                )

    def _common(self, file, target):
        """The features that all slices of a volume share."""
        return {
            "volume": file.name,
            "patient": file.patient,
            "acquisition": file.acquisition,
            "max": target.max(),
            "norm": np.linalg.norm(target),
            "voxel_size": voxel_size.standardize(file.voxel_size),
            "source": file.source,
            "normalized_by": "none",
            "cropped_by": "none",
            "combined_by": file.combined_by,
        }


@dataclasses.dataclass(frozen=True)
class _ImageReader(_Reader):
    size: int

    def _nbytes(self, file):
        return 4 * self.size**2

    def _check(self, file):
        super()._check(file)
        if min(file.target_shape[1:]) < self.size:
            raise BadVolumeError(
                file.path,
                f"Expected images of at least {self.size} rows and columns. "
                f"Received: {file.target_shape[1:]}.",
            )

    def __call__(self, volume):
        with FastmriFile(volume) as file:
            target = file.target()
            shape = target.shape[1:]
            size = (self.size, self.size)
            if shape != size:
                target = center_crop_or_pad(target, size)
            common = self._common(file, target)
        if not common["max"] > 0:
            raise BadVolumeError(
                file.path,
                "Expected a reconstruction with a maximum above 0. "
                f"Received: {common['max']}.",
            )
        common["normalized_by"] = "volume_maximum"
        common["cropped_by"] = "none" if shape == size else "center_crop"
        for i, image in enumerate(target):
            image = (image / common["max"])[..., None]
            yield {**common, "image": image, "slice": i}


@dataclasses.dataclass(frozen=True)
class _KspaceReader(_Reader):
    def _nbytes(self, file):
        kspace, target = file.kspace_shape[1:], file.target_shape[1:]
        return 8 * math.prod(kspace) + 4 * math.prod(target)

    def __call__(self, volume):
        with FastmriFile(volume) as file:
            header = dict(file.header)
            columns = header.pop("acquired_columns")
            rows, _, depth = header["encoded_size"]
            header["acquired_size"] = (rows, columns, depth)
            header = {
                key: np.asarray(value, np.int32)
                for key, value in header.items()
            }
            target = file.target()
            common = {**self._common(file, target), **header}
            for i, image in enumerate(target):
                kspace = file.kspace(i)
                yield {**common, "kspace": kspace, "target": image, "slice": i}
