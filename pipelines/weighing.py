"""How often each face should be trained on, made where groups may be known; trainings read it elsewhere.

What passes from the one to the other is a table of ``face_id`` and ``weight``. With two groups it holds two numbers,
and who has which one parts people as the groups do: it is kept with the run, and never handed on.
"""

from __future__ import annotations

import pandas as pd

from countenance.assessment.balanced_sampling import BalanceConfiguration, balanced_weights


class GroupBalance(BalanceConfiguration):
    """Whose groups are balanced, and how far.

    Attributes:
        attribute: a protected attribute; None makes no weights, and no training can then be balanced.
    """

    attribute: str | None = None


def group_balanced_weights(
    manifest: pd.DataFrame, protected_attributes: pd.DataFrame, secret: bytes, balance: GroupBalance
) -> pd.DataFrame:
    """The sampling weight of every training face in a known group: ``face_id`` and ``weight``, nothing of the group.

    Raises:
        AssessmentError: no training face is in a known group.
    """
    from countenance.data.protected_attributes import group_of_faces

    if balance.attribute is None:
        return pd.DataFrame({"face_id": pd.Series(dtype=str), "weight": pd.Series(dtype=float)})
    faces = manifest[(manifest["split"] == "train") & manifest["is_face"]]
    groups = group_of_faces(faces, protected_attributes, balance.attribute, secret)
    names = faces["face_id"].astype(str)
    of_face = {face: str(group) for face, group in zip(names, groups, strict=True) if isinstance(group, str)}
    # By face, as photos without a name have groups, too, where they are labelled.
    weights = balanced_weights(names.tolist(), of_face, balance)
    return pd.DataFrame({"face_id": list(weights), "weight": list(weights.values())})
