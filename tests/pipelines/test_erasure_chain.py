"""Somebody leaves a finished chain: every release is listed, and the rooms go on with what is left."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from countenance.data.manifest import read_manifest
from countenance.erasure.erasing import erase_subject
from countenance.erasure.project import DataRoot, Project
from tests.erasure.looking import places_with
from tests.pipelines.conftest import Chain

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_somebody_leaves_a_finished_chain_and_the_rooms_go_on(chain: Chain, split: str):
    manifest_path = chain.data / "03_primary" / "manifest.parquet"
    before = read_manifest(manifest_path)
    named = before[(before["split"] == split) & before["subject_id"].notna()]
    person = str(named["subject_id"].iloc[0])
    theirs = before[before["subject_id"] == person]
    root = DataRoot(
        name="tiny",
        folder=chain.data,
        subject_secret=b"the-embedded-people-have-no-secrets",
        routing_secret=b"the-demonstration-routing-salt-is-no-secret",
        tombstones=chain.folder / "tombstones.json",
    )
    records = chain.data / "09_registry" / "erasures"
    project = Project(folder=chain.folder, roots=(root,), scanned=(chain.data,), records=records)
    receipt, _ = erase_subject(project, person, now=NOW)
    label = person.partition(":")[2]
    assert places_with(chain.data, [label.encode(), *(face.encode() for face in theirs["face_id"])]) == []
    # Every release says the digest of the data that it was made from, and is found by it.
    units = {path.parent.name for path in (chain.data / "06_models" / "releases").glob("*/release.json")}
    listed = {model["where"].rpartition("/")[2] for model in receipt["models"] if "release unit" in model["what"]}
    assert listed == units
    assert len(units) == 3
    (dataset,) = receipt["datasets"]
    assert dataset["splits"] == {split: len(theirs)}
    after = read_manifest(manifest_path)
    kept = before[before["face_id"].isin(after["face_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, kept)
    for room in ("validation", "evaluation", "bias"):
        chain.run(room)
    report = json.loads((chain.data / "08_reporting" / "validation_report.json").read_text())
    assert report["faces"] == len(after)
