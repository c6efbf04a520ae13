import pytest

from countenance.assessment.kpi import KpiCell, KpiSheet, render_text
from countenance.errors import AssessmentError
from countenance.reporting.sheet import inference_time, kpi_sheet

from .samples import rollout, sheet_of
from .small_run import NAMES, assessed, exported, stories


def cells(sheet: KpiSheet, name: str) -> tuple[KpiCell, ...]:
    return next(row.cells for row in sheet.rows if row.name == name)


def test_the_columns_follow_the_names_and_the_champion_is_marked() -> None:
    sheet = sheet_of(rollout())
    assert sheet.columns == tuple(NAMES.values()) and sheet.champion == "v2 AdaDistill"
    backwards = dict(reversed(NAMES.items()))
    assert kpi_sheet({}, {}, {}, {}, {}, names=backwards).columns == tuple(backwards.values())


def test_every_figure_comes_from_its_own_report() -> None:
    evaluation, bias, _ = assessed()
    sheet = sheet_of(rollout())
    identity = evaluation["models"]["student_distilled"]["tasks"]["identity"]["value"]
    assert cells(sheet, "Identity")[2].number == identity
    assert cells(sheet, "Cost of misrecognition")[3].number == bias["student_damaged"]["cost"]["overall"]["value"]
    assert cells(sheet, "Model size")[1].value == "0.40 MB, 100,000 parameters"
    assert cells(sheet, "Training effort")[1].value == "5.5 minutes, 15,360 images seen"
    assert cells(sheet, "Operating load")[3].number == stories()[2].operator_minutes
    assert cells(sheet, "Smile expression")[1].value == "not labelled"


def test_what_was_not_reported_reads_not_measured() -> None:
    sheet = kpi_sheet({}, {}, {}, {}, {"champion": None, "entries": []}, names=NAMES)
    assert {cell.value for row in sheet.rows for cell in row.cells} == {"not measured"}
    assert sheet.champion is None and "v1 student alone" in render_text(sheet)


def test_a_champion_that_is_not_among_the_names_is_an_error() -> None:
    with pytest.raises(AssessmentError, match="champion 'somebody' is not among"):
        kpi_sheet({}, {}, {}, {}, {"champion": "somebody", "entries": []}, names=NAMES)


def test_inference_time_is_a_median_and_says_how_it_was_taken() -> None:
    measured = inference_time(exported(1000)["inference"])
    assert (measured.value, measured.low, measured.high, measured.count, measured.unit) == (4.2, 3.9, 5.5, 200, "ms")
    assert "1 thread of a processor" in measured.note and "6.10 ms" in measured.note
