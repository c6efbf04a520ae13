"""Templates of a protocol from an embeddings file, finished or in the making; light to import.

A row that can't be used is told with its place in both files: the row of the embeddings and the line of the protocol.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from countenance.assessment.arrays import RowError
    from countenance.assessment.templates import TemplateOptions, Templates
    from countenance.data.protocols.row_origins import ParquetFile, TextFile
    from countenance.data.protocols.template_protocol import TemplateProtocol
    from countenance.learning.finished_embeddings import EmbeddedBlock


@dataclass(frozen=True, eq=False)
class OpenedEmbeddings:
    """An embeddings file.

    Attributes:
        path: of the file.
        rows: how many it has, or is to have.
        model: what the model is called, where it is told.
        failed: rows that could not be embedded, [N], where they are known beforehand.
        blocks: of all rows, each once.
        count: of the blocks.
    """

    path: Path
    rows: int
    model: str | None
    failed: NDArray[np.bool_] | None
    blocks: Iterable[EmbeddedBlock]
    count: int


def open_embeddings(path: Path, *, follow: bool = False, give_up_after_s: float | None = None) -> OpenedEmbeddings:
    """Open a file that ``countenance embed`` wrote or is writing, or a plain array.

    Args:
        path: of an array [N, D], or [N, 2, D] of images and their mirror images. With a description beside it
            (``E.npy.json``), the failures that it records are known.
        follow: wait for what isn't finished yet.
        give_up_after_s: when nothing was finished for so long; None: never.

    Raises:
        DataError: it isn't there, isn't finished, or is no such array.
    """
    from countenance.commands.finished_file import finished_file
    from countenance.learning.finished_embeddings import embedding_plan, finished_blocks

    if follow:
        plan = embedding_plan(path)
        blocks = finished_blocks(path, give_up_after_s=give_up_after_s)
        return OpenedEmbeddings(path, plan.rows, plan.model, None, blocks, plan.blocks)
    found = finished_file(path, unfinished="run the extraction to its end, or read along with --follow")
    rows = len(found.values)
    return OpenedEmbeddings(path, rows, found.model, found.failed, *_blocks(path, rows))


def _blocks(path: Path, rows: int) -> tuple[Iterator[EmbeddedBlock], int]:
    import numpy as np

    from countenance.assessment.embedding_file import BLOCK_ROWS, embedding_blocks
    from countenance.learning.finished_embeddings import EmbeddedBlock

    blocks = (
        EmbeddedBlock(first_row, np.asarray(values, dtype=values.dtype), np.zeros(len(values), dtype=np.bool_))
        for first_row, values in embedding_blocks(path)
    )
    return blocks, -(-rows // BLOCK_ROWS)


def templates_of(
    embeddings: OpenedEmbeddings,
    protocol: TemplateProtocol,
    origin: TextFile | ParquetFile,
    options: TemplateOptions,
) -> Templates:
    """Add the embeddings up to the protocol's templates, showing how far it is.

    Args:
        embeddings: row i is sample i.
        protocol: which sample is in which template.
        origin: where its samples are listed.
        options: what happens to an embedding before it is averaged.

    Raises:
        DataError: there are other rows than samples, or a row can't be used; the text names both places.
    """
    from countenance.assessment.arrays import RowError
    from countenance.assessment.template_sums import TemplateSums
    from countenance.errors import DataError
    from countenance.learning.finished_embeddings import finished_values
    from countenance.progress import track

    samples, path = protocol.samples, embeddings.path
    if embeddings.rows != len(samples):
        raise DataError(
            f"{path} has {embeddings.rows:,} rows, but {origin.path} lists {len(samples):,} samples: embed the samples "
            "of this protocol, in its order."
        )
    sums = TemplateSums(samples.templates, samples.media, samples.detector_scores, options, embeddings.failed)
    try:
        for block in track(embeddings.blocks, what="templates", total=embeddings.count, unit="block"):
            sums.add(block.first_row, block.values, block.failed)
    except RowError as error:
        again = "embed the sample again, or have it recorded as a failure (countenance embed --record-unusable)"
        raise _placed(error, path, origin, again) from error
    try:
        opened = functools.cache(lambda: finished_values(path))
        return sums.finish(lambda rows: opened()[rows])
    except RowError as error:
        raise _placed(error, path, origin, "mend its detector scores, leave them out, or drop the template") from error


def _placed(error: RowError, path: Path, origin: TextFile | ParquetFile, remedy: str) -> Exception:
    from countenance.errors import DataError

    more = f" (and {error.more:,} more like it)" if error.more else ""
    place = f"{path}, row {error.row} counted from 0 ({origin.place(error.row)})"
    return DataError(f"In {place}, {error.problem}{more}: {remedy}.")
