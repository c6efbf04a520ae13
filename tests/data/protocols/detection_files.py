"""Small detection sets in the layouts that WIDER FACE and FDDB publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

Events = Mapping[str, Mapping[str, Sequence[Sequence[float]]]]

PARADE, VOTER = "0--Parade", "56--Voter"
WIDER: Events = {
    PARADE: {
        "0_Parade_marchingband_1_465": [(0, 0, 9, 9), (50, 0, 9, 9)],
        "0_Parade_Parade_0_628": [(0, 0, 9, 9)],
    },
    VOTER: {"56_Voter_peoplevoting_56_1047": []},
}
SUBSETS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "easy": {"0_Parade_marchingband_1_465": [1]},
    "medium": {"0_Parade_marchingband_1_465": [1, 2]},
    "hard": {"0_Parade_marchingband_1_465": [1, 2], "0_Parade_Parade_0_628": [1]},
}


def cells(values: Sequence[Any]) -> np.ndarray:
    """A column of MATLAB cells."""
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = [None] * len(values)
    for row, value in enumerate(values):
        column[row, 0] = value
    return column


def write_wider_labels(folder: Path, events: Events = WIDER, subsets: Any = SUBSETS) -> Path:
    """The four .mat files, as ``eval_tools/ground_truth`` has them."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {
        "event_list": cells(list(events)),
        "file_list": cells([cells(list(photos)) for photos in events.values()]),
    }
    boxes = [
        cells([np.array(faces, dtype=np.uint16).reshape(-1, 4) for faces in photos.values()])
        for photos in events.values()
    ]
    savemat(folder / "wider_face_val.mat", {**named, "face_bbx_list": cells(boxes)}, do_compression=True)
    for subset, numbers in subsets.items():
        listed = [
            cells([np.array(numbers.get(photo, []), dtype=np.uint8).reshape(-1, 1) for photo in photos])
            for photos in events.values()
        ]
        savemat(folder / f"wider_{subset}_val.mat", {**named, "gt_list": cells(listed)}, do_compression=True)
    return folder


def write_wider_list(path: Path, events: Events = WIDER, invalid: Sequence[tuple[str, int]] = ()) -> Path:
    """``wider_face_val_bbx_gt.txt``; a photo without faces has one line of zeros."""
    lines = []
    for event, photos in events.items():
        for photo, faces in photos.items():
            lines += [f"{event}/{photo}.jpg", str(len(faces))]
            for number, face in enumerate(faces):
                flag = int((photo, number) in invalid)
                lines.append(" ".join(f"{value:g}" for value in face) + f" 0 0 0 {flag} 0 0 ")
            lines += [] if faces else ["0 0 0 0 0 0 0 0 0 0 "]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_wider_found(folder: Path, found: Mapping[str, Sequence[Sequence[float]]], events: Events = WIDER) -> Path:
    """A text file a photo: x y w h score; photos that ``found`` doesn't name have no face."""
    for event, photos in events.items():
        (folder / event).mkdir(parents=True, exist_ok=True)
        for photo in photos:
            faces = found.get(photo, [])
            lines = [photo, str(len(faces)), *(" ".join(f"{value:g}" for value in face) for face in faces)]
            (folder / event / f"{photo}.txt").write_text("\n".join(lines) + "\n")
    return folder


FDDB = {
    "2002/08/11/big/img_591": [(10.0, 10.0, 0.0, 50.0, 50.0), (10.0, 10.0, 0.0, 150.0, 50.0)],
    "2002/08/26/big/img_265": [],
    "2002/07/19/big/img_423": [(10.0, 10.0, 1.5, 50.0, 50.0)],
}


def write_fddb_labels(folder: Path) -> Path:
    """Two folds, as FDDB-folds has ten."""
    folder.mkdir(parents=True, exist_ok=True)
    for fold, names in (("01", list(FDDB)[:2]), ("02", list(FDDB)[2:])):
        lines = []
        for name in names:
            lines += [name, str(len(FDDB[name]))]
            lines += [" ".join(f"{value:f}" for value in face) + "  1" for face in FDDB[name]]
        (folder / f"FDDB-fold-{fold}-ellipseList.txt").write_text("\n".join(lines) + "\n")
        (folder / f"FDDB-fold-{fold}.txt").write_text("\n".join(names) + "\n")
    return folder


def write_fddb_found(path: Path, found: Mapping[str, Sequence[Sequence[float]]], ending: str = "") -> Path:
    """One text file; photos that ``found`` doesn't name have no face."""
    lines = []
    for name in FDDB:
        faces = found.get(name, [])
        lines += [f"{name}{ending}", str(len(faces)), *(" ".join(f"{value:g}" for value in face) for face in faces)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
