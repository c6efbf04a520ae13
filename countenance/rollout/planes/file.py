"""The routing snapshot as a file, for planes that cannot reach the database: checked, versioned, never half there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Hashable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from countenance.errors import RolloutError
from countenance.rollout.ledger import canonical_json
from countenance.rollout.planes.snapshot import RoutingSnapshot
from countenance.storage import write_aside

FORMAT: Final = 1
_REMEDY: Final = "write it anew from the rollout store"


def to_values(snapshot: RoutingSnapshot) -> dict[str, Any]:
    """A snapshot as JSON values: moments as ISO 8601, the lifetime in seconds."""
    controller_at = snapshot.controller_at
    return {
        "model": snapshot.model,
        "epoch": snapshot.epoch,
        "champion": snapshot.champion,
        "candidate": snapshot.candidate,
        "share": snapshot.share,
        "shadow": snapshot.shadow,
        "route_by": snapshot.route_by,
        "thresholds": dict(snapshot.thresholds),
        "made_at": snapshot.made_at.isoformat(),
        "controller_at": None if controller_at is None else controller_at.isoformat(),
        "ttl": snapshot.ttl.total_seconds(),
        "head": snapshot.head,
        "stage_key": snapshot.stage_key,
    }


def from_values(values: dict[str, Any]) -> RoutingSnapshot:
    """Read what ``to_values`` wrote.

    Raises:
        KeyError, TypeError, ValueError: when a key is missing, unknown or of another kind.
    """
    if values.keys() != {field.name for field in fields(RoutingSnapshot)}:
        raise KeyError("a key too few or too many")
    controller_at = values["controller_at"]
    told = {
        "made_at": datetime.fromisoformat(values["made_at"]),
        "controller_at": None if controller_at is None else datetime.fromisoformat(controller_at),
        "ttl": timedelta(seconds=values["ttl"]),
    }
    return RoutingSnapshot(**values | told)


def as_text(snapshot: RoutingSnapshot) -> str:
    """The text of a snapshot file: format, sha256 of the snapshot's canonical JSON, and the snapshot."""
    values = to_values(snapshot)
    return json.dumps({"format": FORMAT, "sha256": _digest(values), "snapshot": values}, indent=1) + "\n"


class SnapshotFile:
    """One file that always holds one whole snapshot.

    The digest finds a torn or garbled file. It is no signature: who may write the folder may route the traffic.
    """

    def __init__(self, path: Path):
        self._path = path

    def write(self, snapshot: RoutingSnapshot) -> bool:
        """Put ``snapshot`` in the file's place, aside and then renamed.

        Returns:
            False when the file held this very snapshot already.

        Raises:
            RolloutError: when the file holds a newer one, or one that cannot be read.
            OSError: when the folder cannot be written to.
        """
        if self._path.exists():
            present = self.read()
            if present == snapshot:
                return False
            if not snapshot.newer_than(present):
                raise RolloutError(
                    f"The snapshot file {self._path} is of epoch {present.epoch} and newer than the one of epoch "
                    f"{snapshot.epoch}: {_REMEDY}."
                )
        with write_aside(self._path) as aside, aside.open("w", encoding="utf-8") as stream:
            stream.write(as_text(snapshot))
            stream.flush()
            os.fsync(stream.fileno())
        return True

    def read(self) -> RoutingSnapshot:
        """The snapshot that the file holds.

        Raises:
            RolloutError: when there is no file, or it is torn, garbled or of another format.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RolloutError(f"The snapshot file {self._path} cannot be read: {_REMEDY}.") from error
        try:
            told = json.loads(text)
            written, digest, values = told["format"], told["sha256"], told["snapshot"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise RolloutError(f"The snapshot file {self._path} is torn or no snapshot: {_REMEDY}.") from error
        if written != FORMAT:
            raise RolloutError(
                f"The snapshot file {self._path} has format {written!r}, and this release knows {FORMAT}: {_REMEDY} "
                "with the same release."
            )
        try:
            if digest != _digest(values):
                raise RolloutError(f"The snapshot file {self._path} is not what its sha256 says: {_REMEDY}.")
            return from_values(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RolloutError(f"The snapshot file {self._path} holds no routing snapshot: {_REMEDY}.") from error


class FileSource:
    """A follower's source that reads a snapshot file; see ``source.Follower``.

    A snapshot's age is told by this machine's wall clock. Where it runs ahead, the plane falls back early; where it is
    behind, the plane trusts a snapshot for its whole lifetime once more and no longer.
    """

    def __init__(self, path: Path):
        self._path = path
        self._file = SnapshotFile(path)

    def mark(self) -> Hashable:
        """Changes whenever the file is replaced.

        Raises:
            RolloutError: when it is not there.
        """
        try:
            found = self._path.stat()
        except OSError as error:
            raise RolloutError(f"The snapshot file {self._path} cannot be read: {_REMEDY}.") from error
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def read(self) -> tuple[RoutingSnapshot, timedelta]:
        """The snapshot and how old it is.

        Raises:
            RolloutError: when it cannot be read.
        """
        snapshot = self._file.read()
        return snapshot, max(datetime.now(UTC) - snapshot.made_at, timedelta(0))


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()
