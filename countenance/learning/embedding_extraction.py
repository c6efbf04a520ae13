"""Embeddings of many crops: by one process or by many, stopped and continued at any moment, the same every time.

The rows are cut into blocks; see :mod:`countenance.learning.shared_embeddings` for how processes share them. A batch
never reaches over the end of a block, so that a block comes out the same to the last bit whoever does it, and when.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from countenance.errors import ConfigurationError, DataError
from countenance.learning.aligned_crops import CropImage, CropSource, UnusableCropError
from countenance.learning.embedding_plan import EmbeddingPlan, Failure, described
from countenance.learning.finished_embeddings import Embeddings, read_embeddings
from countenance.learning.shared_embeddings import SharedEmbeddings, join_extraction
from countenance.learning.teachers.teacher import Crops, unit_rows
from countenance.progress import track

LOG: Final = logging.getLogger(__name__)

BLOCK_ROWS: Final = 1024
"""What a process loses at most when it is killed: some seconds of a CPU's work, less of a GPU's."""
BATCHES_AHEAD: Final = 3
_LOOK_EVERY_S: Final = 0.2


class Recogniser(Protocol):
    """What turns aligned crops into embeddings; an opened teacher is one.

    Attributes:
        identity: of all that its features depend on, see :class:`countenance.learning.teachers.teacher.Teacher`.
        name: what to call it in a message.
        dimension: length D of an embedding.
    """

    @property
    def identity(self) -> str:
        """See the class."""
        ...

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def dimension(self) -> int:
        """See the class."""
        ...

    def raw_features(self, images: Crops) -> NDArray[np.float32]:
        """[n, 112, 112, 3] uint8 RGB aligned crops -> [n, D] float32, as long as the network gives them."""
        ...


@dataclass(frozen=True)
class ProcessShare:
    """Which of several processes this is.

    Attributes:
        rank: its number, from 0.
        world_size: how many there are.
    """

    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigurationError: there is no such process.
        """
        if not 0 <= self.rank < self.world_size:
            raise ConfigurationError(
                f"There is no process {self.rank} among {self.world_size}: number them from 0 to one less than that."
            )


