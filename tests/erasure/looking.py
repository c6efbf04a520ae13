"""A second, plain way to look for a person: everything is decoded by whoever usually reads it, and read as text."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.data.crop_store import CropStore
from countenance.data.protected_attributes import subject_key
from countenance.erasure.trace import roster_key
from countenance.learning.teachers.features import read_features
from countenance.rollout.traffic import routing_key
from tests.erasure.world import PERSON, ROUTING, SECRET, World


def traces_of(world: World, person: str = PERSON) -> list[bytes]:
    """What a test knows of a person beforehand: names, ids, keys, whole pictures, embeddings."""
    manifest, data = world.manifest(), world.data
    rows = manifest[manifest["subject_id"] == person]
    label = person.partition(":")[2].encode()
    texts = [
        *rows["face_id"],
        subject_key(person, "", SECRET),
        routing_key(person, ROUTING),
        roster_key(person, SECRET),
    ]
    shared = manifest[manifest["subject_id"].notna() & (manifest["subject_id"] != person)]["photo_sha256"]
    texts += [digest for digest in rows["photo_sha256"] if digest not in set(shared)]
    crops = CropStore(data / "03_primary" / "crops")
    places = crops.rows(list(rows["crop"]))
    views = [crops.encoded(int(place), view) for place in places for view in ("aligned", "box", "scene")]  # type: ignore[arg-type]
    features = read_features(data / "05_model_input" / "teacher_features.arrow")
    said = pd.read_parquet(data / "07_model_output" / "student_outputs.parquet").set_index("face_id")["embedding"]
    numbers = [said[face].tobytes() for face in rows["face_id"]]
    numbers += [features.features[row].tobytes() for row in features.rows_of(list(rows["face_id"]))]
    numbers += [np.load(data / "10_embeddings" / "crops.npy")[place].tobytes() for place in places]
    return [label, *(text.encode() for text in texts), *(bytes(view) for view in views if view), *numbers]


def places_with(folder: Path, traces: list[bytes]) -> list[str]:
    """The files under a folder that hold any of them, raw or decoded."""
    patterns = [re.compile(b"(?<![0-9A-Za-z])" + re.escape(trace) + b"(?![0-9A-Za-z]|_[A-Za-z])") for trace in traces]
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(pattern.search(text) for text in _texts(path) for pattern in patterns)
    ]


def _texts(path: Path) -> list[bytes]:
    content = path.read_bytes()
    if content[:4] == b"PAR1":
        return [content, *_cells(pq.read_table(path))]
    if content[:6] == b"ARROW1":
        return [content, *_cells(pa.ipc.open_file(path).read_all())]
    return [content]


def _cells(table: pa.Table) -> list[bytes]:
    found = []
    for name in table.column_names:
        for cell in table.column(name):
            value = cell.as_py()
            if isinstance(value, list) and value and isinstance(value[0], float):
                kind = table.column(name).type.value_type.to_pandas_dtype()
                found.append(np.asarray(value, dtype=kind).tobytes())
            elif isinstance(value, bytes):
                found.append(value)
            elif value is not None:
                found.append(str(value).encode())
    return found
