"""300W-LP and AFLW2000-3D: 68 landmarks and head angles, one ``.mat`` beside each ``.jpg``.

Source: Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016. Expected under the folder: the photos
with their ``.mat`` in any depth (``AFW``, ``AFW_Flip``, ``HELEN`` ...), without the folder ``landmarks``. 300W-LP holds
the points in ``pt2d`` [2, 68]; AFLW2000-3D in ``pt3d_68`` [3, 68] (its ``pt2d`` are AFLW's 21, unfinished).
``Pose_Para`` [1, 7] starts with pitch, yaw and roll in radians;
:func:`countenance.data.head_angles.angles_from_300w_lp` says how they become ours. Pixels start at 1 in the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from countenance.data.alignment import five_points
from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.head_angles import HeadAngles, angles_from_300w_lp
from countenance.data.importers.labelled import (
    CorruptRecordError,
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    each_record,
    reader_of,
)
from countenance.errors import DataError

_LARGEST_ANGLE_DEG: Final = 99.0
"""Beyond this the fit behind the labels has failed; the set's own evaluation leaves such faces out."""

_RENDERING: Final = re.compile(r"_\d+$")


class Pose300wLpSource(FolderSource):
    """A folder of 300W-LP or AFLW2000-3D."""


class Pose300wLpImporter:
    """Reads a folder of photos with ``.mat`` files beside them. Nobody is named.

    Every rendering of a photo, and its mirror image, go to the same split.
    """

    license = "research-only"
    purpose = "research"
    group_source = "none"

    def __init__(self, source: Pose300wLpSource, *, name: Literal["pose_300w_lp", "aflw2000"] = "pose_300w_lp") -> None:
        self.name = source.name or name
        self._folder = Path(source.folder)
        if not self._files:
            raise DataError(f"Source '{name}' has no .mat file with a photo in {self._folder}: point it at your copy.")

    def __len__(self) -> int:
        return len(self._files)

    def photos(self) -> Iterator[Record]:
        """One face a photo, in the order of the paths."""
        return each_record(self._files, photo=_photo_of, label=self._labelled)

    @cached_property
    def _files(self) -> list[str]:
        # A path as text takes a fifth of the memory of a Path, and 300W-LP has 122,450.
        found = (file.relative_to(self._folder) for file in self._folder.rglob("*.mat"))
        return sorted(file.as_posix() for file in found if "landmarks" not in file.parts)

    def _labelled(self, file: str) -> LabelledPhoto:
        points, angles = _read_mat(self._folder / file)
        face = LabelledFace(
            box_xywh=boxes_around_five_points(five_points(points, "68"))[0],
            landmarks=points,
            landmark_scheme="68",
            yaw_deg=None if angles is None else angles.yaw,
            pitch_deg=None if angles is None else angles.pitch,
            roll_deg=None if angles is None else angles.roll,
        )
        stem = Path(file).stem
        return LabelledPhoto(
            name=_photo_of(file),
            read=reader_of(self._folder / _photo_of(file)),
            faces=(face,),
            kept_with=f"{self.name}:{_RENDERING.sub('', stem)}",
        )


def _photo_of(file: str) -> str:
    return file.removesuffix(".mat") + ".jpg"


def _read_mat(path: Path) -> tuple[NDArray[np.float32], HeadAngles | None]:
    """Landmarks [68, 2], pixels from 0, and the angles in our convention; None where the fit has failed."""
    values = _variables(path)
    pose = np.ravel(values.get("Pose_Para", []))[:3].astype(np.float64)
    points = np.asarray(values.get("pt3d_68", values.get("pt2d", [])), dtype=np.float32)
    if len(pose) < 3 or points.ndim != 2 or points.shape[0] < 2 or points.shape[1] != 68:
        raise CorruptRecordError("unreadable record", "A .mat file lacks Pose_Para or 68 points in pt2d or pt3d_68.")
    if not np.isfinite(pose).all():
        raise CorruptRecordError("bad number", "A .mat file has a head angle that is not finite.")
    failed = np.abs(np.degrees(pose)).max() > _LARGEST_ANGLE_DEG
    return points[:2].T - 1.0, None if failed else angles_from_300w_lp(*(float(angle) for angle in pose))


def _variables(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        return dict(loadmat(path, variable_names=["Pose_Para", "pt2d", "pt3d_68"]))
    except Exception as error:  # SciPy raises many kinds of errors on a damaged file
        raise CorruptRecordError("unreadable record", "A .mat file is damaged or of another format.") from error
