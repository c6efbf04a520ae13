"""What an embeddings file holds, or is to hold: told beside it, so that nobody mixes models or lists of crops.

``E.npy`` is a plain array; ``E.npy.json`` describes it. While it is being made, ``E.npy.part`` is a folder with the
array as far as it is known, the plan, a byte for each finished block, and what couldn't be embedded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from countenance.errors import DataError
from countenance.storage import write_aside

FORMAT: Final = "countenance embeddings"
VERSION: Final = 1

ARRAY: Final = "embeddings.npy"
PLAN: Final = "plan.json"
MARKS: Final = "finished"

_COMPARED: Final = {
    "model_identity": "of another model, or of this one run in another way",
    "rows": "of another list of crops",
    "crops_identity": "of another list of crops",
    "mirrored": "with other mirror images",
    "unit_length": "of another length",
}
"""What makes two extractions different ones, and how to say so."""


@dataclass(frozen=True)
class Failure:
    """A row that could not be embedded.

    Attributes:
        row: its number; the array holds zeros there.
        problem: why, in a sentence.
    """

    row: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class EmbeddingPlan:
    """What an embeddings file holds.

    Attributes:
        rows: number N of crops.
        dimension: length D of an embedding.
        mirrored: whether a row is two embeddings, of the crop and of its mirror image.
        unit_length: whether embeddings were scaled to unit norm.
        block: rows that are finished together.
        model: what the model is called.
        model_identity: equal where embeddings may stand in for each other.
        crops_identity: equal for equal lists of crops.
    """

    rows: int
    dimension: int
    mirrored: bool
    unit_length: bool
    block: int
    model: str
    model_identity: str
    crops_identity: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array: [N, 2, D] or [N, D]."""
        return (self.rows, 2, self.dimension) if self.mirrored else (self.rows, self.dimension)

    @property
    def row_bytes(self) -> int:
        """What a row takes in float32."""
        return 4 * (2 if self.mirrored else 1) * self.dimension

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.rows // self.block)

    def rows_of(self, block: int) -> range:
        """The rows of a block."""
        return range(block * self.block, min(self.rows, (block + 1) * self.block))

    def refuse_another(self, wanted: EmbeddingPlan, where: Path) -> None:
        """Refuse to go on with, or to take for done, what another extraction made.

        Raises:
            DataError: model, crops or what is kept of them differ.
        """
        for name, how in _COMPARED.items():
            if getattr(self, name) != getattr(wanted, name):
                raise DataError(f"{where} holds embeddings {how}: remove it, or name another file.")


def part_folder(out: Path) -> Path:
    """Where a file is while it is being made."""
    return out.with_name(f"{out.name}.part")


def description_path(out: Path) -> Path:
    """Where it is told what a finished file holds."""
    return out.with_name(f"{out.name}.json")


def write_plan(path: Path, plan: EmbeddingPlan, failures: Iterable[Failure] = ()) -> None:
    """Write a plan, or the description of a finished file."""
    content = {"format": FORMAT, "version": VERSION, **asdict(plan), "failures": [asdict(each) for each in failures]}
    with write_aside(path) as aside:
        aside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_plan(path: Path) -> tuple[EmbeddingPlan, tuple[Failure, ...]]:
    """Read what :func:`write_plan` wrote.

    Raises:
        FileNotFoundError: the file isn't there.
        DataError: it is damaged or something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or content["version"] != VERSION:
            raise ValueError("another format")
        plan = EmbeddingPlan(**{field.name: content[field.name] for field in fields(EmbeddingPlan)})
        failures = failures_of(content["failures"])
        if min(plan.rows, plan.dimension, plan.block) < 1:
            raise ValueError("a size below 1")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DataError(f"{path} describes no embeddings: restore it, or remove what it belongs to.") from error
    beyond = [failure.row for failure in failures if not 0 <= failure.row < plan.rows]
    if beyond:
        raise DataError(
            f"{path} records row {beyond[0]} as a failure, and there are rows 0 to {plan.rows - 1:,} only: restore it, "
            "or embed again."
        )
    return plan, failures


def failures_of(values: Sequence[Any]) -> tuple[Failure, ...]:
    """Failures from what JSON gives."""
    return tuple(Failure(int(value["row"]), str(value["problem"])) for value in values)


def described(out: Path) -> tuple[EmbeddingPlan, tuple[Failure, ...]]:
    """What a finished file holds.

    Raises:
        FileNotFoundError: the file isn't there.
        DataError: nothing tells what it holds, or that is damaged.
    """
    try:
        return read_plan(description_path(out))
    except FileNotFoundError as error:
        if not out.exists():
            raise
        raise DataError(
            f"{description_path(out)}, which tells what {out.name} holds, is not there: restore it."
        ) from error
