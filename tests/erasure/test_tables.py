from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.erasure.store import piece_of, piece_of_numbers
from countenance.erasure.tables import FoundFaces, Mentioning, Quarantined, Rows, keep_rows, read_table
from countenance.erasure.trace import SharedPhoto, Trace
from countenance.errors import DataError

ADA = Trace(
    subject_id="s:Ada",
    faces=frozenset({"f1", "f3"}),
    photos=frozenset({("s", "a#b.jpg"), ("s", "c.jpg")}),
    photo_hashes=frozenset({"own"}),
    keys=frozenset({"key of Ada"}),
)
FACES = Rows(name="t", patterns=(), keys={"face_id": "face", "subject_key": "key"})


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_the_persons_rows_go_and_the_others_stay_in_order(tmp_path: Path, suffix: str):
    path = tmp_path / f"t.{suffix}"
    frame = pd.DataFrame({"face_id": ["f0", "f1", "f2", "f3"], "value": ["a", "b", "c", "d"]})
    if suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path, index=False)
    else:
        table = pa.Table.from_pandas(frame)
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
    found = FACES.find(path, ADA)
    assert found is not None
    assert found.rows == 2
    FACES.erase(path, ADA, {})
    assert read_table(path).select(["face_id", "value"]).to_pydict() == {"face_id": ["f0", "f2"], "value": ["a", "c"]}
    assert FACES.find(path, ADA) is None
    before = path.read_bytes()
    FACES.erase(path, ADA, {})
    assert path.read_bytes() == before


def test_the_batches_of_an_arrow_file_stay_even_where_nothing_of_one_is_left(tmp_path: Path):
    path = tmp_path / "t.arrow"
    table = pa.table({"face_id": ["f1", "f3", "f4"]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    FACES.erase(path, ADA, {})
    reader = pa.ipc.open_file(path)
    assert [reader.get_batch(at).num_rows for at in range(reader.num_record_batches)] == [0, 1]


def test_a_line_of_a_csv_file_stays_as_it_was_to_the_byte(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'face_id,words\r\nf0,"a, b"\r\nf1,c\r\nf2,1.50\r\n')
    FACES.erase(path, ADA, {})
    assert path.read_bytes() == b'face_id,words\r\nf0,"a, b"\r\nf2,1.50\r\n'


def test_a_row_is_a_persons_by_any_of_its_columns(tmp_path: Path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"face_id": ["f9", "f9"], "subject_key": ["key of Ada", "another"]}).to_parquet(path)
    found = FACES.find(path, ADA)
    assert found is not None
    assert found.rows == 1


def test_a_table_without_rows_or_types_holds_nobody(tmp_path: Path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"face_id": pa.nulls(0), "landmarks": pa.nulls(0)}), path)
    assert FACES.find(path, ADA) is None


def test_what_was_torn_is_no_table(tmp_path: Path):
    for name, content in (("t.parquet", b"PAR1 and no more"), ("t.arrow", b"ARROW1 and"), ("t.csv", b'a,b\n"1\n')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="is no readable table"):
            FACES.find(tmp_path / name, ADA)


def test_pictures_and_embeddings_are_known_by_a_piece_unless_another_has_the_same(tmp_path: Path):
    path = tmp_path / "crops.arrow"
    generator = np.random.default_rng(0)
    own, common, others = (generator.bytes(400) for _ in range(3))
    table = pa.table({"face_id": ["f1", "f3", "f5", "f6"], "box": [own, common, common, others]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    crops = Rows(name="crops", patterns=(), keys={"face_id": "face"}, crop_views=("box",))
    found = crops.find(path, ADA)
    assert found is not None
    assert found.contents == {piece_of(own)}
    assert len(found.crop_keys) == 1


def test_landmarks_that_everybody_has_are_no_piece():
    assert piece_of_numbers(np.ones(68, dtype=np.float32)) is None
    assert piece_of(b"short") is None
    numbers = np.random.default_rng(0).normal(size=64).astype(np.float32)
    assert piece_of_numbers(numbers) in numbers.tobytes()


def test_a_found_face_is_the_persons_where_it_lies_on_theirs(tmp_path: Path):
    path = tmp_path / "found.parquet"
    shared = SharedPhoto(own=((0.0, 0.0, 10.0, 10.0),), others=((8.0, 0.0, 10.0, 10.0),))
    trace = Trace(subject_id="s:Ada", photo_hashes=frozenset({"own"}), shared={"party": shared})
    boxes = [[1, 1, 10, 10], [8, 1, 10, 10], [50, 50, 9, 9], [0, 0, 9, 9]]
    pd.DataFrame({"photo_sha256": ["party", "party", "party", "own"], "box_xywh": boxes, "n": range(4)}).to_parquet(
        path, index=False
    )
    FoundFaces(name="found", patterns=(), keys={"photo_sha256": "photo_hash"}).erase(path, trace, {})
    assert pd.read_parquet(path)["n"].tolist() == [1, 2]


def test_a_quarantined_record_is_the_persons_by_source_and_photo(tmp_path: Path):
    path = tmp_path / "quarantine.parquet"
    photos = [("s", "a#b.jpg"), ("s", "c.jpg#2"), ("t", "c.jpg"), ("s", "d.jpg")]
    pd.DataFrame(photos, columns=["source", "photo"]).to_parquet(path, index=False)
    store = Quarantined(name="quarantine", patterns=(), keys={})
    found = store.find(path, ADA)
    assert found is not None
    assert found.rows == 2
    store.erase(path, ADA, {})
    assert pd.read_parquet(path)["photo"].tolist() == ["c.jpg", "d.jpg"]


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_any_selection_of_rows_is_kept_with_its_values(tmp_path_factory: pytest.TempPathFactory, keep: list[bool]):
    path = tmp_path_factory.mktemp("t") / "t.parquet"
    table = pa.table({"a": range(len(keep)), "b": [[float(at)] * 3 for at in range(len(keep))]})
    pq.write_table(table, path, compression="zstd")
    keep_rows(path, np.array(keep))
    assert pq.read_table(path).equals(table.filter(pa.array(keep)))
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD" or not any(keep)


def test_a_row_of_another_that_names_the_person_stays_without_that_name(tmp_path: Path):
    copies = {"face_id": ["a", "b", "c"], "near": ["b", "a", None], "far": ["x", None, "a"], "light": [1.0, 2.0, 3.0]}
    path = tmp_path / "facts.parquet"
    pq.write_table(pa.table(copies), path, compression="gzip")
    store = Mentioning(name="facts", patterns=(), keys={"face_id": "face"}, mentions=("near", "far", "gone"))
    trace = Trace(subject_id="s", faces=frozenset({"a"}))
    found = store.find(path, trace)
    assert found is not None and found.rows == 3
    for _ in range(2):
        store.erase(path, trace, {})
        kept = {"face_id": ["b", "c"], "near": [None, None], "far": [None, None], "light": [2.0, 3.0]}
        assert pq.read_table(path).to_pydict() == kept
    assert pq.read_metadata(path).row_group(0).column(0).compression == "GZIP"
    assert store.find(path, trace) is None
