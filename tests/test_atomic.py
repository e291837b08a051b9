import pytest

from loupe_tf.atomic import written_aside


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
