"""Reading an embeddings file, also while it is being made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.data.array_files import map_array
from countenance.errors import DataError
from countenance.learning.embedding_plan import (
    ARRAY,
    MARKS,
    PLAN,
    EmbeddingPlan,
    Failure,
    described,
    part_folder,
    read_plan,
)
from countenance.learning.shared_embeddings import failures_in

_LOOK_EVERY_S: Final = 0.5
_ATTEMPTS: Final = 100


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A finished file.

    Attributes:
        values: [N, D] float32, or [N, 2, D] of crops and their mirror images, mapped; zeros where a crop failed.
        plan: what it holds, and of which model.
        failures: the rows that could not be embedded.
    """

    values: NDArray[np.float32]
    plan: EmbeddingPlan
    failures: tuple[Failure, ...]

    def failed(self) -> NDArray[np.bool_]:
        """Which rows could not be embedded, [N]: failures to acquire, which never match."""
        mask = np.zeros(self.plan.rows, dtype=np.bool_)
        mask[[failure.row for failure in self.failures]] = True
        return mask


@dataclass(frozen=True, eq=False)
class EmbeddedBlock:
    """Some rows in a row.

    Attributes:
        first_row: the first one's number.
        values: [B, D] or [B, 2, D] float32; zeros where a crop failed.
        failed: which of them could not be embedded, [B].
    """

    first_row: int
    values: NDArray[np.float32]
    failed: NDArray[np.bool_]


def read_embeddings(out: Path) -> Embeddings:
    """Map a finished file.

    Raises:
        DataError: it isn't there or isn't finished, is damaged, or nothing tells what it holds.
    """
    try:
        plan, failures = described(out)
        return Embeddings(_mapped(out, plan), plan, failures)
    except FileNotFoundError as error:
        state = "is not finished: run the extraction to its end" if part_folder(out).exists() else "is not there"
        raise DataError(f"{out} {state}.") from error


def finished_blocks(out: Path, *, wait: bool = True, give_up_after_s: float | None = None) -> Iterator[EmbeddedBlock]:
    """Each block once, when it is finished, in any order; a file that is finished already is read in the same way.

    For example, templates are added up while the embedder is still at work::

        for block in finished_blocks(out):
            sums.add(block.first_row, block.values, block.failed)
        templates = sums.finish(finished_values(out).__getitem__)

    Where failures are recorded, the rows of ``block.failed`` are zeros, of which no template can be made.

    Args:
        out: the file; its making must have begun.
        wait: for blocks that aren't finished; otherwise only those that are there are given.
        give_up_after_s: when nothing was finished for so long; None: never.

    Raises:
        DataError: its making hasn't begun or was undone, or nothing was finished for too long.
    """
    given: set[int] = set()
    last = time.monotonic()
    while True:
        state = _look(out)
        for block in sorted(set(np.flatnonzero(state.finished).tolist()) - given):
            try:
                values = state.block(block)
            except FileNotFoundError:
                break  # the file was given its name just now: look again
            yield values
            given.add(block)
            last = time.monotonic()
        if len(given) == state.plan.blocks or not (wait or state.is_gone()):
            return
        if give_up_after_s is not None and time.monotonic() - last > give_up_after_s:
            raise DataError(
                f"No block of {out} was finished for {give_up_after_s:g} s: see whether the extraction still runs."
            )
        if not state.is_gone():
            time.sleep(_LOOK_EVERY_S)


def embedding_plan(out: Path) -> EmbeddingPlan:
    """What a file holds or is to hold, finished or not.

    Raises:
        DataError: neither it nor a beginning of it is there, or it is damaged.
    """
    return _look(out).plan


def finished_values(out: Path) -> NDArray[np.float32]:
    """All rows, [N, D] or [N, 2, D], mapped, also where the file isn't given its name yet; some may be unfinished.

    Raises:
        DataError: there is no such file, or it is damaged.
    """
    for _ in range(_ATTEMPTS):
        state = _look(out)
        # It may be given its name just now: look again.
        with suppress(FileNotFoundError):
            return _mapped(state.array, state.plan)
    raise DataError(f"{out} is moved about while it is read: leave it in its place.")


@dataclass(frozen=True, eq=False)
class _Look:
    """What there is to read at a moment; ``failed`` is None in a file that is being made."""

    array: Path
    plan: EmbeddingPlan
    finished: NDArray[np.bool_]
    failed: NDArray[np.bool_] | None

    def is_gone(self) -> bool:
        """Whether the file was given its name since."""
        return not self.array.exists()

    def block(self, block: int) -> EmbeddedBlock:
        """A finished block, in memory: a map would count as this process's memory, page after page."""
        rows = self.plan.rows_of(block)
        values = np.array(_mapped(self.array, self.plan)[rows.start : rows.stop])
        if self.failed is not None:
            return EmbeddedBlock(rows.start, values, self.failed[rows.start : rows.stop])
        failed = np.zeros(len(rows), dtype=np.bool_)
        failed[[failure.row - rows.start for failure in failures_in(self.array.parent, block)]] = True
        # The list of failures is removed after the array was given its name, never before.
        if self.is_gone():
            raise FileNotFoundError
        return EmbeddedBlock(rows.start, values, failed)


def _look(out: Path) -> _Look:
    folder = part_folder(out)
    for _ in range(_ATTEMPTS):
        if out.exists():
            whole = read_embeddings(out)
            return _Look(out, whole.plan, np.ones(whole.plan.blocks, dtype=np.bool_), whole.failed())
        with suppress(FileNotFoundError):
            plan, _ = read_plan(folder / PLAN)
            marks = np.frombuffer((folder / MARKS).read_bytes(), dtype=np.uint8)
            return _Look(folder / ARRAY, plan, marks == 1, None)
        if not folder.exists() and not out.exists():
            break
    raise DataError(f"Neither {out} nor a beginning of it is there: start its extraction first.")


def _mapped(path: Path, plan: EmbeddingPlan) -> NDArray[np.float32]:
    array = map_array(path)
    if array.shape != plan.shape or array.dtype != np.float32:
        raise DataError(f"{path} holds {array.shape} {array.dtype} where {plan.shape} float32 belong: restore it.")
    return np.asarray(array)
