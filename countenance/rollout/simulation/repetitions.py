"""Finished repetitions, kept in a file of JSON lines, so that a simulation that was cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from countenance.errors import RolloutError
from countenance.rollout.simulation.outcome import Outcome

FILE_NAME: Final = "repetitions.jsonl"

Cell = tuple[str, str]
"""A policy's name and an arm's."""


class Repetitions:
    """The repetitions of one simulation; in a folder, or in memory alone.

    Args:
        about: what must be equal for repetitions to belong together: hashes of log and policies, arms, seed and more,
            as JSON values.
        folder: where they are kept; None: nowhere.

    Raises:
        RolloutError: the folder holds repetitions of another simulation, or a line that cannot be read.
    """

    def __init__(self, about: Mapping[str, Any], folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / FILE_NAME
        self._known: dict[int, dict[Cell, Outcome]] = {}
        header = {"kind": "rollout simulation", "version": 1, **about}
        if self._path is None:
            return
        if self._path.exists():
            self._read(self._path, header)
        if not self._path.exists() or not self._path.stat().st_size:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._append(header)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, number: int) -> bool:
        return number in self._known

    def add(self, number: int, outcomes: Mapping[Cell, Outcome]) -> None:
        """Keep one repetition, of every policy in every arm."""
        self._known[number] = dict(outcomes)
        if self._path is not None:
            rows = [[policy, arm, outcome.to_dict()] for (policy, arm), outcome in outcomes.items()]
            self._append({"repetition": number, "outcomes": rows})

    def of(self, cell: Cell, count: int) -> list[Outcome]:
        """The outcomes of one policy in one arm, of the first ``count`` repetitions in their order."""
        return [self._known[number][cell] for number in sorted(self._known) if number < count]

    def _append(self, values: Mapping[str, Any]) -> None:
        assert self._path is not None
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(values, separators=(",", ":"), allow_nan=False) + "\n")

    def _read(self, path: Path, header: Mapping[str, Any]) -> None:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if len(whole) < len(text):  # the last line was cut off while it was written
            from countenance.storage import write_aside

            with write_aside(path) as aside:
                aside.write_text(whole, encoding="utf-8")
        lines = whole.splitlines()
        if not lines:
            return
        try:
            found, *rows = [json.loads(line) for line in lines]
            for row in rows:
                cells = {(policy, arm): Outcome.from_dict(values) for policy, arm, values in row["outcomes"]}
                self._known[row["repetition"]] = cells
        except (ValueError, KeyError, TypeError) as error:
            raise RolloutError(
                f"{path} holds a line that is no repetition: remove the file, or name another folder."
            ) from error
        self._refuse_other(path, found, json.loads(json.dumps(header)))

    @staticmethod
    def _refuse_other(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        other = next((name for name in {**wanted, **found} if found.get(name) != wanted.get(name)), None)
        if other is not None:
            raise RolloutError(
                f"{path} holds repetitions of another simulation ({other.replace('_', ' ')} differs): name another "
                "folder, or simulate with the same settings."
            )
