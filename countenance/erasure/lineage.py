"""In which versions of the data a person was, and which models were made from those; asked before anything is purged.

An erasure purges old manifests, and with them everybody else's traces in them. So of each manifest that is purged a
roster is kept: who was in it, as HMACs, without the person. The next erasure asks the rosters, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.erasure.project import AffectedModel, DataRoot, Project, StageVersion, StoredObject
from countenance.erasure.reading import PARQUET
from countenance.erasure.registry import MANIFEST
from countenance.erasure.trace import MANIFEST_COLUMNS, PersonRows, person_in, roster_key
from countenance.errors import DataError
from countenance.storage import file_sha256, write_aside

WORKING_COPY: Final = "working copy"
_MODELS: Final = "06_models"
_RELEASES: Final = "06_models/releases/*/release.json"


@dataclass(frozen=True, kw_only=True)
class DatasetVersion:
    """A version of the data that a person was in.

    Attributes:
        path: of its manifest, relative to the project; empty for an object that no commit names.
        content_ids: of the manifest.
        dataset_sha256: as releases say it.
        revisions: the commits that brought it, and "working copy".
        splits: the person's faces by split; empty where only a roster tells.
    """

    path: str
    content_ids: tuple[str, ...]
    dataset_sha256: str
    revisions: tuple[str, ...]
    splits: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class OldManifest:
    """A manifest in a place where versions lie.

    Attributes:
        content_id: its digest, as the place says it.
        dataset_sha256: as releases say it.
        person: the person in it.
        people: everybody else's splits, by subject id.
    """

    content_id: str
    dataset_sha256: str
    person: PersonRows
    people: Mapping[str, tuple[str, ...]]


def dataset_sha256(manifest: pd.DataFrame) -> str:
    """The digest by which a release knows its data: of faces, photos and splits, whatever their order."""
    faces = "\n".join(sorted(manifest["face_id"] + " " + manifest["photo_sha256"] + " " + manifest["split"]))
    return hashlib.sha256(faces.encode()).hexdigest()


def old_manifests(project: Project, subject_id: str) -> list[OldManifest]:
    """Every manifest that lies in the project's places, once.

    Raises:
        DataError: one is damaged.
    """
    found: dict[str, OldManifest] = {}
    seen: set[str] = set()
    for place in project.places:
        for stored in place.objects():
            key = stored.content_id or f"{place.name} {stored.name}"
            is_new = key not in seen
            seen.add(key)
            if is_new and stored.head(len(PARQUET)) == PARQUET:
                frame = _manifest_of(stored)
                if frame is not None:
                    told = old_manifest(frame, key, subject_id)
                    # There may be many versions, and who else is in them isn't asked.
                    found[key] = replace(told, person=replace(told.person, kept=frame.iloc[:0]))
    return list(found.values())


def old_manifest(frame: pd.DataFrame, content_id: str, subject_id: str) -> OldManifest:
    """What is to be known of a manifest before it is purged."""
    others = frame[frame["subject_id"].notna() & (frame["subject_id"] != subject_id)]
    people = others.groupby("subject_id")["split"].unique()
    return OldManifest(
        content_id=content_id,
        dataset_sha256=dataset_sha256(frame),
        person=person_in(frame, subject_id),
        people={str(subject): tuple(sorted(splits)) for subject, splits in people.items()},
    )


def only_manifests(manifests: Sequence[OldManifest], stages: Sequence[StageVersion]) -> list[OldManifest]:
    """Without the tables that look like manifests and that the history calls otherwise, as a faulty delivery."""
    called: dict[str, set[bool]] = {}
    for stage in stages:
        for path, content_id in (*stage.writes.items(), *stage.reads.items()):
            called.setdefault(content_id, set()).add(path.endswith(MANIFEST))
    return [each for each in manifests if True in called.get(each.content_id, {True})]


def datasets_with(
    manifests: Sequence[OldManifest],
    rosters: Iterable[Mapping[str, Any]],
    keys: frozenset[str],
    stages: Sequence[StageVersion],
) -> list[DatasetVersion]:
    """The versions of the data that a person was in.

    Args:
        manifests: that still lie somewhere.
        rosters: of those that were purged.
        keys: of the person, in rosters.
        stages: of the history.
    """
    splits_of: dict[str, Mapping[str, int]] = {}
    ids: dict[str, set[str]] = {}
    for each in manifests:
        if each.person.splits:
            splits_of[each.dataset_sha256] = each.person.splits
            ids.setdefault(each.dataset_sha256, set()).add(each.content_id)
    for roster in rosters:
        theirs = [split for key in sorted(keys & set(roster["people"])) for split in roster["people"][key]]
        if theirs:
            splits_of.setdefault(roster["dataset_sha256"], dict.fromkeys(theirs, 0))
            ids.setdefault(roster["dataset_sha256"], set()).update(roster["content_ids"])
    return [
        DatasetVersion(
            path=next((path for path, _ in _named(stages, ids[digest])), ""),
            content_ids=tuple(sorted(ids[digest])),
            dataset_sha256=digest,
            revisions=tuple(dict.fromkeys(revision for _, revision in _named(stages, ids[digest]))),
            splits=splits,
        )
        for digest, splits in splits_of.items()
    ]


def models_with(
    project: Project, datasets: Sequence[DatasetVersion], stages: Sequence[StageVersion]
) -> list[AffectedModel]:
    """The models that were made from these versions: by the history's steps, by their releases, by the registries."""
    ids = {content_id for dataset in datasets for content_id in dataset.content_ids}
    digests = {dataset.dataset_sha256 for dataset in datasets}
    written: dict[tuple[str, str], list[str]] = {}
    for stage in stages:
        if any(path.endswith(MANIFEST) and read in ids for path, read in stage.reads.items()):
            for path, content_id in stage.writes.items():
                if f"/{_MODELS}/" in f"/{path}":
                    written.setdefault((path, content_id), []).append(stage.revision)
    models = [
        AffectedModel(what=f"model file {content_id}", where=path, revisions=tuple(dict.fromkeys(revisions)))
        for (path, content_id), revisions in sorted(written.items())
    ]
    for root in project.roots:
        models += _releases_of(project, root, digests)
        models += _networks_of(project, root, digests, {path for path, _ in written})
    return [*models, *(each for registry in project.registries for each in registry.made_from(sorted(digests)))]


