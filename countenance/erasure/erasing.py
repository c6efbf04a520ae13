"""One person leaves: a plan is written down, carried out step by step, and checked byte by byte.

Every step may be done twice, and what is written is written aside and renamed. So an erasure that was killed, at
whatever point, goes on when it is started again, and ends as it would have.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from countenance.data.tombstones import add_tombstone, name_tombstone, photo_tombstone
from countenance.erasure.folders import TeacherCaches
from countenance.erasure.journal import Journal, Plan
from countenance.erasure.lineage import OldManifest, write_rosters
from countenance.erasure.planning import ROSTERS, make_plan
from countenance.erasure.project import Project
from countenance.erasure.receipt import make_receipt, write_receipt
from countenance.erasure.registry import STORES
from countenance.erasure.scanning import purge, scan
from countenance.errors import DataError

LOG: Final = logging.getLogger(__name__)

_LEFTOVER: Final = re.compile(r"^\.(?P<name>.+)\.(?P<process>\d+)\.(?P<kind>part|replaced)$")


def erase_subject(
    project: Project, subject_id: str | None, *, now: datetime, dry_run: bool = False
) -> tuple[dict[str, Any], Path | None]:
    """Erase a person, or go on with an erasure that was begun.

    Args:
        project: from where.
        subject_id: whom, as in the manifest; None goes on with what was begun.
        now: with a time zone.
        dry_run: only find out what there is to do; nothing is written.

    Returns:
        The receipt, and where it lies; nowhere for a dry run.

    Raises:
        DataError: nobody is called so; another person's erasure was begun and must be finished first; something is
            damaged; or the last scan still found the person.
    """
    with _alone(project):
        journal = Journal(project.workspace)
        begun = journal.begun()
        if begun is None and subject_id is None:
            raise DataError("No erasure was begun that could be gone on with: give the id of a person.")
        if begun is not None and subject_id not in (None, begun.subject_id):
            raise DataError(
                "The erasure of another person was begun and not finished: finish it with "
                "`countenance erase-subject --resume` first."
            )
        if dry_run:
            plan = begun or make_plan(project, str(subject_id), now=now)[0]
            return make_receipt(project, plan, journal, None, now=now), None
        return _erase(project, journal, begun, subject_id, now=now)


def _erase(
    project: Project, journal: Journal, begun: Plan | None, subject_id: str | None, *, now: datetime
) -> tuple[dict[str, Any], Path]:
    _remove_leftovers(project)
    if begun is None or journal.noted("remaining"):
        whom = begun.subject_id if begun else str(subject_id)
        plan, manifests = make_plan(project, whom, now=now, previous=begun)
        _keep_rosters(project, manifests)
        journal.begin(plan)
    else:
        plan = begun
    _leave_tombstones(project, plan, now=now)
    _rewrite(project, plan)
    if project.history is not None:
        project.history.settle(plan.settled, project.workspace)
    purge(project, plan, journal)
    if project.history is not None:
        project.history.forget()
    scanned = scan(project, plan)
    receipt = make_receipt(project, plan, journal, scanned, now=now)
    if scanned.remaining:
        journal.note("remaining")
        places = "; ".join(scanned.remaining[:5])
        raise DataError(
            f"The person is still found in {len(scanned.remaining)} places ({places}): remove them there, or name the "
            "store in countenance/erasure/registry.py, and run the erasure again."
        )
    path = write_receipt(project.records, receipt)
    journal.end()
    return receipt, path


def _leave_tombstones(project: Project, plan: Plan, *, now: datetime) -> None:
    for root in project.roots:
        trace, secret = plan.traces[root.name], root.subject_secret
        photos = [photo_tombstone(digest, secret) for digest in trace.photo_hashes]
        photos += [name_tombstone(source, photo, secret) for source, photo in trace.photos]
        add_tombstone(root.tombstones, plan.subject_id, photos, secret, at=now)


def _rewrite(project: Project, plan: Plan) -> None:
    stores, roots = {store.name: store for store in STORES}, {root.name: root for root in project.roots}
    for planned in plan.files:
        path, store = Path(planned.path), stores[planned.store]
        if isinstance(store, TeacherCaches):
            keys = frozenset(bytes.fromhex(key) for key in plan.crop_keys[planned.root])
            store.forget(path, keys)
        elif path.exists() and planned.root in roots:
            store.erase(path, plan.traces[planned.root], planned.detail)
    LOG.info("%d files are rewritten.", len(plan.files))


def _keep_rosters(project: Project, manifests: list[OldManifest]) -> None:
    # By the first root's key: rosters are asked by the keys of all of them.
    write_rosters(project.records / ROSTERS, manifests, project.roots[0].subject_secret)


def _remove_leftovers(project: Project) -> None:
    """Remove what a process that is gone was writing aside: half a file, or one that nobody would ever rename."""
    folders = [*(root.folder for root in project.roots), *(root.tombstones.parent for root in project.roots)]
    for folder in folders:
        for path in list(folder.rglob(".*")) if folder.is_dir() else ():
            told = _LEFTOVER.match(path.name)
            if told is None or _is_running(int(told["process"])):
                continue
            if told["kind"] == "replaced" and not path.with_name(told["name"]).exists():
                continue  # all that is left of what was to be replaced
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """One erasure of a project at a time."""
    project.records.mkdir(parents=True, exist_ok=True)
    lock = os.open(project.records / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DataError("Another erasure of this project is running: wait for its end.") from error
    finally:
        os.close(lock)
