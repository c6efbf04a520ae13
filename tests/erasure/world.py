"""A small project with something of everybody in every kind of store, each written by what really writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from countenance.data.crop_store import CropStore
from countenance.data.importers.labelled import LabelledFace, LabelledPhoto
from countenance.data.ingestion import ingest
from countenance.data.manifest import read_manifest, write_manifest
from countenance.data.protected_attributes import groups_by_face
from countenance.data.protocols.parquet_protocol import write_parquet_protocol
from countenance.data.protocols.template_protocol import (
    Gallery,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)
from countenance.data.splits import SplitConfiguration
from countenance.data.tombstones import Tombstones, read_tombstones
from countenance.erasure.lineage import dataset_sha256
from countenance.erasure.project import DataRoot, FolderPlace, Project
from countenance.learning.aligned_crops import StoredCrops
from countenance.learning.embedding_plan import EmbeddingPlan, description_path, write_plan
from countenance.learning.teacher_cache import TeacherCache, crop_key
from countenance.learning.teachers.features import TeacherFeatures, write_features
from countenance.rollout.connection import connect
from countenance.rollout.traffic import routing_key
from tests.conftest import picture

SECRET, ROUTING = b"the subject secret of the tests", b"the routing secret of the tests"
PEOPLE = ("Ada_Lovelace", "Bob_Smith", "Bob_Smithers", "Cleo_Doe", "Dora_Doe", "Eve_Ng", "Finn_Li", "Gus_Roe")
PERSON = "album:Bob_Smith"
"""Whom the tests erase: somebody else's name begins like theirs."""
PARTY = ("Ada_Lovelace", "Bob_Smith", "Dora_Doe")
DIMENSION = 16


class Album:
    """Three photos of each person, one of several, and one that doesn't decode."""

    name, license, purpose, group_source = "album", "own", "research", "the album"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def __len__(self) -> int:
        return 3 * len(PEOPLE) + 3

    def photos(self) -> Iterator[LabelledPhoto]:
        """All of them."""
        for at, who in enumerate(PEOPLE):
            for number in range(3):
                yield self._photo(f"{who}/{who}_{number}.jpg", 10 * at + number, [who])
        yield self._photo("party.jpg", 500, PARTY)
        yield self._photo("garden.jpg", 600, ["Bob_Smith", None])
        face = LabelledFace(subject_id="album:Bob_Smith", box_xywh=np.array([9, 9, 20, 20], dtype=np.float32))
        yield LabelledPhoto(name="Bob_Smith/Bob_Smith_9.jpg", read=lambda: b"\xff\xd8\xff no photo", faces=(face,))

    def _photo(self, name: str, seed: int, people: tuple[str | None, ...] | list[str | None]) -> LabelledPhoto:
        encoded = jpeg(self._seed + seed, 90 * max(2, len(people)))
        faces = tuple(
            LabelledFace(
                subject_id=None if who is None else f"album:{who}",
                box_xywh=np.array([12 + 90 * place, 40, 44, 48], dtype=np.float32),
                gender="female" if who and who[0] in "ACDE" else "male",
                groups={"gender": "female" if who and who[0] in "ACDE" else "male"},
            )
            for place, who in enumerate(people)
        )
        return LabelledPhoto(name=name, read=lambda: encoded, faces=faces)


