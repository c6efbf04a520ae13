"""Reports of several models, put together by what they were measured on; what can't stand in one table is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from countenance.errors import AssessmentError
from countenance.reporting.comparison_parts import damaged_part
from countenance.reporting.wording import listed

VERSIONS: Final = {"templates": 1, "pairs": 1, "attributes": 1, "detection": 1}
"""The version that is read of each kind of report."""

CANDIDATE, CHAMPION, TEACHER = "candidate", "champion", "teacher"

_NEEDED: Final = {
    "templates": ("protocol", "options", "failures", "verification", "roc", "identification"),
    "pairs": ("protocol", "options", "failures", "accuracy", "verification", "roc", "groups"),
    "attributes": ("protocol", "options", "failures", "figures"),
    "detection": ("protocol", "options", "failures", "figures"),
}
_DIGESTED: Final = ("templates", "pairs")
"""Whose protocols are known by a digest of their lists, ``sha256``: counts and a name don't tell lists apart."""


@dataclass(frozen=True, kw_only=True)
class GivenReport:
    """A report as it was handed in.

    Attributes:
        label: whose it is: "candidate", "champion", "teacher" or any other word.
        source: what errors call it, such as its path.
        values: the report, as its ``to_dict`` gives it.
    """

    label: str
    source: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedModel:
    """One model of a table.

    Attributes:
        label: what it was given as.
        heading: its name, where its report tells one, else its label.
        role: said beside the heading; empty where the heading says it.
        report: what was measured.
    """

    label: str
    heading: str
    role: str
    report: Mapping[str, Any]

    @property
    def is_champion(self) -> bool:
        """Whether the others are held against it."""
        return CHAMPION in (self.label, self.role)


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedProtocol:
    """Reports of one kind on one protocol.

    Attributes:
        kind: "templates", "pairs", "attributes" or "detection".
        protocol: its name and counts, the same in all reports.
        models: in the order they were given.
    """

    kind: str
    protocol: Mapping[str, Any]
    models: tuple[ComparedModel, ...]

    @property
    def name(self) -> str:
        """Of the protocol."""
        return str(self.protocol["name"])

    @property
    def champion(self) -> ComparedModel | None:
        """The champion, where it is among the models."""
        return next((model for model in self.models if model.is_champion), None)


def compared(reports: Sequence[GivenReport]) -> tuple[ComparedProtocol, ...]:
    """Put reports together: a table for every kind and protocol.

    Raises:
        AssessmentError: a report is of an unknown kind or version or lacks a part, a model is given twice, or reports
            of one kind are on different protocols or were read by different rules
            or with intervals of different levels.
    """
    if not reports:
        raise AssessmentError("There is no report to compare: give one at least.")
    for given in reports:
        _refuse_unreadable(given)
    headings = _headings(reports)
    tables: dict[tuple[str, str], list[GivenReport]] = {}
    for given in reports:
        tables.setdefault((given.values["kind"], _name(given)), []).append(given)
    for together in tables.values():
        _refuse_different(together)
    _refuse_apart(list(tables.values()))
    return tuple(
        ComparedProtocol(
            kind=kind,
            protocol=together[0].values["protocol"],
            models=tuple(_model(given, headings[given.label]) for given in together),
        )
        for (kind, _), together in tables.items()
    )


