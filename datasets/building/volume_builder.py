"""Base class of the TFDS builders that read files of whole volumes."""

import abc
import json
import os
import pathlib
import shutil

import filelock
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import utils as tfds_utils
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from loupe_tf.checks import check_choice, invalid
from loupe_tf.datasets.building.beam import import_beam
from loupe_tf.datasets.building.shard_writer import (
    RecordWriter,
    ShardTask,
    ShardWriter,
    bad_volume_entry,
    count_records,
)
from loupe_tf.datasets.prepared import is_prepared
from loupe_tf.formats.bad_volume import BadVolumeError

# The prefix that TFDS gives to an unfinished folder.
INCOMPLETE = "incomplete."


def common_features():
    """The features that all records have, in addition to their arrays."""
    texts = (
        "volume",
        "patient",
        "acquisition",
        "source",
        "normalized_by",
        "cropped_by",
        "combined_by",
    )
    scalars = {"slice": np.int32, "max": np.float32, "norm": np.float32}
    return {
        **{name: tfds.features.Text() for name in texts},
        **{k: tfds.features.Scalar(dtype) for k, dtype in scalars.items()},
        "voxel_size": tfds.features.Tensor(shape=(3,), dtype=np.float32),
    }


class LostRecordsError(RuntimeError):
    """The number of written records differs from the number of slices."""


