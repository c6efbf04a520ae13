"""The receipt of an erasure: what was removed where, what was searched, what the person was in. It names nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from countenance.data.tombstones import tombstone
from countenance.erasure.journal import Journal, Plan, Planned
from countenance.erasure.lineage import WORKING_COPY
from countenance.erasure.project import Project
from countenance.erasure.scanning import Scan
from countenance.storage import file_sha256, write_aside

FORMAT: Final = "countenance erasure receipt"
VERSION: Final = 1
_PHOTOS: Final = "delivered photos"


def make_receipt(project: Project, plan: Plan, journal: Journal, scan: Scan | None, *, now: datetime) -> dict[str, Any]:
    """The receipt as JSON values.

    Args:
        project: where.
        plan: what was to be done.
        journal: what was done.
        scan: what the last scan found; None for a dry run, of which nothing was done.
        now: with a time zone.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "dry_run": scan is None,
        "complete": scan is not None and not scan.remaining,
        "subject": {root.name: tombstone(plan.subject_id, root.subject_secret) for root in project.roots},
        "started": plan.started,
        "finished": None if scan is None else now.isoformat(timespec="seconds"),
        "removed": _removed(project, plan, is_done=scan is not None),
        "purged": _purged(project, journal),
        "tombstones": sorted({project.relative(root.tombstones) for root in project.roots}),
        "scan": None if scan is None else asdict(scan),
        "datasets": list(plan.datasets),
        "models": list(plan.models),
        "left": dict(plan.left),
    }


def write_receipt(folder: Path, receipt: Mapping[str, Any]) -> Path:
    """Write a receipt as JSON and as text; the JSON's path. It is called by its day and the person's tombstone."""
    who = next(iter(receipt["subject"].values()))[:12]
    stem = f"{receipt['finished'][:10]}-{who}"
    path = folder / f"{stem}.json"
    number = 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.json", number + 1
    with write_aside(path) as aside:
        aside.write_text(json.dumps(receipt, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with write_aside(path.with_suffix(".txt")) as aside:
        aside.write_text(as_text(receipt), encoding="utf-8")
    return path


def as_text(receipt: Mapping[str, Any]) -> str:
    """The receipt to be read."""
    who = ", ".join(f"{name} {key[:12]}" for name, key in receipt["subject"].items())
    title = "What an erasure would do" if receipt["dry_run"] else "Receipt of an erasure"
    lines = [f"{title} (person {who})", f"begun {receipt['started']}, finished {receipt['finished'] or '-'}", ""]
    lines += ["Removed:" if not receipt["dry_run"] else "To be removed:"]
    lines += [f"  {each['what']}: {each['rows']} in {each['where']}" for each in receipt["removed"]] or ["  nothing"]
    for place in receipt["purged"]:
        markers = f", {place['markers']} delete markers" if place["markers"] else ""
        lines.append(f"  old versions: {place['objects']} objects ({place['size']} bytes){markers} in {place['place']}")
    lines += ["", "The person was in these versions of the data:"]
    lines += [f"  {_dataset(each)}" for each in receipt["datasets"]] or ["  none"]
    lines += ["", "and in these models, which are not changed; train them anew, or retire them:"]
    lines += [f"  {_model(each)}" for each in receipt["models"]] or ["  none"]
    scan = receipt["scan"]
    if scan is not None:
        looked = (
            f"{scan['files']} files and {scan['objects']} objects, {scan['size']} bytes, for {scan['needles']} strings"
        )
        lines += ["", f"Searched afterwards: {looked}."]
        lines += [f"  still found in {where}" for where in scan["remaining"]] or ["  The person was found nowhere."]
    return "\n".join([*lines, *_left(receipt)]) + "\n"


def _removed(project: Project, plan: Plan, *, is_done: bool) -> list[dict[str, Any]]:
    files = (*plan.rewritten, *plan.files)
    removed = [_file(project, each, is_done=is_done) for each in files if each.store != _PHOTOS]
    for root in project.roots:
        photos = [each for each in files if each.store == _PHOTOS and each.root == root.name]
        if photos:  # their file names may name the person
            where = f"{project.relative(root.folder)}/01_raw"
            removed.append({"what": _PHOTOS, "where": where, "rows": len(photos)})
    return removed


def _file(project: Project, planned: Planned, *, is_done: bool) -> dict[str, Any]:
    path = Path(planned.path)
    told: dict[str, Any] = {"what": planned.store, "where": project.relative(path), "rows": planned.rows}
    if planned.sha256:
        told["sha256_before"] = planned.sha256
    if is_done and path.is_file():
        told["sha256_after"] = file_sha256(path)
    return told


def _purged(project: Project, journal: Journal) -> list[dict[str, Any]]:
    purged = []
    for place in project.places:
        # An object whose removal was interrupted is noted twice.
        objects = {line["name"]: line["size"] for line in journal.noted("purge") if line["place"] == place.name}
        markers = sum(line["markers"] for line in journal.noted("tidy") if line["place"] == place.name)
        if objects or markers:
            size = sum(objects.values())
            names = sorted(objects)
            told = {"place": place.name, "objects": len(objects), "size": size, "markers": markers, "names": names}
            purged.append(told)
    return purged


def _dataset(dataset: Mapping[str, Any]) -> str:
    splits = ", ".join(f"{count or ''} {split}".strip() for split, count in dataset["splits"].items())
    where = ", ".join(revision[:10] for revision in dataset["revisions"] if revision != WORKING_COPY)
    return f"{dataset['dataset_sha256'][:16]} ({splits}){f' in commits {where}' if where else ''}"


def _model(model: Mapping[str, Any]) -> str:
    where = ", ".join(revision[:10] for revision in model["revisions"] if revision != WORKING_COPY)
    return f"{model['what']}: {model['where']}{f' in commits {where}' if where else ''}"


def _left(receipt: Mapping[str, Any]) -> list[str]:
    left = receipt["left"]
    lines = ["", "Left to you:"]
    if left["photos_with_others"]:
        lines.append(
            f"  {left['photos_with_others']} photos also show others who are named; those people's rows stay, and with "
            "them the photos' names."
        )
    lines += [
        f"  {path}: nobody can tell whose the rows of this array are; make it anew, or remove it."
        for path in left["arrays_of_unknown_crops"]
    ]
    lines += [f"  {path}: git has earlier versions of it; rewrite its history." for path in left["files_in_git"]]
    lines.append("  The sources that were imported from outside of the project, and backups.")
    return lines
