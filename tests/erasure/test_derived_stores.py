"""What rooms made of the person's faces: facts, weights, deliveries of experiments, templates."""

import shutil

import numpy as np
import pandas as pd

from countenance.data.protocols.parquet_protocol import read_parquet_protocol
from countenance.erasure.trace import person_in
from tests.erasure.looking import places_with
from tests.erasure.test_erasing import erase
from tests.erasure.world import PERSON, World


def test_who_is_named_as_a_near_copy_of_somebody_else_is_erased_there_too(world: World):
    gone = sorted(person_in(world.manifest(), PERSON).faces)
    path = world.data / "04_feature" / "face_facts.parquet"
    facts = pd.read_parquet(path)
    others = ~facts["face_id"].isin(gone)
    copies = pd.Series(None, index=facts.index, dtype="str")
    copies[others.idxmax()] = gone[0]
    facts.assign(near_copy_in_other_split=copies).to_parquet(path, index=False)
    erase(world)
    after = pd.read_parquet(path)
    assert after["near_copy_in_other_split"].isna().all()
    pd.testing.assert_frame_equal(after[facts.columns], facts[others].reset_index(drop=True))


def test_the_weights_and_the_delivery_of_a_rare_group_lose_the_person(world: World):
    manifest, room = world.manifest(), world.data / "07_model_output" / "mitigation"
    gone = person_in(manifest, PERSON).faces
    (room / "0a1b").mkdir(parents=True)
    weights = pd.DataFrame({"face_id": manifest["face_id"], "weight": 1.0})
    paths = [room / "sampling_weights.parquet", world.data / "05_model_input" / "sampling_weights.parquet"]
    paths += [room / "0a1b" / "outputs.parquet"]
    for path in paths:
        weights.to_parquet(path, index=False)
    manifest.to_parquet(room / "rare_delivery.parquet", index=False)
    erase(world)
    for path in [*paths, room / "rare_delivery.parquet"]:
        assert set(pd.read_parquet(path)["face_id"]) == set(manifest["face_id"]) - gone


def test_templates_of_the_evaluation_lose_the_person_with_the_embeddings_beside_them(world: World):
    room = world.data / "07_model_output"
    shutil.copytree(world.data / "10_protocols" / "album", room / "template_protocol")
    embeddings = room / "template_embeddings" / "student.npy"
    embeddings.parent.mkdir()
    shutil.move(room / "template_protocol" / "embeddings.npy", embeddings)
    rows = dict(zip(read_parquet_protocol(room / "template_protocol").samples.names, np.load(embeddings), strict=True))
    gone = person_in(world.manifest(), PERSON).faces
    theirs = [row.tobytes() for name, row in rows.items() if name in gone]
    assert theirs
    receipt = erase(world)
    left = read_parquet_protocol(room / "template_protocol").samples.names
    np.testing.assert_array_equal(np.load(embeddings), [rows[name] for name in left])
    assert not gone & set(left) and places_with(world.data, theirs) == []
    assert receipt["left"]["arrays_of_unknown_crops"] == []
