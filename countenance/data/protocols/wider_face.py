"""WIDER FACE's validation part: which faces count in which subset, and what a detector found.

Source: Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016, and the files published with it.

Labels: ``wider_face_val.mat`` (``event_list``, ``file_list``, ``face_bbx_list``: events, their photos, boxes of each)
with ``wider_easy_val.mat``, ``wider_medium_val.mat`` and ``wider_hard_val.mat`` (``gt_list``: of each photo the faces
that count, from 1). Or ``wider_face_val_bbx_gt.txt``, which knows no subsets: there every face counts that isn't marked
invalid, as the subset ``valid``, whose figures stand beside nobody else's.

Found faces: ``<event>/<photo>.txt`` with the photo's name, the number of boxes, and a line a box: left, top, width,
height, score.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.data.protocols.counted_lists import CountedList, by_photo, read_counted_lists
from countenance.data.protocols.matlab_cells import MatlabFile
from countenance.data.protocols.photo_boxes import FoundRegions, LabelledRegions
from countenance.errors import DataError

SUBSETS: Final = ("easy", "medium", "hard")
VALID: Final = "valid"

_LABELS: Final = "wider_face_val.mat"
_LISTED: Final = "wider_face_val_bbx_gt.txt"
_INVALID: Final = 7
_FOLDERS: Final = (".", "ground_truth", "eval_tools/ground_truth", "wider_face_split")


def read_wider_face_labels(path: Path) -> LabelledRegions:
    """Read the labels of the validation part.

    Args:
        path: a folder with the published files, in itself or under ``ground_truth``, ``eval_tools/ground_truth`` or
            ``wider_face_split``; the ``.mat`` files come first. Or ``wider_face_val_bbx_gt.txt`` itself.

    Returns:
        photos as ``<event>/<photo>`` without the picture's ending.

    Raises:
        DataError: files are missing, are not what was published, or contradict one another.
    """
    if path.is_file():
        return _listed(path)
    for name, read in ((_LABELS, _with_subsets), (_LISTED, _listed)):
        found = next((path / folder / name for folder in _FOLDERS if (path / folder / name).is_file()), None)
        if found is not None:
            return read(found)
    raise DataError(f"{path} has neither {_LABELS} nor {_LISTED}: give the folder with WIDER FACE's labels.")


def read_wider_face_found(folder: Path, photos: tuple[str, ...]) -> FoundRegions:
    """Read what a detector found, in the order of ``photos``.

    Raises:
        DataError: a photo has no file, a file is of no photo, or a line can't be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the one that has a folder of text files for each event.")
    known = set(photos)
    for path in sorted(folder.glob("*/*.txt")):
        if f"{path.parent.name}/{path.stem}" not in known:
            raise DataError(f"{path} is of no photo that the labels have: remove it, or give the right set.")
    found = [_found_in(folder, photo) for photo in photos]
    return FoundRegions(tuple(entry.values[:, :4] for entry in found), tuple(entry.values[:, 4] for entry in found))


def _found_in(folder: Path, photo: str) -> CountedList:
    path = folder / f"{photo}.txt"
    if not path.is_file():
        raise DataError(
            f"{path} is missing: every photo has a file, with 0 as its second line where nothing was found."
        )
    entries = list(read_counted_lists(path, (5,)))
    if len(entries) != 1:
        at = f"{path}, line {entries[1].line}, begins a second photo" if entries else f"{path} is empty"
        raise DataError(f"{at}: give its name, the number of boxes, and as many lines.")
    entry = entries[0]
    if _without_ending(PurePosixPath(entry.name).name) != PurePosixPath(photo).name:
        raise DataError(f"In {entry.place()}, another photo is named than the file is for: mend the line or the name.")
    entry.refuse((entry.values[:, 2:4] < 0).any(axis=1), "a box has a negative size", "mend the line")
    return entry


def _without_ending(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".txt") else name


def _listed(path: Path) -> LabelledRegions:
    """The text file: boxes of all faces, and which are valid."""
    entries = by_photo(
        read_counted_lists(path, (10,), a_line_of_zeros=True), lambda name: str(PurePosixPath(name).with_suffix(""))
    )
    if not entries:
        raise DataError(f"{path} has no photos: restore it.")
    for entry in entries.values():
        entry.refuse((entry.values[:, 2:4] < 0).any(axis=1), "a box has a negative size", "restore the file")
    return LabelledRegions(
        photos=tuple(entries),
        regions=tuple(entry.values[:, :4] for entry in entries.values()),
        subsets={VALID: tuple(entry.values[:, _INVALID] == 0 for entry in entries.values())},
    )


def _with_subsets(path: Path) -> LabelledRegions:
    file = MatlabFile(path)
    photos = _photos(file)
    boxes = [
        file.numbers_of(box, 4, f"'face_bbx_list' of photo {photo}")
        for photo, box in zip(photos, _by_photo(file, "face_bbx_list", photos), strict=True)
    ]
    return LabelledRegions(
        photos=tuple(photos),
        regions=tuple(boxes),
        subsets={subset: _subset(path, subset, photos, [len(box) for box in boxes]) for subset in SUBSETS},
    )


def _photos(file: MatlabFile) -> list[str]:
    """``<event>/<photo>`` of every photo, in order."""
    events = [file.text_of(event, "an event's name") for event in file.cells("event_list")]
    lists = file.cells("file_list")
    if len(lists) != len(events):
        raise DataError(f"{file.path} names {len(events)} events and has photos of {len(lists)}: restore it.")
    photos = [
        f"{event}/{_without_ending(file.text_of(name, f'a photo of event {event}'))}"
        for event, names in zip(events, lists, strict=True)
        for name in file.cells_of(names, f"'file_list' of event {event}")
    ]
    if not photos or len(set(photos)) < len(photos):
        raise DataError(f"{file.path} {'names a photo twice' if photos else 'has no photos'}: restore it.")
    return photos


def _by_photo(file: MatlabFile, name: str, photos: list[str]) -> list[object]:
    """What a variable has for each photo, through all events."""
    found = [value for event in file.cells(name) for value in file.cells_of(event, f"an event's '{name}'")]
    if len(found) != len(photos):
        raise DataError(f"In {file.path}, '{name}' has {len(found)} photos where there are {len(photos)}: restore it.")
    return found


def _subset(labels: Path, subset: str, photos: list[str], faces: list[int]) -> tuple[NDArray[np.bool_], ...]:
    """Of each photo, which faces are in the subset, [F]."""
    path = labels.with_name(f"wider_{subset}_val.mat")
    if not path.is_file():
        raise DataError(f"{path} is missing: it tells which faces are in the subset '{subset}'.")
    file = MatlabFile(path)
    if file.has("file_list") and _photos(file) != photos:
        raise DataError(f"{path} and {labels} don't name the same photos: take both from one copy of the set.")
    flags = []
    for photo, count, listed in zip(photos, faces, _by_photo(file, "gt_list", photos), strict=True):
        numbers = file.numbers_of(listed, 1, f"'gt_list' of photo {photo}")[:, 0]
        wrong = (numbers < 1) | (numbers > count) | (numbers % 1 != 0)
        if wrong.any() or len(np.unique(numbers)) < len(numbers):
            raise DataError(
                f"In {path}, photo {photo} has {count} faces and the subset names another, or one twice: restore it."
            )
        flag = np.zeros(count, dtype=np.bool_)
        flag[numbers.astype(np.int64) - 1] = True
        flags.append(flag)
    return tuple(flags)
