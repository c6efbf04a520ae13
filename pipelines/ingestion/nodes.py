"""Nodes of the ingestion room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd


def ingest_sources(
    parameters: dict[str, Any], incoming: str, tombstones: str
) -> tuple[Any, Any, pd.DataFrame, pd.DataFrame]:
    """Read every configured source; the manifest, the crop store, the protected attributes and what was put aside."""
    from countenance.configuration import narrow
    from countenance.data.crop_store import CropStore
    from countenance.data.ingestion import ingest
    from countenance.data.sources import IngestionConfiguration, build_importers
    from countenance.data.tombstones import read_tombstones

    configuration = narrow(IngestionConfiguration, parameters, where="parameters_ingestion.yml")
    ingested = ingest(
        build_importers(configuration),
        crop_folder=Path(incoming),
        splits=configuration.splits,
        subject_secret=configuration.subject_secret.encode(),
        non_face_share=configuration.non_face_share,
        largest_quarantined_share=configuration.largest_quarantined_share,
        workers=configuration.workers,
        tombstones=read_tombstones(Path(tombstones), configuration.subject_secret.encode()),
    )
    return ingested.manifest, CropStore(Path(incoming)), ingested.groups, ingested.quarantine


def count_faces(manifest: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    """How many faces, people and labels each source and split has, and how many records were put aside, and why."""
    from countenance.data.manifest import ingestion_counts

    return ingestion_counts(manifest, quarantine)


def weigh_faces(
    manifest: pd.DataFrame, groups: pd.DataFrame, parameters: dict[str, Any], balance: dict[str, Any]
) -> pd.DataFrame:
    """How often each training face should come so that groups are balanced; numbers only, for trainings to read."""
    from countenance.configuration import narrow
    from pipelines.weighing import GroupBalance, group_balanced_weights

    asked = narrow(GroupBalance, balance, where="parameters_ingestion.yml")
    return group_balanced_weights(manifest, groups, parameters["subject_secret"].encode(), asked)


def spoil_delivery(manifest: pd.DataFrame, groups: pd.DataFrame, parameters: dict[str, Any]) -> pd.DataFrame:
    """The faulty delivery on which the demonstration's third candidate is trained."""
    from countenance.configuration import narrow
    from countenance.data.delivery import faulty_delivery
    from countenance.data.sources import IngestionConfiguration

    configuration = narrow(IngestionConfiguration, parameters, where="parameters_ingestion.yml")
    return faulty_delivery(manifest, groups, configuration)
