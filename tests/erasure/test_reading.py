import gzip
import hashlib
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countenance.erasure.byte_search import ByteSearch
from countenance.erasure.reading import Wanted, holds
from countenance.errors import DataError

NEEDLE = "embedded-00112233"
WANTED = Wanted(ByteSearch([NEEDLE.encode()], bounded=[b"Bob"]))


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x", NEEDLE]),
        pa.array([f"a sentence about {NEEDLE}."], pa.large_string()),
        pa.array([["x"], [NEEDLE, None]]),
        pa.array([{"deep": [{"er": NEEDLE}]}]),
        pa.array([NEEDLE]).dictionary_encode(),
        pa.array([f"..{NEEDLE}..".encode()]),
        pa.array(["Bob"] * 9),
    ],
)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_compressed_table_is_searched_decoded(tmp_path: Path, column: pa.Array, form: str):
    path = tmp_path / "table"
    table = pa.table({"first": pa.nulls(len(column)), "second": column})
    if form == "parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_file(path, table.schema, options=options) as writer:
            writer.write_table(table)
    assert holds(path, WANTED)


def test_who_only_has_a_similar_name_is_not_found(tmp_path: Path):
    path = parquet(tmp_path / "t.parquet", name=["Bobby", "embedded-0011223"])
    assert not holds(path, WANTED)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_an_embedding_is_found_by_its_numbers(tmp_path: Path, dtype: type):
    rows = np.random.default_rng(0).normal(size=(50, 16)).astype(dtype)
    search = Wanted(ByteSearch([rows[17].tobytes()[2:20]]))
    path = parquet(tmp_path / "t.parquet", embedding=[None, *list(rows)])
    assert holds(path, search)
    np.save(tmp_path / "e.npy", rows)
    assert holds(tmp_path / "e.npy", search)
    np.save(tmp_path / "others.npy", np.delete(rows, 17, axis=0))
    assert not holds(tmp_path / "others.npy", search)


def test_a_database_is_searched_with_its_free_pages_and_cell_by_cell(tmp_path: Path):
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE gallery (name TEXT, template BLOB)")
        connection.execute("INSERT INTO gallery VALUES ('Bob', x'00')")
        connection.execute("INSERT INTO gallery VALUES ('Bobby', x'00')")
    connection.close()
    assert holds(path, WANTED)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("UPDATE gallery SET name = ? WHERE name = 'Bob'", (NEEDLE,))
        connection.execute("DELETE FROM gallery WHERE name = ?", (NEEDLE,))
    connection.close()
    assert holds(path, WANTED)  # deleted, but its bytes still lie there
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM")
    connection.close()
    assert not holds(path, WANTED)


def test_archives_are_opened(tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(f"x {NEEDLE} y".encode()))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", f"x {NEEDLE} y")
    np.savez_compressed(tmp_path / "a.npz", names=np.array([NEEDLE.encode()]))
    for name in ("a.gz", "a.zip", "a.npz"):
        assert holds(tmp_path / name, WANTED)


def test_a_photo_is_known_by_its_digest_under_any_name(tmp_path: Path):
    content = b"\xff\xd8\xff" + bytes(range(200))
    (tmp_path / "copy.bin").write_bytes(content)
    theirs = Wanted(ByteSearch([]), frozenset([hashlib.sha256(content).hexdigest()]))
    assert holds(tmp_path / "copy.bin", theirs)
    assert not holds(tmp_path / "copy.bin", Wanted(ByteSearch([]), frozenset(["00"])))


@pytest.mark.parametrize("head", [b"PAR1", b"ARROW1", b"SQLite format 3\0", b"PK\x03\x04", b"\x1f\x8b"])
def test_a_damaged_file_is_said_to_be_damaged_since_nobody_can_tell_whom_it_holds(tmp_path: Path, head: bytes):
    (tmp_path / "damaged").write_bytes(head + b"\x01" * 300)
    with pytest.raises(DataError, match="is damaged, so nobody can tell whom it holds"):
        holds(tmp_path / "damaged", WANTED)


def test_an_empty_file_and_an_empty_table_hold_nobody(tmp_path: Path):
    (tmp_path / "empty").touch()
    assert not holds(tmp_path / "empty", WANTED)
    pd.DataFrame({"face_id": []}).to_parquet(tmp_path / "empty.parquet")
    assert not holds(tmp_path / "empty.parquet", WANTED)
