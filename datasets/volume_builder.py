"""Base of the TFDS builders that read files of whole volumes."""

import abc
import dataclasses
import json
import os
import pathlib
import shutil
import struct
import uuid

import filelock
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters
from tensorflow_datasets.core import utils as tfds_utils
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder
from tensorflow_datasets.proto import tf_example_pb2

# What TFDS puts before the name of a folder that is not finished yet.
INCOMPLETE = "incomplete."


class BadVolumeError(ValueError):
    """A volume that is truncated, unreadable, of a wrong shape or not finite.

    Args:
        volume: The volume, as the builder names it: mostly the path of a file.
        reason: String, what is wrong with it: one sentence.
    """

    def __init__(self, volume, reason):
        super().__init__(volume, reason)  # What pickle needs.
        self.volume = str(volume)
        self.reason = str(reason)

    def __str__(self):
        return f"Invalid volume {self.volume}. {self.reason}"


class LostRecordsError(RuntimeError):
    """The records written are not as many as the slices of the volumes."""


class VolumeReader(abc.ABC):
    """Reads volumes: what `VolumeBuilder._reader` returns.

    A reader must be picklable, and know what it needs without the builder: on
    Beam it is sent to other machines. A volume is whatever
    `VolumeBuilder._volumes_per_split` lists, mostly the path of a file. All
    three methods raise a `BadVolumeError` for a volume that cannot be used.
    """

    @abc.abstractmethod
    def count(self, volume):
        """The number of slices, from the header alone."""

    @abc.abstractmethod
    def nbytes(self, volume):
        """About how many bytes the records will take, from the header alone."""

    @abc.abstractmethod
    def __call__(self, volume):
        """Yields the records, dicts of features, slice by slice."""


