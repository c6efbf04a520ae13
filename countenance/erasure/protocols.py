"""Stores that are row by row alike: template protocols with their embeddings, and embeddings of a crop store.

Which rows go is found once, before anything is rewritten, and noted: half-way through, the files no longer tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from countenance.data.crop_store import CropStore
from countenance.data.protocols.parquet_protocol import DESCRIPTION, FORMAT
from countenance.erasure.store import Found, piece_of_numbers
from countenance.erasure.tables import keep_rows, read_table
from countenance.erasure.trace import Trace
from countenance.errors import DataError
from countenance.learning.aligned_crops import StoredCrops
from countenance.learning.embedding_plan import described, description_path, write_plan
from countenance.storage import write_aside

_ROWS_AT_ONCE: Final = 65_536
_BY_TEMPLATE: Final = {"pairs": ("first", "second"), "galleries": ("template",), "probes": ("template",)}
CROPS: Final = "03_primary/crops"
ARRAYS_BESIDE: Final = {"template_protocol": "template_embeddings"}
"""Folders of protocols whose arrays lie in a folder of their own beside them."""


@dataclass(frozen=True, kw_only=True)
class Protocols:
    """Template protocols as Parquet: the person's samples, the templates that are left without, and what names them.

    A sample is the person's by its name: a face id, or a photo that shows nobody else who is named. The arrays
    with a row a sample, in its folder or in the one beside it, are rewritten with it.
    """

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`; ``path`` is the protocol's description."""
        if _read(path).get("format") != FORMAT:
            return None
        samples = read_table(path.parent / "samples.parquet")
        names = trace.faces | {name for _, name in trace.photos}
        theirs = np.array([name in names for name in samples.column("name").to_pylist()], dtype=np.bool_)
        if not theirs.any():
            return None
        templates = samples.column("template").to_numpy()
        left = np.unique(templates[~theirs])
        contents = set().union(*(_pieces(array, theirs) for array in _arrays(path.parent, len(theirs))))
        return Found(
            rows=int(theirs.sum()),
            contents=frozenset(contents),
            detail={
                "samples": len(theirs),
                "rows": np.flatnonzero(theirs).tolist(),
                "templates": np.setdiff1d(templates[theirs], left).tolist(),
            },
        )

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        folder, count = path.parent, int(detail["samples"])
        keep = np.ones(count, dtype=np.bool_)
        keep[detail["rows"]] = False
        for array in _arrays(folder, count):
            _keep_in_array(array, keep)
        samples = folder / "samples.parquet"
        if read_table(samples).num_rows == count:
            keep_rows(samples, keep)
        gone = np.array(detail["templates"], dtype=np.int64)
        for name, columns in _BY_TEMPLATE.items():
            table = folder / f"{name}.parquet"
            if table.is_file():
                values = read_table(table)
                stays = ~np.any([np.isin(values.column(column).to_numpy(), gone) for column in columns], axis=0)
                if not stays.all():
                    keep_rows(table, stays)
        _recount(path)


