"""Where the aligned crops come from that are embedded: a crop store, photos with five points, or aligned pictures.

A crop is known by its row. Rows are read one at a time and by several threads at once, so that ten million of them need
no more memory than ten thousand, but for their names and points.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.alignment import CROP_SIZE, FIVE_POINT_TEMPLATE, align
from countenance.data.crop_store import CropStore
from countenance.data.importers.bin_pack import read_bin_pack
from countenance.data.photographs import decode_photo
from countenance.data.protocols.face_points import FacePoints
from countenance.data.protocols.row_origins import InMemory, RowOrigin, refuse_rows
from countenance.errors import DataError

CropImage = NDArray[np.uint8]
"""[112, 112, 3] RGB, aligned."""

LEAST_LIKENESS: Final = 0.5
"""Five points whose likeness to a face is smaller are refused. Of 11,222 faces of LFW and MTFL none is below .81; with
left and right confused, all but five are below .5. A perfect profile, all five points on one line, has .78."""
_UNLIKE: Final = "the five points don't lie like a face's"
_LEAST_SPREAD: Final = 1.0
_LISTED: Final = InMemory("list")
_POINTS_AT_ONCE: Final = 1 << 20


class UnusableCropError(DataError):
    """One row gives no crop, for a reason of its own: its photo doesn't decode, or its points are no face's."""


class CropSource(Protocol):
    """Aligned crops by row.

    Attributes:
        identity: equal for equal lists of crops, as far as can be told without reading every picture.
    """

    @property
    def identity(self) -> str:
        """See the class."""
        ...

    def __len__(self) -> int: ...

    def read(self, row: int) -> CropImage:
        """The crop of a row, [112, 112, 3] uint8 RGB; several threads may ask at once.

        Raises:
            UnusableCropError: this row gives none.
            DataError: something is wrong with all of them, or a photo is not there at all.
        """
        ...

    def check(self) -> None:
        """Refuse rows of which it is known, without reading a picture, that they give no crop.

        Raises:
            DataError: there is such a row; the text says where, and how many more there are.
        """
        ...


class StoredCrops:
    """Crops of a crop store.

    Args:
        store: the store.
        rows: which of its rows, [N]; all when None.
    """

    def __init__(self, store: CropStore, rows: NDArray[np.int64] | None = None) -> None:
        self._store = store
        self._rows = np.arange(len(store)) if rows is None else rows
        keys = store.crop_keys()
        sizes = (f"{file.name} {file.stat().st_size}" for file in sorted(store.folder.glob("crops-*.arrow")))
        self.identity = _digest(["stored"], sizes, (keys[row] for row in self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, row: int) -> CropImage:
        """See :class:`CropSource`."""
        stored = int(self._rows[row])
        if self._store.encoded(stored, "aligned") is None:
            raise UnusableCropError(f"Row {row} of the crops has no aligned view: leave it out.")
        try:
            crop = self._store.read_row(stored, "aligned")
        except DataError as error:
            raise UnusableCropError(str(error)) from error
        return _of_crop_size(crop, "The crop of row", row)

    def check(self) -> None:
        """See :class:`CropSource`."""
        missing = [row for row, stored in enumerate(self._rows) if self._store.encoded(int(stored), "aligned") is None]
        if missing:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise DataError(f"Row {missing[0]}{more} of the crops has no aligned view: leave such rows out.")


class PhotosWithPoints:
    """Faces that are cut out of photos as they are asked for, by five points.

    Args:
        folder: of the photos.
        faces: their names in the folder, and the points.
    """

    def __init__(self, folder: Path, faces: FacePoints) -> None:
        self._folder = folder
        self._faces = faces
        points = faces.five_points
        self._unlike = likeness(points) < LEAST_LIKENESS
        self.identity = _digest(["photos"], faces.names, [np.ascontiguousarray(points).tobytes()])

    def __len__(self) -> int:
        return len(self._faces)

    def read(self, row: int) -> CropImage:
        """See :class:`CropSource`."""
        if self._unlike[row]:
            raise UnusableCropError(f"In {self._faces.origin.place(row)}, {_UNLIKE}.")
        photo = _photo(self._folder, self._faces.names, row, self._faces.origin)
        points = self._faces.five_points[row]
        inside = ((points >= 0) & (points < photo.shape[1::-1])).all(axis=1)
        try:
            if inside.any():
                return align(photo, points)
        except cv2.error:
            # A face many times as large as its photo: nothing is left of the photo at the crop's scale.
            pass
        raise UnusableCropError(f"In {self._faces.origin.place(row)}, the five points don't lie in the photo.")

    def check(self) -> None:
        """See :class:`CropSource`."""
        refuse_rows(
            self._unlike,
            self._faces.origin,
            _UNLIKE,
            "mend the row (left is left as seen) or have such rows recorded as failures",
        )


class AlignedPictures:
    """Files that are aligned crops of 112 x 112 pixels.

    Args:
        folder: of the files.
        names: their names in the folder.
        origin: where each is listed, for messages.
    """

    def __init__(self, folder: Path, names: Sequence[str] | NDArray[np.object_], origin: RowOrigin = _LISTED) -> None:
        self._folder = folder
        self._names = names
        self._origin = origin
        self.identity = _digest(["pictures"], names)

    def __len__(self) -> int:
        return len(self._names)

    def read(self, row: int) -> CropImage:
        """See :class:`CropSource`."""
        picture = _photo(self._folder, self._names, row, self._origin)
        return _of_crop_size(picture, "Picture", _Listed(row, self._origin))

    def check(self) -> None:
        """See :class:`CropSource`."""


class EncodedCrops:
    """Encoded pictures in memory that are aligned crops of 112 x 112 pixels.

    Args:
        encoded: the pictures' bytes.
        name: what to call them in a message.
    """

    def __init__(self, encoded: Sequence[bytes], name: str) -> None:
        self._encoded = encoded
        self._name = name
        self.identity = _digest(["encoded"], encoded)

    def __len__(self) -> int:
        return len(self._encoded)

    def read(self, row: int) -> CropImage:
        """See :class:`CropSource`."""
        name = f"{row} of {self._name}"
        return _of_crop_size(_decoded(self._encoded[row], name), "Picture", name)

    def check(self) -> None:
        """See :class:`CropSource`."""


def pack_crops(path: Path) -> EncodedCrops:
    """The pictures of a verification pack (``lfw.bin`` ...): 2 i and 2 i + 1 are pair i.

    Raises:
        DataError: the pack is missing, damaged, or asks for what a pack doesn't need.
    """
    return EncodedCrops(read_bin_pack(path)[0], path.name)


def likeness(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much five points lie like a face's: the correlation with the template after the best similarity.

    Args:
        points: [N, 5, 2].

    Returns:
        [N] from 0 to 1; 0 also where a point is not a finite number or all lie within about a pixel.
    """
    # One pass over millions of points would need several times their memory.
    starts = range(0, len(points), _POINTS_AT_ONCE)
    parts = [_likeness(points[start : start + _POINTS_AT_ONCE].astype(np.float64)) for start in starts]
    return np.concatenate(parts) if parts else np.zeros(0)


