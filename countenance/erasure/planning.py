"""What an erasure will do, found out before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from countenance.data.manifest import read_manifest
from countenance.data.protected_attributes import subject_key
from countenance.data.tombstones import read_tombstones
from countenance.erasure.documents import Documents
from countenance.erasure.folders import Photographs, TeacherCaches
from countenance.erasure.journal import Plan, Planned
from countenance.erasure.lineage import (
    WORKING_COPY,
    OldManifest,
    datasets_with,
    models_with,
    old_manifest,
    old_manifests,
    only_manifests,
    read_rosters,
)
from countenance.erasure.project import DataRoot, Project, StageVersion, StoredObject
from countenance.erasure.protocols import StoredEmbeddings
from countenance.erasure.registry import MANIFEST, PAGE, PICTURED, STORES
from countenance.erasure.store import Found, Store, paths_of
from countenance.erasure.trace import (
    PersonRows,
    Trace,
    as_earlier,
    needles_of,
    quarantined_photos,
    trace_of,
)
from countenance.errors import DataError
from countenance.storage import file_sha256

QUARANTINE: Final = "03_primary/quarantine.parquet"
ROSTERS: Final = "rosters"


@dataclass(frozen=True)
class Held:
    """A file that holds the person."""

    root: DataRoot
    store: Store
    path: Path
    found: Found


def make_plan(
    project: Project, subject_id: str, *, now: datetime, previous: Plan | None = None
) -> tuple[Plan, list[OldManifest]]:
    """Find everything that the project holds of a person; and the manifests that are to be purged or rewritten.

    Args:
        project: where.
        subject_id: whom, as in the manifest.
        now: with a time zone.
        previous: of an erasure whose last scan still found something: what was known then is looked for again.

    Raises:
        DataError: nobody is called so, or something that may hold them is damaged.
    """
    stages = tuple(project.history.stages()) if project.history else ()
    manifests = [*old_manifests(project, subject_id), *_working_manifests(project, subject_id)]
    current = {root.name: each.person for root in project.roots for each in manifests if each.content_id == _own(root)}
    earlier = [each.person for each in manifests]
    traces = {root.name: _trace(root, subject_id, current.get(root.name), earlier, previous) for root in project.roots}
    held = list(_held(project, traces))
    _require_known(project, traces, held)
    crop_keys = {root.name: _crop_keys(root, held, previous) for root in project.roots}
    contents = frozenset().union(*(each.found.contents for each in held), previous.needles.contents if previous else ())
    needles = needles_of(
        traces.values(), [person.kept for person in current.values()], _keys_of_others(project, current, traces)
    )
    keys = frozenset().union(*(trace.keys for trace in traces.values()))
    rosters = read_rosters(project.records / ROSTERS)
    datasets = datasets_with(only_manifests(manifests, stages), rosters, keys, stages)
    models = models_with(project, datasets, stages)
    in_caches = _held_in_caches(project, crop_keys)
    plan = Plan(
        subject_id=subject_id,
        started=previous.started if previous else now.isoformat(timespec="seconds"),
        traces=traces,
        needles=replace(needles, contents=contents),
        crop_keys={name: tuple(sorted(key.hex() for key in keys)) for name, keys in crop_keys.items()},
        files=tuple(_planned(each) for each in (*held, *in_caches)),
        rewritten=(*previous.rewritten, *previous.files) if previous else (),
        pages=_pages(project, stages, traces),
        datasets=(*(previous.datasets if previous else ()), *(each.to_dict() for each in datasets)),
        models=(*(previous.models if previous else ()), *(asdict(each) for each in models)),
        settled=tuple(project.history.settled()) if project.history else (),
        left=_left(project, current, held),
    )
    return plan, [each for each in only_manifests(manifests, stages) if each.person.splits]


def _own(root: DataRoot) -> str:
    return f"{WORKING_COPY} of {root.name}"


def _working_manifests(project: Project, subject_id: str) -> Iterator[OldManifest]:
    for root in project.roots:
        if (root.folder / MANIFEST).is_file():
            yield old_manifest(read_manifest(root.folder / MANIFEST), _own(root), subject_id)


def _trace(
    root: DataRoot, subject_id: str, current: PersonRows | None, earlier: Sequence[PersonRows], previous: Plan | None
) -> Trace:
    known = [*earlier, *([as_earlier(previous.traces[root.name])] if previous and root.name in previous.traces else [])]
    trace = trace_of(subject_id, current, known, subject_secret=root.subject_secret, routing_secret=root.routing_secret)
    if (root.folder / QUARANTINE).is_file():
        aside = quarantined_photos(pd.read_parquet(root.folder / QUARANTINE), trace)
        trace = replace(trace, photos=trace.photos | aside)
    if previous and root.name in previous.traces:
        trace = replace(trace, keys=trace.keys | previous.traces[root.name].keys)
    return trace


def _keys_of_others(project: Project, current: Mapping[str, PersonRows], traces: Mapping[str, Trace]) -> frozenset[str]:
    """Keys of faces that are the person's in one data root and somebody else's in another."""
    faces = frozenset().union(*(trace.faces for trace in traces.values()))
    return frozenset(
        subject_key(None, face, root.subject_secret)
        for root in project.roots
        if root.name in current
        for face in faces & frozenset(current[root.name].kept["face_id"])
    )


def _require_known(project: Project, traces: Mapping[str, Trace], held: Sequence[Held]) -> None:
    if held or any(trace.faces for trace in traces.values()):
        return
    for root in project.roots:
        trace = traces[root.name]
        if read_tombstones(root.tombstones, root.subject_secret).bars_subject(trace.subject_id):
            return
    raise DataError(
        "Nobody is called so in any version of this project's data: give the id as the manifest has it, the source "
        "and a colon before the name, as in lfw:NAME."
    )


def _held(project: Project, traces: Mapping[str, Trace]) -> Iterator[Held]:
    folders = [root.folder for root in project.roots]
    for root in project.roots:
        for store in STORES:
            for path in paths_of(store, root.folder, folders):
                found = store.find(path, traces[root.name])
                if found is not None:
                    yield Held(root, store, path, found)


def _crop_keys(root: DataRoot, held: Sequence[Held], previous: Plan | None) -> frozenset[bytes]:
    before = previous.crop_keys.get(root.name, ()) if previous else ()
    now = frozenset().union(*(each.found.crop_keys for each in held if each.root is root))
    return now | {bytes.fromhex(key) for key in before}


def _held_in_caches(project: Project, crop_keys: Mapping[str, frozenset[bytes]]) -> Iterator[Held]:
    for root in project.roots:
        for store in STORES:
            if isinstance(store, TeacherCaches):
                for path in paths_of(store, root.folder):
                    rows = store.count(path, crop_keys[root.name])
                    if rows:
                        yield Held(root, store, path, Found(rows=rows))


def _planned(held: Held) -> Planned:
    return Planned(
        root=held.root.name,
        store=held.store.name,
        path=str(held.path),
        rows=held.found.rows,
        detail=held.found.detail,
        sha256=file_sha256(held.path) if held.path.is_file() else "",
    )


def _pages(project: Project, stages: Sequence[StageVersion], traces: Mapping[str, Trace]) -> tuple[str, ...]:
    """Pages of earlier versions that show the person; where it can't be told any more whom one shows, it counts."""
    pairs: dict[str, set[str]] = {}
    for stage in stages:
        page, pictured = (_written(stage, ending) for ending in (PAGE, PICTURED))
        if page and pictured:
            pairs.setdefault(pictured, set()).add(page)
    lists = _objects(project, set(pairs))
    everybody = Trace(subject_id=next(iter(traces.values())).subject_id, keys=_texts(traces))
    theirs = [pictured for pictured in pairs if pictured not in lists or _shows(lists[pictured], everybody)]
    return tuple(sorted({page for pictured in theirs for page in pairs[pictured]}))


