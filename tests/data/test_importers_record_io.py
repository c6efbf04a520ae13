"""Packed sets, written here as InsightFace and MXNet write them, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.importers.record_io import MAGIC, RecordFile, RecordIoImporter, RecordIoSource
from countenance.data.ingestion import ingest
from countenance.data.manifest import to_frame
from countenance.data.photographs import encode_photo
from countenance.data.splits import SplitConfiguration
from countenance.errors import DataError
from tests.conftest import picture
from tests.data.importing import corrupt, labelled

MAGIC_BYTES = struct.pack("<I", MAGIC)


class RecordWriter:
    """Writes records with an index; content that holds the magic number at a word's place is split, as dmlc does."""

    def __init__(self, folder: Path, prefix: str = "train") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.index, self.prefix = folder, [], prefix
        self.bytes = bytearray()

    def write(self, key: int, content: bytes) -> None:
        self.index.append(f"{key}\t{len(self.bytes)}")
        cuts = [i for i in range(0, len(content) - len(content) % 4, 4) if content[i : i + 4] == MAGIC_BYTES]
        starts, ends = [0, *(cut + 4 for cut in cuts)], [*cuts, len(content)]
        for part, (start, end) in enumerate(zip(starts, ends, strict=True)):
            flag = 0 if not cuts else 1 if part == 0 else 3 if part == len(cuts) else 2
            self.bytes += struct.pack("<II", MAGIC, flag << 29 | end - start) + content[start:end]
            self.bytes += b"\0" * (-(end - start) % 4)

    def close(self) -> Path:
        (self.file / f"{self.prefix}.rec").write_bytes(self.bytes)
        (self.file / f"{self.prefix}.idx").write_text("\n".join(self.index) + "\n")
        return self.file


def content(label: float | Sequence[float], image: bytes = b"", key: int = 0) -> bytes:
    if isinstance(label, float):
        return struct.pack("<IfQQ", 0, label, key, 0) + image
    return struct.pack("<IfQQ", len(label), 0.0, key, 0) + np.array(label, dtype="<f4").tobytes() + image


LABELS = (0.0, 0.0, 5.0, 5.0, 5.0)


