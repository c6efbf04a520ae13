"""Tombstones: who was erased, as HMACs, so that a later import leaves these people out.

The file names nobody. It is one JSON document that belongs to the configuration (and to git, so that every clone and
every machine that imports respects it). For each erased person it holds an HMAC-SHA256 of the subject id, and HMACs of
the photos that show nobody else who is named, by content and by name: a photo of theirs is refused under any other name
too.

The HMACs are of another kind than those of the protected attributes, so that neither file can be joined with the other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from countenance.errors import DataError
from countenance.storage import write_aside

FORMAT: Final = "countenance tombstones"
VERSION: Final = 1
_KEY_CHECK: Final = "key check"


@dataclass(frozen=True)
class Tombstones:
    """Who and which photos must not be imported; without a file, nobody and none.

    Attributes:
        subjects: HMACs of subject ids.
        photos: HMACs of photos, by content and by source and name.
        secret: the key.
    """

    subjects: frozenset[str] = frozenset()
    photos: frozenset[str] = frozenset()
    secret: bytes = field(default=b"", repr=False)

    def bars_subject(self, subject_id: str | None) -> bool:
        """Whether a person was erased."""
        return bool(self.subjects) and subject_id is not None and tombstone(subject_id, self.secret) in self.subjects

    def bars_photo(self, source: str, photo: str, photo_sha256: str | None) -> bool:
        """Whether a photo is an erased person's, by its name in its source or by what it shows."""
        if not self.photos:
            return False
        if photo_sha256 is not None and photo_tombstone(photo_sha256, self.secret) in self.photos:
            return True
        return name_tombstone(source, photo, self.secret) in self.photos


def tombstone(subject_id: str, secret: bytes) -> str:
    """What stands for an erased person: HMAC-SHA256, hexadecimal."""
    return _keyed("erased subject", subject_id, secret)


def photo_tombstone(photo_sha256: str, secret: bytes) -> str:
    """What stands for an erased photo, by its content."""
    return _keyed("erased photo", photo_sha256, secret)


def name_tombstone(source: str, photo: str, secret: bytes) -> str:
    """What stands for an erased photo, by its name in its source."""
    return _keyed("erased photo name", f"{source}\0{photo}", secret)


def read_tombstones(path: Path, secret: bytes) -> Tombstones:
    """Read a file of tombstones; one that isn't there holds none.

    Raises:
        DataError: it is damaged, or was written with another secret, so that nobody would be recognised.
    """
    if not path.exists():
        return Tombstones(secret=secret)
    content = _content(path)
    if content["erased"] and content["key_check"] != _keyed(_KEY_CHECK, "", secret):
        raise DataError(
            f"The tombstones in {path} were written with another subject secret, so erased people would not be "
            "recognised: set the secret that was in force, or erase them again with the new one."
        )
    return Tombstones(
        subjects=frozenset(entry["subject"] for entry in content["erased"]),
        photos=frozenset(photo for entry in content["erased"] for photo in entry["photos"]),
        secret=secret,
    )


def add_tombstone(path: Path, subject_id: str, photos: Iterable[str], secret: bytes, *, at: datetime) -> str:
    """Add a person, or more photos of one who is there; others' entries stay as they are.

    Args:
        path: the file.
        subject_id: whom.
        photos: tombstones of photos, see :func:`photo_tombstone` and :func:`name_tombstone`.
        secret: the key.
        at: when; only the day is kept.

    Returns:
        The person's tombstone.

    Raises:
        DataError: the file is damaged or was written with another secret.
    """
    read_tombstones(path, secret)
    own = tombstone(subject_id, secret)
    erased = _content(path)["erased"] if path.exists() else []
    before = next((entry for entry in erased if entry["subject"] == own), {"photos": [], "on": f"{at:%Y-%m-%d}"})
    entry = {"subject": own, "on": before["on"], "photos": sorted({*before["photos"], *photos})}
    entries = [other for other in erased if other["subject"] != own]
    key_check = _keyed(_KEY_CHECK, "", secret)
    content = {"format": FORMAT, "version": VERSION, "key_check": key_check, "erased": [*entries, entry]}
    with write_aside(path) as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return own


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or content["version"] != VERSION:
            raise ValueError("another format")
        content["key_check"], [(entry["subject"], entry["photos"], entry["on"]) for entry in content["erased"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no file of tombstones: restore it, or erased people would come back.") from error
    found: dict[str, Any] = content
    return found


def _keyed(kind: str, value: str, secret: bytes) -> str:
    return hmac.new(secret, f"countenance {kind}\0{value}".encode(), hashlib.sha256).hexdigest()
