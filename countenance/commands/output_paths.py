"""Where a command may write: looked at first, since an hour's work must not be lost for a path; light to import."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn


def check_outputs(out: Path | None, plots: Path | None, inputs: Iterable[Path | None]) -> None:
    """Refuse paths that can't be written to, or at which something is read.

    Args:
        out: a file to be written; None: none.
        plots: a folder to be written to; None: none.
        inputs: files and folders that the command reads. No file of theirs is replaced, nor what lies beside an
            embeddings file.

    Raises:
        DataError: a path is a folder where a file belongs or the other way round, lies under a file or in a folder that
            can't be written to, or is one of the inputs.
    """
    given = [path for path in inputs if path is not None]
    read = [beside for path in given for beside in (path, *_beside(path))]
    if out is not None:
        if out.is_dir():
            _refuse(f"{out} is a folder", "name the file that --out is to write")
        for path in read:
            if _same(out, path) or _is_input_within(out, path):
                _refuse(f"{out} is read here, and --out would replace it", "name another file")
        _refuse_unwritable(out.parent, "--out")
    if plots is not None:
        if any(_same(plots, path) for path in (*read, *([out] if out is not None else []))):
            _refuse(f"{plots} is read or written here already", "name another folder with --plots")
        if plots.exists() and not plots.is_dir():
            _refuse(f"{plots} is a file", "name a folder with --plots")
        _refuse_unwritable(plots, "--plots")


def write_text(path: Path, text: str) -> None:
    """Write a text aside and rename it into place.

    Raises:
        DataError: it can't be written.
    """
    from countenance.errors import DataError
    from countenance.storage import write_aside

    try:
        with write_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} can't be written ({error.strerror}): name another file.") from error


def _beside(path: Path) -> tuple[Path, ...]:
    """What belongs to a file of embeddings: its description, and the folder in which it is made."""
    return (path.with_name(f"{path.name}.json"), path.with_name(f"{path.name}.part")) if path.suffix == ".npy" else ()


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _is_input_within(out: Path, folder: Path) -> bool:
    """Whether a file lies in a folder that is read; an earlier report there may be replaced."""
    if not (folder.is_dir() and out.exists() and folder.resolve() in out.resolve().parents):
        return False
    with suppress(OSError, ValueError):
        found = json.loads(out.read_text(encoding="utf-8"))
        return not (isinstance(found, dict) and "kind" in found)
    return True


def _refuse_unwritable(folder: Path, option: str) -> None:
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        _refuse(f"{there} is a file, so that nothing can lie under it", f"name another place with {option}")
    if not os.access(there, os.W_OK | os.X_OK):
        _refuse(f"{there} can't be written to", f"name another place with {option}")


def _refuse(problem: str, remedy: str) -> NoReturn:
    from countenance.errors import DataError

    raise DataError(f"{problem}: {remedy}.")
