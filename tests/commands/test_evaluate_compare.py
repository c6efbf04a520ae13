import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.pair_report import assess_pairs
from countenance.assessment.template_report import assess_templates
from countenance.assessment.template_sums import aggregate_templates
from countenance.commands import main
from countenance.data.protocols.made_protocol import made_protocol

from ..reporting.comparison_samples import MADE, pair_report, template_report


def written(folder: Path, name: str, report: dict[str, Any]) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report))
    return str(path)


def people(seed: int = 0) -> pd.DataFrame:
    rows = [
        {"face_id": f"{subject}-{photo}", "subject_id": f"s{subject}", "photo_sha256": f"{subject}-{photo}"}
        for subject in range(24)
        for photo in range(5)
    ]
    return pd.DataFrame(rows)


def assessed(model: str, noise: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The real reports of a made-up model: on a made protocol of templates, and on pairs of photos."""
    generator = np.random.default_rng(5)
    faces = people()
    centres = {subject: generator.normal(size=16) for subject in faces["subject_id"].unique()}
    made = made_protocol(faces, generator=np.random.default_rng(1), name="people").protocol
    samples = made.samples
    owners = [f"s{name.split('-')[0]}" for name in samples.names]
    embeddings = np.stack([centres[owner] for owner in owners]) + noise * generator.normal(size=(len(owners), 16))
    templates = aggregate_templates(embeddings, samples.templates, samples.media)
    on_templates = assess_templates(templates, made, fars=(1e-3, 1e-2, 1e-1), roc_points=50, model=model)
    codes = pd.factorize(np.array(owners))[0]
    first, second = generator.integers(0, len(owners), (2, 900))
    first, second = first[first != second], second[first != second]
    mated = codes[first] == codes[second]
    on_pairs = assess_pairs(
        embeddings, first, second, mated, np.arange(len(first)) % 3, name="random pairs", sha256="b" * 64, model=model
    )
    return on_templates.to_dict(), on_pairs.to_dict()


def test_reports_of_the_real_assessment_become_a_table_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    given = []
    for label, noise in (("candidate", 0.8), ("champion", 1.2)):
        for name, report in zip(("templates", "pairs"), assessed(f"model of {label}", noise), strict=True):
            given.append(f"{label}={written(tmp_path, f'{label}-{name}', report)}")
    page = tmp_path / "pages" / "compared.html"
    assert main(["evaluate", "compare", *given, "--out", str(page), "--title", "Two models"]) == 0
    said = capsys.readouterr().out
    assert "model of candidate (candidate)" in said and "random pairs" in said and "people" in said
    assert "Difference to the" in said and "paired by fold" in said
    html = page.read_text()
    assert "<h1>Two models</h1>" in html and html.count("<svg") == 5
    assert list(page.parent.iterdir()) == [page]


def test_json_has_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    report = written(tmp_path, "a", template_report("a", 5.0, MADE))
    assert main(["evaluate", "compare", f"candidate={report}", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["title"] == "test-people" and told["models"][0]["figures"][0]["value"] == "not measurable"


def test_a_word_that_is_no_role_with_a_report_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "compare", "report.json"])
    assert stopped.value.code == 2
    assert "write ROLE=REPORT.json, such as candidate=report.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "There is no report at "),
        ("{", "can't be read as JSON"),
        ("[1]", "is no report"),
        ('{"kind": 3}', "kind"),
    ],
)
def test_what_is_no_report_is_told_in_one_sentence_and_nothing_is_written(
    text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    report, page = tmp_path / "report.json", tmp_path / "page.html"
    if text is not None:
        report.write_text(text)
    assert main(["evaluate", "compare", f"candidate={report}", "--out", str(page)]) == 1
    said = capsys.readouterr()
    assert words in said.err and str(report) in said.err and said.err.count("\n") == 1
    assert said.out == "" and not page.exists()


def test_models_of_different_protocols_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one = written(tmp_path, "one", template_report("a", 5.0))
    other = written(tmp_path, "other", template_report("b", 5.0, MADE))
    assert main(["evaluate", "compare", f"candidate={one}", f"champion={other}"]) == 1
    assert "different protocols can't share a table" in capsys.readouterr().err


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "verification, 0, far": lambda report: report["verification"][0].pop("far"),
    "verification, 2, mated": lambda report: report["verification"][2].update(mated="many"),
    "verification": lambda report: report.update(verification="x"),
    "options": lambda report: report.update(options=None),
    "roc, false_accepts": lambda report: report["roc"].pop("false_accepts"),
    "roc": lambda report: report["roc"]["true_accepts"].append(1),
    "failures": lambda report: report.update(failures=[]),
    "protocol, pairs": lambda report: report["protocol"].update(pairs=None),
}


@pytest.mark.parametrize(("part", "damage"), DAMAGES.items())
@pytest.mark.parametrize("kind", ["templates", "pairs"])
def test_a_damaged_report_names_its_part(
    kind: str, part: str, damage: Callable[[Any], object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    report = deepcopy(template_report("a", 5.0) if kind == "templates" else pair_report("a", [0.9, 0.8]))
    damage(report)
    path, page = written(tmp_path, "a", report), tmp_path / "page.html"
    assert main(["evaluate", "compare", f"candidate={path}", "--out", str(page)]) == 1
    assert capsys.readouterr().err == f"{path} is damaged at '{part}': evaluate again.\n"
    assert not page.exists()


def test_a_report_without_a_digest_of_its_lists_is_of_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    report = deepcopy(template_report("a", 5.0))
    del report["protocol"]["sha256"]
    assert main(["evaluate", "compare", f"a={written(tmp_path, 'a', report)}"]) == 1
    assert "is of another version of this command, as it has no digest" in capsys.readouterr().err


def test_a_page_that_would_replace_a_report_or_a_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    report = written(tmp_path, "a", template_report("a", 5.0))
    before = Path(report).read_bytes()
    for out, told in ((report, "is read here"), (tmp_path, "is a folder"), (Path(report) / "page.html", "is a file")):
        assert main(["evaluate", "compare", f"a={report}", "--out", str(out)]) == 1
        assert told in capsys.readouterr().err
    assert Path(report).read_bytes() == before


FIGURE = {
    "value": 0.5, "low": None, "high": None, "count": 3, "unit": "proportion", "higher_is_better": True, "note": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "figures", "part"),
    [
        ("attributes", {"gender": 0.5}, "figures, gender"),
        ("attributes", {"weather": FIGURE}, "figures"),
        ("attributes", {"landmarks.7.box_size.mean": FIGURE}, "figures"),
        ("detection", {"discrete.many": FIGURE}, "figures"),
        ("detection", {"recall.0.1": {**FIGURE, "value": "x"}}, "figures, recall.0.1, value"),
    ],
)
def test_a_damaged_figure_is_told(
    kind: str, figures: dict[str, Any], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    report = {
        "kind": kind, "version": 1, "model": "a", "protocol": {"name": "set", "faces": 3}, "options": {},
        "failures": {}, "figures": figures,
    }  # fmt: skip
    path = written(tmp_path, "a", report)
    assert main(["evaluate", "compare", f"a={path}"]) == 1
    assert capsys.readouterr().err == f"{path} is damaged at '{part}': evaluate again.\n"