class VolumeBuilder(FileReaderBuilder):
    """Base class of TFDS builders that read slices volume by volume.

    A subclass has a `VERSION`, implements `_info` like any TFDS builder, and
    implements

    - `_volumes_per_split(dl_manager)`, which returns
      `{split: [volume, ...]}`. A volume is the path of a file, or any
      picklable object whose `str()` names it;
    - `_reader()`, which returns a `VolumeReader`.

    If `_volumes_per_split` finds a bad volume, it reports the volume with
    `self._add_bad(split, error)` and skips it.

    Each volume becomes one shard. Shards have the order of the list, and their
    records have the order of the slices. Volumes are written slice by slice, so
    memory does not grow with the number of volumes. They are written in this
    process or, with `tfds.download.DownloadConfig(beam_runner=...)`, by Apache
    Beam; the files are the same. For Beam, all workers must mount the data
    folder.

    Files move to their final place only when everything is written and the
    records of each shard have been counted. So a build that fails or is killed
    leaves no data set for `tfds.load` to find. When a data set is overwritten
    (`download_mode="reuse_cache_if_exists"`), the old one is removed after the
    new one is complete. The next build removes the remains of a killed one. Two
    builds cannot use the same folder at the same time.

    Bad volumes are listed in `bad_volumes.json` and `bad_volumes.txt` in the
    folder of the data set. If the build has stopped, these files are next to
    that folder, with the version as a prefix.

    Args:
        on_bad_volume: String, `"stop"` ends the build at the first bad volume,
            `"skip"` skips bad volumes. Defaults to `"stop"`.
        **kwargs: Arguments of `tfds.core.DatasetBuilder`: `data_dir`,
            `config`, `version` and `file_format`.
    """

    # TFDS also has a `ShardBasedBuilder`. It keeps the slices of a shard in
    # memory, adds one branch to the Beam graph for each shard and, on Beam,
    # mixes up the lengths of more than ten shards.

    def __init__(self, *, on_bad_volume="stop", config=None, **kwargs):
        check_choice("on_bad_volume", on_bad_volume, ("stop", "skip"))
        if getattr(config, "name", None) in self.builder_configs:
            # TFDS accepts a built-in configuration only by name.
            config = config.name
        super().__init__(config=config, **kwargs)
        self.on_bad_volume = on_bad_volume
        self._original_state["on_bad_volume"] = on_bad_volume

    @abc.abstractmethod
    def _volumes_per_split(self, dl_manager):
        """Return the volumes of each split."""

    @abc.abstractmethod
    def _reader(self):
        """Return a `VolumeReader`."""

    def download_and_prepare(self, *, download_config=None, **kwargs):
        """Build the data set, unless it already exists.

        Args:
            download_config: Optional `tfds.download.DownloadConfig`.
                `beam_runner` and `beam_options` build on Apache Beam;
                `download_mode="reuse_cache_if_exists"` rebuilds.
            **kwargs: Arguments of `tfds.core.DatasetBuilder`.

        Raises:
            BadVolumeError: If a volume is bad and `on_bad_volume="stop"`.
            LostRecordsError: If slices are missing in the data set.
            ValueError: If there are no volumes, a volume is in two splits, or
                the disk does not have enough space.
        """
        config = download_config or tfds.download.DownloadConfig()
        overwrite = config.download_mode.overwrite_dataset
        if is_prepared(self) and not overwrite:
            # Take no lock: many processes may read, even in read-only folders.
            self._read_info()
            return
        final = pathlib.Path(self.data_dir)
        final.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(final):
            _clean_up(final)
            if not (overwrite and final.exists()):
                super().download_and_prepare(download_config=config, **kwargs)
                self._read_info()
                return
            # TFDS would remove the old data set first.
            config = config.replace(
                download_mode=tfds.download.GenerateMode.REUSE_DATASET_IF_EXISTS
            )
            new = _incomplete(final, "new")
            try:
                self._data_dir = os.fspath(new)
                super().download_and_prepare(download_config=config, **kwargs)
                old = _incomplete(final, "old")
                final.rename(old)
                new.rename(final)
                shutil.rmtree(old)
            finally:
                self._data_dir = os.fspath(final)
                self.info.update_data_dir(self._data_dir)

    def _read_info(self):
        """Read what another process has built since this builder was made."""
        if not self.info.splits:
            self.info.read_from_directory(self.data_dir)

    def _log_download_bytes(self):
        """Print nothing: TFDS would print that it downloads."""

    def _log_download_done(self):
        """Print nothing, for the same reason."""

    def _lock(self, final):
        # The kernel releases the lock if the process is killed.
        lock = filelock.FileLock(final.parent / f".{final.name}.lock")
        try:
            return lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise invalid(
                "data_dir",
                "a folder that no other process is building in",
                found=final,
            ) from error

    def _download_and_prepare(self, dl_manager, download_config=None):
        config = download_config or tfds.download.DownloadConfig()
        reader = self._reader()
        self._bad = []
        self._remove_report()
        volumes = self._volumes_per_split(dl_manager)
        _check_volumes(volumes)

        tasks = self._plan(reader, volumes)
        self._stop_if_bad()
        self._check_disk(sum(task.nbytes for task in tasks))
        self._bad += self._write(reader, tasks, config)
        self._stop_if_bad()
        self.info.set_splits(self._finish(tasks, volumes))
        if self._bad:
            _write_report(self.data_path, "", self._report())

    def _add_bad(self, split, error):
        """Report a bad volume that `_volumes_per_split` skips."""
        self._bad.append(bad_volume_entry(split, error.volume, error))

    def _plan(self, reader, volumes):
        """Read all headers."""
        pairs = [(split, v) for split, each in volumes.items() for v in each]
        tasks = []
        bar = tfds_utils.tqdm(
            pairs, desc="Reading headers", unit=" volumes", leave=False
        )
        for i, (split, volume) in enumerate(bar):
            try:
                count, nbytes = reader.header(volume)
            except BadVolumeError as error:
                self._bad.append(bad_volume_entry(split, volume, error))
                continue
            # The final name depends on the number of good volumes.
            shard = os.fspath(self.data_path / f"volume{i:07d}")
            tasks.append(ShardTask(split, volume, shard, count, nbytes))
        return tasks

    def _check_disk(self, needed):
        free = shutil.disk_usage(self.data_path).free
        if needed > free:
            raise invalid(
                "data_dir",
                f"a disk with {needed / 1e9:.3g} GB free, which the build "
                "needs",
                found=f"{free / 1e9:.3g} GB free in {self.data_path.parent}",
            )

    def _write(self, reader, tasks, config):
        """Write the shards; return the entries of bad volumes."""
        bad = pathlib.Path(self.data_path / "bad")
        bad.mkdir()
        write = ShardWriter(
            reader=reader,
            features=self.info.features,
            writer=RecordWriter(self.info.file_format),
            bad=bad,
            stop=self.on_bad_volume == "stop",
        )
        if config.beam_runner or config.beam_options:
            _run_beam(write, tasks, config)
        else:
            for task in tfds_utils.tqdm(tasks, unit=" volumes"):
                write(task)
        found = [json.loads(f.read_text()) for f in sorted(bad.iterdir())]
        shutil.rmtree(bad)
        return found

    def _finish(self, tasks, volumes):
        """Count the records and give the shards their final names."""
        left_out = {entry["volume"] for entry in self._bad}
        infos = []
        for split in volumes:
            good = [
                task
                for task in tasks
                if task.split == split and str(task.volume) not in left_out
            ]
            if not good:
                self._stop(f"No good volume is left in split {split}.")
            for task in good:
                count = count_records(task.shard, self.info.file_format)
                if count != task.count:
                    count = "a truncated file" if count is None else count
                    raise LostRecordsError(
                        f"Records of {self.info.full_name} were lost. Expected "
                        f"{task.count} slices of {task.volume} in split "
                        f"{split}. Received: {count}"
                    )
            template = self._get_filename_template(split_name=split)
            nbytes = 0
            for i, task in enumerate(good):
                shard = pathlib.Path(task.shard)
                nbytes += shard.stat().st_size
                shard.rename(
                    template.sharded_filepath(
                        shard_index=i, num_shards=len(good)
                    )
                )
            infos.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[task.count for task in good],
                    num_bytes=nbytes,
                    filename_template=template,
                )
            )
        # Remove what killed Beam workers may have left.
        for stray in self.data_path.glob("volume[0-9]*"):
            stray.unlink()
        return tfds.core.SplitDict(infos)

    def _stop_if_bad(self):
        if self._bad and self.on_bad_volume == "stop":
            self._stop()

    def _stop(self, why=""):
        folder, prefix = self._report_beside()
        file = _write_report(folder, prefix, self._report())
        first = self._bad[0]
        sentences = [first["reason"], why, f"See {file}."]
        raise BadVolumeError(first["volume"], " ".join(filter(None, sentences)))

    def _report(self):
        return {
            "dataset": self.info.full_name,
            "on_bad_volume": self.on_bad_volume,
            "volumes": self._bad,
        }

    def _report_beside(self):
        # `data_path` may have a temporary name, so use its parent.
        return self.data_path.parent, f"{self.version}."

    def _remove_report(self):
        folder, prefix = self._report_beside()
        for suffix in (".json", ".txt"):
            (folder / f"{prefix}bad_volumes{suffix}").unlink(missing_ok=True)