@dataclass(frozen=True, kw_only=True)
class StoredEmbeddings:
    """Arrays that ``countenance embed`` made of the data root's crop store: a row a crop, in the store's order.

    An array of other crops names nobody and can't be told from a table of numbers: :meth:`is_unattributed`.
    """

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        crops = _crops_of(path)
        if crops is None or not self._is_of(path, crops):
            return None
        theirs = np.array([key in trace.faces for key in crops.crop_keys()], dtype=np.bool_)
        if not theirs.any():
            return None
        rows = np.flatnonzero(theirs).tolist()
        contents = _pieces(path, theirs)
        return Found(rows=len(rows), contents=frozenset(contents), detail={"samples": len(theirs), "rows": rows})

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`; the crops must have been rewritten before."""
        crops = _crops_of(path)
        keep = np.ones(int(detail["samples"]), dtype=np.bool_)
        keep[detail["rows"]] = False
        _keep_in_array(path, keep)
        if crops is not None:
            _redescribe(path, keep, StoredCrops(crops).identity)

    def is_unattributed(self, path: Path) -> bool:
        """Whether nobody can tell whose a file's rows are."""
        crops = _crops_of(path)
        return not _is_of_protocol(path) and (crops is None or not self._is_of(path, crops))

    @staticmethod
    def _is_of(path: Path, crops: CropStore) -> bool:
        return description_path(path).is_file() and described(path)[0].crops_identity == StoredCrops(crops).identity


def _crops_of(path: Path) -> CropStore | None:
    """The crop store of the data root that a file lies in."""
    for folder in path.parents:
        if any((folder / CROPS).glob("crops-*.arrow")):
            return CropStore(folder / CROPS)
    return None


def _arrays(folder: Path, rows: int) -> list[Path]:
    """The arrays of a protocol's folder, and of the one beside it, with so many rows."""
    beside = ARRAYS_BESIDE.get(folder.name)
    folders = [folder] if beside is None else [folder, folder.parent / beside]
    paths = [path for each in folders for path in sorted(each.glob("*.npy"))]
    return [path for path in paths if len(np.load(path, mmap_mode="r")) == rows]


def _is_of_protocol(path: Path) -> bool:
    beside = [path.parent.parent / name for name, arrays in ARRAYS_BESIDE.items() if arrays == path.parent.name]
    return any((folder / DESCRIPTION).is_file() for folder in (path.parent, *beside))


def _pieces(path: Path, theirs: NDArray[np.bool_]) -> set[bytes]:
    array = np.load(path, mmap_mode="r")
    found = {piece_of_numbers(array[row]) for row in np.flatnonzero(theirs)}
    return {piece for piece in found if piece is not None}


def _keep_in_array(path: Path, keep: NDArray[np.bool_]) -> None:
    array = np.load(path, mmap_mode="r")
    if len(array) != len(keep):
        return  # it was rewritten already
    with write_aside(path) as aside:
        kept = open_memmap(aside, mode="w+", dtype=array.dtype, shape=(int(keep.sum()), *array.shape[1:]))
        start = 0
        for first in range(0, len(keep), _ROWS_AT_ONCE):
            some = array[first : first + _ROWS_AT_ONCE][keep[first : first + _ROWS_AT_ONCE]]
            kept[start : start + len(some)] = some
            start += len(some)
        kept.flush()


def _recount(path: Path) -> None:
    """Make a protocol's description say how much it holds now."""
    folder, description = path.parent, _read(path)
    samples, pairs = read_table(folder / "samples.parquet"), read_table(folder / "pairs.parquet")
    counts = {
        **description["counts"],
        "samples": samples.num_rows,
        "templates": len(np.unique(samples.column("template").to_numpy())),
        "pairs": pairs.num_rows,
        "mated_pairs": int(np.count_nonzero(pairs.column("mated").to_numpy(zero_copy_only=False))),
    }
    if (folder / "galleries.parquet").is_file():
        names = read_table(folder / "galleries.parquet").column("gallery").to_pylist()
        counts["galleries"] = {name: names.count(name) for name in dict.fromkeys(names)}
    if (folder / "probes.parquet").is_file():
        counts["probes"] = read_table(folder / "probes.parquet").num_rows
    if counts != description["counts"]:
        with write_aside(path) as aside:
            aside.write_text(json.dumps({**description, "counts": counts}, indent=2) + "\n", encoding="utf-8")


def _redescribe(path: Path, keep: NDArray[np.bool_], identity: str) -> None:
    plan, failures = described(path)
    if plan.crops_identity == identity:
        return
    row_of = np.cumsum(keep) - 1
    moved = [replace(failure, row=int(row_of[failure.row])) for failure in failures if keep[failure.row]]
    write_plan(description_path(path), replace(plan, rows=int(keep.sum()), crops_identity=identity), moved)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no readable JSON: restore or remove it, and run the erasure again.") from error
    return content if isinstance(content, dict) else {}
