import json
import pathlib
import pickle
import signal
import subprocess
import sys
import weakref

import filelock
import numpy as np
import pytest
import tensorflow_datasets as tfds

from loupe_tf.datasets.building.shard_writer import RecordWriter
from loupe_tf.datasets.building.volume_builder import LostRecordsError
from loupe_tf.formats.bad_volume import BadVolumeError

# A module, for Beam and for the process that is killed.
CODE = """
import os
import pathlib
import signal

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from loupe_tf.datasets.building.volume_builder import VolumeBuilder
from loupe_tf.datasets.building.volume_reader import VolumeReader
from loupe_tf.formats.bad_volume import BadVolumeError


class Reader(VolumeReader):
    def header(self, volume):
        if "unreadable" in volume:
            raise BadVolumeError(volume, "Cut off.")
        count = int(pathlib.Path(volume).name.split("_")[1])
        return count, 1000 * count

    def __call__(self, volume):
        count, _ = self.header(volume)
        for i in range(count):
            if "nan" in volume and i == 1:
                raise BadVolumeError(volume, "Not finite.")
            if "kill" in volume and i == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            image = np.full((2, 2, 1), count + i / 10, "float32")
            name = pathlib.Path(volume).name
            record = {"image": image, "volume": name, "slice": i}
            if "lacking" in volume and i == 1:
                del record["image"]
            yield record


class ToySlices(VolumeBuilder):
    code_path = epath.Path(__file__)
    pkg_dir_path = code_path.parent
    VERSION = tfds.core.Version("1.0.0")
    VOLUMES = {"train": ["a_3", "b_1", "c_2"], "test": ["d_2"]}

    def _info(self):
        image = tfds.features.Tensor(
            shape=(2, 2, 1), dtype=np.float32, encoding="bytes"
        )
        features = {
            "image": image,
            "volume": tfds.features.Text(),
            "slice": tfds.features.Scalar(np.int32),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _volumes_per_split(self, dl_manager):
        return self.VOLUMES

    def _reader(self):
        return Reader()
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "toy_slices_code.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import toy_slices_code

        yield toy_slices_code


@pytest.fixture
def make(toy, tmp_path, monkeypatch):
    def make(volumes=None, **kwargs):
        if volumes is not None:
            monkeypatch.setattr(toy.ToySlices, "VOLUMES", volumes)
        kwargs = {"data_dir": tmp_path / "data", **kwargs}
        return toy.ToySlices(**kwargs)

    return make


OVERWRITE = tfds.download.DownloadConfig(
    download_mode=tfds.download.GenerateMode.REUSE_CACHE_IF_EXISTS
)


def prepared(tmp_path, split="train"):
    """The (volume, slice, value) of all records, as anyone reads them."""
    folder = tmp_path / "data/toy_slices/1.0.0"
    builder = tfds.builder_from_directory(folder)
    if builder.info.file_format.value == "array_record":
        records = builder.as_data_source(split)
    else:
        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        dataset = builder.as_dataset(split=split, read_config=in_order)
        records = tfds.as_numpy(dataset)
    return [
        (r["volume"].decode(), int(r["slice"]), float(r["image"][0, 0, 0]))
        for r in records
    ]


def expected(*volumes):
    return [
        (volume, i, pytest.approx(int(volume.split("_")[1]) + i / 10))
        for volume in volumes
        for i in range(int(volume.split("_")[1]))
    ]


def files(tmp_path):
    folder = tmp_path / "data/toy_slices"
    return sorted(p.name for p in folder.iterdir() if p.name[0] != ".")


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_one_shard_a_volume(make, tmp_path, file_format):
    builder = make(file_format=file_format)
    builder.download_and_prepare()
    assert prepared(tmp_path) == expected("a_3", "b_1", "c_2")
    assert prepared(tmp_path, "test") == expected("d_2")
    info = make(file_format=file_format).info
    assert info.splits["train"].shard_lengths == [3, 1, 2]
    assert info.splits["test"].shard_lengths == [2]
    assert files(tmp_path) == ["1.0.0"]
    stored = list((tmp_path / "data/toy_slices/1.0.0").iterdir())
    shards = [file for file in stored if file_format in file.name]
    assert info.dataset_size == sum(file.stat().st_size for file in shards)
    assert len(stored) == 4 + 2  # dataset_info.json, features.json


def shards(tmp_path):
    folder = tmp_path / "data/toy_slices/1.0.0"
    return {p.name: p.read_bytes() for p in folder.glob("*-of-*")}


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_beam_writes_the_same(make, tmp_path, file_format):
    pytest.importorskip("apache_beam")
    names = [f"v{i}_{1 + i % 4}" for i in range(13)]
    volumes = {"train": names, "test": ["nan_2", "d_2"]}
    written = []
    for runner in (None, "DirectRunner"):
        folder = tmp_path / str(runner)
        builder = make(
            volumes,
            file_format=file_format,
            data_dir=folder / "data",
            on_bad_volume="skip",
        )
        config = tfds.download.DownloadConfig(beam_runner=runner)
        builder.download_and_prepare(download_config=config)
        assert prepared(folder) == expected(*names)
        report = folder / "data/toy_slices/1.0.0/bad_volumes.json"
        written.append((shards(folder), report.read_text()))
    assert written[0] == written[1]


def test_beam_stops(make, tmp_path):
    pytest.importorskip("apache_beam")
    builder = make({"train": ["a_3", "nan_3", "c_2"]})
    config = tfds.download.DownloadConfig(beam_runner="DirectRunner")
    with pytest.raises(BadVolumeError, match="nan_3"):
        builder.download_and_prepare(download_config=config)
    assert_nothing_prepared(tmp_path)


def test_without_beam(make, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    config = tfds.download.DownloadConfig(beam_runner="DirectRunner")
    with pytest.raises(ImportError, match=r"loupe-tf\[beam\]"):
        make().download_and_prepare(download_config=config)
    assert_nothing_prepared(tmp_path)


def assert_nothing_prepared(tmp_path):
    assert not [f for f in files(tmp_path) if "bad_volumes" not in f]
    with pytest.raises((AssertionError, tfds.core.DatasetNotFoundError)):
        data_dir = tmp_path / "data"
        tfds.load("toy_slices", data_dir=data_dir, download=False)


def test_stops_at_a_bad_volume(make, tmp_path):
    builder = make({"train": ["a_3", "nan_3", "b_1"], "test": ["nan_2"]})
    with pytest.raises(BadVolumeError, match="nan_3. Not finite. See .*txt"):
        builder.download_and_prepare()
    assert_nothing_prepared(tmp_path)
    folder = tmp_path / "data/toy_slices"
    assert json.loads((folder / "1.0.0.bad_volumes.json").read_text()) == {
        "dataset": "toy_slices/1.0.0",
        "on_bad_volume": "stop",
        "volumes": [
            {"split": "train", "volume": "nan_3", "reason": "Not finite."}
        ],
    }
    text = (folder / "1.0.0.bad_volumes.txt").read_text()
    assert "nan_3 (train): Not finite." in text
    make({"train": ["a_3"]}).download_and_prepare()
    assert files(tmp_path) == ["1.0.0"]


def test_bad_headers_are_all_found_before_anything_is_read(make, tmp_path):
    builder = make({"train": ["nan_3", "unreadable", "unreadable_2"]})
    with pytest.raises(BadVolumeError, match="unreadable. Cut off."):
        builder.download_and_prepare()
    report = tmp_path / "data/toy_slices/1.0.0.bad_volumes.json"
    bad = json.loads(report.read_text())["volumes"]
    assert [entry["volume"] for entry in bad] == ["unreadable", "unreadable_2"]


def test_records_have_all_features(make, tmp_path):
    # Not what the slice before it had.
    builder = make({"train": ["a_2", "lacking_3"]})
    message = r"record of lacking_3.*'image'.*Received: \['slice', 'volume'\]"
    with pytest.raises(ValueError, match=message):
        builder.download_and_prepare()
    assert files(tmp_path) == []


def test_skips_bad_volumes(make, tmp_path):
    volumes = ["unreadable", "a_3", "nan_3", "b_1"]
    make({"train": volumes}, on_bad_volume="skip").download_and_prepare()
    assert prepared(tmp_path) == expected("a_3", "b_1")
    assert [name[-14:] for name in sorted(shards(tmp_path))] == [
        "00000-of-00002",
        "00001-of-00002",
    ]
    assert files(tmp_path) == ["1.0.0"]
    report = tmp_path / "data/toy_slices/1.0.0/bad_volumes.json"
    bad = json.loads(report.read_text())["volumes"]
    assert [entry["volume"] for entry in bad] == ["unreadable", "nan_3"]


def test_a_split_of_bad_volumes_only(make, tmp_path):
    volumes = {"train": ["a_3"], "test": ["nan_3", "unreadable"]}
    builder = make(volumes, on_bad_volume="skip")
    with pytest.raises(BadVolumeError, match="No good volume .* test"):
        builder.download_and_prepare()
    assert_nothing_prepared(tmp_path)


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
@pytest.mark.parametrize("lost", ["record", "shard", "end"])
def test_lost_records(make, tmp_path, monkeypatch, file_format, lost):
    write = RecordWriter.write

    def losing(self, path, examples):
        examples = list(examples)
        if len(examples) != 2:
            return write(self, path, examples)
        write(self, path, examples[:-1] if lost == "record" else examples)
        path = pathlib.Path(path)
        if lost == "end":
            path.write_bytes(path.read_bytes()[:-3])
        if lost == "shard":
            monkeypatch.setattr(pathlib.Path, "replace", lambda *_: None)

    if (file_format, lost) == ("array_record", "end"):
        pytest.skip("ArrayRecord's own reader finds it")
    monkeypatch.setattr(RecordWriter, "write", losing)
    builder = make(file_format=file_format)
    with pytest.raises(LostRecordsError, match="2 slices of c_2 in .* train"):
        builder.download_and_prepare()
    assert_nothing_prepared(tmp_path)


def test_killed_and_built_again(make, tmp_path, toy):
    code = f"""