def write_rosters(folder: Path, manifests: Iterable[OldManifest], secret: bytes) -> None:
    """Keep who was in data sets that are purged; one that is kept already gets what is new."""
    for each in manifests:
        path = folder / f"{each.dataset_sha256}.json"
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"content_ids": []}
        roster = {
            "dataset_sha256": each.dataset_sha256,
            "content_ids": sorted({*before["content_ids"], each.content_id}),
            "people": before.get("people")
            or {roster_key(subject, secret): list(splits) for subject, splits in sorted(each.people.items())},
        }
        if roster != before:
            with write_aside(path) as aside:
                aside.write_text(json.dumps(roster, indent=1) + "\n", encoding="utf-8")


def read_rosters(folder: Path) -> list[dict[str, Any]]:
    """All rosters that were kept."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _named(stages: Sequence[StageVersion], ids: set[str]) -> list[tuple[str, str]]:
    """Paths and revisions in which one of these contents is a manifest."""
    return [
        (path, stage.revision)
        for stage in stages
        for path, content_id in (*stage.writes.items(), *stage.reads.items())
        if content_id in ids and path.endswith(MANIFEST)
    ]


def _releases_of(project: Project, root: DataRoot, digests: set[str]) -> list[AffectedModel]:
    told = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(root.folder.glob(_RELEASES))]
    return [
        AffectedModel(
            what=f"release unit {release['release_id']}",
            where=project.relative(path.parent),
            dataset_sha256=release["dataset_sha256"],
        )
        for path, release in told
        if release["dataset_sha256"] in digests
    ]


def _networks_of(project: Project, root: DataRoot, digests: set[str], known: set[str]) -> list[AffectedModel]:
    """The networks that lie in a data root whose manifest holds the person, where no history names them."""
    manifest = root.folder / MANIFEST
    if not manifest.is_file():
        return []
    told = pq.read_table(manifest, columns=["face_id", "photo_sha256", "split"]).to_pandas()
    if dataset_sha256(told) not in digests:
        return []
    networks = [*root.folder.glob(f"{_MODELS}/*.safetensors"), *root.folder.glob(f"{_MODELS}/exported/*.onnx")]
    return [
        AffectedModel(what=f"model file sha256 {file_sha256(path)}", where=project.relative(path))
        for path in sorted(networks)
        if project.relative(path) not in known
    ]


def _manifest_of(stored: StoredObject) -> pd.DataFrame | None:
    with stored.content() as path:
        try:
            if not set(MANIFEST_COLUMNS) | {"split", "is_face"} <= set(pq.read_schema(path).names):
                return None
            frame: pd.DataFrame = pq.read_table(path).to_pandas()
        except pa.ArrowInvalid as error:
            raise DataError(
                f"The object {stored.name} is a damaged table: remove it, and run the erasure again."
            ) from error
        return frame
