"""What the comparison reads of a report: a damaged one is told before anything is drawn of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, ValidationError, model_validator

from countenance.assessment import attribute_report, detection_report

Number = Annotated[float, AllowInfNan(False)]
Count = Annotated[int, Field(ge=0)]
Counts = dict[str, Count]


class _Part(BaseModel):
    """Parts that nobody reads here may be anything."""

    model_config = ConfigDict(extra="ignore", strict=True)


class _Row(_Part):
    far: Number = Field(gt=0.0)
    tar: Number | None
    accepted: Count | None
    false_accepts: Count | None
    mated: Count
    non_mated: Count
    low: Number | None
    high: Number | None
    note: str | None = None

    @model_validator(mode="after")
    def _has_counts(self) -> Self:
        if self.tar is not None and (self.accepted is None or self.false_accepts is None):
            raise ValueError("a rate without its counts")
        return self


class _Roc(_Part):
    false_accepts: list[Count]
    true_accepts: list[Count]
    mated: Count
    non_mated: Count

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if len(self.false_accepts) != len(self.true_accepts):
            raise ValueError("a curve of unequal columns")
        return self


class _Rank(_Part):
    rank: Annotated[int, Field(ge=1)]
    rate: Number | None
    found: Count | None
    probes: Count

    @model_validator(mode="after")
    def _has_its_count(self) -> Self:
        if self.rate is not None and self.found is None:
            raise ValueError("a rate without its count")
        return self


class _Threshold(_Part):
    threshold: Number | None
    non_mated: Count


class _Tpir(_Part):
    fpir: Number
    tpir: Number | None
    identified: Count | None
    at: list[_Threshold] = []

    @model_validator(mode="after")
    def _has_its_count(self) -> Self:
        if self.tpir is not None and self.identified is None:
            raise ValueError("a rate without its count")
        return self


class _Gallery(_Part):
    gallery: str
    mated_probes: Count


class _Identification(_Part):
    galleries: list[_Gallery]
    ranks: list[_Rank]
    tpirs: list[_Tpir]


class _Accuracy(_Part):
    mean: Number | None
    low: Number | None
    high: Number | None
    by_fold: list[Number]
    note: str | None = None


class _Rate(_Part):
    value: Number | None


class _Group(_Part):
    pairs: Count
    mated_pairs: Count
    accuracy: _Accuracy
    fmr: _Rate | None
    fnmr: _Rate | None


class _Figure(_Part):
    value: Number | None
    low: Number | None
    high: Number | None
    count: Count
    unit: str
    higher_is_better: bool
    note: str


class _Options(_Part):
    rule: str | None = None
    level: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    common_far: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None


class _Report(_Part):
    model: str | None = None
    options: _Options
    failures: Counts


class _TemplateProtocol(_Part):
    name: str
    samples: Count
    templates: Count
    pairs: Count
    mated_pairs: Count
    galleries: Counts
    probes: Count


class _Templates(_Report):
    protocol: _TemplateProtocol
    verification: list[_Row]
    roc: _Roc | None
    identification: _Identification | None


class _PairProtocol(_Part):
    name: str
    pairs: Count
    mated_pairs: Count
    photos: Count
    folds: Count


class _Pairs(_Report):
    protocol: _PairProtocol
    accuracy: _Accuracy
    verification: list[_Row]
    roc: _Roc | None
    groups: dict[str, _Group]


class _NamedProtocol(_Part):
    name: str
    photos: Count | None = None
    faces: Count | None = None
    subjects: Count | None = None


class _Figures(_Report):
    protocol: _NamedProtocol
    figures: dict[str, _Figure]


class _Attributes(_Figures):
    @model_validator(mode="after")
    def _has_known_figures(self) -> Self:
        _refuse_unknown(self.figures, attribute_report.figure_title)
        return self


class _Detection(_Figures):
    @model_validator(mode="after")
    def _has_known_figures(self) -> Self:
        _refuse_unknown(self.figures, detection_report.figure_title)
        return self


def _refuse_unknown(figures: Mapping[str, _Figure], title: Callable[[str], object]) -> None:
    for name in figures:
        try:
            title(name)
        except KeyError as error:
            raise ValueError("an unknown figure") from error


_OF_KIND: Final[dict[str, type[_Report]]] = {
    "templates": _Templates,
    "pairs": _Pairs,
    "attributes": _Attributes,
    "detection": _Detection,
}


def damaged_part(kind: str, values: Mapping[str, Any]) -> str | None:
    """The first part of a report that isn't what its kind says, such as ``verification, 0, far``; None where all are.

    Args:
        kind: "templates", "pairs", "attributes" or "detection".
        values: the report.
    """
    try:
        _OF_KIND[kind].model_validate(dict(values))
    except ValidationError as error:
        return ", ".join(str(part) for part in error.errors()[0]["loc"]) or "figures"
    return None