class VolumeBuilder(FileReaderBuilder):
    """TFDS builder of slices that come volume by volume.

    A subclass has a `VERSION` and implements `_info`, as any TFDS builder, and

    - `_volumes_per_split(dl_manager)`: returns `{split: [volume, ...]}`. A
      volume is the path of a file, or anything else that is picklable and
      whose `str()` names it;
    - `_reader()`: returns a `VolumeReader`.

    Where `_volumes_per_split` meets a bad volume itself, it tells of it with
    `self._add_bad(split, error)` and leaves it out.

    Each volume becomes one shard, with its records in order, in the order of
    the list. It is written slice by slice, so that memory does not grow with
    the number of volumes, in this process or, with
    `tfds.download.DownloadConfig(beam_runner=...)`, by Apache Beam; the files
    are the same. The data folder must then be one that all workers mount.

    Nothing is at its final place before all is written and the records in each
    shard have been counted: a build that fails or is killed leaves no data set
    that `tfds.load` finds. A data set that is overwritten
    (`download_mode="reuse_cache_if_exists"`) is removed after the new one is
    complete. What a killed build leaves is removed by the next one; two builds
    at a time into the same folder are refused.

    A bad volume is named in `bad_volumes.json` and `bad_volumes.txt`: inside
    the folder of the data set, or beside it, behind the version, when the build
    has stopped.

    Args:
        on_bad_volume: String, `"stop"` ends the build at the first bad volume,
            `"skip"` leaves bad volumes out. Defaults to `"stop"`.
        **kwargs: As those of `tfds.core.DatasetBuilder`: `data_dir`, `config`,
            `version` and `file_format`.
    """

    # TFDS has a `ShardBasedBuilder` as well. It keeps the slices of a shard in
    # memory, makes one branch of the Beam graph for each shard, and, on Beam,
    # mixes up the lengths of more than ten shards.

    def __init__(self, *, on_bad_volume="stop", config=None, **kwargs):
        if on_bad_volume not in ("stop", "skip"):
            raise ValueError(
                "Invalid value for argument `on_bad_volume`. Expected 'stop' "
                f"or 'skip'. Received: on_bad_volume={on_bad_volume}"
            )
        if getattr(config, "name", None) in self.builder_configs:
            # TFDS accepts one of its own by name only.
            config = config.name
        super().__init__(config=config, **kwargs)
        self.on_bad_volume = on_bad_volume
        self._original_state["on_bad_volume"] = on_bad_volume

    @abc.abstractmethod
    def _volumes_per_split(self, dl_manager):
        """Returns the volumes of each split."""

    @abc.abstractmethod
    def _reader(self):
        """Returns a `VolumeReader`."""

    def download_and_prepare(self, *, download_config=None, **kwargs):
        """Builds the data set, unless it is there already.

        Args:
            download_config: Optional `tfds.download.DownloadConfig`.
                `beam_runner` and `beam_options` build on Apache Beam;
                `download_mode="reuse_cache_if_exists"` builds anew.
            **kwargs: As those of `tfds.core.DatasetBuilder`.

        Raises:
            BadVolumeError: If a volume is bad and `on_bad_volume="stop"`.
            LostRecordsError: If not all slices have reached the data set.
            ValueError: If there are no volumes, a volume is in two splits, or
                the disk is too full.
        """
        config = download_config or tfds.download.DownloadConfig()
        overwrite = config.download_mode.overwrite_dataset
        if self.is_prepared() and not overwrite:
            # For many readers at a time, of folders they may not write into.
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
        """Reads what another process has built since this builder was made."""
        if not self.info.splits:
            self.info.read_from_directory(self.data_dir)

    def _log_download_bytes(self):
        """Nothing: TFDS would print that it downloads."""

    def _log_download_done(self):
        """Nothing, for the same reason."""

    def _lock(self, final):
        # The kernel frees it when the process is killed.
        lock = filelock.FileLock(final.parent / f".{final.name}.lock")
        try:
            return lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise ValueError(
                "Invalid value for argument `data_dir`. Expected a folder that "
                f"no other process is building in. Received: {final}"
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
        """Puts a volume that `_volumes_per_split` leaves out on the report."""
        self._bad.append(_entry(split, error.volume, error))

    def _plan(self, reader, volumes):
        """Reads all headers."""
        pairs = [(split, v) for split, each in volumes.items() for v in each]
        tasks = []
        bar = tfds_utils.tqdm(
            pairs, desc="Reading headers", unit=" volumes", leave=False
        )
        for i, (split, volume) in enumerate(bar):
            try:
                tasks.append(
                    _Task(
                        split=split,
                        volume=volume,
                        # Its final name depends on how many volumes are good.
                        shard=os.fspath(self.data_path / f"volume{i:07d}"),
                        count=reader.count(volume),
                        nbytes=reader.nbytes(volume),
                    )
                )
            except BadVolumeError as error:
                self._bad.append(_entry(split, volume, error))
        return tasks

    def _check_disk(self, needed):
        free = shutil.disk_usage(self.data_path).free
        if needed > free:
            raise ValueError(
                "Invalid value for argument `data_dir`. Expected a disk with "
                f"{needed / 1e9:.3g} GB free, which is what the build needs. "
                f"Received: {free / 1e9:.3g} GB free in {self.data_path.parent}"
            )

    def _write(self, reader, tasks, config):
        """Writes the shards, and returns what is known of bad volumes."""
        bad = pathlib.Path(self.data_path / "bad")
        bad.mkdir()
        write = _Write(
            reader=reader,
            features=self.info.features,
            writer=_Writer(self.info.file_format),
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
        """Counts the records, and gives the shards their final names."""
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
                count = _count_records(task.shard, self.info.file_format)
                if count != task.count:
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
        # Whatever the folder is called for now.
        return self.data_path.parent, f"{self.version}."

    def _remove_report(self):
        folder, prefix = self._report_beside()
        for suffix in (".json", ".txt"):
            (folder / f"{prefix}bad_volumes{suffix}").unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True)
class _Task:
    """One volume, and the shard that it goes into."""

    split: str
    volume: object
    shard: str
    count: int
    nbytes: int


class _Writer(tfds.core.ExampleWriter):
    """Writes array_record files without compression.

    Noise hardly compresses: a sixth is saved, mostly zeros, and writing and
    reading take four times as long.
    """

    def write(self, path, examples):
        if self.file_format != file_adapters.FileFormat.ARRAY_RECORD:
            return super().write(path, examples)
        module = tfds.core.lazy_imports_utils.array_record_module
        writer = module.ArrayRecordWriter(
            os.fspath(path), "group_size:1,uncompressed"
        )
        for _, example in examples:
            writer.write(example)
        writer.close()


@dataclasses.dataclass(frozen=True)
class _Write:
    """Writes the shard of a task, here or in a worker of Beam."""

    reader: VolumeReader
    features: tfds.features.FeaturesDict
    writer: tfds.core.ExampleWriter
    bad: pathlib.Path  # A folder, through which workers tell of bad volumes.
    stop: bool

    def __call__(self, task):
        if self.stop and any(self.bad.iterdir()):
            return
        shard = pathlib.Path(task.shard)
        # Beam may give a task to two workers.
        part = shard.with_name(f"{shard.name}.{uuid.uuid4().hex}.part")
        try:
            self.writer.write(os.fspath(part), self._serialized(task.volume))
            part.replace(shard)
        except BadVolumeError as error:
            entry = _entry(task.split, task.volume, error)
            (self.bad / f"{shard.name}.json").write_text(json.dumps(entry))
        finally:
            part.unlink(missing_ok=True)

    def _serialized(self, volume):
        """Yields what `ExampleWriter` takes: keys, which count, and bytes."""
        for i, record in enumerate(self.reader(volume)):
            yield i, _serialize(self.features.encode_example(record))


def _serialize(encoded):
    """Makes a `tf.train.Example` of encoded features, as bytes.

    Equal to what `tfds.core.ExampleSerializer` makes of scalars, texts and
    tensors, but in a third of the time, for it copies arrays less often; and in
    an order that is the same in every process.
    """
    example = tf_example_pb2.Example()
    features = example.features.feature
    for key, value in tfds_utils.flatten_nest_dict(encoded).items():
        feature = features[key]
        if not isinstance(value, bytes):
            value = np.asarray(value)
            if value.dtype.kind == "f":
                feature.float_list.value.extend(value.ravel().tolist())
                continue
            if value.dtype.kind in "iub":
                value = value.ravel().astype(np.int64).tolist()
                feature.int64_list.value.extend(value)
                continue
            value = value.item()  # A text, or else an error.
            value = value if isinstance(value, bytes) else value.encode()
        feature.bytes_list.value.append(value)
    return example.SerializeToString(deterministic=True)


def _run_beam(write, tasks, config):
    try:
        import apache_beam as beam
    except ImportError as error:
        raise ImportError(
            "Building on Beam requires apache-beam. Install it with: "
            'pip install "loupe-tf[beam]"'
        ) from error
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
                    "Invalid source. Expected each volume in one split, and "
                    f"once. Received: {volume} in {seen[volume]} and {split}"
                )
            seen[volume] = split
    if not seen:
        raise ValueError("Invalid source. Expected volumes. Received: none")


