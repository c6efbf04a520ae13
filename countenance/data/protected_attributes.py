"""The table of protected attributes: apart from the manifest, keyed by an HMAC of the person, closed to training.

The bias room and the rollout's replay look groups up here. No training may: import contracts keep
``countenance.learning`` away from this module, and a test keeps every training node away from the table.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import pandas as pd

from countenance.errors import DataError

GROUP_COLUMNS: Final = ("subject_key", "attribute", "group", "group_source")
"""The table of protected attributes: one row a subject (or unnamed face) and attribute."""


def subject_key(subject_id: str | None, face_id: str, secret: bytes) -> str:
    """The key of a person (or of an unnamed face) in the table of protected attributes: HMAC-SHA256, hexadecimal."""
    owner = subject_id if subject_id is not None else f"face:{face_id}"
    return hmac.new(secret, owner.encode(), hashlib.sha256).hexdigest()[:32]


def group_of_faces(manifest: pd.DataFrame, groups: pd.DataFrame, attribute: str, secret: bytes) -> pd.Series[str]:
    """Look up the protected attribute of every face of a manifest; [N], null where it is not known.

    Only the bias room and the rollout's replay call this; training never sees ``groups``.
    """
    owners = zip(manifest["subject_id"], manifest["face_id"], strict=True)
    keys = [subject_key(_text(subject), str(face), secret) for subject, face in owners]
    rows = groups[groups["attribute"] == attribute]
    labelled = rows.drop_duplicates(["subject_key", "group"])
    several = labelled["subject_key"].duplicated(keep=False)
    # A person may be labelled differently by photo: the most frequent label stands for the person.
    unsure = rows[rows["subject_key"].isin(labelled.loc[several, "subject_key"])]
    most_frequent = unsure.groupby("subject_key")["group"].agg(lambda labels: labels.mode().iloc[0])
    by_key = pd.concat([labelled[~several].set_index("subject_key")["group"], most_frequent])
    return pd.Series(keys, index=manifest.index).map(by_key)


def groups_by_face(
    manifest: pd.DataFrame, groups: pd.DataFrame, attributes: Sequence[str], secret: bytes
) -> pd.DataFrame:
    """The group of every face for several attributes: ``face_id`` and one column an attribute, null where unknown.

    Raises:
        DataError: no face of the manifest has a group of some attribute.
    """
    table = pd.DataFrame({"face_id": manifest["face_id"].to_numpy()})
    for attribute in attributes:
        column = group_of_faces(manifest, groups, attribute, secret)
        if column.isna().all():
            raise DataError(
                f"No face has a group of '{attribute}': check 'attributes' in parameters_bias.yml, and that the "
                "subject secret is the one of the ingestion."
            )
        table[attribute] = column.to_numpy(dtype=object)
    return table


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
