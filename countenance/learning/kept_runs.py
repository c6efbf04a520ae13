"""Trainings of a comparison that are done once each: what a run gave lies in a folder named by all it depends on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from countenance.data.crop_store import CropStore
from countenance.errors import DataError, DivergenceError
from countenance.learning.balance import weights_of
from countenance.learning.fingerprint import fingerprint
from countenance.learning.labels import labels_of
from countenance.learning.schedule import WHERE_IT_RUNS
from countenance.network.configuration import LandmarkScheme
from countenance.storage import write_aside

NOTE = "run.json"


def done_once(folder: Path, do: Callable[[Path], dict[str, Any]], *, gives: Sequence[str]) -> dict[str, Any]:
    """What a run tells of itself; it is only done where ``folder`` doesn't hold all of it yet.

    The run keeps its state in ``folder/session``, so that an interrupted one goes on where it was, and what it gave
    beside; the note of what it tells is written last. A run that lost its note or a table is done again.

    Args:
        folder: of the run alone.
        do: trains, writes what it gave into the folder, and returns the note.
        gives: names of the tables that it writes.

    Raises:
        DataError: the note is damaged.
    """
    note = folder / NOTE
    if not all(file.is_file() for file in (note, *(_table(folder, name) for name in gives))):
        _keep_note(note, do(folder))
    shutil.rmtree(folder / "session", ignore_errors=True)
    return _noted(note)


def tried_once(folder: Path, do: Callable[[Path], dict[str, Any]], *, gives: Sequence[str]) -> dict[str, Any]:
    """As :func:`done_once`, of a run that may diverge: that is an outcome like others, and isn't tried again.

    The note of such a run says why in ``diverged``, and there are no tables.
    """
    note = folder / NOTE
    if note.is_file() and "diverged" in (found := _noted(note)):
        return found
    try:
        return done_once(folder, do, gives=gives)
    except DivergenceError as error:
        _keep_note(note, {"diverged": str(error)})
        shutil.rmtree(folder / "session", ignore_errors=True)
        return _noted(note)


def _keep_note(note: Path, told: dict[str, Any]) -> None:
    with write_aside(note) as aside:
        aside.write_text(json.dumps(told, indent=2), encoding="utf-8")


def _noted(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError(
            f"The note of a finished run, {note}, is damaged: remove its folder, and the run is done again."
        )
    return found


def _table(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"


def keep_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write what a run gave, whole or not at all."""
    with write_aside(_table(folder, name)) as aside:
        table.to_parquet(aside, index=False)


def kept_table(folder: Path, digest: str, name: str, *, run: str) -> pd.DataFrame:
    """What a run gave.

    Args:
        folder: of all runs.
        digest: of the run.
        name: of the table.
        run: its description for the reader.

    Raises:
        DataError: it isn't there.
    """
    path = _table(folder / digest, name)
    if not digest or not path.is_file():
        raise DataError(f"The run {run} is not in {folder}: run the pipeline again that trains it.")
    return pd.read_parquet(path)


def data_digest(manifest: pd.DataFrame, crops: CropStore, scheme: LandmarkScheme) -> str:
    """Equal where runs see equal faces, as far as labels and some of the crops tell."""
    looked_at = crops.rows(manifest["crop"].tolist())[:: 1 + len(manifest) // 256].tolist()
    return fingerprint(
        labels_of(manifest, landmark_scheme=scheme),
        {name: manifest[name].astype(str).tolist() for name in ("face_id", "source", "split", "crop")},
        *(() if (weights := weights_of(manifest)) is None else (weights,)),
        np.array([[np.nan] * 4 if box is None else box for box in manifest["box_xywh"]], dtype=np.float32),
        [crops.encoded(row, view) for row in looked_at for view in ("aligned", "box", "scene")],
    )


def what_counts(settings: BaseModel, *, without: Iterable[str] = ()) -> str:
    """The settings of a training without what changes where it is done, but not what it gives.

    A recogniser that the trunk learns from counts with what it says, and a balance with the weights that the data then
    have: neither is among the settings.

    Args:
        settings: with ``training`` and ``batches``.
        without: further settings that the training doesn't read.
    """
    exclude: dict[str, Any] = {
        "training": set(WHERE_IT_RUNS),
        "batches": {"decoded_mebibytes"},
        "recognition": {"teacher"},
        "balanced": True,
        **dict.fromkeys(without, True),
    }
    return json.dumps(settings.model_dump(mode="json", exclude=exclude), sort_keys=True)