def _entry(split, volume, error):
    # The error may name a file inside the volume.
    same = error.volume == str(volume)
    reason = error.reason if same else str(error)
    return {"split": split, "volume": str(volume), "reason": reason}


def _write_report(folder, prefix, report):
    """Writes the report twice, for programs and to be read."""
    file = folder / f"{prefix}bad_volumes.json"
    file.write_text(json.dumps(report, indent=2) + "\n")
    lines = [f"{len(report['volumes'])} bad volumes of {report['dataset']}:"]
    for entry in report["volumes"]:
        lines.append("{volume} ({split}): {reason}".format(**entry))
    text = folder / f"{prefix}bad_volumes.txt"
    text.write_text("\n".join(lines) + "\n")
    return text


def _count_records(shard, file_format):
    """Counts the records that a file really holds."""
    if not os.path.exists(shard):
        return 0
    if file_format != file_adapters.FileFormat.TFRECORD:
        return file_adapters.ADAPTER_FOR_FORMAT[file_format].num_examples(shard)
    # A record has its length (8 bytes, and 4 of checksum) before it and a
    # checksum of 4 bytes behind it: no need to read the data.
    size, position, count = os.path.getsize(shard), 0, 0
    with open(shard, "rb") as file:
        while position < size:
            (length,) = struct.unpack("<Q", file.read(8))
            position = file.seek(4 + length + 4, os.SEEK_CUR)
            count += 1
    return count if position == size else -1


def _incomplete(final, what):
    return final.with_name(f"{INCOMPLETE}{what}_{final.name}")


def _clean_up(final):
    """Removes what killed builds have left; nobody else is building."""
    old = _incomplete(final, "old")
    if old.exists() and not final.exists():
        old.rename(final)  # Killed between the two renames.
    for folder in final.parent.glob(f"{INCOMPLETE}*_{final.name}"):
        shutil.rmtree(folder)
