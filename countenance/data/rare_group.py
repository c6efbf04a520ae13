"""A manifest in which one group of people is rare to train on, made on purpose: what a bias check must find.

Only the training split is thinned out. The people that are held out stay as they are, so that the harm to a group that
training hardly saw can be measured on as many of its people as of any other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.protected_attributes import group_of_faces
from countenance.errors import DataError


class RareGroup(Configuration):
    """Which group is made rare.

    Attributes:
        attribute: a protected attribute, e.g. ``skin_tone``.
        group: of it, e.g. ``darker``.
        kept: share of its training people that are left, two at least.
    """

    attribute: str
    group: str
    kept: float = Field(gt=0.0, le=1.0)


def with_rare_group(
    manifest: pd.DataFrame, groups: pd.DataFrame, rare: RareGroup, *, secret: bytes, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Leave out most of one group's people from the training rows.

    Args:
        manifest: every row.
        groups: the table of protected attributes.
        rare: which group, and how much of it is kept.
        secret: key of the subjects' HMAC.
        seed: of the draw of those who stay.

    Returns:
        The rows that stay, same columns, and how many people: ``people`` of the group before, ``kept`` of it, and
        ``others`` that are named in the training rows.

    Raises:
        DataError: fewer than two named training people belong to the group.
    """
    trained = (manifest["split"] == "train") & manifest["is_face"] & manifest["subject_id"].notna()
    member = trained & (group_of_faces(manifest, groups, rare.attribute, secret) == rare.group)
    people = sorted(manifest.loc[member, "subject_id"].unique())
    if len(people) < 2:
        raise DataError(
            f"Group '{rare.group}' of '{rare.attribute}' has {len(people)} people to train on: name a group with at "
            "least two under 'rare' in parameters_mitigation.yml."
        )
    number = min(len(people), max(2, round(rare.kept * len(people))))
    stay = {people[place] for place in np.random.default_rng([seed, 1]).permutation(len(people))[:number]}
    others = int(manifest.loc[trained & ~member, "subject_id"].nunique())
    left = manifest[~member | manifest["subject_id"].isin(stay)]
    return left, {"people": len(people), "kept": number, "others": others}
