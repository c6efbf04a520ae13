from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from countenance.data.importers.bin_pack import BinPackImporter, BinPackSource, read_bin_pack
from countenance.data.photographs import encode_photo
from countenance.errors import DataError
from tests.conftest import picture
from tests.data.importing import labelled


def photos(count: int = 6) -> list[bytes]:
    return [encode_photo(picture(112, 112, seed=seed)) for seed in range(count)]


def write(path: Path, content: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["bytes", "bytearray", "array"])
def test_packs_of_every_protocol_come_back(tmp_path: Path, protocol: int, kind: str):
    make: dict[str, Any] = {
        "bytes": bytes,
        "bytearray": bytearray,
        "array": lambda data: np.frombuffer(data, dtype=np.uint8).copy(),
    }
    path = write(tmp_path / "lfw.bin", ([make[kind](photo) for photo in photos()], [True, False, True]), protocol)
    encoded, mated = read_bin_pack(path)
    assert encoded == photos()
    assert mated.tolist() == [True, False, True] and mated.dtype == np.bool_


@pytest.mark.parametrize(
    "same", [[1, 0, 1], (True, False, True), list(np.array([True, False, True])), np.array([True, False, True])]
)
def test_truth_is_told_in_several_ways(tmp_path: Path, same: Any):
    assert read_bin_pack(write(tmp_path / "a.bin", (photos(), same)))[1].tolist() == [True, False, True]


def test_a_pack_of_python_2_and_an_old_numpy_comes_back(tmp_path: Path):
    path = tmp_path / "old.bin"
    # protocol 2 as Python 2 wrote it: str (SHORT_BINSTRING) where there are bytes now, and another place in NumPy
    path.write_bytes(b"\x80\x02(]q\x00(U\x04\xff\xd8\xff\xe0U\x02hie]q\x01\x88at.")
    assert read_bin_pack(path)[0] == [b"\xff\xd8\xff\xe0", b"hi"]
    array = pickle.dumps(([np.arange(3, dtype=np.uint8)] * 2, [True]), protocol=2)
    path.write_bytes(array.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert read_bin_pack(path)[0] == [bytes([0, 1, 2])] * 2


class Evil:
    """What an attacker would put into a pack."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pack_with_a_program_in_it_is_refused_and_does_not_run(tmp_path: Path, protocol: int):
    trace = tmp_path / "executed"
    path = write(tmp_path / "evil.bin", ([Evil(os.system, f"touch {trace}")], [True]), protocol)
    pickle.loads(path.read_bytes())  # noqa: S301 - the attack works on whoever trusts the file
    assert trace.exists()
    trace.unlink()
    with pytest.raises(DataError, match=r"asks for '\w+\.system', which no pack needs"):
        read_bin_pack(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "evil",
    [
        Evil(eval, "1"),
        Evil(getattr, "a", "upper"),
        Evil(np.load, "x", None, True),
        Evil(Path, "x"),
        Evil(np.fromfile, "x"),
        Evil(pickle.loads, b"N."),
    ],
    ids=["eval", "getattr", "numpy.load", "Path", "fromfile", "loads"],
)
def test_whatever_is_not_needed_is_refused(tmp_path: Path, evil: Evil):
    with pytest.raises(DataError, match="which no pack needs"):
        read_bin_pack(write(tmp_path / "evil.bin", ([evil], [True])))


@pytest.mark.parametrize(
    "trick",
    [
        Evil(bytes, 1 << 40),
        Evil(bytearray, 1 << 40),
        np.array(["an object"], dtype=object),
        np.arange(3, dtype=np.int64),
    ],
    ids=["bytes", "bytearray", "objects", "integers"],
)
def test_known_constructors_cannot_be_misused(tmp_path: Path, trick: Any):
    with pytest.raises(DataError, match="is damaged or no pack"):
        read_bin_pack(write(tmp_path / "trick.bin", ([trick, b"x"], [True]), protocol=2))


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", pickle.dumps((photos(), [True]))[:-40], pickle.dumps(3), pickle.dumps(([1], [True]))]
)
def test_what_is_no_pack_is_refused_in_one_sentence(tmp_path: Path, content: bytes):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(DataError, match="x.bin is damaged or no pack of photos and pairs"):
        read_bin_pack(tmp_path / "x.bin")
    with pytest.raises(DataError, match="cannot be read"):
        read_bin_pack(tmp_path / "y.bin")


def test_photos_and_pairs_must_fit(tmp_path: Path):
    with pytest.raises(DataError, match="has 6 photos for 2 pairs"):
        read_bin_pack(write(tmp_path / "x.bin", (photos(), [True, False])))


def test_the_importer_gives_the_photos_of_all_packs_as_unnamed_aligned_faces(tmp_path: Path):
    write(tmp_path / "lfw.bin", (photos(4), [True, False]))
    write(tmp_path / "agedb_30.bin", (photos(2), [True]))
    found = labelled(BinPackImporter(BinPackSource(folder=str(tmp_path))))
    assert [photo.name for photo in found] == [f"agedb_30/{i:06d}" for i in range(2)] + [
        f"lfw/{i:06d}" for i in range(4)
    ]
    assert [photo.read() for photo in found] == photos(2) + photos(4)
    assert all(photo.is_aligned and photo.faces[0].subject_id is None for photo in found)
    assert len(BinPackImporter(BinPackSource(folder=str(tmp_path), pack="lfw"))) == 4
    with pytest.raises(DataError, match=r"has no cfp_fp\.bin"):
        BinPackImporter(BinPackSource(folder=str(tmp_path), pack="cfp_fp"))
