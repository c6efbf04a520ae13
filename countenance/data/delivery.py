"""A faulty delivery of labels, made on purpose: what a rollout's guards must catch."""

from __future__ import annotations

import pandas as pd

from countenance.data.protected_attributes import group_of_faces
from countenance.data.sources import IngestionConfiguration
from countenance.errors import ConfigurationError, DataError


def faulty_delivery(
    manifest: pd.DataFrame, groups: pd.DataFrame, configuration: IngestionConfiguration
) -> pd.DataFrame:
    """The faulty delivery that the configuration describes; see :func:`merge_one_group`.

    Raises:
        ConfigurationError: no faulty delivery is configured.
    """
    fault = configuration.faulty_delivery
    if fault is None:
        raise ConfigurationError("No 'faulty_delivery' is configured: describe one in parameters_ingestion.yml.")
    secret = configuration.subject_secret.encode()
    return merge_one_group(manifest, groups, attribute=fault.attribute, group=fault.group, secret=secret)


def merge_one_group(
    manifest: pd.DataFrame, groups: pd.DataFrame, *, attribute: str, group: str, secret: bytes
) -> pd.DataFrame:
    """A training manifest in which everybody of one group carries the same subject id.

    That is the labelling error of a supplier who could not tell these people apart. Training on it teaches a network
    to accept one of them as another.

    Args:
        manifest: the whole manifest; only its named training faces are kept.
        groups: the table of protected attributes.
        attribute: e.g. ``skin_tone``.
        group: e.g. ``darker``.
        secret: key of the subjects' HMAC.

    Returns:
        The faulty rows: same columns, subjects of ``group`` merged.

    Raises:
        DataError: fewer than two training subjects belong to the group.
    """
    named = manifest[(manifest["split"] == "train") & manifest["is_face"] & manifest["subject_id"].notna()].copy()
    affected = group_of_faces(named, groups, attribute, secret) == group
    people = named.loc[affected, "subject_id"].nunique()
    if people < 2:
        raise DataError(
            f"Group '{group}' of '{attribute}' has {people} people to train on: "
            "name a group with at least two under 'faulty_delivery' in parameters_ingestion.yml."
        )
    named.loc[affected, "subject_id"] = f"merged:{group}"
    return named
