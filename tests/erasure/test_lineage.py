from pathlib import Path

import pandas as pd

from countenance.erasure.lineage import (
    OldManifest,
    dataset_sha256,
    datasets_with,
    models_with,
    old_manifest,
    only_manifests,
    read_rosters,
    write_rosters,
)
from countenance.erasure.project import AffectedModel, Project, StageVersion
from countenance.erasure.trace import roster_key
from tests.erasure.test_trace import WORLD
from tests.erasure.world import World

MANIFEST = "data/03_primary/manifest.parquet"
KEY = b"the key of a test"


def of_person(content_id: str, frame: pd.DataFrame = WORLD, person: str = "s:Ada") -> OldManifest:
    return old_manifest(frame, content_id, person)


def stage(revision: str, name: str, reads: dict[str, str], writes: dict[str, str]) -> StageVersion:
    return StageVersion(revision=revision, when="", stage=name, reads=reads, writes=writes)


STAGES = [
    stage("c1", "ingestion", {}, {MANIFEST: "aa", "data/03_primary/faulty_delivery.parquet": "ff"}),
    stage("c1", "training", {MANIFEST: "aa"}, {"data/06_models/net.safetensors": "n1", "data/m.json": "x"}),
    stage("c2", "ingestion", {}, {MANIFEST: "aa"}),
    stage("c2", "training", {MANIFEST: "aa"}, {"data/06_models/net.safetensors": "n2"}),
    stage("c3", "training", {MANIFEST: "bb"}, {"data/06_models/net.safetensors": "n3"}),
]  # fmt: skip


def test_the_digest_of_a_data_set_does_not_depend_on_the_order_of_its_rows():
    assert dataset_sha256(WORLD.sample(frac=1, random_state=0)) == dataset_sha256(WORLD)
    assert dataset_sha256(WORLD.iloc[1:]) != dataset_sha256(WORLD)


def test_a_data_set_is_listed_with_every_commit_that_brought_it():
    (dataset,) = datasets_with([of_person("aa")], [], frozenset(), STAGES)
    assert dataset.path == MANIFEST
    assert dataset.revisions == ("c1", "c2")
    assert dataset.splits == {"train": 2}
    assert dataset.dataset_sha256 == dataset_sha256(WORLD)


def test_a_data_set_without_the_person_is_not_listed():
    assert datasets_with([of_person("aa", person="s:Nobody")], [], frozenset(), STAGES) == []


def test_a_delivery_that_looks_like_a_manifest_is_none():
    kept = only_manifests([of_person("aa"), of_person("ff"), of_person("unknown")], STAGES)
    assert [each.content_id for each in kept] == ["aa", "unknown"]


def test_models_are_those_that_were_made_from_such_a_data_set(tmp_path: Path):
    class Registry:
        def made_from(self, datasets: list[str]) -> list[AffectedModel]:
            return [AffectedModel(what="registered", where=digest) for digest in datasets]

    project = Project(folder=tmp_path, roots=(), scanned=(), registries=(Registry(),), records=tmp_path / "r")
    datasets = datasets_with([of_person("aa")], [], frozenset(), STAGES)
    models = models_with(project, datasets, STAGES)
    assert [(model.what, model.revisions) for model in models] == [
        ("model file n1", ("c1",)),
        ("model file n2", ("c2",)),
        ("registered", ()),
    ]


def test_a_roster_tells_who_else_was_in_a_manifest_that_is_gone(tmp_path: Path):
    write_rosters(tmp_path, [of_person("aa")], KEY)
    (roster,) = read_rosters(tmp_path)
    assert roster["people"] == {roster_key("s:Bob", KEY): ["train"]}
    assert roster["content_ids"] == ["aa"]
    (dataset,) = datasets_with([], [roster], frozenset({roster_key("s:Bob", KEY)}), STAGES)
    assert dataset.revisions == ("c1", "c2")
    assert set(dataset.splits) == {"train"}
    assert datasets_with([], [roster], frozenset({roster_key("s:Ada", KEY)}), STAGES) == []


def test_a_roster_that_is_there_gets_new_contents_and_nobody_back(tmp_path: Path):
    write_rosters(tmp_path, [of_person("aa")], KEY)
    write_rosters(tmp_path, [of_person("ab", person="s:Bob")], KEY)
    (roster,) = read_rosters(tmp_path)
    assert roster["content_ids"] == ["aa", "ab"]
    assert roster["people"] == {roster_key("s:Bob", KEY): ["train"]}


def test_releases_of_other_data_are_not_listed(world: World):
    datasets = datasets_with([of_person("aa", person="s:Ada")], [], frozenset(), [])
    assert models_with(world.project(), datasets, []) == []
