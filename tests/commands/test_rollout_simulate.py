"""``countenance rollout simulate``, ``search`` and ``export``: what they print and write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from countenance.commands import main
from countenance.rollout.policy import read_policy
from countenance.rollout.simulation.example import MadeUp, write_example

from ..rollout.simulation_room.test_exporting import COUNT, filled

POLICY = """\
steps: [0.2]
shadow: {labelled: 200}
step: {labelled: 100}
bake: {labelled: 100}
label_delay: PT10M
deadline: P1D
non_inferiority_margin: 0.03
guarded_groups: [north, south]
group_minimum: 20
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("example")
    write_example(place, like=MadeUp(requests=2_000, people=500, hours=2.0))
    (place / "small.yml").write_text(POLICY)
    (place / "other.yml").write_text(POLICY.replace("[0.2]", "[0.6]"))
    return place


def given(folder: Path, *more: str) -> list[str]:
    shared = ["--log", str(folder / "decisions.parquet"), "--processes", "1", "--worse", "3pp"]
    return [*shared, "--policy", str(folder / "small.yml"), *more]


def simulate(*arguments: str) -> int:
    return main(["rollout", "simulate", *arguments])


def test_policies_are_told_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = simulate(*given(folder, "--policy", str(folder / "other.yml"), "--repetitions", "3"))
    said = capsys.readouterr().out
    assert status == 0
    assert "2,000 logged decisions of" in said and "candidate 'example-candidate' was wrong in" in said
    for words in ("small", "other", "as logged", "no worse", "worse by 3 pp", "people exposed", "money lost"):
        assert words in said
    assert "small: false rollbacks" in said and "where alpha is 5 %" in said


def test_a_folder_keeps_repetitions_report_and_plots(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "simulated"
    assert simulate(*given(folder, "--repetitions", "2", "--out", str(out))) == 0
    assert {path.name for path in out.iterdir()} == {
        "repetitions.jsonl",
        "simulation.json",
        *(f"{name}.{kind}" for name in ("outcomes", "people_exposed", "time_to_verdict") for kind in ("png", "svg")),
    }
    capsys.readouterr()
    assert simulate(*given(folder, "--repetitions", "3", "--out", str(out), "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "simulation.json").read_text())
    assert report["kind"] == "rollout simulation" and report["repetitions"] == 3
    assert [(one["policy"], one["arm"]) for one in report["summaries"]] == [
        ("small", "logged"),
        ("small", "null"),
        ("small", "worse"),
    ]
    assert len((out / "repetitions.jsonl").read_text().splitlines()) == 4


def test_a_dry_run_tells_what_it_would_do_and_writes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(*given(folder, "--dry-run", "--out", str(tmp_path / "simulated"))) == 0
    assert "It would play 200 repetitions of about 2,000 requests: 600 rollouts." in capsys.readouterr().out
    assert not (tmp_path / "simulated").exists()


def test_harm_to_a_group_is_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(*given(folder, "--group", "south", "--arm", "worse", "--repetitions", "2")) == 0
    said = capsys.readouterr().out
    assert "worse by 3 pp in 'south'" in said and "non-inferiority is asked of all traffic" in said


def test_an_example_is_written_to_try(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--example", str(tmp_path)) == 0
    assert "Try: countenance rollout simulate" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"careful.yml", "decisions.parquet", "quick.yml"}
    for name in ("careful.yml", "quick.yml"):
        read_policy(tmp_path / name)


@pytest.mark.parametrize(
    ("worse", "sentence"),
    [("0.5", "has no unit"), ("much", "is no rate"), ("-1pp", "at least 0pp"), ("101pp", "at most 100pp")],
)
def test_a_harm_without_a_unit_is_refused(
    folder: Path, worse: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        simulate("--policy", "p.yml", "--log", "l.parquet", f"--worse={worse}")
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--policy", "p.yml"], "give --policy and --log"),
        (["--policy", "p.yml", "--log", "l", "--group", "south"], "give both"),
        (["--policy", "p.yml", "--log", "l", "--arm", "worse"], "needs --worse"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        simulate(*arguments)
    assert sentence in capsys.readouterr().err


def test_what_is_missing_is_told_in_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--policy", str(folder / "small.yml"), "--log", str(folder / "absent.parquet")) == 1
    assert "absent.parquet can't be read as Parquet" in capsys.readouterr().err
    assert simulate(*given(folder, "--group", "east")) == 1
    assert "nobody of group 'east': it knows north, south." in capsys.readouterr().err
    assert simulate(*given(folder, "--policy", str(folder / "small.yml"))) == 1
    assert "Two policies are named 'small'" in capsys.readouterr().err


def search(folder: Path, *more: str) -> int:
    few = ["--first", "5", "--most", "5", "--repetitions", "10", "--false-rollback", ".4", "--false-promotion", ".4"]
    return main(["rollout", "search", *given(folder, *few, *more)])


def test_a_policy_that_was_found_is_written_with_what_is_known_of_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, out = tmp_path / "grid.yml", tmp_path / "found.yml"
    grid.write_text("steps: [[0.2], [0.7]]\n")
    assert search(folder, "--grid", str(grid), "--out", str(out), "--promoted", ".3") == 0
    said = capsys.readouterr().out
    assert "On 10 fresh repetitions an arm" in said and "The race, best first" in said
    assert out.read_text().startswith("# Found by countenance rollout search: steps")
    assert read_policy(out).steps in ((0.2,), (0.7,))
    assert search(folder, "--grid", str(grid), "--json", "--promoted", ".3") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["policy"] == read_policy(out).model_dump(mode="json") and len(report["race"]) == 2


def test_a_search_that_finds_nothing_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = tmp_path / "grid.yml"
    grid.write_text("bake.labelled: [100000]\n")
    assert search(folder, "--grid", str(grid)) == 1
    assert "None of 1 policies keeps to the wanted rates" in capsys.readouterr().err


def test_a_search_can_be_tried_dry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(folder, "--dry-run") == 0
    assert "policies would race" in capsys.readouterr().out


def test_an_exported_rollout_can_be_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, out = f"sqlite:///{tmp_path / 'rollouts.db'}", tmp_path / "decisions.parquet"
    filled(url)
    assert main(["rollout", "export", "--store", url, "--out", str(out)]) == 0
    assert f"{COUNT:,} decisions of rollout 2 ('new' beside 'old')" in capsys.readouterr().out
    assert main(["rollout", "export", "--store", url, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == COUNT
    policy = tmp_path / "small.yml"
    policy.write_text(POLICY)
    assert simulate("--policy", str(policy), "--log", str(out), "--repetitions", "1", "--processes", "1") == 0


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "absent.db"
    assert main(["rollout", "export", "--store", f"sqlite:///{path}", "--out", str(tmp_path / "d.parquet")]) == 1
    assert "There is no rollout store" in capsys.readouterr().err and not path.exists()