import toy_slices_code
toy_slices_code.ToySlices.VOLUMES = {{"train": ["a_3", "kill_2"]}}
builder = toy_slices_code.ToySlices(data_dir={str(tmp_path / "data")!r})
builder.download_and_prepare()
"""
    folder = pathlib.Path(toy.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    (left,) = files(tmp_path)
    assert left.startswith("incomplete.")
    with pytest.raises((AssertionError, tfds.core.DatasetNotFoundError)):
        tfds.load("toy_slices", data_dir=tmp_path / "data", download=False)
    make().download_and_prepare()
    assert files(tmp_path) == ["1.0.0"]
    assert prepared(tmp_path) == expected("a_3", "b_1", "c_2")


def test_a_running_build_is_left_alone(make, tmp_path):
    folder = tmp_path / "data/toy_slices"
    running = folder / "incomplete.ABCDEF_1.0.0"
    running.mkdir(parents=True)
    with filelock.FileLock(folder / ".1.0.0.lock"):
        with pytest.raises(ValueError, match="`data_dir`.*no other process"):
            make().download_and_prepare()
        assert running.exists()
    make().download_and_prepare()
    assert files(tmp_path) == ["1.0.0"]


def test_what_is_prepared_needs_no_lock(make, tmp_path):
    early = make()
    make().download_and_prepare()
    with filelock.FileLock(tmp_path / "data/toy_slices/.1.0.0.lock"):
        late = make({"train": ["e_2"]})
        for builder in (early, late):
            builder.download_and_prepare()
            assert len(builder.as_dataset(split="train")) == 6


def test_overwrite(make, tmp_path):
    make().download_and_prepare()
    make({"train": ["e_2"]}).download_and_prepare()
    assert prepared(tmp_path) == expected("a_3", "b_1", "c_2")
    builder = make()
    builder.download_and_prepare(download_config=OVERWRITE)
    assert prepared(tmp_path) == expected("e_2")
    assert files(tmp_path) == ["1.0.0"]
    assert list(builder.info.splits) == ["train"]
    assert len(list(builder.as_dataset(split="train"))) == 2


def test_overwrite_that_fails_keeps_the_old(make, tmp_path, monkeypatch):
    make().download_and_prepare()
    builder = make({"train": ["e_2", "nan_3"]})
    with pytest.raises(BadVolumeError):
        builder.download_and_prepare(download_config=OVERWRITE)
    assert prepared(tmp_path) == expected("a_3", "b_1", "c_2")
    assert len(list(builder.as_dataset(split="test"))) == 2
    names = ["1.0.0", "1.0.0.bad_volumes.json", "1.0.0.bad_volumes.txt"]
    assert files(tmp_path) == names


def test_killed_while_old_and_new_change_places(make, tmp_path):
    make().download_and_prepare()
    folder = tmp_path / "data/toy_slices"
    (folder / "1.0.0").rename(folder / "incomplete.old_1.0.0")
    builder = make({"train": ["e_2"]})
    builder.download_and_prepare()
    assert builder.info.splits["train"].num_examples == 6
    assert prepared(tmp_path) == expected("a_3", "b_1", "c_2")
    assert files(tmp_path) == ["1.0.0"]


def test_disk_is_checked_first(make, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 7000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    builder = make({"train": ["a_3", "nan_3", "c_2"]})
    with pytest.raises(ValueError, match=r"8e-06 GB free.*: 7e-06 GB") as error:
        builder.download_and_prepare()
    assert not isinstance(error.value, BadVolumeError)
    assert_nothing_prepared(tmp_path)


@pytest.mark.parametrize(
    "volumes, match",
    [
        ({}, "Expected volumes. Received: none"),
        ({"train": ["a_1"], "test": []}, "volumes in split test"),
        ({"train": ["a_1"], "test": ["a_1"]}, "a_1 in train and test"),
        ({"train": ["a_1", "a_1"]}, "a_1 in train and train"),
    ],
)
def test_invalid_volumes(make, tmp_path, volumes, match):
    with pytest.raises(ValueError, match=match):
        make(volumes).download_and_prepare()
    assert_nothing_prepared(tmp_path)


def test_slices_are_not_kept(make, toy, monkeypatch):
    read, alive, most = toy.Reader.__call__, weakref.WeakSet(), []

    class Image(np.ndarray):
        pass

    def watched(self, volume):
        for record in read(self, volume):
            record["image"] = record["image"].view(Image)
            alive.add(_Handle(record["image"]))
            most.append(len(alive))
            yield record

    class _Handle:
        def __init__(self, array):
            array.handle = self

    monkeypatch.setattr(toy.Reader, "__call__", watched)
    make({"train": ["a_9", "b_9"]}).download_and_prepare()
    assert len(most) == 18 and max(most) <= 3


def test_on_bad_volume(make):
    with pytest.raises(ValueError, match="`on_bad_volume`.*='ignore'"):
        make(on_bad_volume="ignore")
    builder = pickle.loads(pickle.dumps(make(on_bad_volume="skip")))
    assert builder.on_bad_volume == "skip"
    error = pickle.loads(pickle.dumps(BadVolumeError("a.h5", "Cut off.")))
    assert str(error) == "Invalid volume a.h5. Cut off."
