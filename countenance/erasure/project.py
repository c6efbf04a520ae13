"""What the erasure asks of a project: its data roots, the places where versions lie, its history, and its models.

The library knows no DVC, S3 or MLflow. A project that has them says so in its ``pyproject.toml``::

    [tool.countenance]
    erasure = "pipelines.erasure.opening:open_project"

and that function gives a :class:`Project`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class DataRoot:
    """A folder of data that belong together, with the keys that hide its people.

    Attributes:
        name: of its environment.
        folder: where.
        subject_secret: of its protected attributes and tombstones.
        routing_secret: of its traffic.
        tombstones: the file of its tombstones.
    """

    name: str
    folder: Path
    subject_secret: bytes = field(repr=False)
    routing_secret: bytes = field(repr=False)
    tombstones: Path


class StoredObject(Protocol):
    """One version of one object of a place.

    Attributes:
        name: within its place; it names nobody.
        content_id: equal for equal contents, across places; None where that can't be known without reading.
        size: in bytes.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    @property
    def content_id(self) -> str | None:
        """See above."""
        ...

    @property
    def size(self) -> int:
        """See above."""
        ...

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        ...

    def content(self) -> AbstractContextManager[Path]:
        """A file with all of it, for as long as the context lasts."""
        ...

    def delete(self) -> None:
        """Remove this version for good; one that is gone already is no error."""
        ...


class ObjectPlace(Protocol):
    """Where versions of data lie: a cache, a remote.

    Attributes:
        name: as the receipt calls it.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    def objects(self) -> Iterator[StoredObject]:
        """Every version of every object."""
        ...

    def tidy(self) -> int:
        """Remove what is left of objects without any version (delete markers); how many there were."""
        ...


@dataclass(frozen=True, kw_only=True)
class StageVersion:
    """One step of the data's history: what was made from what.

    Attributes:
        revision: a commit, or "working copy".
        when: of the commit, ISO 8601; empty for the working copy.
        stage: its name.
        reads: content id by path, relative to the project.
        writes: likewise.
    """

    revision: str
    when: str
    stage: str
    reads: Mapping[str, str]
    writes: Mapping[str, str]


class History(Protocol):
    """The versions of the data, as a tool like DVC keeps them."""

    def stages(self) -> Sequence[StageVersion]:
        """Every step of every version, the working copy's included."""
        ...

    def settled(self) -> list[dict[str, Any]]:
        """What is up to date now, as JSON values for :meth:`settle`; and what of it every remote holds."""
        ...

    def settle(self, settled: Sequence[Mapping[str, Any]], workspace: Path) -> None:
        """Take over what was rewritten as the version that is up to date, and bring it to where the old one was.

        Args:
            settled: as :meth:`settled` gave it before anything was rewritten.
            workspace: for what must outlast an interruption.
        """
        ...

    def beyond(self, paths: Sequence[Path]) -> list[str]:
        """Those of some files, relative to the project, of which versions lie where no erasure can rewrite them."""
        ...

    def forget(self) -> None:
        """Drop what the tool remembers of objects that are gone."""
        ...


@dataclass(frozen=True, kw_only=True)
class AffectedModel:
    """A model that a person was in.

    Attributes:
        what: e.g. "registered model countenance, version 3", "release unit", "network".
        where: a path, or the registry's name of it.
        dataset_sha256: of the data set that it was made from, where it says so.
        revisions: in which versions of the data it is listed.
    """

    what: str
    where: str
    dataset_sha256: str | None = None
    revisions: tuple[str, ...] = ()


class ModelRegistry(Protocol):
    """Where models are registered."""

    def made_from(self, datasets: Sequence[str]) -> list[AffectedModel]:
        """Every registered version whose release says that it was made from one of these data sets."""
        ...


@dataclass(frozen=True, kw_only=True)
class Project:
    """All that an erasure touches.

    Attributes:
        folder: of the project; paths in receipts are relative to it.
        roots: its data roots.
        scanned: folders of which every file is searched at the end.
        places: where versions lie.
        history: of the data; None where there is none.
        registries: of models.
        records: where receipts, rosters and an erasure's journal lie.
    """

    folder: Path
    roots: tuple[DataRoot, ...]
    scanned: tuple[Path, ...]
    places: tuple[ObjectPlace, ...] = ()
    history: History | None = None
    registries: tuple[ModelRegistry, ...] = ()
    records: Path

    @property
    def workspace(self) -> Path:
        """Of an erasure that is under way."""
        return self.records / "unfinished"

    def relative(self, path: Path) -> str:
        """How a path is written down."""
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)


@dataclass(frozen=True)
class FolderPlace:
    """A folder whose files are named by their content, such as a DVC cache or a remote on a disk."""

    name: str
    folder: Path

    def objects(self) -> Iterator[StoredObject]:
        """Every file of it."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield FolderObject(path, self.folder)

    def tidy(self) -> int:
        """Nothing: a file that was removed leaves nothing behind."""
        return 0


@dataclass(frozen=True)
class FolderObject:
    """A file of a :class:`FolderPlace`."""

    path: Path
    folder: Path

    @property
    def name(self) -> str:
        """Its path in the folder."""
        return self.path.relative_to(self.folder).as_posix()

    @property
    def content_id(self) -> str | None:
        """Its last two parts, if they look like a digest's."""
        return content_id_of(self.name)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        with self.path.open("rb") as file:
            return file.read(count)

    @contextmanager
    def content(self) -> Iterator[Path]:
        """The file itself."""
        yield self.path

    def delete(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)


def content_id_of(name: str) -> str | None:
    """The digest that an object's name says, as DVC lays objects out (``.../ab/cdef…``); None for another name."""
    parts = name.rsplit("/", 2)
    if len(parts) < 2 or len(parts[-2]) != 2:
        return None
    digest = parts[-2] + parts[-1]
    is_digest = all(letter in "0123456789abcdef" for letter in digest.removesuffix(".dir"))
    return digest if is_digest and len(digest.removesuffix(".dir")) == 32 else None
