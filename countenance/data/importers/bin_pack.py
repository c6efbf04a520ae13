"""Verification packs (``lfw.bin``, ``agedb_30.bin`` ...): pickled photos in pairs, read without running what they say.

Format: a pickle of ``(bins, issame_list)``, 2 N encoded photos (``bytes`` or uint8 arrays; photo 2 i and 2 i + 1 are a
pair) and N truth values. Written by Python 2 or 3 with any protocol and any NumPy.

A pickle is a program. This reader knows the few constructors that such a pack needs and replaces each by one of its
own that makes bytes; a pack that asks for anything else is refused before it has run.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from countenance.data.importers.labelled import FolderSource, LabelledFace, LabelledPhoto, Record
from countenance.errors import DataError


class BinPackSource(FolderSource):
    """A folder with ``.bin`` packs.

    Attributes:
        pack: the stem of one pack; None reads all of the folder, in the order of their names.
        license, purpose: what the photos may be used for; the files don't say.
    """

    pack: str | None = None
    license: str = "unstated"
    purpose: str = "research"


class BinPackImporter:
    """Gives the photos of verification packs as unnamed aligned faces."""

    group_source = "none"

    def __init__(self, source: BinPackSource) -> None:
        self.name = source.name or "bin_pack"
        self.license, self.purpose = source.license, source.purpose
        folder = Path(source.folder)
        self._packs = sorted(folder.glob(f"{source.pack or '*'}.bin"))
        if not self._packs:
            pack = source.pack or "*"
            raise DataError(f"Source '{self.name}' has no {pack}.bin in {folder}: point it at your packs.")

    def __len__(self) -> int:
        return self._count

    def photos(self) -> Iterator[Record]:
        """Every photo of every pack; one pack at a time is in memory."""
        for pack in self._packs:
            for index, encoded in enumerate(read_bin_pack(pack)[0]):
                yield LabelledPhoto(
                    name=f"{pack.stem}/{index:06d}",
                    read=lambda encoded=encoded: encoded,  # type: ignore[misc]
                    faces=(LabelledFace(),),
                    is_aligned=True,
                )

    @cached_property
    def _count(self) -> int:
        return sum(len(read_bin_pack(pack)[0]) for pack in self._packs)


def read_bin_pack(path: Path) -> tuple[list[bytes], NDArray[np.bool_]]:
    """Read a verification pack.

    Returns:
        The 2 N encoded photos, and [N] whether photos 2 i and 2 i + 1 show the same person.

    Raises:
        DataError: the file is missing, no pack, or asks for what a pack doesn't need.
    """
    try:
        content = _PackUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        photos, same = content
        encoded = [_as_bytes(photo) for photo in photos]
        mated = np.array([_as_truth(value) for value in _as_list(same)], dtype=np.bool_)
    except OSError as error:
        raise DataError(f"Verification pack {path} cannot be read: check that it is there.") from error
    except _ForbiddenError as error:
        raise DataError(
            f"Verification pack {path} asks for '{error}', which no pack needs: don't use it, it may be an attack."
        ) from error
    except Exception as error:  # what a damaged pickle raises is not to be listed
        raise DataError(f"Verification pack {path} is damaged or no pack of photos and pairs: restore it.") from error
    if len(encoded) != 2 * len(mated):
        raise DataError(f"Verification pack {path} has {len(encoded)} photos for {len(mated)} pairs: restore it.")
    return encoded, mated


class _ForbiddenError(Exception):
    """A pack asked for a constructor that packs don't need."""


@dataclass
class _Kind:
    """Stands for a NumPy dtype: one byte a value, or refused."""

    code: Any
    align: Any = None
    copy: Any = None

    def __post_init__(self) -> None:
        code = self.code.decode() if isinstance(self.code, bytes) else str(self.code)
        if code.lstrip("|") not in ("u1", "b1"):
            raise ValueError("a pack's arrays hold bytes or truth values")

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: nothing that one byte a value needs."""


class _Array:
    """Stands for a NumPy array; keeps its bytes."""

    def __init__(self, *ignored: Any) -> None:
        self.values = b""

    def __setstate__(self, state: Any) -> None:
        _, _, kind, _, values = state
        if not isinstance(kind, _Kind) or not isinstance(values, bytes):
            raise ValueError("a pack's arrays hold bytes or truth values")
        self.values = values


class _ArrayType:
    """Stands for the class ``numpy.ndarray``, which is only named, never called."""


def _array_of(buffer: Any, kind: Any, shape: Any, order: Any, *ignored: Any) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order, _bytes(buffer)))
    return array


def _scalar(kind: Any, value: Any = b"\0") -> bool:
    return bool(_bytes(value).strip(b"\0"))


def _bytes(value: Any = b"", encoding: Any = "latin-1") -> bytes:
    """Stands for ``bytes``, ``bytearray`` and ``codecs.encode``; a number, which would reserve memory, is refused."""
    name = encoding.decode() if isinstance(encoding, bytes) else encoding
    if isinstance(value, str) and name in ("latin1", "latin-1"):
        return value.encode("latin-1")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise ValueError("a pack's bytes are made of bytes")


_NUMPY: Final = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_BUILTINS: Final = ("builtins", "__builtin__")
_CONSTRUCTORS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _bytes,
    **{(module, "_reconstruct"): _Array for module in _NUMPY},
    **{(module, "scalar"): _scalar for module in _NUMPY},
    **{(module, "_frombuffer"): _array_of for module in _NUMPY},
    **{(module, name): _bytes for module in _BUILTINS for name in ("bytes", "bytearray")},
}


class _PackUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CONSTRUCTORS:
            raise _ForbiddenError(f"{module}.{name}")
        return _CONSTRUCTORS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _ForbiddenError("a persistent object")


def _as_bytes(photo: Any) -> bytes:
    return photo.values if isinstance(photo, _Array) else _bytes(photo)


def _as_list(same: Any) -> list[Any]:
    return list(same.values) if isinstance(same, _Array) else list(same)


def _as_truth(value: Any) -> bool:
    if not isinstance(value, bool | int) or value not in (0, 1):
        raise ValueError("a pack says of each pair whether it is mated")
    return bool(value)
