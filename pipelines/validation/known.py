"""What is known of the faces beside their manifest: a model's embeddings, a detector's scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.checks import with_identity_facts
from countenance.data.crop_store import CropStore
from countenance.errors import ConfigurationError, DataError
from pipelines.validation.configuration import KnownFacts


def with_known_facts(facts: pd.DataFrame, manifest: pd.DataFrame, crops: CropStore, known: KnownFacts) -> pd.DataFrame:
    """The facts with what embeddings and detector scores add to them, where there are any.

    Raises:
        ConfigurationError, DataError, ModelError: a named file isn't there, or isn't what it should be.
    """
    if known.detector_scores is not None:
        facts = facts.assign(detector_score=_detector_scores(Path(known.detector_scores), facts["face_id"]))
    if known.embeddings is None:
        return facts
    embeddings = _embeddings(Path(known.embeddings), manifest, crops)
    return with_identity_facts(facts, manifest.reset_index(drop=True), embeddings, same_person=known.same_person)


def _detector_scores(path: Path, face_ids: pd.Series[str]) -> NDArray[np.float64]:
    if not path.is_file():
        raise DataError(f"The detector scores {path} are not there: mend 'known.detector_scores'.")
    table = pd.read_parquet(path)
    if not {"face_id", "detector_score"} <= set(table.columns):
        raise DataError(f"The detector scores {path} have no columns 'face_id' and 'detector_score': write them so.")
    scores = table.drop_duplicates("face_id").set_index("face_id")["detector_score"]
    return scores.reindex(face_ids.to_numpy()).to_numpy(dtype=np.float64)


def _embeddings(path: Path, manifest: pd.DataFrame, crops: CropStore) -> NDArray[np.float32]:
    """[N, D] in the manifest's order; NaN for a face that has none."""
    if path.suffix == ".arrow":
        from countenance.learning.teachers.features import read_features

        table = read_features(path)
        return _with_gaps(table.features[:, 0], table.rows_of(manifest["face_id"].tolist()))
    if path.suffix == ".npy":
        return _of_crop_store(path, manifest, crops)
    raise ConfigurationError(
        f"The embeddings {path} are neither a teacher's features (.arrow) nor what `countenance embed` wrote (.npy): "
        "mend 'known.embeddings' in parameters_validation.yml."
    )


def _of_crop_store(path: Path, manifest: pd.DataFrame, crops: CropStore) -> NDArray[np.float32]:
    from countenance.learning.aligned_crops import StoredCrops
    from countenance.learning.finished_embeddings import read_embeddings

    found = read_embeddings(path)
    if found.plan.crops_identity != StoredCrops(crops).identity:
        raise DataError(f"The embeddings {path} are of other crops: run `countenance embed` on this crop store again.")
    rows = pd.Index(crops.crop_keys()).get_indexer(pd.Index(manifest["crop"].tolist()))
    rows[(rows >= 0) & found.failed()[rows]] = -1
    values = found.values[:, 0] if found.plan.mirrored else found.values
    return _with_gaps(values, rows)


def _with_gaps(values: Any, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    embeddings = np.asarray(values[np.maximum(rows, 0)], dtype=np.float32)
    embeddings[rows < 0] = np.nan
    return embeddings
