import json
from pathlib import Path

import pytest

from countenance.commands.report_output import (
    counted,
    failure_line,
    percent,
    print_report,
    table,
    verification_lines,
    write_report,
)


def row(**changes: object) -> dict:
    measured = {"far": 0.001, "tar": 0.98765, "accepted": 1234, "mated": 1250, "threshold": 0.31234}
    counts = {"false_accepts": 5678, "non_mated": 5_678_901, "realised_far": 0.00099, "low": 0.98, "high": 0.99}
    return {**measured, **counts, "note": "", **changes}


def test_all_counts_stand_beside_a_rate():
    titles, line = verification_lines([row()], 0.95)
    assert " ".join(titles.split()) == "FAR TAR 95 % interval accepted of mated false of non-mated threshold"
    assert " ".join(line.split()) == "0.001 98.77 % 98.00 to 99.00 1,234 1,250 5,678 5,678,901 0.3123"


def test_what_is_not_measurable_says_why_and_not_zero():
    lines = verification_lines([row(tar=None, note="not measurable: FAR is too low"), row(far=0.01)], 0.9)
    assert "90 % interval" in lines[0]
    assert lines[1] == "0.001  not measurable: FAR is too low"
    assert len(lines) == 3


def test_a_note_of_several_rates_is_said_once_below_the_table():
    lines = verification_lines([row(note="no bound", low=None, high=None), row(far=0.01, note="no bound")], 0.95)
    assert lines[-1] == "FAR 0.001, 0.01: no bound."
    assert " - " in lines[1]


def test_an_interval_without_a_lower_end_shows_its_upper_one():
    assert "  - to 99.00  " in verification_lines([row(low=None, note="no lower end")], 0.95)[1]


def test_failures_are_told_also_where_there_are_none():
    assert failure_line({"samples": 0, "pairs": 0}) == "Failures to extract: none."
    assert failure_line({"samples": 1, "pairs": 1200}) == "Failures to extract: 1 sample, 1,200 pairs."
    assert (counted(1, "photos"), counted(0, "photos")) == ("1 photo", "0 photos")
    assert (percent(None), percent(0.5)) == ("-", "50.00 %")


def test_a_table_has_its_first_column_to_the_left():
    assert table(["name", "n"], [["a", "1"], ["long", "1,000"]]) == ["name      n", "a         1", "long  1,000"]


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_report({"kind": "templates", "model": "é"}, tmp_path / "deep" / "r.json")
    assert json.loads((tmp_path / "deep" / "r.json").read_text(encoding="utf-8")) == {"kind": "templates", "model": "é"}
    write_report({}, None)
    with pytest.raises(TypeError):
        write_report({"kind": object()}, tmp_path / "deep" / "r.json")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["r.json"]
    print_report({"a": 1}, ["one", "two"], as_json=False)
    print_report({"a": 1}, [], as_json=True)
    assert capsys.readouterr().out == 'one\ntwo\n{\n "a": 1\n}\n'
