"""The last word: every byte of every file and of every version of every object is searched for the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from countenance.erasure.journal import Journal, Plan
from countenance.erasure.project import Project, StoredObject
from countenance.erasure.reading import Wanted, holds
from countenance.progress import track


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a scan looked at, and where it still found the person.

    Attributes:
        files, objects: how many.
        size: bytes of both.
        needles: how many byte strings were looked for in each.
        remaining: files and objects, as they may be told: they name nobody.
    """

    files: int
    objects: int
    size: int
    needles: int
    remaining: tuple[str, ...]


def wanted_of(plan: Plan) -> Wanted:
    """What is searched for."""
    pictures = frozenset().union(*(trace.photo_hashes for trace in plan.traces.values()))
    return Wanted(plan.needles.search(), pictures)


def scan(project: Project, plan: Plan) -> Scan:
    """Search everything.

    Raises:
        DataError: something can't be read, so nobody can tell whom it holds.
    """
    wanted, remaining, size, objects = wanted_of(plan), [], 0, 0
    files = list(_files(project))
    for path in track(files, what="Searching files", total=len(files), unit="file"):
        size += path.stat().st_size
        if holds(path, wanted) or wanted.search.is_in(path.name.encode()):
            remaining.append(_told(project, path, wanted))
    for place in project.places:
        for stored in track(place.objects(), what=f"Searching {place.name}", total=None, unit="object"):
            objects, size = objects + 1, size + stored.size
            if stored.content_id in plan.pages or object_holds(stored, wanted):
                remaining.append(f"{place.name}: {stored.name}")
    needles = len(wanted.search) + len(wanted.pictures)
    return Scan(files=len(files), objects=objects, size=size, needles=needles, remaining=tuple(remaining))


def purge(project: Project, plan: Plan, journal: Journal) -> None:
    """Remove every version of every object that holds the person; what goes is noted before it goes."""
    wanted = wanted_of(plan)
    for place in project.places:
        for stored in track(place.objects(), what=f"Purging {place.name}", total=None, unit="object"):
            if stored.content_id in plan.pages or object_holds(stored, wanted):
                journal.note("purge", place=place.name, name=stored.name, size=stored.size)
                stored.delete()
        markers = place.tidy()
        if markers:
            journal.note("tidy", place=place.name, markers=markers)


def object_holds(stored: StoredObject, wanted: Wanted) -> bool:
    """Whether an object holds the person."""
    if stored.size == 0:
        return False
    with stored.content() as path:
        return holds(path, wanted)


def _files(project: Project) -> Iterator[Path]:
    for folder in project.scanned:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_relative_to(project.workspace):
                yield path


def _told(project: Project, path: Path, wanted: Wanted) -> str:
    """A path without what names somebody."""
    told = project.relative(path)
    while wanted.search.is_in(told.encode()):
        told = f"{told.rpartition('/')[0]}" if "/" in told else "a file"
    return told
