"""Stores that are documents: JSON of which a part is the person's, pages that show faces, and rosters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from countenance.erasure.store import Found
from countenance.erasure.trace import Trace
from countenance.errors import DataError
from countenance.storage import write_aside

WITHDRAWN: Final = (
    "<p>This page showed faces of a person who was erased since. Run "
    "<code>kedro run --pipelines reporting</code> to make it anew.</p>\n"
)
"""What a page says that was withdrawn."""


@dataclass(frozen=True, kw_only=True)
class Documents:
    """JSON: an entry of a list goes when it is an identifier of the person, or an object with one among its values.

    Elsewhere an identifier is replaced by null. Everything else is written as
    :class:`pipelines.datasets.JsonDataset` writes it, so that it stays as it was.
    """

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        _, gone = _without(_read(path), trace.texts())
        return Found(rows=gone) if gone else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        kept, gone = _without(_read(path), trace.texts())
        if gone:
            with write_aside(path) as aside:
                text = json.dumps(kept, indent=2, allow_nan=False, ensure_ascii=False)
                aside.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Pages with pictures that another store names: a picture is drawn anew there, so its bytes don't tell whose it is.

    Attributes:
        name, patterns: see :class:`countenance.erasure.store.Store`.
        shows: the documents, relative to the page's data root, that name the faces that are shown.
    """

    name: str
    patterns: tuple[str, ...]
    shows: str

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        named = path.parents[1] / self.shows
        is_theirs = named.is_file() and Documents(name=self.name, patterns=()).find(named, trace) is not None
        return Found(rows=1) if is_theirs and path.read_text(encoding="utf-8") != WITHDRAWN else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`; decided before the list was rewritten."""
        with write_aside(path) as aside:
            aside.write_text(WITHDRAWN, encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Rosters:
    """Who was in an earlier data set, as HMACs: an object ``people`` of which the person's key goes."""

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        count = len(trace.keys & set(_read(path)["people"]))
        return Found(rows=count) if count else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        roster = _read(path)
        people = {key: splits for key, splits in roster["people"].items() if key not in trace.keys}
        if len(people) < len(roster["people"]):
            with write_aside(path) as aside:
                aside.write_text(json.dumps({**roster, "people": people}, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no readable JSON: restore or remove it, and run the erasure again.") from error


def _without(value: Any, texts: frozenset[str]) -> tuple[Any, int]:
    """A document without a person, and how many of its parts went."""
    if isinstance(value, str):
        return (None, 1) if value in texts else (value, 0)
    if isinstance(value, list):
        kept = [each for each in value if not _is_theirs(each, texts)]
        cleaned = [_without(each, texts) for each in kept]
        gone = len(value) - len(kept) + sum(count for _, count in cleaned)
        return [each for each, _ in cleaned], gone
    if isinstance(value, dict):
        pairs = {key: _without(each, texts) for key, each in value.items() if key not in texts}
        gone = len(value) - len(pairs) + sum(count for _, count in pairs.values())
        return {key: each for key, (each, _) in pairs.items()}, gone
    return value, 0


def _is_theirs(value: Any, texts: frozenset[str]) -> bool:
    if isinstance(value, dict):
        return any(isinstance(each, str) and each in texts for each in value.values())
    return isinstance(value, str) and value in texts
