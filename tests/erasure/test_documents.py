import json
from pathlib import Path

import pytest

from countenance.erasure.documents import WITHDRAWN, Documents, Pages, Rosters
from countenance.erasure.trace import Trace
from countenance.errors import DataError

ADA = Trace(subject_id="s:Ada", faces=frozenset({"f1"}), keys=frozenset({"key of Ada"}))
STORE = Documents(name="d", patterns=())


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    return path


def test_entries_of_lists_go_with_what_belongs_to_them_and_other_values_become_null(tmp_path: Path):
    path = write(
        tmp_path / "d.json",
        {
            "faces": ["f0", "f1", "f2"],
            "shown": [{"crop": "f1", "points": [1, 2]}, {"crop": "f2", "points": [3.25, 4]}],
            "best": "f1",
            "f1": 7,
            "nested": [[["f1"], ["f2", {"deep": ["f1", "é"]}]]],
        },
    )
    found = STORE.find(path, ADA)
    assert found is not None
    assert found.rows == 6
    STORE.erase(path, ADA, {})
    left = {
        "faces": ["f0", "f2"],
        "shown": [{"crop": "f2", "points": [3.25, 4]}],
        "best": None,
        "nested": [[[], ["f2", {"deep": ["é"]}]]],
    }
    assert path.read_text() == json.dumps(left, indent=2, ensure_ascii=False) + "\n"
    assert STORE.find(path, ADA) is None


def test_a_document_without_the_person_is_not_touched(tmp_path: Path):
    path = tmp_path / "d.json"
    path.write_text('{"faces":["f0",   "f10"]}')
    assert STORE.find(path, ADA) is None
    STORE.erase(path, ADA, {})
    assert path.read_text() == '{"faces":["f0",   "f10"]}'


def test_a_damaged_document_is_named(tmp_path: Path):
    (tmp_path / "d.json").write_text("{")
    with pytest.raises(DataError, match=r"d.json is no readable JSON"):
        STORE.find(tmp_path / "d.json", ADA)


def test_a_page_is_withdrawn_if_the_list_beside_it_shows_the_person(tmp_path: Path):
    page = tmp_path / "08" / "index.html"
    page.parent.mkdir()
    page.write_text("<img>")
    store = Pages(name="p", patterns=(), shows="shown.json")
    assert store.find(page, ADA) is None
    write(tmp_path / "shown.json", [{"crop": "f2"}])
    assert store.find(page, ADA) is None
    write(tmp_path / "shown.json", [{"crop": "f1"}])
    assert store.find(page, ADA) is not None
    store.erase(page, ADA, {})
    assert page.read_text() == WITHDRAWN
    assert store.find(page, ADA) is None


def test_a_roster_loses_the_persons_key(tmp_path: Path):
    path = write(tmp_path / "r.json", {"dataset_sha256": "x", "people": {"key of Ada": ["train"], "other": ["test"]}})
    store = Rosters(name="r", patterns=())
    assert store.find(path, ADA) is not None
    store.erase(path, ADA, {})
    assert json.loads(path.read_text()) == {"dataset_sha256": "x", "people": {"other": ["test"]}}
    assert store.find(path, ADA) is None
