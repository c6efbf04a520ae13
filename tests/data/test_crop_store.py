import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from countenance.data.crop_store import Crop, CropStore, write_crop_store
from countenance.data.photographs import encode_photo
from countenance.errors import DataError
from tests.conftest import picture


def fill(folder: Path, people: int = 9, crops_each: int = 3) -> None:
    with write_crop_store(folder, files=4) as store:
        for person in range(people):
            for number in range(crops_each):
                encoded = encode_photo(picture(112, 112, seed=person * 10 + number))
                box = encoded if number else None
                store.add(Crop(crop=f"{person}-{number}", owner=f"person {person}", aligned=encoded, box=box))


def test_every_crop_is_read_back_as_it_was_written(tmp_path: Path):
    fill(tmp_path / "crops")
    store = CropStore(tmp_path / "crops")
    assert len(store) == 27
    for key in store.crop_keys():
        person, number = map(int, key.split("-"))
        original = picture(112, 112, seed=person * 10 + number)
        assert np.abs(store.read(key, "aligned").astype(int) - original).mean() < 3


def test_a_view_that_a_face_does_not_have_is_said_so(tmp_path: Path):
    fill(tmp_path / "crops")
    store = CropStore(tmp_path / "crops")
    assert not store.has("1-0", "box")
    assert store.has("1-1", "box")
    with pytest.raises(DataError, match="has no 'box' view"):
        store.read("1-0", "box")


def test_a_person_lives_in_one_file_so_that_erasing_one_rewrites_one(tmp_path: Path):
    fill(tmp_path / "crops")
    for person in range(9):
        theirs = [file for file in (tmp_path / "crops").iterdir() if f"person {person}".encode() in file.read_bytes()]
        assert len(theirs) == 1


def test_a_store_survives_a_failed_rewrite(tmp_path: Path):
    fill(tmp_path / "crops")
    with pytest.raises(RuntimeError), write_crop_store(tmp_path / "crops"):
        raise RuntimeError
    assert len(CropStore(tmp_path / "crops")) == 27


def test_many_keys_are_looked_up_at_once_and_a_missing_one_is_refused(tmp_path: Path):
    fill(tmp_path / "crops")
    store = CropStore(tmp_path / "crops")
    keys = store.crop_keys()[::-1]
    assert store.rows(keys).tolist() == list(range(26, -1, -1))
    with pytest.raises(DataError, match="1 crops of the manifest are not in"):
        store.rows([*keys, "unknown"])


def test_another_process_maps_the_same_files_anew(tmp_path: Path):
    fill(tmp_path / "crops")
    store = CropStore(tmp_path / "crops")
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent).read("3-1", "box"), store.read("3-1", "box"))  # noqa: S301 - our own bytes


def test_a_missing_store_says_what_to_run(tmp_path: Path):
    with pytest.raises(DataError, match="run the ingestion pipeline first"):
        CropStore(tmp_path / "nowhere")


def test_a_damaged_file_is_named(tmp_path: Path):
    fill(tmp_path / "crops")
    file = next((tmp_path / "crops").glob("*.arrow"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=f"{file.name} is damaged"):
        CropStore(tmp_path / "crops")


def test_the_same_key_twice_is_refused(tmp_path: Path):
    with write_crop_store(tmp_path / "crops") as store:
        for _ in range(2):
            store.add(Crop(crop="k", owner="o", aligned=b"x", box=None))
    with pytest.raises(DataError, match="holds a crop key twice"):
        CropStore(tmp_path / "crops")


def test_reading_copies_nothing(tmp_path: Path):
    fill(tmp_path / "crops")
    before = pa.total_allocated_bytes()
    store = CropStore(tmp_path / "crops")
    view = store.encoded(0, "aligned")
    assert view is not None
    assert view.readonly
    assert pa.total_allocated_bytes() - before < 64 * 1024
