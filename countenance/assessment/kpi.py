"""The KPI sheet: what a manager judges a model by, on one page, several models side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from countenance.assessment.cost_report import CostReport
from countenance.assessment.results import Measurement, Result
from countenance.errors import AssessmentError

NOT_MEASURED = "not measured"
TASKS = {
    "face": "Face or no face",
    "landmarks": "Landmarks",
    "pose": "Head pose",
    "gender": "Gender",
    "smile": "Smile expression",
    "age": "Age",
    "identity": "Identity",
}
NAME_WIDTH = 24
SMALLEST_COLUMN = 14


@dataclass(frozen=True)
class KpiCell(Result):
    """One number of one model.

    Attributes:
        value: as shown, e.g. "97.30 %" or "not labelled".
        interval: as shown, e.g. "96.10 to 98.20 %"; empty where there is none.
        note: what a reader must know; empty where there is nothing to say.
        number: the number itself, or None.
    """

    value: str
    interval: str = ""
    note: str = ""
    number: float | None = None


@dataclass(frozen=True)
class KpiRow(Result):
    """One figure over all models: its name and a cell for each column."""

    name: str
    cells: tuple[KpiCell, ...]


@dataclass(frozen=True)
class KpiSheet(Result):
    """The sheet.

    Attributes:
        columns: names of the models.
        champion: the column of the model in charge, or None.
        rows: the figures, each with a cell a column.
    """

    columns: tuple[str, ...]
    champion: str | None
    rows: tuple[KpiRow, ...]

    def __post_init__(self) -> None:
        if any(len(row.cells) != len(self.columns) for row in self.rows):
            raise AssessmentError("A row of the KPI sheet has not one cell for each model: give every model its cell.")


@dataclass(frozen=True)
class ModelFigures:
    """What was measured of one model; None or an absent key reads "not measured".

    Attributes:
        name: as the column is headed.
        tasks: "face", "landmarks", "pose", "gender", "smile", "age", "identity" -> measurement.
        cost: money and bias.
        inference_ms: time of one photo, in milliseconds.
        model_bytes: size of the model file.
        parameters: trained numbers in the model.
        training_minutes: of wall clock.
        images_seen: samples trained on, repeats counted.
        operator_minutes: of people's time, for one release.
    """

    name: str
    tasks: Mapping[str, Measurement] = field(default_factory=dict)
    cost: CostReport | None = None
    inference_ms: Measurement | None = None
    model_bytes: int | None = None
    parameters: int | None = None
    training_minutes: float | None = None
    images_seen: int | None = None
    operator_minutes: float | None = None

    def __post_init__(self) -> None:
        unknown = set(self.tasks) - set(TASKS)
        if unknown:
            raise AssessmentError(f"Unknown task '{min(unknown)}' in the figures: the tasks are {', '.join(TASKS)}.")


def build_kpi_sheet(models: Sequence[ModelFigures], *, champion: str | None = None) -> KpiSheet:
    """Build the sheet of one or several models.

    Args:
        models: one a column, in this order.
        champion: name of the model in charge, which is marked.

    Raises:
        AssessmentError: no model, two of one name, or a champion that is not among them.
    """
    names = [model.name for model in models]
    if not names or len(set(names)) != len(names):
        raise AssessmentError("The KPI sheet needs models of different names: give each model once.")
    if champion is not None and champion not in names:
        raise AssessmentError(f"The champion '{champion}' is not among the models: {', '.join(names)}.")
    rows = [KpiRow(title, tuple(_measured(model.tasks.get(task)) for model in models)) for task, title in TASKS.items()]
    rows += [
        KpiRow(
            "Cost of misrecognition", tuple(_measured(model.cost.overall if model.cost else None) for model in models)
        ),
        KpiRow("Bias index", tuple(_bias(model.cost) for model in models)),
        KpiRow("Inference time", tuple(_measured(model.inference_ms) for model in models)),
        KpiRow("Model size", tuple(_size(model) for model in models)),
        KpiRow("Training effort", tuple(_training(model) for model in models)),
        KpiRow("Operating load", tuple(_minutes(model.operator_minutes) for model in models)),
    ]
    return KpiSheet(tuple(names), champion, tuple(rows))


def _measured(measurement: Measurement | None) -> KpiCell:
    if measurement is None:
        return KpiCell(NOT_MEASURED)
    if measurement.value is None:
        words, _, _ = measurement.note.partition(":")
        return KpiCell(words, note="" if words == measurement.note else measurement.note)
    scale, digits, unit = _presentation(measurement.unit)
    number = f"{measurement.value * scale:,.{digits}f}"
    interval = ""
    if measurement.low is not None and measurement.high is not None:
        interval = f"{measurement.low * scale:,.{digits}f} to {measurement.high * scale:,.{digits}f}"
    return KpiCell(f"{number} {unit}", interval, measurement.note, measurement.value)


def _presentation(unit: str) -> tuple[float, int, str]:
    if unit == "proportion":
        return 100.0, 2, "%"
    if unit == "inter-ocular distance":
        return 100.0, 2, "% of eye distance"
    if unit == "average precision":
        return 1.0, 4, "average precision"
    return 1.0, 2, unit


def _bias(report: CostReport | None) -> KpiCell:
    if report is None:
        return KpiCell(NOT_MEASURED)
    cell = _measured(report.bias_index)
    if report.worst_group is None:
        return cell
    value = f"{report.bias_index.value:.2f} {report.light}, worst: {report.worst_group}"
    return KpiCell(value, cell.interval, cell.note, cell.number)


def _size(model: ModelFigures) -> KpiCell:
    parts = []
    if model.model_bytes is not None:
        parts.append(f"{model.model_bytes / 1e6:,.2f} MB")
    if model.parameters is not None:
        parts.append(f"{model.parameters:,} parameters")
    number = None if model.model_bytes is None else float(model.model_bytes)
    return KpiCell(", ".join(parts) or NOT_MEASURED, number=number)


def _training(model: ModelFigures) -> KpiCell:
    parts = []
    if model.training_minutes is not None:
        parts.append(f"{model.training_minutes:,.1f} minutes")
    if model.images_seen is not None:
        parts.append(f"{model.images_seen:,} images seen")
    return KpiCell(", ".join(parts) or NOT_MEASURED, number=model.training_minutes)


def _minutes(minutes: float | None) -> KpiCell:
    if minutes is None:
        return KpiCell(NOT_MEASURED)
    return KpiCell(f"{minutes:,.1f} operator minutes", number=minutes)


def render_text(sheet: KpiSheet, width: int = 100) -> str:
    """Render the sheet as plain text no wider than ``width`` characters, notes numbered underneath.

    Raises:
        AssessmentError: the width leaves a column too narrow to read.
    """
    column = (width - NAME_WIDTH) // len(sheet.columns) - 3
    if column < SMALLEST_COLUMN:
        needed = NAME_WIDTH + len(sheet.columns) * (SMALLEST_COLUMN + 3)
        raise AssessmentError(f"A width of {width} is too narrow for {len(sheet.columns)} models: give {needed}.")
    rule = "─" * NAME_WIDTH + "".join("─┼─" + "─" * column for _ in sheet.columns)
    heads = [f"{name} (champion)" if name == sheet.champion else name for name in sheet.columns]
    notes: dict[str, int] = {}
    lines = _text_row("", [[head] for head in heads], column)
    for row in sheet.rows:
        lines.append(rule)
        lines += _text_row(row.name, [_cell_texts(cell, notes) for cell in row.cells], column)
    lines.append(rule.replace("┼", "┴"))
    for note, number in notes.items():
        lines += textwrap.wrap(f"[{number}] {note}", width, subsequent_indent="    ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _cell_texts(cell: KpiCell, notes: dict[str, int]) -> list[str]:
    mark = f" [{notes.setdefault(cell.note, len(notes) + 1)}]" if cell.note else ""
    return [cell.value + mark, cell.interval]


def _text_row(name: str, cells: Sequence[Sequence[str]], column: int) -> list[str]:
    wrapped = [[line for text in texts for line in textwrap.wrap(text, column)] for texts in cells]
    names = textwrap.wrap(name, NAME_WIDTH)
    height = max(len(names), *(len(lines) for lines in wrapped))
    return [
        f"{names[line] if line < len(names) else '':<{NAME_WIDTH}}"
        + "".join(f" │ {lines[line] if line < len(lines) else '':<{column}}" for lines in wrapped)
        for line in range(height)
    ]
