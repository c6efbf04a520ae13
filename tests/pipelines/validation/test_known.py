"""Embeddings and detector scores that were given beside the manifest."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.data.crop_store import CropStore
from countenance.errors import ConfigurationError, DataError
from countenance.learning.aligned_crops import StoredCrops
from countenance.learning.embedding_plan import EmbeddingPlan, Failure, description_path, write_plan
from pipelines.validation.configuration import KnownFacts
from pipelines.validation.known import with_known_facts
from tests.pipelines.validation.deliveries import ROWS, Delivery


def embedded(folder: Path, crops: CropStore, identity: str | None = None) -> KnownFacts:
    """What `countenance embed` makes of a crop store: row i looks in direction i, and row 1 failed."""
    path = folder / "embeddings.npy"
    np.save(path, np.repeat(np.eye(ROWS, dtype=np.float32)[:, None] * 3, 2, axis=1))
    plan = EmbeddingPlan(
        rows=ROWS,
        dimension=ROWS,
        mirrored=True,
        unit_length=False,
        block=64,
        model="made",
        model_identity="made",
        crops_identity=identity or StoredCrops(crops).identity,
    )
    write_plan(description_path(path), plan, [Failure(1, "no face")])
    return KnownFacts(embeddings=str(path))


@pytest.fixture
def facts(delivery: Delivery) -> pd.DataFrame:
    return delivery.facts()


def test_embeddings_of_the_crop_store_are_read_in_the_manifests_order(delivery: Delivery, facts: pd.DataFrame):
    crops = CropStore(delivery.folder / "crops")
    found = with_known_facts(facts, delivery.manifest, crops, embedded(delivery.folder, crops))
    failed = delivery.manifest["crop"] == crops.crop_keys()[1]
    assert found["embedding_norm"].isna().tolist() == failed.tolist()
    assert set(found["embedding_norm"].dropna()) == {3.0}


def test_embeddings_of_other_crops_are_refused(delivery: Delivery, facts: pd.DataFrame):
    crops = CropStore(delivery.folder / "crops")
    known = embedded(delivery.folder, crops, identity="of another day")
    with pytest.raises(DataError, match="are of other crops"):
        with_known_facts(facts, delivery.manifest, crops, known)


def test_a_file_of_another_kind_is_refused(delivery: Delivery, facts: pd.DataFrame):
    crops = CropStore(delivery.folder / "crops")
    with pytest.raises(ConfigurationError, match="neither a teacher's features"):
        with_known_facts(facts, delivery.manifest, crops, KnownFacts(embeddings="faces.pkl"))


def test_detector_scores_that_are_not_there_are_refused(delivery: Delivery, facts: pd.DataFrame):
    crops = CropStore(delivery.folder / "crops")
    with pytest.raises(DataError, match=r"scores nowhere.parquet are not there"):
        with_known_facts(facts, delivery.manifest, crops, KnownFacts(detector_scores="nowhere.parquet"))
    path = delivery.folder / "scores.parquet"
    pd.DataFrame({"face": ["a"]}).to_parquet(path)
    with pytest.raises(DataError, match="have no columns 'face_id'"):
        with_known_facts(facts, delivery.manifest, crops, KnownFacts(detector_scores=str(path)))