def process_share(rank: int | None = None, world_size: int | None = None) -> ProcessShare:
    """The share as given, or as torchrun's environment variables RANK and WORLD_SIZE tell, or all of the work.

    Raises:
        ConfigurationError: one number is given without the other, they don't fit, or a variable holds no number.
    """
    if (rank is None) != (world_size is None):
        raise ConfigurationError("A process's rank and the number of processes belong together: give both or neither.")
    if rank is not None and world_size is not None:
        return ProcessShare(rank, world_size)
    try:
        return ProcessShare(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
    except ValueError as error:
        raise ConfigurationError("RANK or WORLD_SIZE is not a whole number: unset both, or use torchrun.") from error


def extract_embeddings(
    source: CropSource,
    recogniser: Recogniser,
    out: Path,
    *,
    mirrored: bool = True,
    unit_length: bool = False,
    unusable: Literal["refuse", "record"] = "refuse",
    batch_size: int = 64,
    block: int = BLOCK_ROWS,
    workers: int = 2,
    share: ProcessShare | None = None,
) -> Embeddings:
    """Embed all crops of a source into one file, together with whoever else was asked for the same.

    It can be killed at any moment and called again; it goes on after the last finished block. Any number of processes
    may be called with the same arguments (under torchrun, or with a ``share`` of their own), also while others are at
    work already: each does its share first, then what is left of the others', and returns when the file is whole.

    Args:
        source: the crops.
        recogniser: what embeds them.
        out: a ``.npy`` file; ``out`` with ``.json`` added will describe it. Where it is there already, made of the same
            crops by the same recogniser, nothing is done.
        mirrored: embed the mirror image of each crop as well: [N, 2, D] in place of [N, D].
        unit_length: scale each embedding to unit norm; otherwise it keeps the length that the network gives it, which
            follows image quality and weighs in the field's templates.
        unusable: what to do about a photo that doesn't decode and about points that are no face's: refuse the row, or
            record it as a failure (see :class:`Embeddings`) whose embedding is zeros. A photo that isn't there is
            always refused.
        batch_size: crops that the recogniser sees at a time, with their mirror images.
        block: rows that are finished together; those who join take the block of the one who began.
        workers: threads that read, decode and align ahead.
        share: of this process; None asks the environment.

    Raises:
        DataError: there are no crops, one is refused, ``out`` or its beginning holds another extraction, or it can't
            be written.
        ModelError: the recogniser can't be run, or a feature isn't finite.
        ConfigurationError: the environment tells no share.
    """
    share = share or process_share()
    if not len(source):
        raise DataError("There are no crops to embed: give at least one.")
    if out.suffix != ".npy" or min(batch_size, block, workers) < 1:
        raise DataError(f"{out} must end in .npy, and batch, block and workers must be 1 or more: change them.")
    if unusable == "refuse":
        source.check()
    # Where the file is finished, the recogniser needn't be started to tell how long an embedding is.
    dimension = described(out)[0].dimension if out.exists() else recogniser.dimension
    plan = EmbeddingPlan(
        rows=len(source),
        dimension=dimension,
        mirrored=mirrored,
        unit_length=unit_length,
        block=block,
        model=recogniser.name,
        model_identity=recogniser.identity,
        crops_identity=source.identity,
    )
    shared = join_extraction(out, plan)
    if shared is not None:
        with shared:
            _Extraction(source, recogniser, shared, batch_size, workers, share, unusable == "record").run()
    embeddings = read_embeddings(out)
    if unusable == "refuse":
        _refuse_failures(embeddings.failures)
    LOG.info("embedded %d faces, %d failures: %s", plan.rows, len(embeddings.failures), out)
    return embeddings


def _refuse_failures(failures: Sequence[Failure]) -> None:
    if failures:
        more = f" and {len(failures) - 1:,} more" if len(failures) > 1 else ""
        raise DataError(
            f"Row {failures[0].row}{more} could not be embedded before and was recorded as a failure: have failures "
            "recorded again, or mend the rows and begin anew."
        )


@dataclass
class _Batch:
    """Rows of a block, being read; ``is_last``: of the block."""

    block: int
    rows: range
    is_last: bool
    crops: list[Future[CropImage | Failure]]


@dataclass
class _Extraction:
    """One process's work on a file."""

    source: CropSource
    recogniser: Recogniser
    shared: SharedEmbeddings
    batch_size: int
    workers: int
    share: ProcessShare
    records_failures: bool
    _failures: dict[int, list[Failure]] = field(default_factory=dict)

    def run(self) -> None:
        """Work until all blocks are finished, whoever finishes them, and give the file its name."""
        if not self.records_failures:
            _refuse_failures(self.shared.failures())
        left = self._batches_of(~self.shared.finished())
        steps = self._steps()
        # One bar for all: lines of several processes would run through each other.
        for _ in track(steps, what="embedding", total=left, unit="batch") if self.share.rank == 0 else steps:
            pass
        self.shared.publish()

    def _steps(self) -> Iterator[None]:
        """Yields for each batch that is done, by this process or, as far as their blocks are finished, by others."""
        known = self.shared.finished()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="crops") as pool:
            try:
                while True:
                    for batch in self._read_ahead(pool):
                        self._embed(batch)
                        yield
                        known[batch.block] = True
                        known, done = self._done_by_others(known)
                        yield from done
                    known, done = self._done_by_others(known)
                    yield from done
                    if self.shared.finished().all():
                        return
                    # Others are at work on what is left. Should one be killed, its block is free again.
                    time.sleep(_LOOK_EVERY_S)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read_ahead(self, pool: ThreadPoolExecutor) -> Iterator[_Batch]:
        pending: deque[_Batch] = deque()
        while (block := self.shared.claim(self.share.rank, self.share.world_size)) is not None:
            rows = self.shared.plan.rows_of(block)
            for start in range(rows.start, rows.stop, self.batch_size):
                of_batch = range(start, min(start + self.batch_size, rows.stop))
                crops = [pool.submit(self._read, row) for row in of_batch]
                pending.append(_Batch(block, of_batch, of_batch.stop == rows.stop, crops))
                if len(pending) > BATCHES_AHEAD:
                    yield pending.popleft()
        yield from pending

    def _read(self, row: int) -> CropImage | Failure:
        try:
            return self.source.read(row)
        except UnusableCropError as error:
            if not self.records_failures:
                raise
            return Failure(row, str(error))

    def _embed(self, batch: _Batch) -> None:
        embeddings = np.zeros((len(batch.rows), *self.shared.plan.shape[1:]), dtype=np.float32)
        places, crops = [], []
        for place, future in enumerate(batch.crops):
            crop = future.result()
            if isinstance(crop, Failure):
                self._failures.setdefault(batch.block, []).append(crop)
            else:
                places.append(place)
                crops.append(crop)
        if crops:
            embeddings[places] = self._features(np.stack(crops))
        self.shared.write(batch.rows.start, embeddings)
        if batch.is_last:
            self.shared.finish(batch.block, self._failures.pop(batch.block, ()))

    def _features(self, crops: Crops) -> NDArray[np.float32]:
        plan = self.shared.plan
        images = np.concatenate([crops, crops[:, :, ::-1]]) if plan.mirrored else crops
        features = self.recogniser.raw_features(images)
        if features.shape != (len(images), plan.dimension):
            raise ValueError(f"The recogniser gave {features.shape}, not {(len(images), plan.dimension)}.")
        features = unit_rows(features) if plan.unit_length else features
        return features.reshape(2, len(crops), -1).swapaxes(0, 1) if plan.mirrored else features

    def _done_by_others(self, known: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], list[None]]:
        finished = self.shared.finished()
        return known | finished, [None] * self._batches_of(finished & ~known)

    def _batches_of(self, blocks: NDArray[np.bool_]) -> int:
        rows = np.array([len(self.shared.plan.rows_of(block)) for block in np.flatnonzero(blocks).tolist()], np.int64)
        return int((-(-rows // self.batch_size)).sum())
