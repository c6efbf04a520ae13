"""Evidence files of a rollout: the store keeps their hashes, so that a file that was changed later is found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from countenance.rollout.records import RolloutRecord
from countenance.rollout.store import RolloutStore
from countenance.storage import file_sha256


def attach_files(
    store: RolloutStore, record: RolloutRecord, files: Mapping[str, Path], *, now: datetime | None = None
) -> int:
    """Keep name, sha256 and size of every file that is not attached yet; return how many were.

    Args:
        store: of the rollout.
        record: the rollout.
        files: by the name under which they are looked for again, e.g. ``student_distilled/release.json``.
        now: the moment; None: the database's.
    """
    if not files:
        return 0
    known = {attachment.name for attachment in store.attachments(record.id)}
    new = {name: path for name, path in files.items() if name not in known}
    for name, path in new.items():
        store.attach(record, name, file_sha256(path), path.stat().st_size, now=now)
    return len(new)