def jpeg(seed: int, width: int) -> bytes:
    image = cv2.cvtColor(picture(180, width, seed=seed), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", image)[1].tobytes()


@dataclass(frozen=True)
class World:
    """Where it lies."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def root(self) -> DataRoot:
        return DataRoot(
            name="base",
            folder=self.data,
            subject_secret=SECRET,
            routing_secret=ROUTING,
            tombstones=self.folder / "conf" / "tombstones.json",
        )

    def project(self) -> Project:
        return Project(
            folder=self.folder,
            roots=(self.root,),
            scanned=(self.data, self.folder / "conf"),
            places=(FolderPlace("cache", self.folder / "cache"),),
            records=self.data / "09_registry" / "erasures",
        )

    def manifest(self) -> pd.DataFrame:
        return read_manifest(self.data / "03_primary" / "manifest.parquet")


def import_album(world: World, tombstones: Tombstones | None = None, seed: int = 0) -> None:
    """What the ingestion room does."""
    primary = world.data / "03_primary"
    ingested = ingest(
        [Album(seed)],
        crop_folder=primary / "crops",
        splits=SplitConfiguration(train=0.5, validation=0.2, test=0.3),
        subject_secret=SECRET,
        non_face_share=1.0,
        largest_quarantined_share=0.2,
        tombstones=tombstones,
    )
    write_manifest(ingested.manifest, primary / "manifest.parquet")
    ingested.groups.to_parquet(primary / "protected_attributes.parquet", index=False)
    ingested.quarantine.to_parquet(primary / "quarantine.parquet", index=False)


def make_world(folder: Path, seed: int = 0) -> World:
    """Everything, of everybody."""
    world = World(folder)
    import_album(world, read_tombstones(world.root.tombstones, SECRET), seed)
    manifest, data = world.manifest(), world.data
    faces = manifest[manifest["is_face"]]
    generator = np.random.default_rng(5 + seed)
    manifest.to_parquet(data / "03_primary" / "faulty_delivery.parquet", index=False)
    _derived(data, manifest, faces, generator)
    _learned(data, faces, generator)
    _shown(data, faces)
    _registered(data, manifest)
    write_protocol(data / "10_protocols" / "album", faces, generator)
    photo = data / "01_raw" / "album" / "Bob_Smith" / "Bob_Smith_0.jpg"
    for path, seed in ((photo, 10), (data / "01_raw" / "album" / "Ada_Lovelace_0.jpg", 0)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed, 180))
    (folder / "cache").mkdir(exist_ok=True)
    return world


def _derived(data: Path, manifest: pd.DataFrame, faces: pd.DataFrame, generator: np.random.Generator) -> None:
    for name in ("04_feature", "05_model_input", "06_models", "07_model_output/ablation/0a1b", "08_reporting"):
        (data / name).mkdir(parents=True, exist_ok=True)
    facts = manifest[["face_id", "source", "split"]].assign(luminance=generator.random(len(manifest)))
    facts.to_parquet(data / "04_feature" / "face_facts.parquet", index=False)
    outputs = pd.DataFrame({"face_id": faces["face_id"], "embedding": list(vectors(len(faces), generator))})
    outputs.to_parquet(data / "07_model_output" / "student_outputs.parquet", index=False)
    outputs.to_parquet(data / "07_model_output" / "ablation" / "0a1b" / "outputs.parquet", index=False)
    found = pd.DataFrame(
        {"photo_sha256": faces["photo_sha256"], "box_xywh": [list(box + 1) for box in faces["box_xywh"]]}
    )
    found.to_parquet(data / "07_model_output" / "all_in_one_found.parquet", index=False)
    groups = pd.read_parquet(data / "03_primary" / "protected_attributes.parquet")
    by_face = groups_by_face(faces, groups, ("gender",), SECRET)
    by_face.to_parquet(data / "07_model_output" / "held_out_groups.parquet", index=False)
    named = faces[faces["subject_id"].notna()]
    keys = [routing_key(subject, ROUTING) for subject in named["subject_id"]]
    traffic = pd.DataFrame({"request_id": [f"r{at}" for at in range(len(keys))], "routing_key": keys, "score": 0.5})
    traffic.to_parquet(data / "07_model_output" / "replayed_traffic.parquet", index=False)


def _learned(data: Path, faces: pd.DataFrame, generator: np.random.Generator) -> None:
    rows = np.stack([vectors(len(faces), generator), vectors(len(faces), generator)], axis=1).astype(np.float16)
    features = TeacherFeatures(tuple(faces["face_id"]), rows, said_by="ab" * 32)
    write_features(features, data / "05_model_input" / "teacher_features.arrow")
    store = CropStore(data / "03_primary" / "crops")
    keys = np.array([crop_key(store.encoded(int(row), "box") or b"") for row in store.rows(list(faces["crop"]))])
    with TeacherCache(data / "05_model_input" / "teacher_cache", "cd" * 32, "float16") as cache:
        cache.append(keys.astype("S16"), rows)
    session = data / "06_models" / "all_in_one.session"
    session.mkdir()
    (session / "state.safetensors").write_bytes(bytes(rows[:, 0].tobytes()))
    embeddings = np.stack([vectors(1, generator)[0] for _ in range(len(store))]).astype("<f4")
    array = data / "10_embeddings" / "crops.npy"
    array.parent.mkdir()
    np.save(array, embeddings)
    plan = EmbeddingPlan(
        rows=len(store), dimension=DIMENSION, mirrored=False, unit_length=True, block=8, model="m",
        model_identity="i", crops_identity=StoredCrops(store).identity,
    )  # fmt: skip
    write_plan(description_path(array), plan)


def _shown(data: Path, faces: pd.DataFrame) -> None:
    shown = [{"crop": face, "landmarks": [[1.5, 2.5]], "words": "smiling"} for face in faces["crop"][::2]]
    write_json(data / "07_model_output" / "pictured_faces.json", shown)
    (data / "08_reporting" / "index.html").write_text("<p>a page with faces</p>")
    examples = {"expectation": "e", "faces": faces["face_id"].tolist()[:6], "unexpected": 6}
    write_json(data / "08_reporting" / "validation_report.json", {"passed": True, "findings": [examples]})


def _registered(data: Path, manifest: pd.DataFrame) -> None:
    (data / "06_models" / "all_in_one.safetensors").write_bytes(b"weights")
    unit = data / "06_models" / "releases" / "student"
    unit.mkdir(parents=True)
    write_json(unit / "release.json", {"release_id": "0123456789abcdef", "dataset_sha256": dataset_sha256(manifest)})
    registry = data / "09_registry"
    registry.mkdir()
    connect(f"sqlite:///{registry / 'rollout.db'}").dispose()


def write_protocol(folder: Path, faces: pd.DataFrame, generator: np.random.Generator) -> None:
    """Everybody is enrolled with one photo and searched for with another; each probe meets two enrolled people."""
    named = faces[faces["subject_id"].notna()].groupby("subject_id").head(2)
    people = {who: at + 1 for at, who in enumerate(named["subject_id"].unique())}
    subject = named["subject_id"].map(people).to_numpy()
    template = subject + 100 * named.groupby("subject_id").cumcount().to_numpy()
    enrolled, probes = np.arange(1, len(people) + 1), np.arange(101, len(people) + 101)
    protocol = TemplateProtocol(
        name="album",
        samples=SampleTable(named["face_id"].to_numpy(dtype=object), template, np.arange(len(template))),
        pairs=TemplatePairs(
            np.concatenate([enrolled, np.roll(enrolled, 1)]),
            np.concatenate([probes, probes]),
            np.repeat([True, False], len(people)),
        ),
        galleries=(Gallery("G1", enrolled, enrolled),),
        probes=Probes(probes, enrolled),
    )
    write_parquet_protocol(protocol, folder)
    np.save(folder / "embeddings.npy", vectors(len(template), generator).astype("<f4"))


def vectors(count: int, generator: np.random.Generator) -> np.ndarray:
    rows = generator.normal(size=(count, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def write_json(path: Path, value: object) -> None:
    """As the project's JSON data set does."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
