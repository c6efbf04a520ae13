"""A teacher's own class weights as fixed centres: a Parquet table of them, by person.

The "fixed centres" of AdaDistill's paper are the weights of the header that the teacher was trained with. A teacher in
a file comes without them, and its class means stand in; whoever has the header can give it. A face without a name is
in nobody's header, so its centre stays the teacher's feature of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from countenance.errors import ModelError

SUBJECT: Final = "subject_id"
CENTRE: Final = "centre"


def read_header(path: Path, subjects: Sequence[str], dimension: int) -> Tensor:
    """[C, D] float32 class weights of some people, in their order.

    Args:
        path: a Parquet table with the columns ``subject_id`` and ``centre`` (D numbers); it may have further people.
        subjects: the C people.
        dimension: D.

    Raises:
        ModelError: the table is missing or no such table, has somebody twice or lacks somebody, or a centre isn't of
            D finite numbers with a direction.
    """
    if not path.is_file():
        raise ModelError(f"The teacher's header {path} is not there: put it there, or leave 'centres' away.")
    try:
        table = pq.read_table(path, columns=[SUBJECT, CENTRE])
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError, OSError) as error:
        raise ModelError(
            f"The teacher's header {path.name} is no Parquet table with the columns '{SUBJECT}' and '{CENTRE}': write "
            "it again."
        ) from error
    people = pd.Index(table.column(SUBJECT).cast(pa.string()).to_pandas(), dtype="object")
    if not people.is_unique:
        raise ModelError(f"The teacher's header {path.name} has somebody twice: keep one row a person.")
    rows = people.get_indexer(pd.Index(list(subjects), dtype="object"))
    if missing := int((rows < 0).sum()):
        raise ModelError(
            f"The teacher's header {path.name} lacks {missing:,} of {len(rows):,} training people: add them, or leave "
            "'centres' away."
        )
    vectors = table.column(CENTRE).take(pa.array(rows)).to_pylist()
    wrong = sum(vector is None or len(vector) != dimension for vector in vectors)
    if wrong:
        raise ModelError(
            f"{wrong:,} centres of the teacher's header {path.name} don't have the embedding's {dimension} dimensions: "
            "give the header of this teacher."
        )
    centres = np.asarray(vectors, dtype=np.float32).reshape(len(rows), dimension)
    lengths = np.linalg.norm(centres.astype(np.float64), axis=1)
    if damaged := int((~(np.isfinite(lengths) & (lengths > 0))).sum()):
        raise ModelError(
            f"{damaged:,} centres of the teacher's header {path.name} are zero or not finite: use an undamaged one."
        )
    return torch.from_numpy(centres)
