from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from countenance.data.protocols.parquet_protocol import (
    convert,
    open_protocol,
    read_parquet_protocol,
    samples_origin,
    write_parquet_protocol,
)
from countenance.data.protocols.template_protocol import TemplatePairs, TemplateProtocol
from countenance.errors import DataError
from tests.data.protocols.published import assert_same, change_line, protocols, small_protocol, write_published


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_parquet_protocol(small_protocol(), tmp_path / "protocol")
    return tmp_path / "protocol"


def change(path: Path, column: str, values: Any) -> None:
    """Replace a column of a Parquet table; None removes it."""
    table = pq.read_table(path)
    table = table.drop_columns([column])
    pq.write_table(table if values is None else table.append_column(column, values), path)


@given(protocols())
def test_a_protocol_comes_back_from_parquet(protocol: TemplateProtocol):
    with tempfile.TemporaryDirectory() as folder:
        write_parquet_protocol(protocol, Path(folder) / "protocol")
        assert_same(open_protocol(Path(folder) / "protocol"), protocol)


def test_published_files_are_converted_with_their_hashes(tmp_path: Path):
    source = write_published(small_protocol(), tmp_path / "ijb")
    assert_same(convert(source, tmp_path / "out"), small_protocol())
    assert_same(open_protocol(tmp_path / "out"), open_protocol(source))
    description = json.loads((tmp_path / "out" / "protocol.json").read_text())
    assert description["name"] == "ijbx" and description["version"] == 1
    assert description["counts"] == small_protocol().counts()
    assert description["sources"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (source / "meta").iterdir()
    }


