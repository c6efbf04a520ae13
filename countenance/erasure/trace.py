"""What stands for one person in a data set: faces, photos, keys; and how to tell it from what stands for others."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from countenance.data.protected_attributes import subject_key
from countenance.erasure.byte_search import ANCHOR, ByteSearch
from countenance.erasure.reading import search_column
from countenance.rollout.traffic import routing_key

MANIFEST_COLUMNS: Final = ("face_id", "source", "photo", "photo_sha256", "subject_id")
"""A table with all of these is taken for a manifest."""

_SHORTEST_LABEL: Final = 8


@dataclass(frozen=True, kw_only=True)
class SharedPhoto:
    """A photo that shows others who are named, too: whose faces are where in it.

    Attributes:
        own: [k, 4] boxes of the person, x y width height in photo pixels, as far as they are known.
        others: [m, 4] boxes of everybody else.
    """

    own: tuple[tuple[float, ...], ...]
    others: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class PersonRows:
    """One person in one manifest.

    What goes are their rows, and of any photo that they are in, the rows of nobody (unnamed faces, background).

    Attributes:
        faces: ids of the faces (and crops) that go.
        unnamed: those of them that are nobody's.
        photos: source and name of the photos that show nobody else who is named.
        photo_hashes: sha256 of those.
        shared: the other photos that they are in, by sha256.
        splits: their own faces by split.
        kept: the manifest without what goes.
    """

    faces: frozenset[str]
    unnamed: frozenset[str]
    photos: frozenset[tuple[str, str]]
    photo_hashes: frozenset[str]
    shared: Mapping[str, SharedPhoto]
    splits: Mapping[str, int]
    kept: pd.DataFrame = field(repr=False)


def person_in(manifest: pd.DataFrame, subject_id: str) -> PersonRows:
    """Find a person in a manifest, or in any table with :data:`MANIFEST_COLUMNS`."""
    named, theirs = manifest["subject_id"].notna(), (manifest["subject_id"] == subject_id).fillna(False)
    theirs = theirs.astype(bool)
    photo = pd.MultiIndex.from_frame(manifest[["source", "photo"]])
    in_photo = photo.isin(photo[theirs])
    digest = manifest["photo_sha256"]
    shown = set(digest[theirs])
    with_others = set(digest[digest.isin(shown) & named & ~theirs])
    own = shown - with_others
    goes = theirs | ((in_photo | digest.isin(own)) & ~named)
    splits = manifest.loc[theirs, "split"].value_counts().to_dict() if "split" in manifest else {}
    return PersonRows(
        faces=frozenset(manifest.loc[goes, "face_id"]),
        unnamed=frozenset(manifest.loc[goes & ~theirs, "face_id"]),
        photos=frozenset((str(source), str(name)) for source, name in photo[digest.isin(own)]),
        photo_hashes=frozenset(own),
        shared={each: _shared(manifest[digest == each], theirs) for each in sorted(with_others)},
        splits={str(split): int(count) for split, count in splits.items()},
        kept=manifest[~goes],
    )


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What stands for a person in one data root, whatever version of its manifest it comes from.

    Attributes:
        subject_id: as in the manifest, e.g. ``lfw:Ada_Lovelace``.
        faces, photos, photo_hashes, shared: see :class:`PersonRows`.
        keys: HMACs under which the person is known: in the table of protected attributes, in traffic, in rosters.
    """

    subject_id: str
    faces: frozenset[str] = frozenset()
    photos: frozenset[tuple[str, str]] = frozenset()
    photo_hashes: frozenset[str] = frozenset()
    shared: Mapping[str, SharedPhoto] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The person as the source calls them."""
        return self.subject_id.partition(":")[2] or self.subject_id

    def texts(self) -> frozenset[str]:
        """All identifiers."""
        labels = {self.label} if len(self.label) >= _SHORTEST_LABEL and not self.label.isdigit() else set()
        names = {name for _, name in self.photos if not name.partition(".")[0].isdigit()}
        return frozenset({self.subject_id}) | labels | names | self.faces | self.photo_hashes | self.keys

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "subject_id": self.subject_id,
            "faces": sorted(self.faces),
            "photos": sorted(list(photo) for photo in self.photos),
            "photo_hashes": sorted(self.photo_hashes),
            "shared": {each: {"own": photo.own, "others": photo.others} for each, photo in self.shared.items()},
            "keys": sorted(self.keys),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Trace:
        """As :meth:`to_dict` wrote it."""
        boxes = {
            each: SharedPhoto(own=tuple(map(tuple, photo["own"])), others=tuple(map(tuple, photo["others"])))
            for each, photo in values["shared"].items()
        }
        return Trace(
            subject_id=values["subject_id"],
            faces=frozenset(values["faces"]),
            photos=frozenset((source, name) for source, name in values["photos"]),
            photo_hashes=frozenset(values["photo_hashes"]),
            shared=boxes,
            keys=frozenset(values["keys"]),
        )


def trace_of(
    subject_id: str,
    current: PersonRows | None,
    earlier: Sequence[PersonRows],
    *,
    subject_secret: bytes,
    routing_secret: bytes,
) -> Trace:
    """What stands for a person in a data root.

    Args:
        subject_id: whom.
        current: in the root's manifest; None where it has none.
        earlier: in other versions of it. What stood for the person there and stands for somebody else now is theirs.
        subject_secret: of the root's protected attributes.
        routing_secret: of its traffic.
    """
    kept = pd.DataFrame(columns=list(MANIFEST_COLUMNS)) if current is None else current.kept
    versions = [*earlier, *([] if current is None else [current])]
    faces = frozenset().union(*(each.faces for each in versions)) - frozenset(kept["face_id"])
    hashes = frozenset().union(*(each.photo_hashes for each in versions)) - frozenset(kept["photo_sha256"])
    named = frozenset(zip(kept["source"], kept["photo"], strict=True))
    photos = frozenset().union(*(each.photos for each in versions)) - named
    shared = {each: photo for version in versions for each, photo in version.shared.items() if each not in hashes}
    unnamed = frozenset().union(*(each.unnamed for each in versions)) & faces
    keys = {subject_key(subject_id, "", subject_secret), routing_key(subject_id, routing_secret)}
    keys |= {subject_key(None, face, subject_secret) for face in unnamed} | {roster_key(subject_id, subject_secret)}
    return Trace(
        subject_id=subject_id, faces=faces, photos=photos, photo_hashes=hashes, shared=shared, keys=frozenset(keys)
    )


def as_earlier(trace: Trace) -> PersonRows:
    """What was known of a person before, as if it were another version of the manifest."""
    return PersonRows(
        faces=trace.faces,
        unnamed=frozenset(),
        photos=trace.photos,
        photo_hashes=trace.photo_hashes,
        shared=trace.shared,
        splits={},
        kept=pd.DataFrame(columns=list(MANIFEST_COLUMNS)),
    )


def quarantined_photos(quarantine: pd.DataFrame, trace: Trace) -> frozenset[tuple[str, str]]:
    """Source and name of photos that were never imported and are called after the person.

    Args:
        quarantine: the table of records that were put aside.
        trace: of the person, as the manifest tells it.
    """
    source, _, label = trace.subject_id.rpartition(":")
    if label.isdigit() or len(label) < _SHORTEST_LABEL:
        return frozenset()
    called = re.compile(rf"(?<![0-9A-Za-z]){re.escape(label)}(?![0-9A-Za-z]|_[A-Za-z])")
    records = zip(quarantine["source"], quarantine["photo"], strict=True)
    theirs = [(str(at), str(photo)) for at, photo in records if at == source and called.search(str(photo))]
    return frozenset((at, re.sub(r"#\d+$", "", photo)) for at, photo in theirs)


def roster_key(subject_id: str, secret: bytes) -> str:
    """A person's key in the rosters of earlier data sets: HMAC-SHA256, hexadecimal."""
    return hmac.new(secret, f"countenance roster\0{subject_id}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Needles:
    """What is looked for byte by byte.

    Attributes:
        exact: stands for the person wherever it is.
        bounded: stands for the person where it is no part of a longer word.
        contents: pieces of pictures and embeddings.
    """

    exact: frozenset[str]
    bounded: frozenset[str]
    contents: frozenset[bytes] = frozenset()

    def search(self) -> ByteSearch:
        """For all of them."""
        exact = {form for text in self.exact for form in _written(text)} | self.contents
        return ByteSearch(exact, {form for text in self.bounded for form in _written(text)})


def needles_of(
    traces: Iterable[Trace], others: Iterable[pd.DataFrame], keys_of_others: frozenset[str] = frozenset()
) -> Needles:
    """The identifiers of a person that stand for nobody else.

    Args:
        traces: of all data roots.
        others: the manifests of all data roots without the person.
        keys_of_others: HMACs that stand for somebody else in some data root.
    """
    texts = frozenset().union(*(trace.texts() for trace in traces)) - keys_of_others
    long = {text for text in texts if len(text.encode()) >= ANCHOR}
    within = _found(others := list(others), ByteSearch(text.encode() for text in long))
    unclear = (texts - long) | within
    words = _found(others, ByteSearch([], (text.encode() for text in unclear)))
    return Needles(exact=frozenset(long - within), bounded=frozenset(unclear - words))


def _found(tables: Sequence[pd.DataFrame], search: ByteSearch) -> set[str]:
    columns = [
        table[column].dropna().astype("object")
        for table in tables
        for column in (*MANIFEST_COLUMNS, "crop", "consent_id")
        if column in table
    ]
    return {hit.decode() for column in columns for hit in search_column(pa.array(column, pa.large_string()), search)}


def _written(text: str) -> set[bytes]:
    """How a text may lie in a file: as it is, or escaped as in JSON."""
    escaped = "".join(letter if letter.isascii() else f"\\u{ord(letter):04x}" for letter in text)
    return {text.encode(), escaped.encode()}


def _shared(rows: pd.DataFrame, theirs: pd.Series[bool]) -> SharedPhoto:
    def boxes(mask: pd.Series[bool]) -> tuple[tuple[float, ...], ...]:
        found: list[Any] = rows.loc[mask, "box_xywh"].tolist() if "box_xywh" in rows else []
        return tuple(tuple(np.asarray(box, dtype=float).tolist()) for box in found if box is not None)

    own = theirs.loc[rows.index]
    faces = rows["is_face"].astype(bool) if "is_face" in rows else own | True
    return SharedPhoto(own=boxes(own), others=boxes(~own & faces))
