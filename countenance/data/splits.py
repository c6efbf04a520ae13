"""Splits that never share a subject nor a photo."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from countenance.configuration import Configuration
from countenance.errors import DataError


class SplitConfiguration(Configuration):
    """Shares of people (not of photos) in each split; they sum to one."""

    train: float = Field(default=0.6, gt=0, lt=1)
    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.3, gt=0, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SplitConfiguration:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("the shares of train, validation and test must sum to 1")
        return self


def assign_splits(faces: pd.DataFrame, configuration: SplitConfiguration) -> pd.Series[str]:
    """Give each face a split so that no subject and no photo is in two.

    Faces are tied together by ``photo_sha256``, by ``subject_id`` and by ``kept_with`` (where these are set); each
    connected group goes to one split, chosen by a hash of the group's smallest tie and the seed. So a face keeps its
    split when other people are added.

    Args:
        faces: columns ``photo_sha256``, ``subject_id`` (nullable) and, if there is one, ``kept_with`` (nullable).
        configuration: shares and seed.

    Returns:
        [N] split names, indexed as ``faces``.
    """
    named = {"photo_sha256": "photo", "subject_id": "subject", "kept_with": "kept with"}
    ties_of = [f"{word} " + faces[column].astype("object") for column, word in named.items() if column in faces]
    ties = pd.Index(pd.concat([tie.dropna() for tie in ties_of]).unique()).sort_values()
    photo_node = ties.get_indexer(pd.Index(ties_of[0]))
    others = [np.where(tie.isna(), photo_node, ties.get_indexer(pd.Index(tie))) for tie in ties_of[1:]]
    first, second = np.tile(photo_node, len(others)), np.concatenate(others)
    edges = coo_array((np.ones(len(first)), (first, second)), shape=(len(ties), len(ties)))
    _, group = connected_components(edges, directed=False)
    # `ties` is sorted, so the first node of a group is its smallest tie whatever the order of the rows
    first_node = pd.Series(np.arange(len(ties))).groupby(group).min().to_numpy()
    split_of_group = [_split_of(str(ties[node]), configuration) for node in first_node]
    return pd.Series([split_of_group[group[node]] for node in photo_node], index=faces.index, dtype="str")


def require_disjoint_splits(manifest: pd.DataFrame) -> None:
    """Refuse a manifest in which a subject or a photo is in two splits.

    Raises:
        DataError: how many there are, and the face ids of the first.
    """
    for column, what in (("subject_id", "subjects are"), ("photo_sha256", "photos are")):
        labelled = manifest[manifest[column].notna()]
        splits = labelled.groupby(column)["split"].nunique()
        shared = splits[splits > 1].index
        if len(shared):
            faces = labelled.loc[labelled[column] == shared[0], "face_id"].head(3)
            raise DataError(
                f"{len(shared)} {what} in more than one split (faces {', '.join(faces)} are an example): "
                "assign the splits again."
            )


def _split_of(tie: str, configuration: SplitConfiguration) -> str:
    digest = hashlib.blake2b(f"{configuration.seed}\n{tie}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    if position < configuration.test:
        return "test"
    return "validation" if position < configuration.test + configuration.validation else "train"