def _run_beam(write, tasks, config):
    beam = import_beam()
    runner, options = config.beam_runner, config.beam_options
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        volumes = pipeline | beam.Create(tasks) | beam.Reshuffle()
        _ = volumes | beam.Map(write)


def _check_volumes(volumes):
    seen = {}
    for split, each in volumes.items():
        if not each:
            raise ValueError(
                f"Invalid source. Expected volumes in split {split}. "
                "Received: none"
            )
        for volume in map(str, each):
            if volume in seen:
                raise ValueError(
                    "Invalid source. Expected each volume once, in one split. "
                    f"Received: {volume} in {seen[volume]} and {split}"
                )
            seen[volume] = split
    if not seen:
        raise ValueError("Invalid source. Expected volumes. Received: none")


def _write_report(folder, prefix, report):
    """Write the report as JSON and as text."""
    file = folder / f"{prefix}bad_volumes.json"
    file.write_text(json.dumps(report, indent=2) + "\n")
    lines = [f"{len(report['volumes'])} bad volumes of {report['dataset']}:"]
    for entry in report["volumes"]:
        lines.append("{volume} ({split}): {reason}".format(**entry))
    text = folder / f"{prefix}bad_volumes.txt"
    text.write_text("\n".join(lines) + "\n")
    return text


def _incomplete(final, what):
    return final.with_name(f"{INCOMPLETE}{what}_{final.name}")


def _clean_up(final):
    """Remove the remains of killed builds; no other build may be running."""
    old = _incomplete(final, "old")
    if old.exists() and not final.exists():
        old.rename(final)  # Killed between the two renames.
    for folder in final.parent.glob(f"{INCOMPLETE}*_{final.name}"):
        shutil.rmtree(folder)
