import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from countenance.data.tombstones import (
    Tombstones,
    add_tombstone,
    name_tombstone,
    photo_tombstone,
    read_tombstones,
    tombstone,
)
from countenance.errors import DataError

SECRET = b"a secret of the tests"
DAY = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_without_a_file_nobody_is_barred(tmp_path: Path):
    found = read_tombstones(tmp_path / "none.json", SECRET)
    assert found == Tombstones(secret=SECRET)
    assert not found.bars_subject("lfw:Ada")
    assert not found.bars_photo("lfw", "Ada.jpg", "00")


def test_an_erased_person_and_their_photos_are_barred_and_others_are_not(tmp_path: Path):
    path = tmp_path / "tombstones.json"
    photos = [photo_tombstone("ab" * 32, SECRET), name_tombstone("lfw", "Ada.jpg", SECRET)]
    assert add_tombstone(path, "lfw:Ada", photos, SECRET, at=DAY) == tombstone("lfw:Ada", SECRET)
    found = read_tombstones(path, SECRET)
    assert found.bars_subject("lfw:Ada")
    assert not found.bars_subject("lfw:Adam")
    assert not found.bars_subject(None)
    assert found.bars_photo("elsewhere", "001.jpg", "ab" * 32)
    assert found.bars_photo("lfw", "Ada.jpg", None)
    assert not found.bars_photo("elsewhere", "Ada.jpg", "cd" * 32)


def test_the_file_names_nobody_and_says_only_the_day(tmp_path: Path):
    path = tmp_path / "tombstones.json"
    add_tombstone(path, "lfw:Ada", [name_tombstone("lfw", "Ada.jpg", SECRET)], SECRET, at=DAY)
    text = path.read_text()
    assert "Ada" not in text
    assert "2026-06-01" in text
    assert "12:00" not in text


def test_a_second_person_leaves_the_first_entry_as_it_is_and_the_same_one_is_kept_once(tmp_path: Path):
    path = tmp_path / "tombstones.json"
    add_tombstone(path, "lfw:Ada", ["1"], SECRET, at=DAY)
    first = json.loads(path.read_text())["erased"]
    add_tombstone(path, "lfw:Bob", [], SECRET, at=DAY)
    assert json.loads(path.read_text())["erased"][:1] == first
    add_tombstone(path, "lfw:Ada", ["2"], SECRET, at=datetime(2027, 1, 1, tzinfo=UTC))
    entries = json.loads(path.read_text())["erased"]
    assert len(entries) == 2
    assert entries[1] == {"subject": tombstone("lfw:Ada", SECRET), "on": "2026-06-01", "photos": ["1", "2"]}


def test_another_secret_is_refused_as_nobody_would_be_recognised(tmp_path: Path):
    path = tmp_path / "tombstones.json"
    add_tombstone(path, "lfw:Ada", [], SECRET, at=DAY)
    with pytest.raises(DataError, match="another subject secret"):
        read_tombstones(path, b"another secret")
    with pytest.raises(DataError, match="another subject secret"):
        add_tombstone(path, "lfw:Bob", [], b"another secret", at=DAY)


def test_the_empty_file_of_a_fresh_project_goes_with_any_secret():
    shipped = Path(__file__).parents[2] / "conf" / "base" / "tombstones.json"
    assert json.loads(shipped.read_text())["erased"] == []
    assert not read_tombstones(shipped, b"whatever it is").subjects


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "countenance tombstones", "version": 1, "erased": [{}]}'])
def test_a_damaged_file_is_refused_as_people_would_come_back(tmp_path: Path, text: str):
    (tmp_path / "tombstones.json").write_text(text)
    with pytest.raises(DataError, match="erased people would come back"):
        read_tombstones(tmp_path / "tombstones.json", SECRET)
