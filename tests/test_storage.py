from pathlib import Path

import pytest

from countenance.storage import move_folder, write_aside, write_folder_aside


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "manifest.parquet"
    target.write_text("old")
    with pytest.raises(RuntimeError), write_aside(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_finished_write_replaces_the_old_file(tmp_path: Path):
    target = tmp_path / "deep" / "manifest.parquet"
    with write_aside(target) as aside:
        aside.write_text("new")
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path):
    folder = tmp_path / "crops"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(RuntimeError), write_folder_aside(folder) as aside:
        (aside / "half").touch()
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["crops"]


def test_a_finished_folder_replaces_the_old_one_whole(tmp_path: Path):
    folder = tmp_path / "crops"
    folder.mkdir()
    (folder / "old").touch()
    with write_folder_aside(folder) as aside:
        (aside / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["crops"]


def test_moving_a_folder_replaces_the_one_that_was_there(tmp_path: Path):
    for name in ("incoming", "crops"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"from-{name}").touch()
    move_folder(tmp_path / "incoming", tmp_path / "crops")
    assert [path.name for path in tmp_path.iterdir()] == ["crops"]
    assert [path.name for path in (tmp_path / "crops").iterdir()] == ["from-incoming"]
