"""The notebook's code, run as it is on the sample reports of the reporting tests."""

import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from tests.reporting.samples import ablation, costs

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "multi_task_ablation.ipynb"


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Execute the code cells in order, from a folder beside ``data``; the names that they leave behind."""
    (folder / "notebooks").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "notebooks")
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102 - the notebook is ours
    return names


def write_reports(reports: Path, told: dict[str, Any]) -> None:
    reports.mkdir(parents=True)
    (reports / "ablation_report.json").write_text(json.dumps(told))
    (reports / "training_metrics.json").write_text(json.dumps({"costs": costs()}))


def test_the_notebook_draws_the_table_and_the_forest_of_an_ablation(tmp_path, monkeypatch, capsys):
    write_reports(tmp_path / "data" / "real" / "08_reporting", ablation())
    names = run(tmp_path, monkeypatch)
    assert names["table"]["told apart"].to_dict() == {
        "landmarks": "better together",
        "gender": "not told apart",
        "age": "better alone",
        "identity": "not known",
    }
    assert len(names["axes"]) == 3  # identity was not measurable
    assert names["sizes"].loc["seven networks", "parameters"] == 5_600_000
    assert "15,360 crops a network" in capsys.readouterr().out


def test_photographs_go_before_embedded_people(tmp_path, monkeypatch):
    for name, seed in (("real", 1), (".", 2), ("small", 3)):
        write_reports(tmp_path / "data" / name / "08_reporting", ablation() | {"seeds": [seed]})
    assert run(tmp_path, monkeypatch)["ablation"]["seeds"] == [1]


def test_without_an_ablation_the_notebook_says_what_to_run(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="kedro run --pipelines ablation"):
        run(tmp_path, monkeypatch)