def plain_name(name: str) -> str:
    """A protocol's or benchmark's name without case and punctuation: "IJB-C" and "ijbc" are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _name(given: GivenReport) -> str:
    return plain_name(str(given.values["protocol"]["name"]))


def _model(given: GivenReport, heading: str) -> ComparedModel:
    role = "" if heading == given.label else given.label
    return ComparedModel(label=given.label, heading=heading, role=role, report=given.values)


def _refuse_unreadable(given: GivenReport) -> None:
    kind = given.values.get("kind")
    if not isinstance(kind, str) or kind not in VERSIONS:
        raise AssessmentError(
            f"{given.source} is no report that can be compared (its kind is {kind!r}): give what "
            f"`countenance evaluate` wrote of {listed(list(VERSIONS))}."
        )
    version = given.values.get("version")
    if version != VERSIONS[kind]:
        raise AssessmentError(
            f"{given.source} is a {kind} report of version {version!r}, and version {VERSIONS[kind]} is read here: "
            "evaluate again."
        )
    missing = [part for part in _NEEDED[kind] if part not in given.values]
    if missing:
        raise AssessmentError(f"{given.source} is a {kind} report without '{missing[0]}': evaluate again.")
    if not isinstance(given.values["protocol"], Mapping) or "name" not in given.values["protocol"]:
        raise AssessmentError(f"{given.source} doesn't name its protocol: evaluate again.")
    damaged = damaged_part(kind, given.values)
    if damaged is not None:
        raise AssessmentError(f"{given.source} is damaged at '{damaged}': evaluate again.")
    if kind in _DIGESTED and not isinstance(given.values["protocol"].get("sha256"), str):
        raise AssessmentError(
            f"{given.source} is of another version of this command, as it has no digest of its protocol's lists: "
            "evaluate again."
        )


def _headings(reports: Sequence[GivenReport]) -> dict[str, str]:
    """The heading of each label: the name that its reports give, else the label."""
    named: dict[str, GivenReport] = {}
    for given in reports:
        name = given.values.get("model")
        if not name:
            continue
        before = named.setdefault(given.label, given)
        if before.values["model"] != name:
            raise AssessmentError(
                f"{before.source} is of model '{before.values['model']}' and {given.source} of '{name}', and both "
                f"were given as {given.label}: give each model a word of its own."
            )
    found = {given.label: given.label for given in reports} | {
        label: str(given.values["model"]) for label, given in named.items()
    }
    for label, heading in found.items():
        twin = next((other for other, same in found.items() if other != label and same == heading), None)
        if twin is not None:
            raise AssessmentError(
                f"Model '{heading}' was given twice, as {label} and as {twin}: give each model once, or its reports "
                "other names (--name)."
            )
    return found


def _refuse_different(together: Sequence[GivenReport]) -> None:
    """Refuse reports of one kind and protocol name that can't share a table."""
    first = together[0]
    seen: dict[str, GivenReport] = {}
    for given in together:
        before = seen.setdefault(given.label, given)
        if before is not given:
            raise AssessmentError(
                f"{before.source} and {given.source} are both of {given.label} on the same protocol: give one of them."
            )
        differing = _differing(first.values["protocol"], given.values["protocol"])
        if differing is not None:
            raise AssessmentError(
                f"{first.source} and {given.source} are not of the same protocol ({differing}): figures on different "
                "protocols can't share a table; evaluate both on the same one."
            )
        rules = [one.values["options"].get("rule") for one in (first, given)]
        if rules[0] != rules[1]:
            raise AssessmentError(
                f"{first.source} was read by rule '{rules[0]}' and {given.source} by '{rules[1]}': evaluate both by "
                "the same rule."
            )
        levels = [one.values["options"].get("level") for one in (first, given)]
        if levels[0] != levels[1]:
            raise AssessmentError(
                f"{first.source} has intervals of level {levels[0]} and {given.source} of {levels[1]}: evaluate both "
                "with the same --level."
            )


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first count in which two protocols differ, or that only their lists do; None where they are the same."""
    for key in dict.fromkeys([*one, *other]):
        if key not in ("name", "sha256") and one.get(key) != other.get(key):
            return f"{key.replace('_', ' ')}: {_told(one.get(key))} and {_told(other.get(key))}"
    return None if one.get("sha256") == other.get("sha256") else "their lists differ, though not in a count"


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(count)}" for name, count in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)


def _refuse_apart(tables: Sequence[Sequence[GivenReport]]) -> None:
    """Refuse a model that shares no table of a kind with any other model of that kind."""
    for together in tables:
        kind, labels = together[0].values["kind"], {given.label for given in together}
        others = [
            given
            for table in tables
            if table is not together and table[0].values["kind"] == kind
            for given in table
            if given.label not in labels
        ]
        if len(labels) == 1 and others:
            one, other = together[0], others[0]
            raise AssessmentError(
                f"{one.source} is on protocol '{one.values['protocol']['name']}' and {other.source} on "
                f"'{other.values['protocol']['name']}': figures on different protocols can't share a table; evaluate "
                "both models on the same one."
            )
