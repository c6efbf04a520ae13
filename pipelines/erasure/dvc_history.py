"""DVC as the erasure sees it: what was made from what in every commit, the cache and the remotes, and what is settled.

An output is settled when it is what `dvc.lock` says. Whatever was settled before an erasure is settled again after it,
with the new digests; what was not (code that was edited, a parameter) stays as unsettled as it was, which
`dvc commit --force` of a whole stage would hide.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from countenance.erasure.project import FolderPlace, ObjectPlace, StageVersion
from countenance.errors import ConfigurationError
from countenance.storage import write_folder_aside
from pipelines.erasure.lock_files import known_to_git, lock_files_of, stage_versions
from pipelines.erasure.s3_place import s3_place

_LOCKS: Final = "locks"


class DvcHistory:
    """A DVC repository.

    Args:
        folder: its root.
        downloads: a folder for objects of a remote that are being looked at.
    """

    def __init__(self, folder: Path, downloads: Path) -> None:
        self._folder = folder
        self._downloads = downloads

    def stages(self) -> Sequence[StageVersion]:
        """Every step of every commit on any branch, tag, stash or experiment, and of the working copy."""
        return stage_versions(self._folder)

    def places(self) -> list[ObjectPlace]:
        """The cache, DVC's temporary folder (experiments are run there), and every remote.

        Raises:
            ConfigurationError: a remote is of a kind that can't be purged.
        """
        with self._repository() as repository:
            found: list[ObjectPlace] = [
                FolderPlace("DVC cache", Path(repository.cache.local_cache_dir)),
                FolderPlace("DVC temporary folder", Path(repository.tmp_dir)),
            ]
            for name, settings in repository.config["remote"].items():
                found.append(self._remote(name, settings))
            return found

    def settled(self) -> list[dict[str, Any]]:
        """Stage and path of every output and dependency that is as `dvc.lock` says, and the remotes that have it."""
        remotes = {place.name: place for place in self.places() if place.name.startswith("remote ")}
        stored = {name: {each.content_id for each in place.objects()} for name, place in remotes.items()}
        with self._repository() as repository:
            return [
                {
                    "stage": stage.addressing,
                    "kind": kind,
                    "path": entry.def_path,
                    "remotes": sorted(
                        name.removeprefix("remote ")
                        for name, ids in stored.items()
                        if kind == "out" and entry.use_cache and entry.hash_info.value in ids
                    ),
                }
                for stage, kind, entry in _entries(repository)
                if entry.hash_info and not entry.status()
            ]

    def settle(self, settled: Sequence[Mapping[str, Any]], workspace: Path) -> None:
        """Record what was settled before with its new digest, in `dvc.lock` and the cache, and push it to where it was.

        `dvc.lock` isn't written in one step, so a copy of it outlasts an interruption.
        """
        self._restore_or_keep_locks(workspace / _LOCKS)
        known = {(each["stage"], each["kind"], each["path"]) for each in settled}
        with self._repository() as repository, repository.lock, repository.scm_context(quiet=True):
            changed: dict[str, Any] = {}
            for stage, kind, entry in _entries(repository):
                if (stage.addressing, kind, entry.def_path) in known and entry.status():
                    entry.save()
                    if kind == "out":  # not linked again: to that end DVC would remove the file first
                        entry.commit(relink=False)
                    changed[stage.addressing] = stage
            for stage in changed.values():
                stage.dump(update_pipeline=False)
        # At once: a folder that is half removed would be taken for one that is to be restored.
        done = workspace / f"{_LOCKS}.done"
        shutil.rmtree(done, ignore_errors=True)
        shutil.rmtree((workspace / _LOCKS).rename(done))
        with self._repository() as repository:
            for remote in sorted({name for each in settled for name in each["remotes"]}):
                targets = [str(self._folder / each["path"]) for each in settled if remote in each["remotes"]]
                repository.push(targets=targets, remote=remote)

    def beyond(self, paths: Sequence[Path]) -> list[str]:
        """Those of some files that git itself knows: no erasure rewrites its history."""
        return known_to_git(self._folder, paths)

    def forget(self) -> None:
        """Drop DVC's own notes of what lies where; it makes them anew."""
        with self._repository() as repository:
            notes = Path(repository.site_cache_dir)
        shutil.rmtree(notes, ignore_errors=True)

    def _remote(self, name: str, settings: Mapping[str, Any]) -> ObjectPlace:
        url = str(settings["url"])
        if settings.get("version_aware") or settings.get("worktree"):
            raise ConfigurationError(
                f"The DVC remote '{name}' keeps versions by itself ('version_aware' or 'worktree'), which an erasure "
                "can't rewrite: remove the person's files there by hand, and take the remote out of .dvc/config."
            )
        if url.startswith("s3://"):
            return s3_place(f"remote {name}", url, settings, self._downloads)
        if "://" not in url:
            return FolderPlace(f"remote {name}", Path(url))
        raise ConfigurationError(
            f"The DVC remote '{name}' is at {url.partition('://')[0]}://, where an erasure can't purge versions: purge "
            "it by hand, and take it out of .dvc/config."
        )

    def _restore_or_keep_locks(self, copies: Path) -> None:
        paths = lock_files_of(self._folder)
        if copies.is_dir():
            for path in paths:
                copy = copies / path.relative_to(self._folder)
                if copy.is_file():
                    shutil.copyfile(copy, path)
            return
        with write_folder_aside(copies) as aside:
            for path in paths:
                copy = aside / path.relative_to(self._folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)

    @contextmanager
    def _repository(self) -> Iterator[Any]:
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.ERROR)
        with Repo(str(self._folder)) as repository:
            yield repository


def _entries(repository: Any) -> Iterator[tuple[Any, str, Any]]:
    """Stage, kind, and output or dependency of all that lies in the project's folder."""
    for stage in repository.index.stages:
        for entry in stage.outs:
            yield stage, "out", entry
        for entry in stage.deps:
            if entry.is_in_repo and type(entry).__name__ == "Dependency":
                yield stage, "dep", entry
