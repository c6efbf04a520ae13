import json
import shutil
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countenance.data.crop_store import CropStore
from countenance.data.protocols.parquet_protocol import read_parquet_protocol
from countenance.data.tombstones import read_tombstones, tombstone
from countenance.erasure.documents import WITHDRAWN
from countenance.erasure.erasing import erase_subject
from countenance.erasure.project import FolderPlace, Project
from countenance.erasure.trace import person_in
from countenance.errors import DataError
from countenance.learning.aligned_crops import StoredCrops
from countenance.learning.embedding_plan import described
from countenance.learning.teacher_cache import TeacherCache
from countenance.learning.teachers.features import read_features
from tests.erasure.looking import places_with, traces_of
from tests.erasure.world import PEOPLE, PERSON, SECRET, World, import_album, make_world

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


def erase(world: World, person: str | None = PERSON, **options: Any) -> dict[str, Any]:
    return erase_subject(world.project(), person, now=NOW, **options)[0]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_afterwards_the_person_is_nowhere_and_was_in_all_kinds_of_stores_before(world: World):
    traces = traces_of(world)
    before = places_with(world.folder, traces)
    assert len(before) >= 18
    receipt = erase(world)
    assert places_with(world.folder, traces) == []
    assert receipt["complete"]
    assert receipt["scan"]["remaining"] == ()
    assert receipt["scan"]["needles"] > 60


def test_the_rows_of_everybody_else_are_as_they_were(world: World, finished_world: World):
    gone = person_in(finished_world.manifest(), PERSON).faces
    erase(world)
    for name, content in files_of(finished_world.data).items():
        path, before = world.data / name, finished_world.data / name
        if content[:4] == b"PAR1" and "10_protocols" not in name:
            old, new = pq.read_table(before), pq.read_table(path)
            assert new.schema.equals(old.schema, check_metadata=True), name
            compression = [pq.read_metadata(each).row_group(0).column(0).compression for each in (before, path)]
            assert compression[0] == compression[1], name
            if "face_id" in old.column_names:
                kept = [face not in gone for face in old.column("face_id").to_pylist()]
                assert new.equals(old.filter(pa.array(kept))), name
        elif content[:6] == b"ARROW1":
            old, new = pa.ipc.open_file(before).read_all(), pa.ipc.open_file(path).read_all()
            kept = [face not in gone for face in old.column(0).to_pylist()]
            assert new.equals(old.filter(pa.array(kept, pa.bool_()))), name
            assert new.schema.equals(old.schema, check_metadata=True), name


def test_files_without_the_person_are_the_same_to_the_byte(world: World, finished_world: World):
    receipt = erase(world)
    rewritten = {entry["where"].removeprefix("data/") for entry in receipt["removed"]}
    after = files_of(world.data)
    for name, content in files_of(finished_world.data).items():
        within = any(
            name == where or name.startswith(f"{where.removesuffix('/protocol.json')}/") for where in rewritten
        )
        assert within or name.endswith(".npy.json") or after[name] == content, name
    assert "03_primary/crops/crops-00001.arrow" not in rewritten


def test_documents_keep_everything_else_to_the_byte(world: World, finished_world: World):
    gone = person_in(finished_world.manifest(), PERSON).faces
    erase(world)
    name = "07_model_output/pictured_faces.json"
    shown = [face for face in json.loads((finished_world.data / name).read_text()) if face["crop"] not in gone]
    assert (world.data / name).read_text() == json.dumps(shown, indent=2) + "\n"
    report = json.loads((world.data / "08_reporting" / "validation_report.json").read_text())
    assert not set(report["findings"][0]["faces"]) & gone
    assert report["findings"][0]["unexpected"] == 6
    assert (world.data / "08_reporting" / "index.html").read_text() == WITHDRAWN


