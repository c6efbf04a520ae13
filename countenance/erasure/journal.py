"""What makes an erasure go on after it was killed: a plan that is written before anything is touched, and what is done.

The plan holds the person's identifiers, since half-way through no store may tell them any more. It lies in the
project's own records, readable by its owner alone, and is removed at the end, before the last file of the workspace.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from countenance.erasure.trace import Needles, Trace
from countenance.errors import DataError
from countenance.storage import write_aside

_PLAN: Final = "plan.json"
_DONE: Final = "done.jsonl"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A file that holds the person, as it was found.

    Attributes:
        root: name of its data root.
        store: name of its store.
        path: of the file.
        rows: see :class:`countenance.erasure.store.Found`.
        detail: likewise.
        sha256: of the file before; empty for one that goes whole.
    """

    root: str
    store: str
    path: str
    rows: int
    detail: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that an erasure will do.

    Attributes:
        subject_id: whom.
        started: ISO 8601.
        traces: by data root.
        needles: what is searched for.
        crop_keys: by data root, of the person's crops, hexadecimal.
        files: what will be rewritten, in order.
        rewritten: what was already, before a scan still found something.
        pages: content ids of pages of earlier versions that show the person.
        datasets, models: what the person was in, as the receipt lists it.
        settled: see :meth:`countenance.erasure.project.History.settled`.
        left: what the receipt says is left to a person.
    """

    subject_id: str
    started: str
    traces: Mapping[str, Trace]
    needles: Needles
    crop_keys: Mapping[str, tuple[str, ...]]
    files: tuple[Planned, ...]
    rewritten: tuple[Planned, ...] = ()
    pages: tuple[str, ...] = ()
    datasets: tuple[Mapping[str, Any], ...] = ()
    models: tuple[Mapping[str, Any], ...] = ()
    settled: tuple[Mapping[str, Any], ...] = ()
    left: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "subject_id": self.subject_id,
            "started": self.started,
            "traces": {name: trace.to_dict() for name, trace in self.traces.items()},
            "needles": {
                "exact": sorted(self.needles.exact),
                "bounded": sorted(self.needles.bounded),
                "contents": sorted(content.hex() for content in self.needles.contents),
            },
            "crop_keys": {name: list(keys) for name, keys in self.crop_keys.items()},
            "files": [vars(each) for each in self.files],
            "rewritten": [vars(each) for each in self.rewritten],
            "pages": list(self.pages),
            "datasets": list(self.datasets),
            "models": list(self.models),
            "settled": list(self.settled),
            "left": self.left,
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Plan:
        """As :meth:`to_dict` wrote it."""
        needles = values["needles"]
        return Plan(
            subject_id=values["subject_id"],
            started=values["started"],
            traces={name: Trace.from_dict(trace) for name, trace in values["traces"].items()},
            needles=Needles(
                exact=frozenset(needles["exact"]),
                bounded=frozenset(needles["bounded"]),
                contents=frozenset(bytes.fromhex(content) for content in needles["contents"]),
            ),
            crop_keys={name: tuple(keys) for name, keys in values["crop_keys"].items()},
            files=tuple(Planned(**each) for each in values["files"]),
            rewritten=tuple(Planned(**each) for each in values["rewritten"]),
            pages=tuple(values["pages"]),
            datasets=tuple(values["datasets"]),
            models=tuple(values["models"]),
            settled=tuple(values["settled"]),
            left=values["left"],
        )


class Journal:
    """The journal of one erasure, in a folder of its own.

    Args:
        folder: the workspace; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._done: list[dict[str, Any]] = []

    def begun(self) -> Plan | None:
        """The plan of an erasure that was begun and not finished, if there is one.

        Raises:
            DataError: it is damaged.
        """
        path = self.folder / _PLAN
        if not path.is_file():
            shutil.rmtree(self.folder, ignore_errors=True)  # what an erasure left that had finished
            return None
        try:
            plan = Plan.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"The journal of an unfinished erasure, {path}, is damaged: restore it, or remove its folder and erase "
                "the person again."
            ) from error
        self._done = _lines(self.folder / _DONE)
        return plan

    def begin(self, plan: Plan) -> None:
        """Write the plan down; from here on the erasure can be gone on with. What was done before still counts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with write_aside(self.folder / _PLAN) as aside:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(plan.to_dict(), file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())

    def note(self, step: str, **values: Any) -> None:
        """Note that something is done."""
        line = {"step": step, **values}
        descriptor = os.open(self.folder / _DONE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # A line that an interruption cut short is ended first, so that it spoils no other.
            os.write(descriptor, b"\n" + json.dumps(line).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._done.append(line)

    def noted(self, step: str) -> list[dict[str, Any]]:
        """What was noted of a step."""
        return [line for line in self._done if line["step"] == step]

    def end(self) -> None:
        """Forget the plan, and all that was noted."""
        (self.folder / _PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._done = []


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # empty, or cut short when it was written: what it would say is done again
    return found
