import json

import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.cost_report import cost_report
from countenance.assessment.intervals import Resampling
from countenance.assessment.kpi import (
    TASKS,
    KpiCell,
    KpiRow,
    KpiSheet,
    ModelFigures,
    build_kpi_sheet,
    render_text,
)
from countenance.assessment.results import Measurement
from countenance.errors import AssessmentError
from tests.assessment.populations import scored

TAR = Measurement(0.973, 0.961, 0.982, 900, "proportion", True, "TAR@FAR=0.001, 876 of 900 mated accepted")
TASK_MEASUREMENTS = {
    "identity": TAR,
    "smile": Measurement.missing("proportion", higher_is_better=True),
    "age": Measurement(4.214, 3.9, 4.6, 50, "years", False),
    "pose": Measurement(0.0, 0.0, 0.0, 50, "degrees", False),
    "landmarks": Measurement(0.0412, None, None, 50, "inter-ocular distance", False),
    "face": Measurement(0.98765, 0.97, 0.99, 50, "average precision", True),
    "gender": Measurement.missing("proportion", higher_is_better=True, note="not measurable: one class only"),
}


def figures(name: str = "v2 distilled") -> ModelFigures:
    scores = scored(40, 3, noise=1.0)
    groups = {subject: "ab"[number % 2] for number, subject in enumerate(scores.pairs.subjects)}
    prices = CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5)
    return ModelFigures(
        name,
        tasks=TASK_MEASUREMENTS,
        cost=cost_report(scores, groups, 0.5, prices, resampling=Resampling(resamples=60)),
        inference_ms=Measurement(3.214, 3.1, 3.4, 200, "ms", False),
        model_bytes=4_200_000,
        parameters=1_048_576,
        training_minutes=12.5,
        images_seen=64_000,
        operator_minutes=6.0,
    )


def cells(sheet: KpiSheet) -> dict[str, tuple[KpiCell, ...]]:
    return {row.name: row.cells for row in sheet.rows}


def test_the_sheet_shows_every_task_money_bias_and_effort():
    shown = {name: row[0] for name, row in cells(build_kpi_sheet([figures()])).items()}
    assert list(shown) == [
        *TASKS.values(),
        "Cost of misrecognition",
        "Bias index",
        "Inference time",
        "Model size",
        "Training effort",
        "Operating load",
    ]
    assert (shown["Identity"].value, shown["Identity"].interval) == ("97.30 %", "96.10 to 98.20")
    assert shown["Identity"].note == TAR.note
    assert (shown["Age"].value, shown["Age"].number) == ("4.21 years", 4.214)
    assert shown["Landmarks"].value == "4.12 % of eye distance"
    assert shown["Landmarks"].interval == ""
    assert shown["Face or no face"].value == "0.9877 average precision"
    assert shown["Cost of misrecognition"].value.endswith("EUR per 1,000 transactions")
    assert "worst: " in shown["Bias index"].value
    assert any(light in shown["Bias index"].value for light in ("green", "amber", "red"))
    assert shown["Inference time"].value == "3.21 ms"
    assert shown["Model size"].value == "4.20 MB, 1,048,576 parameters"
    assert shown["Training effort"].value == "12.5 minutes, 64,000 images seen"
    assert shown["Operating load"].value == "6.0 operator minutes"


def test_a_task_without_labels_reads_not_labelled_and_never_zero():
    shown = {name: row[0] for name, row in cells(build_kpi_sheet([figures()])).items()}
    assert (shown["Smile expression"].value, shown["Smile expression"].number) == ("not labelled", None)
    assert (shown["Gender"].value, shown["Gender"].note) == ("not measurable", "not measurable: one class only")
    assert shown["Head pose"].value == "0.00 degrees"  # a measured zero stays a zero


def test_what_was_not_measured_says_so():
    sheet = build_kpi_sheet([ModelFigures("teacher", tasks={"identity": TAR})])
    shown = {name: row[0] for name, row in cells(sheet).items()}
    assert {name for name, cell in shown.items() if cell.value == "not measured"} == set(shown) - {"Identity"}


def test_models_stand_side_by_side_with_the_champion_marked():
    sheet = build_kpi_sheet([figures("v1"), figures("v2"), ModelFigures("teacher")], champion="v2")
    text = render_text(sheet, 120)
    lines = text.splitlines()
    assert "v2 (champion)" in lines[0]
    assert max(len(line) for line in lines) <= 120
    identity = next(line for line in lines if line.startswith("Identity"))
    assert identity.count("97.30 %") == 2
    assert "not measured" in identity
    assert "96.10 to 98.20" in lines[lines.index(identity) + 1]


def test_a_note_is_printed_once_with_its_number():
    text = render_text(build_kpi_sheet([figures("v1"), figures("v2")]), 100)
    assert text.count("876 of 900 mated accepted") == 1
    number = next(line for line in text.splitlines() if "876 of 900" in line).split("]")[0].strip("[")
    assert text.count(f"97.30 % [{number}]") == 2


def test_every_column_starts_at_the_same_place_on_every_line():
    text = render_text(build_kpi_sheet([figures("v1"), figures("v2")]), 90)
    table = [line for line in text.splitlines() if "│" in line]
    assert {line.index("│") for line in table} == {25}
    assert len({line.rindex("│") for line in table if line.count("│") == 2}) == 1


def test_a_sheet_too_narrow_to_read_is_refused():
    sheet = build_kpi_sheet([figures("v1"), figures("v2"), figures("v3"), figures("v4")])
    with pytest.raises(AssessmentError, match="too narrow for 4 models: give 92"):
        render_text(sheet, 91)
    assert render_text(sheet, 92)


def test_a_sheet_comes_back_from_json():
    sheet = build_kpi_sheet([figures("v1"), figures("v2")], champion="v1")
    assert KpiSheet.from_dict(json.loads(json.dumps(sheet.to_dict(), allow_nan=False))) == sheet


def test_sheets_that_make_no_sense_are_refused():
    with pytest.raises(AssessmentError, match="each model once"):
        build_kpi_sheet([figures("v1"), figures("v1")])
    with pytest.raises(AssessmentError, match="each model once"):
        build_kpi_sheet([])
    with pytest.raises(AssessmentError, match="champion 'v9' is not among"):
        build_kpi_sheet([figures("v1")], champion="v9")
    with pytest.raises(AssessmentError, match="Unknown task 'mood'"):
        ModelFigures("v1", tasks={"mood": TAR})
    with pytest.raises(AssessmentError, match="one cell for each model"):
        KpiSheet(("a", "b"), None, (KpiRow("x", (KpiCell("1"),)),))