def test_what_was_rewritten_is_still_read_by_those_who_read_it(world: World):
    gone = person_in(world.manifest(), PERSON).faces
    erase(world)
    data = world.data
    assert set(CropStore(data / "03_primary" / "crops").crop_keys()) == set(world.manifest()["crop"])
    features = read_features(data / "05_model_input" / "teacher_features.arrow")
    assert features.said_by == "ab" * 32
    assert not gone & set(features.face_ids)
    with TeacherCache(data / "05_model_input" / "teacher_cache", "cd" * 32, "float16") as cache:
        assert len(cache) == len(features)
    protocol = read_parquet_protocol(data / "10_protocols" / "album")
    assert len(protocol.samples) == 2 * (len(PEOPLE) - 1)
    assert len(np.load(data / "10_protocols" / "album" / "embeddings.npy")) == len(protocol.samples)
    crops = StoredCrops(CropStore(data / "03_primary" / "crops"))
    plan, _ = described(data / "10_embeddings" / "crops.npy")
    assert (plan.rows, plan.crops_identity) == (len(crops), crops.identity)
    with sqlite3.connect(data / "09_registry" / "rollout.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_embeddings_of_others_keep_their_rows(world: World, finished_world: World):
    before = CropStore(finished_world.data / "03_primary" / "crops").crop_keys()
    old = dict(zip(before, np.load(finished_world.data / "10_embeddings" / "crops.npy"), strict=True))
    erase(world)
    after = CropStore(world.data / "03_primary" / "crops").crop_keys()
    new = np.load(world.data / "10_embeddings" / "crops.npy")
    assert all(np.array_equal(row, old[key]) for key, row in zip(after, new, strict=True))


def test_a_later_import_gives_what_the_erasure_left(world: World, tmp_path: Path):
    erase(world)
    again = World(tmp_path / "again")
    import_album(again, read_tombstones(world.root.tombstones, SECRET))
    pd.testing.assert_frame_equal(again.manifest(), world.manifest())
    for name in ("manifest.parquet", "protected_attributes.parquet", "quarantine.parquet"):
        old, new = (pq.read_table(each.data / "03_primary" / name) for each in (world, again))
        assert new.equals(old), name
    old, new = (CropStore(each.data / "03_primary" / "crops") for each in (world, again))
    assert new.crop_keys() == old.crop_keys()
    assert all(new.encoded(row, "box") == old.encoded(row, "box") for row in range(len(new)))


def test_a_second_time_there_is_nothing_left_to_do(world: World):
    erase(world)
    before = files_of(world.folder)
    receipt = erase(world)
    assert receipt["removed"] == []
    after = files_of(world.folder)
    assert {name for name in after if after[name] != before.get(name)} == {
        f"data/09_registry/erasures/2026-06-01-{tombstone(PERSON, SECRET)[:12]}-2.{ending}"
        for ending in ("json", "txt")
    }


def test_who_is_not_known_is_refused_without_being_named(world: World):
    before = files_of(world.folder)
    with pytest.raises(DataError, match="Nobody is called so in any version") as caught:
        erase(world, "album:Nemo_Nobody")
    assert "Nemo" not in str(caught.value)
    after = files_of(world.folder)
    after.pop("data/09_registry/erasures/.lock")
    assert after == before


def test_without_a_person_or_a_begun_erasure_there_is_nothing_to_do(world: World):
    with pytest.raises(DataError, match="No erasure was begun"):
        erase(world, None)


def test_two_erasures_do_not_run_at_once(world: World):
    import fcntl

    erase(world, "album:Cleo_Doe")
    with (world.project().records / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="Another erasure of this project is running"):
            erase(world)


def test_old_versions_that_hold_the_person_are_purged_and_others_are_kept(world: World):
    cache = world.folder / "cache"
    for number, source in enumerate(sorted((world.data / "03_primary").rglob("*.*"))):
        shutil.copy(source, cache / f"{number:032x}")
    shutil.copy(world.data / "06_models" / "all_in_one.safetensors", cache / "model")
    with_person, manifest = places_with(cache, traces_of(world)), world.manifest()
    before = set(files_of(cache))
    receipt = erase(world)
    (purged,) = receipt["purged"]
    assert len(with_person) > 4
    assert set(purged["names"]) >= set(with_person)  # and what holds the background of their photos
    assert set(files_of(cache)) == before - set(purged["names"])
    assert purged["objects"] == len(purged["names"])
    theirs = person_in(manifest, PERSON).faces
    for name in files_of(cache):
        assert name == "model" or not any(face.encode() in (cache / name).read_bytes() for face in theirs)
    assert {"model", f"{1:032x}"} <= set(files_of(cache))


def test_a_file_that_nobody_registered_stops_the_erasure_until_it_is_gone(world: World):
    copy = world.data / "07_model_output" / "my_own_copy.parquet"
    manifest = world.manifest()
    faces = manifest.loc[manifest["subject_id"] == PERSON, ["face_id"]]
    faces.to_parquet(copy, index=False)
    named = world.data / "notes on Bob_Smith.txt"
    named.write_text("nothing")
    with pytest.raises(DataError, match=r"still found in 2 places .*my_own_copy.parquet") as caught:
        erase(world)
    assert "Bob" not in str(caught.value)
    with pytest.raises(DataError, match="The erasure of another person was begun"):
        erase(world, "album:Cleo_Doe")
    copy.unlink()
    named.unlink()
    receipt = erase(world, None)
    assert receipt["complete"]
    assert {entry["what"] for entry in receipt["removed"]} >= {"manifest", "crops"}
    assert receipt["datasets"]


def test_what_came_back_in_the_meantime_is_erased_when_the_erasure_goes_on(world: World, finished_world: World):
    stray = world.data / "stray.txt"
    stray.write_text(f"about {PERSON}")
    with pytest.raises(DataError, match="still found"):
        erase(world)
    stray.unlink()
    name = "07_model_output/student_outputs.parquet"  # it names faces that no manifest knows any more
    shutil.copy(finished_world.data / name, world.data / name)
    assert erase(world)["complete"]
    assert places_with(world.folder, traces_of(finished_world)) == []


def test_the_journal_is_for_its_owner_alone(world: World):
    stray = world.data / "stray.txt"
    stray.write_text(f"about {PERSON}")
    with pytest.raises(DataError, match="still found"):
        erase(world)
    workspace = world.project().workspace
    assert stat.S_IMODE(workspace.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in workspace.iterdir()} == {0o600}


def test_two_data_roots_are_told_apart_and_both_are_erased(world: World):
    inner = make_world(world.folder / "inner", seed=1000)
    shutil.move(inner.data, world.data / "small")
    outer, project = world.root, world.project()
    small = type(outer)(**{**vars(outer), "name": "small", "folder": world.data / "small"})
    # The smaller root's people bear other faces: the same face id may stand for another person there.
    path = small.folder / "03_primary" / "manifest.parquet"
    manifest = pd.read_parquet(path)
    swap = {PERSON: "album:Gus_Roe", "album:Gus_Roe": PERSON}
    manifest["subject_id"] = manifest["subject_id"].map(lambda who: swap.get(who, who))
    pq.write_table(pa.Table.from_pandas(manifest, schema=pq.read_schema(path), preserve_index=False), path)
    theirs = manifest[manifest["subject_id"] == PERSON]["face_id"]
    both = Project(**{**vars(project), "roots": (outer, small)})
    erase_subject(both, PERSON, now=NOW)
    left = pd.read_parquet(path)
    assert not set(left["face_id"]) & set(theirs)
    assert (left["subject_id"] == "album:Gus_Roe").sum() == 5
    outputs = pd.read_parquet(small.folder / "07_model_output" / "student_outputs.parquet")
    assert set(outputs["face_id"]) <= set(left["face_id"])


def test_places_are_searched_as_well(world: World, tmp_path: Path):
    project = world.project()
    elsewhere = FolderPlace("a remote", tmp_path / "remote")
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "object").write_text(f"about {PERSON}")
    both = Project(**{**vars(project), "places": (*project.places, elsewhere)})
    receipt, _ = erase_subject(both, PERSON, now=NOW)
    assert [each["place"] for each in receipt["purged"]] == ["a remote"]
    assert not (tmp_path / "remote" / "object").exists()
