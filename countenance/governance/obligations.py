"""A map from what the AI Act and NIST's framework ask for to the files that answer it; what nothing answers says so."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from countenance.configuration import Configuration, narrow
from countenance.governance.statements import Statement


class Obligation(Configuration):
    """One clause and what answers it; see the head of ``obligations.toml``."""

    clause: Statement
    asks: Statement
    answer: str = ""
    unit: tuple[str, ...] = ()
    tracked: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    left: str = ""


class Framework(Configuration):
    """A text with its clauses."""

    name: Statement
    note: Statement
    rows: tuple[Obligation, ...]


class ObligationMap(Configuration):
    """All of them."""

    frameworks: tuple[Framework, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A file that answers a clause.

    Attributes:
        name: its name in the unit, DVC's output, or its path in the project.
        kind: ``unit``, ``dvc`` or ``project``.
        digest: sha256, or DVC's md5 of what DVC keeps; empty where there is none.
    """

    name: str
    kind: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class AnsweredRow:
    """A clause with the evidence that this release really has; none means that it isn't answered here."""

    clause: str
    asks: str
    answer: str
    evidence: tuple[Evidence, ...]
    left: str


@cache
def obligation_map() -> ObligationMap:
    """The map as it is written down."""
    text = files("countenance.governance").joinpath("obligations.toml").read_text(encoding="utf-8")
    return narrow(ObligationMap, tomllib.loads(text), where="obligations.toml")


def project_files() -> tuple[str, ...]:
    """Every file or folder of the project that the map names."""
    frameworks = obligation_map().frameworks
    return tuple(sorted({name for framework in frameworks for row in framework.rows for name in row.project}))


def answered(
    row: Obligation, unit_files: Mapping[str, str], dvc_hashes: Mapping[str, str], in_project: Mapping[str, str]
) -> AnsweredRow:
    """A clause with what this release holds of its evidence.

    Args:
        row: the clause.
        unit_files: sha256 of the unit's files by name; the empty text for one that can't hold its own.
        dvc_hashes: of what the release was made from, by name.
        in_project: sha256 of the project's files that are there, by path; the empty text for a folder.
    """
    evidence = (
        *(Evidence(name=name, kind="unit", digest=unit_files[name]) for name in row.unit if name in unit_files),
        *(Evidence(name=name, kind="dvc", digest=dvc_hashes[name]) for name in row.tracked if name in dvc_hashes),
        *(Evidence(name=name, kind="project", digest=in_project[name]) for name in row.project if name in in_project),
    )
    return AnsweredRow(
        clause=row.clause, asks=row.asks, answer=row.answer if evidence else "", evidence=evidence, left=row.left
    )
