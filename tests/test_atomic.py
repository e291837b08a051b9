import errno
import pathlib

import pytest

from loupe_tf.atomic import hdf5_written, remove_strays, written_aside


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "file.json"
    with written_aside(path) as partial:
        partial.write_text("whole")
        assert partial.suffix == ".json"
        assert not path.exists()
        # Whoever lists the folder meanwhile finds no half of it.
        assert [*path.parent.glob("*.json")] == []
    assert path.read_text() == "whole"
    assert [*path.parent.iterdir()] == [path]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_aside(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_exists_is_replaced(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with written_aside(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_a_folder_that_exists_is_replaced(tmp_path):
    path = tmp_path / "export.before"
    for name in ("old", "new"):
        with written_aside(path) as partial:
            partial.mkdir()
            (partial / name).write_text("whole")
    assert [*tmp_path.rglob("*")] == [path, path / "new"]


def test_an_error_leaves_the_folder_that_was_there(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").write_text("whole")
    with pytest.raises(KeyboardInterrupt), written_aside(path) as partial:
        partial.mkdir()
        raise KeyboardInterrupt
    assert [*tmp_path.rglob("*")] == [path, path / "old"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        # What NumPy raises then.
        OSError("100000 requested and 24984 written"),
        # Like what array_record, TensorFlow and HDF5 raise.
        RuntimeError("write() failed: No space left on device; at byte 200"),
    ],
)
def test_a_full_disk_is_named(tmp_path, error):
    path = tmp_path / "new" / "file.txt"
    with pytest.raises(OSError, match=r"MB free.*new/file.txt") as caught:
        with written_aside(path) as partial:
            partial.write_text("half")
            raise error
    assert caught.value.errno == errno.ENOSPC
    assert [*tmp_path.rglob("*")] == [path.parent]


def test_other_errors_stay_as_they_are(tmp_path):
    with pytest.raises(OSError, match="^cannot write mode F as PNG$"):
        with written_aside(tmp_path / "file.png"):
            raise OSError("cannot write mode F as PNG")


def test_hdf5_is_written_whole(tmp_path, full_disk):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "file.h5"
    for number in (1, 2):
        with hdf5_written(path) as file:
            file["x"] = [number] * 1000
    with h5py.File(path, "r") as file:
        assert set(file["x"]) == {2}
    content = path.read_bytes()
    full_disk(2000, at=0).on_epoch_end(0)
    with pytest.raises(OSError, match="File too large.*file.h5"):
        with hdf5_written(path) as file:
            file["x"] = [3] * 1000
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_only_strays_are_removed(tmp_path):
    """Folders that `written_aside` makes, as a killed process leaves them."""
    kept = [".git", ".cache.d/other", "a.b/b", ".app.bak/app", ".conf.d"]
    kept += [".app.original/app", ".b.1_a2b3cd.aside/c", ".b.1_a.aside/b"]
    strays = [".a.json.1_a2b3cd.aside/a.json", ".b.1_a2b3ce.aside/b.before"]
    for name in [*strays, ".c.1_a2b3cd.aside", *kept]:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".file.1_a2b3cd.aside").touch()
    remove_strays(tmp_path)
    left = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    expected = {pathlib.Path(name) for name in kept}
    expected |= {path.parent for path in expected}
    expected |= {pathlib.Path(".file.1_a2b3cd.aside")}
    assert left == expected - {pathlib.Path()}


def test_what_a_killed_process_leaves_is_a_stray(tmp_path):
    with written_aside(tmp_path / "a.json") as partial:
        partial.touch()
    for name in (partial.name, f"{partial.name}.before"):
        partial.parent.mkdir()
        partial.with_name(name).touch()
        remove_strays(tmp_path)
        assert [*tmp_path.iterdir()] == [tmp_path / "a.json"]
