import json
from pathlib import Path

import pytest

from countenance.erasure.journal import Journal, Plan, Planned
from countenance.erasure.trace import Needles, SharedPhoto, Trace
from countenance.errors import DataError

TRACE = Trace(
    subject_id="s:Zoë",
    faces=frozenset({"f1"}),
    photos=frozenset({("s", "ä.jpg")}),
    shared={"h": SharedPhoto(own=((1.0, 2.0, 3.0, 4.0),), others=())},
)
PLAN = Plan(
    subject_id="s:Zoë",
    started="2026-06-01T12:00:00+00:00",
    traces={"base": TRACE},
    needles=Needles(frozenset({"s:Zoë"}), frozenset(), frozenset({b"\0\1\2"})),
    crop_keys={"base": ("0a" * 16,)},
    files=(Planned(root="base", store="manifest", path="/x", rows=3, detail={"rows": [1]}, sha256="aa"),),
    pages=("ab",),
    settled=({"stage": "s"},),
)


def test_a_plan_outlasts_the_process_that_made_it(tmp_path: Path):
    Journal(tmp_path / "w").begin(PLAN)
    assert Journal(tmp_path / "w").begun() == PLAN


def test_what_was_done_is_known_and_a_line_that_was_cut_short_is_not(tmp_path: Path):
    journal = Journal(tmp_path / "w")
    journal.begin(PLAN)
    journal.note("purge", name="a")
    with (tmp_path / "w" / "done.jsonl").open("a") as file:
        file.write('\n{"step": "purge", "na')
    journal.note("purge", name="b")
    again = Journal(tmp_path / "w")
    assert again.begun() == PLAN
    assert [line["name"] for line in again.noted("purge")] == ["a", "b"]
    assert again.noted("other") == []


def test_what_an_ended_erasure_left_is_cleared_and_begins_nothing(tmp_path: Path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "done.jsonl").write_text("{}")
    assert Journal(tmp_path / "w").begun() is None
    assert not (tmp_path / "w").exists()


def test_at_the_end_nothing_is_left(tmp_path: Path):
    journal = Journal(tmp_path / "w")
    journal.begin(PLAN)
    journal.note("purge", name="a")
    journal.end()
    assert not (tmp_path / "w").exists()
    assert journal.noted("purge") == []


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"subject_id": "x"})])
def test_a_damaged_plan_is_named_without_naming_anybody(tmp_path: Path, text: str):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "plan.json").write_text(text)
    with pytest.raises(DataError, match=r"plan.json, is damaged: restore it"):
        Journal(tmp_path / "w").begun()