def test_nothing_is_written_of_unsound_files(tmp_path: Path):
    source = write_published(small_protocol(), tmp_path / "ijb")
    change_line(source / "meta" / "ijbx_template_pair_label.txt", 1, "10 10 1")
    with pytest.raises(DataError, match="line 1, template 10 is compared with itself"):
        convert(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["ijb"]


def test_a_written_protocol_replaces_the_one_that_was_there_and_nothing_else(folder: Path, tmp_path: Path):
    write_parquet_protocol(small_protocol(points=False), folder)
    assert read_parquet_protocol(folder).samples.five_points is None
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").touch()
    for other in (tmp_path / "photos", tmp_path / "photos" / "1.jpg"):
        with pytest.raises(DataError, match="holds something other than a Parquet protocol: choose a new folder"):
            write_parquet_protocol(small_protocol(), other)
    assert (tmp_path / "photos" / "1.jpg").exists()


def test_a_conversion_never_replaces_its_own_source(folder: Path):
    source = write_published(small_protocol(), folder / "ijb")
    for out in (source, folder):
        with pytest.raises(DataError, match="would replace the files that are converted"):
            convert(source, out)


def test_large_tables_of_several_row_groups_come_back(folder: Path):
    for name in ("samples", "pairs"):
        path = folder / f"{name}.parquet"
        pq.write_table(pq.read_table(path), path, row_group_size=2)
    assert_same(read_parquet_protocol(folder), small_protocol())


@pytest.mark.parametrize(
    ("file", "column", "values", "text"),
    [
        ("samples", "medium", None, "samples.parquet has no column 'medium'"),
        ("samples", "medium", pa.array([1, 2, None, 3, 4, 5, 6]), "samples.parquet, row 2, 'medium' is empty"),
        (
            "samples",
            "medium",
            pa.array([1, 2, 3, -3, 4, 5, 6]),
            "samples.parquet, row 3, a sample of template 11 has no med",
        ),
        (
            "samples",
            "medium",
            pa.array(list("abcdefg")),
            "column 'medium' of .*samples.parquet does not hold whole numbers",
        ),
        (
            "probes",
            "subject",
            pa.array(["ann", "ann", "bob"]),
            "column 'subject' of .*probes.parquet does not hold whole numbers: number the subjects from zero upwards",
        ),
        ("samples", "medium", pa.array([1.5] * 7), "column 'medium' of .*samples.parquet does not hold whole numbers"),
        (
            "samples",
            "five_points",
            pa.array([[1.0] * 10] * 6 + [[1.0] * 9]),
            "samples.parquet, row 6, .*list of 10 numbers",
        ),
        (
            "samples",
            "five_points",
            pa.array([1.0] * 7),
            "'five_points' of .*samples.parquet does not hold lists of numbers",
        ),
        ("samples", "detector_score", pa.array([1.0] * 6 + [-1]), "samples.parquet, row 6, a detector score is not"),
        (
            "pairs",
            "second",
            pa.array([11, 12, 21, 21, 99]),
            "pairs.parquet, row 4, a pair names template 99, which has no",
        ),
        (
            "pairs",
            "second",
            pa.array([11, 12, 21, 21, 20]),
            "pairs.parquet, row 4, template 20 is compared with itself",
        ),
        ("pairs", "mated", pa.array([1, 1, 0, 2, 0]), "pairs.parquet, row 3, 'mated' is neither 0 nor 1"),
        (
            "pairs",
            "mated",
            pa.array([1, 1, 0, 0, 0]),
            "holds another number of mated pairs than its protocol.json says",
        ),
        ("galleries", "template", pa.array([10, 99]), "galleries.parquet, row 1, the gallery names template 99"),
        ("galleries", "subject", pa.array([7, 7]), "pairs.parquet, row 3, .* 20 and 21 is labelled mated"),
        ("probes", "template", pa.array([11, 12, 99]), "probes.parquet, row 2, the probe list names template 99"),
    ],
)
def test_every_problem_is_told_with_its_file_and_row(folder: Path, file: str, column: str, values: Any, text: str):
    change(folder / f"{file}.parquet", column, values)
    with pytest.raises(DataError, match=text):
        open_protocol(folder)


def test_labels_may_be_numbers(folder: Path):
    change(folder / "pairs.parquet", "mated", pa.array([1, 1, 0, 1, 0], pa.int8()))
    assert_same(open_protocol(folder), small_protocol())


@pytest.mark.parametrize(
    ("file", "content", "text"),
    [
        ("protocol.json", b"{", "protocol.json is not readable JSON"),
        ("protocol.json", b"\xff", "protocol.json is not readable JSON"),
        ("protocol.json", b"[]", "does not say that this is a countenance template protocol"),
        ("protocol.json", b'{"format": "countenance template protocol", "version": 2}', "is of another version than 1"),
        ("protocol.json", b'{"format": "countenance template protocol", "version": 1}', "has no name or no counts"),
        ("pairs.parquet", b"no table", "pairs.parquet is not a readable Parquet file"),
        ("pairs.parquet", None, "pairs.parquet cannot be read: check that the file is there"),
        ("probes.parquet", None, "holds another number of probes than its protocol.json says"),
        ("galleries.parquet", None, "holds another number of galleries than its protocol.json says"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_sentence(folder: Path, file: str, content: bytes | None, text: str):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=text):
        open_protocol(folder)


def test_anything_else_is_no_protocol(tmp_path: Path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="holds no template protocol: point it at a folder with protocol.json or"):
            open_protocol(folder)
    with pytest.raises(DataError, match=r"protocol.json cannot be read"):
        read_parquet_protocol(tmp_path)


def test_an_unsound_protocol_is_not_written(tmp_path: Path):
    protocol = small_protocol()
    pairs = TemplatePairs(np.array([10]), np.array([10]), np.array([True]))
    unsound = TemplateProtocol(protocol.name, protocol.samples, pairs, protocol.galleries, protocol.probes)
    with pytest.raises(DataError, match="In row 0 of the pairs, template 10 is compared with itself"):
        write_parquet_protocol(unsound, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_repeated_pair_is_kept_only_where_that_is_said(tmp_path: Path):
    source = write_published(small_protocol(), tmp_path / "ijb")
    path = source / "meta" / "ijbx_template_pair_label.txt"
    path.write_text(path.read_text() + "11 10 1\n")
    convert(source, tmp_path / "out", duplicated_pairs="keep")
    with pytest.raises(
        DataError, match="pairs.parquet, row 5, templates 11 and 10 are compared as in .* row 0 already"
    ):
        open_protocol(tmp_path / "out")
    assert len(open_protocol(tmp_path / "out", duplicated_pairs="keep").pairs) == 6


def test_a_table_with_damaged_pages_is_refused(folder: Path):
    path = folder / "pairs.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(DataError, match="pairs.parquet is damaged: write it again"):
        open_protocol(folder)


def test_a_sample_is_found_again_in_either_form(folder: Path, tmp_path: Path):
    assert samples_origin(folder).place(2) == f"{folder / 'samples.parquet'}, row 2"
    published = write_published(small_protocol(), tmp_path / "published")
    listed = published / "meta" / "ijbx_face_tid_mid.txt"
    assert samples_origin(published).place(2) == f"{listed}, line 3"
    with pytest.raises(DataError, match="holds no template protocol"):
        samples_origin(tmp_path)
