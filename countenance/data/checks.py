"""What can be said of each face before anything is trained on it: one scalar column a fact."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.crop_store import CropStore
from countenance.data.identity_facts import identity_facts
from countenance.data.label_declarations import Declarations, declaration_facts
from countenance.data.manifest_facts import manifest_facts
from countenance.data.manifest_gaps import gap_facts, taken_for_faces
from countenance.data.near_copies import NearCopyConfiguration, Pictures, near_copies
from countenance.data.picture_facts import picture_facts


def face_facts(
    manifest: pd.DataFrame,
    crops: CropStore | None,
    *,
    now: datetime,
    declared: Declarations,
    consent_needed_for: Collection[str] = (),
    copies: NearCopyConfiguration | None = None,
    workers: int = 2,
) -> pd.DataFrame:
    """Facts of every face, for expectations to be written against.

    They are those of :func:`countenance.data.manifest_gaps.gap_facts`,
    :func:`countenance.data.manifest_facts.manifest_facts`,
    :func:`countenance.data.label_declarations.declaration_facts`,
    :func:`countenance.data.picture_facts.picture_facts`, and, of the pictures, ``near_copy_in_other_split`` and
    ``near_copy_under_other_name``: the id of a face whose picture is nearly the same.

    Args:
        manifest: the faces.
        crops: their pictures; None for the facts of the manifest alone.
        now: with a time zone.
        declared: what each source labels.
        consent_needed_for: purposes for which a consent must be named.
        copies: when two pictures are copies.
        workers: decoding threads.

    Returns:
        [N] rows in the manifest's order, numbered from 0; null where a fact does not apply.
    """
    gaps = gap_facts(manifest)
    manifest = taken_for_faces(manifest.reset_index(drop=True))
    facts = manifest_facts(manifest, now=now, consent_needed_for=consent_needed_for)
    facts = facts.join(gaps).join(declaration_facts(manifest, declared))
    if crops is None:
        return facts
    seen, pictures = picture_facts(manifest, crops, workers=workers)
    return facts.join(seen).join(_copy_facts(manifest, pictures, copies or NearCopyConfiguration()))


def with_identity_facts(
    facts: pd.DataFrame, manifest: pd.DataFrame, embeddings: NDArray[np.float32], *, same_person: float
) -> pd.DataFrame:
    """The facts with those of :func:`countenance.data.identity_facts.identity_facts`; ``other_name`` is a face id."""
    subjects, _ = pd.factorize(manifest["subject_id"])
    found = identity_facts(embeddings, subjects, same_person=same_person)
    found["other_name"] = _face_ids(facts["face_id"], found["other_name"].fillna(-1).to_numpy(dtype=np.int64))
    return facts.join(found)


def _copy_facts(manifest: pd.DataFrame, pictures: Pictures, configuration: NearCopyConfiguration) -> pd.DataFrame:
    faces = manifest["is_face"].to_numpy(dtype=bool)
    owners = {"near_copy_in_other_split": "split", "near_copy_under_other_name": "subject_id"}
    columns: dict[str, Any] = {}
    for fact, column in owners.items():
        owner, _ = pd.factorize(manifest[column])
        rows = near_copies(pictures, np.where(faces, owner, -1), configuration)
        columns[fact] = _face_ids(manifest["face_id"], rows)
    return pd.DataFrame(columns)


def _face_ids(face_ids: pd.Series[str], rows: NDArray[np.int64]) -> pd.Series[str]:
    """The face ids of rows, null for -1."""
    ids = face_ids.to_numpy(dtype=object)[rows] if len(face_ids) else np.empty(0, dtype=object)
    return pd.Series(ids, dtype="str").mask(pd.Series(rows < 0))