def _likeness(points: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.asarray(np.isfinite(points).all(axis=(1, 2)), dtype=np.bool_)
    source = np.where(known[:, None, None], points, 0.0)
    source -= source.mean(axis=1, keepdims=True)
    target = FIVE_POINT_TEMPLATE.astype(np.float64)
    target -= target.mean(axis=0)
    spread = np.sqrt((source**2).sum(axis=(1, 2)))
    along = (source * target).sum(axis=(1, 2))
    across = (source[..., 0] * target[:, 1] - source[..., 1] * target[:, 0]).sum(axis=1)
    correlation = np.hypot(along, across) / (np.maximum(spread, _LEAST_SPREAD) * np.sqrt((target**2).sum()))
    return np.where(known & (spread > _LEAST_SPREAD), correlation, 0.0)


@dataclass(frozen=True, eq=False)
class _Listed:
    """Where a row is listed, in words. Looked up when it is printed, since that reads the list."""

    row: int
    origin: RowOrigin

    def __str__(self) -> str:
        return f"{self.row} ({self.origin.place(self.row)})"


def _photo(folder: Path, names: Sequence[str] | NDArray[np.object_], row: int, origin: RowOrigin) -> NDArray[np.uint8]:
    # Many sets name the person in the photo's name: messages tell where it is listed.
    listed = _Listed(row, origin)
    try:
        encoded = (folder / str(names[row])).read_bytes()
    except OSError as error:
        what = error.strerror or "it is no file"
        raise DataError(
            f"Photo {listed} cannot be read ({what}): restore the file, or leave it out of the list."
        ) from None
    return _decoded(encoded, listed)


def _decoded(encoded: bytes, name: object) -> NDArray[np.uint8]:
    try:
        return decode_photo(encoded, name=name)
    except DataError as error:
        raise UnusableCropError(str(error)) from error


def _of_crop_size(picture: NDArray[np.uint8], what: str, name: object) -> CropImage:
    if picture.shape != (CROP_SIZE, CROP_SIZE, 3):
        # A size is a matter of the whole set: it isn't taken for the failure of one picture.
        raise DataError(
            f"{what} {name} is {picture.shape[1]} x {picture.shape[0]} pixels where an aligned crop has {CROP_SIZE} x "
            f"{CROP_SIZE}: give its five points."
        )
    return picture


def _digest(*groups: Iterable[str | bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for group in groups:
        digest.update(b"group ")
        for part in group:
            content = part if isinstance(part, bytes) else str(part).encode()
            digest.update(b"%d " % len(content))
            digest.update(content)
    return digest.hexdigest()
