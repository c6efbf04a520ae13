"""The hash under which DVC knows a file or a folder, so that what a release was made from can be checked out again.

DVC names a file by the MD5 of its bytes, and a folder by the MD5 of a listing of its files, with ``.dir`` behind it.
MD5 is DVC's choice and serves to find things; that nothing was changed is for the sha256 of a release unit to say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from countenance.errors import DataError


def dvc_hash(path: Path) -> str:
    """The ``md5`` that ``dvc add`` or ``dvc repro`` would write of a path, as DVC 3 does; empty folders don't count.

    Raises:
        DataError: there is nothing at this path.
    """
    if path.is_file():
        return _md5(path)
    if not path.is_dir():
        raise DataError(f"{path} is missing, so its DVC hash can't be told: run the pipeline that writes it first.")
    found = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    # Sorted by the whole text of a path, in which "a-b/…" stands before "a/…", as DVC sorts it.
    listing = [{"md5": _md5(file), "relpath": name} for name, file in sorted(found.items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def dvc_hashes(paths: Mapping[str, Path]) -> dict[str, str]:
    """The hash of each, by name."""
    return {name: dvc_hash(path) for name, path in sorted(paths.items())}


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
