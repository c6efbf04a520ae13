"""An embeddings file that several processes fill together, block by block, and that outlives all of them.

A process claims a block by locking a file of its name; the system gives the lock back however the process ends. It
writes the block's rows to their place in the array, brings them to the disk, and only then marks the block as finished.
So whatever is marked is whole, and what isn't marked is done again. Whoever sees all blocks marked first gives the
file its name. Nothing is asked of the processes but one folder that they all see; they may be of any number, come and
go, and be on several machines where the file system carries ``flock`` from one to the other, as NFS does.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError
from countenance.learning.embedding_plan import (
    ARRAY,
    MARKS,
    PLAN,
    EmbeddingPlan,
    Failure,
    described,
    description_path,
    failures_of,
    part_folder,
    read_plan,
    write_plan,
)
from countenance.storage import write_aside

_LOCK: Final = "lock"
_CLAIMS: Final = "claims"
_FAILURES: Final = "failures"
_ATTEMPTS: Final = 100


def join_extraction(out: Path, plan: EmbeddingPlan) -> SharedEmbeddings | None:
    """Begin an embeddings file, or join those who make it, or who were stopped in making it.

    Args:
        out: the file, ``.npy``.
        plan: what it is to hold; ``block`` counts only for the one who begins.

    Returns:
        None where the file is there already.

    Raises:
        DataError: what is there was made by another model, of other crops or in another way; or it can't be written.
    """
    try:
        for _ in range(_ATTEMPTS):
            if out.exists():
                described(out)[0].refuse_another(plan, out)
                # Whoever gave the file its name may have been stopped before it cleared up.
                shutil.rmtree(part_folder(out), ignore_errors=True)
                return None
            # Others may give the file its name, and remove the folder, at any moment of this.
            with suppress(FileNotFoundError):
                part_folder(out).mkdir(parents=True, exist_ok=True)
                with _locked(part_folder(out) / _LOCK):
                    if not out.exists():
                        return SharedEmbeddings(out, _joined(out, plan))
    except OSError as error:
        raise _unwritable(out, error) from error
    raise DataError(f"{part_folder(out)} is damaged: remove it.")


class SharedEmbeddings:
    """One process's part in making an embeddings file; a context manager. See :func:`join_extraction`.

    Attributes:
        plan: what the file is to hold.
    """

    def __init__(self, out: Path, plan: EmbeddingPlan) -> None:
        self.plan = plan
        self._out = out
        self._folder = part_folder(out)
        self._claims: dict[int, int] = {}
        self._array = os.open(self._folder / ARRAY, os.O_RDWR)
        self._marks = os.open(self._folder / MARKS, os.O_RDWR)
        self._start = os.fstat(self._array).st_size - plan.rows * plan.row_bytes
        if self._start <= 0 or os.fstat(self._marks).st_size != plan.blocks:
            raise DataError(f"{self._folder} is damaged: remove it.")

    def finished(self) -> NDArray[np.bool_]:
        """Which blocks are finished by now, whoever did them."""
        marks = np.frombuffer(os.pread(self._marks, self.plan.blocks, 0), dtype=np.uint8)
        return np.asarray(marks == 1, dtype=np.bool_)

    def claim(self, rank: int, world_size: int) -> int | None:
        """Take a block that nobody works on: first of one's own share, every ``world_size``-th from ``rank`` on.

        When that is done, what is left of the others' shares is taken, from the end.

        Returns:
            The block, or None where all are finished or claimed.

        Raises:
            DataError: the file system locks no files.
        """
        left = np.flatnonzero(~self.finished())
        is_own = left % world_size == rank
        with self._errors_told():
            for block in [*left[is_own].tolist(), *left[~is_own][::-1].tolist()]:
                if block not in self._claims and self._try_to_claim(block):
                    return int(block)
        return None

    def write(self, first_row: int, embeddings: NDArray[np.float32]) -> None:
        """Write the embeddings of some rows in a row, of a claimed block.

        Raises:
            DataError: there is no room, or the disk fails.
        """
        if embeddings.shape[1:] != self.plan.shape[1:]:
            raise ValueError(f"Embeddings {embeddings.shape} don't fit into {self.plan.shape}.")
        left = np.ascontiguousarray(embeddings, dtype="<f4").data.cast("B")
        place = self._start + first_row * self.plan.row_bytes
        with self._errors_told():
            while left:
                written = os.pwrite(self._array, left, place)
                left, place = left[written:], place + written

    def finish(self, block: int, failures: Sequence[Failure] = ()) -> None:
        """Mark a claimed block, all of whose rows were written, as finished, and give its claim back.

        Raises:
            DataError: there is no room, or the disk fails.
        """
        with self._errors_told():
            told = self._folder / _FAILURES / f"{block}.json"
            # One who was stopped just before the mark may have left some.
            told.unlink(missing_ok=True)
            if failures:
                with write_aside(told) as aside:
                    aside.write_text(json.dumps([asdict(failure) for failure in failures]), encoding="utf-8")
            os.fsync(self._array)
            os.pwrite(self._marks, b"\1", block)
            os.fsync(self._marks)
            self._claim_path(block).unlink(missing_ok=True)
        os.close(self._claims.pop(block))

    def failures(self) -> tuple[Failure, ...]:
        """What couldn't be embedded, by row, as far as blocks are finished."""
        finished = self.finished()
        told = sorted(int(path.stem) for path in (self._folder / _FAILURES).glob("*.json"))
        return tuple(failure for block in told if finished[block] for failure in failures_in(self._folder, block))

    def publish(self) -> None:
        """Give the file its name, if nobody has done so yet; all blocks must be finished.

        Raises:
            DataError: it can't be written.
        """
        if not self.finished().all():
            raise ValueError("Blocks are missing.")
        with self._errors_told(), suppress(FileNotFoundError), _locked(self._folder / _LOCK):
            if (self._folder / ARRAY).exists():
                write_plan(description_path(self._out), self.plan, self.failures())
                (self._folder / ARRAY).replace(self._out)
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> SharedEmbeddings:
        return self

    def __exit__(self, *raised: object) -> None:
        for file in (self._array, self._marks, *self._claims.values()):
            os.close(file)
        self._claims.clear()

    def _try_to_claim(self, block: int) -> bool:
        try:
            claim = os.open(self._claim_path(block), os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            return False  # the folder is gone, as all is finished
        # Once it is locked: whoever had the block before may just have finished it and removed this very file.
        if not _lock_at_once(claim) or os.pread(self._marks, 1, block) == b"\1":
            os.close(claim)
            return False
        self._claims[block] = claim
        return True

    def _claim_path(self, block: int) -> Path:
        return self._folder / _CLAIMS / str(block)

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unwritable(self._out, error) from error


def failures_in(folder: Path, block: int) -> tuple[Failure, ...]:
    """What of a finished block couldn't be embedded."""
    path = folder / _FAILURES / f"{block}.json"
    return failures_of(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else ()


def _joined(out: Path, plan: EmbeddingPlan) -> EmbeddingPlan:
    folder = part_folder(out)
    if (folder / PLAN).exists():
        begun, _ = read_plan(folder / PLAN)
        begun.refuse_another(plan, folder)
        return begun
    needed, free = plan.rows * plan.row_bytes, shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(f"{out} needs {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free there: make room.")
    for name in (_CLAIMS, _FAILURES):
        (folder / name).mkdir(exist_ok=True)
    # A file of zeros that takes room as it is filled.
    np.lib.format.open_memmap(folder / ARRAY, mode="w+", dtype="<f4", shape=plan.shape)
    (folder / MARKS).write_bytes(bytes(plan.blocks))
    write_plan(folder / PLAN, plan)
    return plan


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _lock_at_once(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unwritable(out: Path, error: OSError) -> DataError:
    return DataError(
        f"{out} cannot be written ({error.strerror or error}): mend that and run it again; what is finished is kept."
    )