def _texts(traces: Mapping[str, Trace]) -> frozenset[str]:
    return frozenset().union(*(trace.texts() for trace in traces.values()))


def _written(stage: StageVersion, ending: str) -> str | None:
    return next((content_id for path, content_id in stage.writes.items() if path.endswith(ending)), None)


def _objects(project: Project, ids: set[str]) -> dict[str, StoredObject]:
    found: dict[str, StoredObject] = {}
    for place in project.places if ids else ():
        for stored in place.objects():
            if stored.content_id in ids:
                found.setdefault(str(stored.content_id), stored)
    return found


def _shows(stored: StoredObject, trace: Trace) -> bool:
    with stored.content() as path:
        return Documents(name="pictured_faces", patterns=()).find(path, trace) is not None


def _beyond(project: Project, held: Sequence[Held]) -> list[str]:
    """Files that the history knows and can't rewrite; of photos, whose names may be the person's, their folder."""
    if project.history is None:
        return []
    photos = {project.relative(each.path) for each in held if isinstance(each.store, Photographs)}
    found = project.history.beyond([each.path for each in held])
    return sorted({path.partition("01_raw")[0] + "01_raw" if path in photos else path for path in found})


def _left(project: Project, current: Mapping[str, PersonRows], held: Sequence[Held]) -> dict[str, Any]:
    """What this erasure can't decide or reach, for a person to look at."""
    embeddings = next(store for store in STORES if isinstance(store, StoredEmbeddings))
    folders = [root.folder for root in project.roots]
    unattributed = [
        project.relative(path)
        for root in project.roots
        for path in paths_of(embeddings, root.folder, folders)
        if embeddings.is_unattributed(path)
    ]
    return {
        "photos_with_others": sum(len(person.shared) for person in current.values()),
        "arrays_of_unknown_crops": unattributed,
        "files_in_git": _beyond(project, held),
    }
