import json
import logging

import numpy as np
import pytest

from countenance.data.tombstones import tombstone
from countenance.erasure.erasing import erase_subject
from countenance.erasure.receipt import as_text
from tests.erasure.looking import places_with
from tests.erasure.test_erasing import NOW, erase, files_of
from tests.erasure.world import PEOPLE, PERSON, SECRET, World


def test_receipt_tombstone_log_and_journal_name_nobody(world: World, caplog: pytest.LogCaptureFixture):
    manifest = world.manifest()
    rows = manifest[manifest["subject_id"] == PERSON]
    with caplog.at_level(logging.DEBUG):
        receipt, path = erase_subject(world.project(), PERSON, now=NOW)
    assert path is not None
    told = [path.read_text(), path.with_suffix(".txt").read_text(), world.root.tombstones.read_text(), caplog.text]
    for text in told:
        assert not any(word in text for word in ("Bob", "Smith", *rows["face_id"], *rows["photo_sha256"]))
    assert receipt["subject"] == {"base": tombstone(PERSON, SECRET)}
    assert not world.project().workspace.exists()


def test_the_receipt_says_what_was_removed_where_with_hashes(world: World):
    receipt = erase(world)
    by_name = {entry["what"]: entry for entry in receipt["removed"]}
    manifest = by_name["manifest"]
    assert manifest["rows"] == 11
    assert manifest["sha256_before"] != manifest["sha256_after"]
    assert by_name["delivered photos"] == {"what": "delivered photos", "where": "data/01_raw", "rows": 1}
    assert receipt["left"] == {
        "photos_with_others": 1,
        "arrays_of_unknown_crops": [],
        "files_in_git": [],
    }
    text = as_text(receipt)
    assert "manifest: 11 in data/03_primary/manifest.parquet" in text
    assert "The person was found nowhere." in text


def test_data_sets_and_models_that_the_person_was_in_are_listed(world: World):
    receipt = erase(world)
    (dataset,) = receipt["datasets"]
    assert dataset["splits"] == {"test": 5}
    assert [model["where"] for model in receipt["models"]] == [
        "data/06_models/releases/student",
        "data/06_models/all_in_one.safetensors",
    ]
    assert (world.data / "06_models" / "all_in_one.safetensors").read_bytes() == b"weights"


def test_the_models_of_a_data_set_that_is_gone_are_known_from_its_roster(world: World):
    first = erase(world, "album:Cleo_Doe")
    second = erase(world)
    release = "data/06_models/releases/student"
    for receipt in (first, second):  # the release is of the data before the first erasure
        assert release in [model["where"] for model in receipt["models"]]
    assert len(second["datasets"]) == 2
    rosters = world.data / "09_registry" / "erasures" / "rosters"
    people = [json.loads(path.read_text())["people"] for path in rosters.glob("*.json")]
    assert sorted(map(len, people)) == [len(PEOPLE) - 2] * 2
    assert places_with(world.folder, [b"Cleo_Doe", b"Bob_Smith"]) == []


def test_an_array_of_unknown_crops_is_left_to_a_person_and_told(world: World):
    np.save(world.data / "10_embeddings" / "others.npy", np.eye(4, dtype=np.float32))
    receipt = erase(world)
    assert receipt["left"]["arrays_of_unknown_crops"] == ["data/10_embeddings/others.npy"]
    assert "others.npy: nobody can tell whose the rows of this array are" in as_text(receipt)


def test_a_dry_run_says_the_same_and_writes_nothing(world: World):
    before = files_of(world.folder)
    planned = erase(world, dry_run=True)
    after = files_of(world.folder)
    after.pop("data/09_registry/erasures/.lock")
    assert after == before
    assert planned["dry_run"]
    done = erase(world)
    rows = [(entry["what"], entry["where"], entry["rows"]) for entry in planned["removed"]]
    assert rows == [(entry["what"], entry["where"], entry["rows"]) for entry in done["removed"]]
    assert done["models"] == planned["models"]
