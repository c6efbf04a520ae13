"""Who and what is there to learn from and to be measured on: faces and people by split and group."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.manifest import SPLITS
from countenance.data.manifest_gaps import taken_for_faces
from countenance.data.protected_attributes import groups_by_face

COVERAGE_COLUMNS: Final = ("cell", "split", "attribute", "group", "faces", "subjects")
"""The table of coverage; ``cell`` names a row in words, ``subjects`` counts people, an unnamed face as one."""


class CoverageConfiguration(Configuration):
    """Groups that ought to be there, also where the table below them is empty.

    Attributes:
        yaw_deg: edges of the bands of head pose, in degrees.
        age_years: edges of the bands of age, in years.
        gender: names.
        protected: attributes of the protected table, each with its groups.
    """

    yaw_deg: tuple[float, ...] = (-90, -45, -15, 15, 45, 90)
    age_years: tuple[float, ...] = (0, 18, 30, 45, 60, 120)
    gender: tuple[str, ...] = ("female", "male")
    protected: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def coverage(manifest: pd.DataFrame, configuration: CoverageConfiguration) -> pd.DataFrame:
    """Faces and subjects by split and by gender, age and yaw, as far as these are labelled: :data:`COVERAGE_COLUMNS`.

    A face with a range of yaw counts in the band of its middle. What no face is labelled with gives no row.
    """
    faces = _faces(manifest)
    groups = {
        "gender": (faces["gender"], configuration.gender),
        "yaw_deg": _bands(_yaw(faces), configuration.yaw_deg),
        "age_years": _bands(faces["age_years"], configuration.age_years),
    }
    return _counted(faces, groups)


def protected_coverage(
    manifest: pd.DataFrame, groups: pd.DataFrame, configuration: CoverageConfiguration, secret: bytes
) -> pd.DataFrame:
    """The same by the protected attributes that the configuration names, of which there are labels at all.

    The table must not reach a training: it says nothing of a single face, but follows from the protected table.
    """
    labelled = [name for name in configuration.protected if (groups["attribute"] == name).any()]
    faces = _faces(manifest).reset_index(drop=True)
    # A key is an HMAC: one a person, not one a face.
    owners = _people(faces)
    first = faces[~owners.duplicated()]
    of_owner = groups_by_face(first, groups, labelled, secret)
    by_face = of_owner.iloc[pd.Index(owners[first.index]).get_indexer(pd.Index(owners))].reset_index(drop=True)
    return _counted(faces, {name: (by_face[name], configuration.protected[name]) for name in labelled})


def _faces(manifest: pd.DataFrame) -> pd.DataFrame:
    manifest = taken_for_faces(manifest)
    return manifest[manifest["is_face"]]


def _people(faces: pd.DataFrame) -> pd.Series[str]:
    """Who each face is of; a face that nobody is named on is somebody for himself."""
    return faces["subject_id"].where(faces["subject_id"].notna(), faces["face_id"])


def _yaw(faces: pd.DataFrame) -> pd.Series[float]:
    middles = faces["yaw_range"].map(lambda angles: np.nan if angles is None else float(np.mean(angles)))
    return faces["yaw_deg"].astype("float64").fillna(middles.astype("float64"))


def _bands(values: pd.Series[float], edges: Sequence[float]) -> tuple[pd.Series[str], tuple[str, ...]]:
    names = tuple(f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges))
    return pd.cut(values, list(edges), labels=list(names), include_lowest=True).astype("object"), names


def _counted(faces: pd.DataFrame, groups: Mapping[str, tuple[pd.Series[str], Sequence[str]]]) -> pd.DataFrame:
    people = _people(faces)
    splits = [split for split in SPLITS if (faces["split"] == split).any()]
    rows = []
    for attribute, (group, expected) in groups.items():
        if not group.notna().any():
            continue
        columns = {"split": faces["split"], "group": group, "person": people}
        table = pd.DataFrame({name: column.to_numpy() for name, column in columns.items()})
        counts = table.groupby(["split", "group"], observed=True)["person"].agg(["size", "nunique"])
        sizes = zip(counts.index, counts["size"], counts["nunique"], strict=True)
        found = {cell: (int(size), int(subjects)) for cell, size, subjects in sizes}
        for split, name in itertools.product(splits, expected):
            rows.append((f"{split}, {attribute} {name}", split, attribute, name, *found.get((split, name), (0, 0))))
    return pd.DataFrame(rows, columns=list(COVERAGE_COLUMNS))
