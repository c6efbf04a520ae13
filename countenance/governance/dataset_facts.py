"""What a manifest tells of its data, as numbers for the dataset sheet. Groups of few people are not counted out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from countenance.data.manifest import LABEL_COLUMNS, SPLITS, label_coverage

AGE_BANDS: Final = {
    "under 18": (0.0, 18.0),
    "18 to 39": (18.0, 40.0),
    "40 to 64": (40.0, 65.0),
    "65 and over": (65.0, np.inf),
}
YAW_BANDS: Final = {
    "frontal, under 15°": (0.0, 15.0),
    "half turned, 15° to 45°": (15.0, 45.0),
    "profile, over 45°": (45.0, np.inf),
}
NOT_LABELLED: Final = "not labelled"
SMALLEST_GROUP: Final = 10


def dataset_facts(
    manifest: pd.DataFrame, held_out_groups: pd.DataFrame, *, smallest_group: int = SMALLEST_GROUP
) -> dict[str, Any]:
    """Composition, labels, splits, licences, consent and group coverage of a manifest.

    Args:
        manifest: all of it.
        held_out_groups: ``face_id`` and a column a protected attribute, of the test faces. Of other faces the protected
            attributes aren't known here: they lie in a table that training doesn't read.
        smallest_group: of faces; smaller counts read "fewer than …".
    """
    faces = manifest[manifest["is_face"].astype(bool)]
    coverage = label_coverage(manifest)
    return {
        "rows": len(manifest),
        "sources": {
            str(source): _source_facts(rows, coverage.get(str(source), {"faces": 0}))
            for source, rows in manifest.groupby("source")
        },
        "splits": [_split_facts(manifest, split) for split in SPLITS],
        "shared": {
            "subjects": _in_several_splits(faces, "subject_id"),
            "photos": _in_several_splits(manifest, "photo_sha256"),
        },
        "coverage": [
            *_coverage(faces, smallest_group),
            *_group_coverage(faces, held_out_groups, smallest_group),
        ],
    }


def size_category(rows: int) -> str:
    """The hub's word for a number of rows."""
    bounds = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
    return next((name for bound, name in bounds if rows < bound), "n>10M")


def derived_gaps(facts: Mapping[str, Any]) -> list[str]:
    """What the numbers themselves say is missing, in sentences."""
    gaps = [
        f"No face of {source} is labelled for {task}."
        for source, found in facts["sources"].items()
        for task in LABEL_COLUMNS
        if found["faces"] and not found["labels"][task]
    ]
    gaps += [f"The {split['name']} split has no face." for split in facts["splits"] if not split["faces"]]
    gaps += [
        f"Of {row['attribute']}, {row['group']} has no face in the {split} split."
        for row in facts["coverage"]
        for split in SPLITS
        if row[split] == "0" and row["group"] != NOT_LABELLED
    ]
    return gaps


def _source_facts(rows: pd.DataFrame, labels: dict[str, int]) -> dict[str, Any]:
    faces = rows[rows["is_face"].astype(bool)]
    named = faces["subject_id"].notna()
    return {
        "rows": len(rows),
        "faces": len(faces),
        "background": len(rows) - len(faces),
        "photos": int(rows["photo_sha256"].nunique()),
        "subjects": int(faces["subject_id"].nunique()),
        "named_faces": int(named.sum()),
        "labels": {task: labels.get(task, 0) for task in LABEL_COLUMNS},
        "licenses": sorted(rows["license"].unique().tolist()),
        "purposes": sorted(rows["purpose"].fillna("none named").unique().tolist()),
        "with_consent_id": int(faces["consent_id"].notna().sum()),
        "with_expiry": int(faces["expires_at"].notna().sum()),
    }


def _split_facts(manifest: pd.DataFrame, split: str) -> dict[str, Any]:
    rows = manifest[manifest["split"] == split]
    faces = rows[rows["is_face"].astype(bool)]
    return {
        "name": split,
        "faces": len(faces),
        "background": len(rows) - len(faces),
        "subjects": int(faces["subject_id"].nunique()),
    }


def _in_several_splits(rows: pd.DataFrame, column: str) -> int:
    return int((rows.groupby(column)["split"].nunique() > 1).sum())


def _coverage(faces: pd.DataFrame, smallest: int) -> list[dict[str, str]]:
    labels = {
        "gender label": faces["gender"].fillna(NOT_LABELLED).astype(str),
        "age label": _banded(faces["age_years"], AGE_BANDS),
        "yaw label": _banded(faces["yaw_deg"].abs(), YAW_BANDS),
    }
    return [
        {"attribute": name, "group": group}
        | {split: _count(values[faces["split"] == split], group, smallest) for split in SPLITS}
        for name, values in labels.items()
        for group in sorted(values.unique(), key=lambda group: (group == NOT_LABELLED, _order(group), group))
    ]


def _group_coverage(faces: pd.DataFrame, groups: pd.DataFrame, smallest: int) -> list[dict[str, str]]:
    of_test = groups[groups["face_id"].isin(faces.loc[faces["split"] == "test", "face_id"])]
    return [
        {"attribute": f"{attribute} (protected)", "group": group, "train": "not read", "validation": "not read"}
        | {"test": _count(values, group, smallest)}
        for attribute in of_test.columns.drop("face_id")
        for values in [of_test[attribute].fillna(NOT_LABELLED).astype(str)]
        for group in sorted(values.unique(), key=lambda group: (group == NOT_LABELLED, group))
    ]


def _count(values: pd.Series[str], group: str, smallest: int) -> str:
    count = int((values == group).sum())
    return f"fewer than {smallest}" if 0 < count < smallest else f"{count:,}"


def _banded(values: pd.Series[float], bands: dict[str, tuple[float, float]]) -> pd.Series[str]:
    banded = pd.Series(NOT_LABELLED, index=values.index)
    for name, (low, high) in bands.items():
        banded[(values >= low) & (values < high)] = name
    return banded


def _order(group: str) -> int:
    bands = [*AGE_BANDS, *YAW_BANDS]
    return bands.index(group) if group in bands else 0
