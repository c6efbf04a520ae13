"""What `dvc.lock` and `.dvc` files say of every commit: which content was made from which."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from countenance.erasure.lineage import WORKING_COPY
from countenance.erasure.project import StageVersion
from countenance.errors import DataError

_KINDS: Final = ("dvc.lock", "*/dvc.lock", "*.dvc")


def lock_files_of(folder: Path) -> list[Path]:
    """The lock files of the working copy."""
    found = [*folder.rglob("dvc.lock"), *folder.rglob("*.dvc")]
    hidden = {".git", ".dvc", ".venv", "node_modules"}
    return sorted(path for path in found if path.is_file() and not hidden & set(path.relative_to(folder).parts[:-1]))


def stage_versions(folder: Path) -> list[StageVersion]:
    """Every step of every commit that some branch, tag, stash, experiment or reflog knows, and of the working copy.

    A step is listed with the commits that changed its file.

    Raises:
        DataError: a lock file isn't readable, or git isn't there.
    """
    versions = [
        version
        for path in lock_files_of(folder)
        for version in _stages(path.relative_to(folder).as_posix(), path.read_bytes(), WORKING_COPY, "")
    ]
    if not (folder / ".git").exists():
        return versions
    contents: dict[str, bytes] = {}
    for commit, when, path, blob in _changes(folder):
        if blob not in contents:
            contents[blob] = _git(folder, "cat-file", "blob", blob)
        versions += _stages(path, contents[blob], commit, when)
    return versions


def known_to_git(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Those of some paths, relative to the project, that are in git themselves, whatever DVC does."""
    inside = sorted({path.relative_to(folder).as_posix() for path in paths if path.is_relative_to(folder)})
    if not inside or not (folder / ".git").exists():
        return []
    told = _git(folder, "log", "--all", "--reflog", "-m", "--format=", "--name-only", "-z", "--", *inside).decode()
    return sorted(set(told.replace("\n", "").split("\0")) - {""})


def _changes(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Commit, moment, path and blob of every change of a lock file."""
    told = _git(
        folder, "log", "--all", "--reflog", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=%x01%H %cI", "-z",
        "--", *_KINDS,
    ).decode()  # fmt: skip
    commit = when = ""
    fields = iter(told.replace("\n", "").split("\0"))
    seen: set[tuple[str, str, str]] = set()
    for field in fields:
        if "\1" in field:
            commit, when = field.rpartition("\1")[2].split(" ", 1)
        elif field.startswith(":"):
            blob, path = field.split(" ")[3], next(fields)
            if set(blob) != {"0"} and (commit, path, blob) not in seen:
                seen.add((commit, path, blob))
                yield commit, when, path, blob


def _stages(path: str, content: bytes, revision: str, when: str) -> list[StageVersion]:
    try:
        told = yaml.safe_load(content) or {}
        inside = PurePosixPath(path).parent
        if path.endswith(".dvc"):
            stages: Mapping[str, Any] = {path: {**told, "deps": []}}
        else:
            stages = told.get("stages", {})
        return [
            StageVersion(
                revision=revision,
                when=when,
                stage=name,
                reads=_contents(stage.get("deps", []), inside),
                writes=_contents(stage.get("outs", []), inside),
            )
            for name, stage in stages.items()
        ]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        where = path if revision == WORKING_COPY else f"{path} of commit {revision[:10]}"
        raise DataError(f"{where} is no readable lock file of DVC: restore it, and run the erasure again.") from error


def _contents(entries: Any, inside: PurePosixPath) -> dict[str, str]:
    return {(inside / entry["path"]).as_posix(): str(entry["md5"]) for entry in entries or [] if "md5" in entry}


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise DataError("The history can't be searched without git: install it.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise DataError(f"git can't tell the history of {folder}: {' '.join(said)}.") from error