def images() -> list[bytes]:
    return [encode_photo(picture(112, 112, seed=seed)) for seed in range(len(LABELS))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set as InsightFace packs it: images first, then a list a person, record 0 last."""
    writer = RecordWriter(tmp_path / "faces_emore")
    for key, (label, image) in enumerate(zip(LABELS, images(), strict=True), start=1):
        writer.write(key, content(label if key % 2 else [label, 1.0], image, key))
    writer.write(6, content([1.0, 3.0], key=6))
    writer.write(7, content([3.0, 6.0], key=7))
    writer.write(0, content([6.0, 8.0]))
    (writer.file / "property").write_text("2,112,112")
    return writer.close()


def importer(folder: Path, **options: object) -> RecordIoImporter:
    return RecordIoImporter(RecordIoSource(folder=str(folder), **options))  # type: ignore[arg-type]


def test_every_image_is_an_aligned_face_of_its_label(folder: Path):
    photos = labelled(importer(folder, name="ms1m", license="research-only"))
    assert [photo.name for photo in photos] == [f"{key:09d}" for key in range(1, 6)]
    assert [photo.faces[0].subject_id for photo in photos] == [
        "ms1m:0",
        "ms1m:0",
        "ms1m:5",
        "ms1m:5",
        "ms1m:5",
    ]
    assert [photo.read() for photo in photos] == images()
    assert all(photo.is_aligned for photo in photos)


def test_the_bytes_come_through_an_ingestion_unchanged(folder: Path, tmp_path: Path):
    from countenance.data.crop_store import CropStore

    ingested = ingest(
        [importer(folder)],
        crop_folder=tmp_path / "crops",
        splits=SplitConfiguration(),
        subject_secret=b"a secret",
    )
    manifest, crops = to_frame(ingested.manifest).sort_values("photo"), CropStore(tmp_path / "crops")
    stored = [crops.encoded(int(crops.rows([crop])[0]), "aligned") for crop in manifest["crop"]]
    assert [bytes(view) for view in stored if view is not None] == images()
    assert len(ingested.quarantine) == 0


@given(st.lists(st.sampled_from([MAGIC_BYTES, b"abcd", b"x", b""]), max_size=8))
def test_content_with_the_magic_number_in_it_comes_back_whole(tmp_path_factory: pytest.TempPathFactory, words: list):
    writer = RecordWriter(tmp_path_factory.mktemp("rec"))
    whole = content(3.0, b"".join(words))
    writer.write(0, content(1.0, b"before"))
    writer.write(1, whole)
    writer.write(2, content(2.0, b"after"))
    records = RecordFile(writer.close() / "train.rec")
    offsets = [int(line.split("\t")[1]) for line in writer.index]
    assert [records.content(offset) for offset in offsets][1] == whole
    assert records.labels(offsets[1]).tolist() == [3.0]
    assert records.image(offsets[2]) == b"after"


def test_a_record_may_have_many_labels(tmp_path: Path):
    writer = RecordWriter(tmp_path)
    writer.write(1, content([7.0, *range(200)], images()[0]))
    photo = labelled(importer(writer.close()))[0]
    assert photo.faces[0].subject_id == "record_io:7" and photo.read() == images()[0]


def test_a_record_in_two_parts_by_hand(tmp_path: Path):
    head = content(7.0)
    first = struct.pack("<II", MAGIC, 1 << 29 | len(head)) + head
    last = struct.pack("<II", MAGIC, 3 << 29 | 5) + b"image" + b"\0\0\0"
    (tmp_path / "train.rec").write_bytes(first + last)
    assert RecordFile(tmp_path / "train.rec").image(0) == MAGIC_BYTES + b"image"


def test_without_an_index_the_file_is_read_through(folder: Path):
    (folder / "train.idx").unlink()
    photos = labelled(importer(folder))
    assert [photo.read() for photo in photos] == images()
    assert [photo.name for photo in photos] == [f"{key:09d}" for key in range(1, 6)]


def test_a_set_without_a_leading_record_is_all_images(tmp_path: Path):
    writer = RecordWriter(tmp_path)
    for key, (label, image) in enumerate(zip(LABELS, images(), strict=True)):
        writer.write(key, content(label, image, key))
    assert [photo.read() for photo in labelled(importer(writer.close()))] == images()


def test_a_record_that_is_cut_off_is_put_aside_and_the_rest_goes_on(folder: Path):
    lines = (folder / "train.idx").read_text().splitlines()
    lines[2] = f"3\t{len((folder / 'train.rec').read_bytes()) - 4}"
    lines[3] = "4\t12"
    (folder / "train.idx").write_text("\n".join(lines))
    records = corrupt(importer(folder))
    assert [(record.photo, record.reason) for record in records] == [
        ("000000003", "unreadable record"),
        ("000000004", "unreadable record"),
    ]


def test_a_negative_or_missing_label_is_no_identity(tmp_path: Path):
    writer = RecordWriter(tmp_path)
    for key, label in enumerate((1.0, -1.0, float("nan")), start=1):
        writer.write(key, content(label, images()[0], key))
    assert [record.photo for record in corrupt(importer(writer.close()))] == ["000000002", "000000003"]


def test_parts_out_of_order_are_no_record(tmp_path: Path):
    (tmp_path / "train.rec").write_bytes(struct.pack("<II", MAGIC, 3 << 29 | 24) + content(1.0))
    with pytest.raises(DataError, match="parts are out of order"):
        RecordFile(tmp_path / "train.rec").content(0)


def test_photos_of_another_size_are_refused_before_anything_is_read(folder: Path):
    (folder / "property").write_text("2,128,128")
    with pytest.raises(DataError, match="not 112 x 112"):
        importer(folder)


def test_a_damaged_file_or_index_says_which(folder: Path, tmp_path: Path):
    (folder / "train.idx").write_text("one\ttwo\n")
    with pytest.raises(DataError, match="train.idx is not one of keys and offsets"):
        importer(folder)
    (folder / "train.idx").unlink()
    (folder / "train.rec").write_bytes((folder / "train.rec").read_bytes()[:-5])
    with pytest.raises(DataError, match=r"train.rec is damaged at byte \d+"):
        importer(folder)
    (folder / "train.rec").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        importer(folder)
    with pytest.raises(DataError, match="has no train.rec"):
        importer(tmp_path)
