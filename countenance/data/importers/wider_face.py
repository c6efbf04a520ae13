"""WIDER FACE: boxes of all faces of a photo, and five points where RetinaFace's or SCRFD's labels lie beside it.

Source: Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016. Expected under the folder:
``wider_face_split/wider_face_train_bbx_gt.txt`` and ``WIDER_train/images``; or, with five points, ``train/label.txt``
(Deng et al., "RetinaFace", CVPR 2020) or ``train/labelv2.txt`` (Guo et al., SCRFD, ICLR 2022) and ``train/images``.
``val`` likewise. The three ways of writing a photo's faces:

- ``bbx_gt``: the photo's path; the number of faces; a line a face: left, top, width, height, blur, expression,
  illumination, invalid, occlusion, pose. A photo without faces has the number 0 *and* one line of zeros.
- ``label.txt``: ``# path``; a line a face: left, top, width, height, five times (x, y, flag), blur. Without points -1.
- ``labelv2.txt``: ``# path width height``; a line a face: left, top, right, bottom, five times (x, y, flag); or the box
  and a 1 for a face to be ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from countenance.data.importers.labelled import (
    CorruptRecordError,
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    each_record,
    numbers,
    reader_of,
)
from countenance.errors import DataError

_INVALID: Final = 7
_NUMBERS: Final = {"bbx_gt": 10, "label": 20, "labelv2": 19}


class WiderFaceSource(FolderSource):
    """A WIDER FACE folder.

    Attributes:
        part: of the set.
        smallest_face_px: faces whose longer side is shorter are not imported, nor is background cut there.
    """

    part: Literal["train", "val"] = "train"
    smallest_face_px: int = 16


@dataclass(frozen=True, kw_only=True)
class _Entry:
    photo: str
    lines: list[str]


@dataclass(frozen=True, kw_only=True)
class _Face:
    box_xywh: NDArray[np.float32]
    points: NDArray[np.float32] | None = None
    is_ignored: bool = False


class WiderFaceImporter:
    """Reads WIDER FACE, a photo at a time. Nobody is named in it."""

    name = "wider_face"
    license = "research-only"
    purpose = "research"
    group_source = "none"

    def __init__(self, source: WiderFaceSource) -> None:
        self.name = source.name or self.name
        self._smallest = source.smallest_face_px
        self._file, self._photos = _find_part(Path(source.folder), source.part)
        self._style = "bbx_gt" if self._file.stem.endswith("bbx_gt") else self._file.stem
        self._left_out: Counter[str] = Counter()
        self._count = sum(1 for _ in self._entries())
        if not self._count:
            raise DataError(f"Label file {self._file} has no photos: 'wider_face' would import nothing.")

    def __len__(self) -> int:
        return self._count

    @property
    def left_out(self) -> Mapping[str, int]:
        """Faces that aren't labelled faces here, by reason."""
        return dict(self._left_out)

    def photos(self) -> Iterator[Record]:
        """Every photo with its faces, in the order of the file; a photo without faces, too."""
        self._left_out.clear()
        return each_record(self._entries(), photo=lambda entry: entry.photo, label=self._labelled)

    def _labelled(self, entry: _Entry) -> LabelledPhoto:
        read = _READERS[self._style]
        faces, unlabelled = [], []
        for line in entry.lines:
            face = read(_values(line, self._style))
            small = 0 < face.box_xywh[2:].max() < self._smallest
            if face.is_ignored or small:
                unlabelled.append(face.box_xywh)
                self._left_out["marked invalid" if face.is_ignored else f"shorter than {self._smallest} px"] += 1
                continue
            scheme = None if face.points is None else "5"
            faces.append(LabelledFace(box_xywh=face.box_xywh, landmarks=face.points, landmark_scheme=scheme))
        return LabelledPhoto(
            name=entry.photo,
            read=reader_of(self._photos / entry.photo),
            faces=tuple(faces),
            unlabelled_boxes=np.stack(unlabelled) if unlabelled else None,
        )

    def _entries(self) -> Iterator[_Entry]:
        with self._file.open(encoding="utf-8") as lines:
            stripped = (line.strip() for line in lines)
            filled = (line for line in stripped if line)
            yield from _counted_entries(filled, self._file) if self._style == "bbx_gt" else _marked_entries(filled)


def _find_part(folder: Path, part: str) -> tuple[Path, Path]:
    """The label file and the folder of photos; labels with points come first."""
    published = f"wider_face_split/wider_face_{part}_bbx_gt.txt"
    for place in (f"{part}/labelv2.txt", f"{part}/label.txt", published, f"wider_face_{part}_bbx_gt.txt"):
        if (folder / place).is_file():
            photos = (folder / f"{part}/images", folder / f"WIDER_{part}/images")
            found = next((path for path in photos if path.is_dir()), None)
            if found is None:
                raise DataError(f"WIDER FACE has no photos in {photos[0]} or {photos[1]}: unpack them there.")
            return folder / place, found
    raise DataError(f"WIDER FACE has no {published} in {folder}: point the source's folder at your copy of the set.")


def _counted_entries(lines: Iterator[str], file: Path) -> Iterator[_Entry]:
    for photo in lines:
        count = next(lines, "")
        if not count.isdigit():
            raise DataError(f"Label file {file} has no number of faces after a photo's path: restore it.")
        faces = [next(lines, "") for _ in range(max(int(count), 1))]
        yield _Entry(photo=photo, lines=faces if int(count) else [])


def _marked_entries(lines: Iterator[str]) -> Iterator[_Entry]:
    photo, faces = None, list[str]()
    for line in lines:
        if line.startswith("#"):
            if photo is not None:
                yield _Entry(photo=photo, lines=faces)
            photo, faces = line.removeprefix("#").split()[0], []
        else:
            faces.append(line)
    if photo is not None:
        yield _Entry(photo=photo, lines=faces)


def _values(line: str, style: str) -> NDArray[np.float32]:
    values = numbers(line.split(), what="line of a face", source="wider_face")
    if len(values) != _NUMBERS[style] and not (style == "labelv2" and len(values) in (4, 5)):
        raise CorruptRecordError("bad number", f"A line of a face holds {len(values)} numbers, not {_NUMBERS[style]}.")
    return values


def _read_bbx_gt(values: NDArray[np.float32]) -> _Face:
    return _Face(box_xywh=values[:4], is_ignored=bool(values[_INVALID]))


def _read_label(values: NDArray[np.float32]) -> _Face:
    return _Face(box_xywh=values[:4], points=_points(values[4:19]))


def _read_labelv2(values: NDArray[np.float32]) -> _Face:
    box = np.concatenate([values[:2], values[2:4] - values[:2]])
    if len(values) < _NUMBERS["labelv2"]:
        return _Face(box_xywh=box, is_ignored=len(values) == 5 and values[4] == 1)
    return _Face(box_xywh=box, points=_points(values[4:19]))


def _points(values: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """[5, 2], or None where a point isn't labelled."""
    triples = values.reshape(5, 3)
    return None if (triples == -1).all(axis=1).any() else triples[:, :2]


_READERS: Final[dict[str, Callable[[NDArray[np.float32]], _Face]]] = {
    "bbx_gt": _read_bbx_gt,
    "label": _read_label,
    "labelv2": _read_labelv2,
}
