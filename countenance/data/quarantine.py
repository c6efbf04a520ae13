"""Corrupt records: found, listed with their reason, counted, and too many of them stop the import."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import five_points
from countenance.data.importers.labelled import CorruptRecord, CorruptRecordError, LabelledFace
from countenance.errors import DataError

QUARANTINE_COLUMNS: Final = ("source", "photo", "reason", "detail")
"""The table of quarantined records; ``photo`` ends in ``#3`` where only the photo's fourth face is corrupt."""

LARGEST_QUARANTINED_SHARE: Final = 0.01
"""Corrupt records as a share of a source's photos, above which the source as a whole isn't trusted."""

_OLDEST_YEARS: Final = 120.0
_WIDEST_ANGLE_DEG: Final = 180.0


class Quarantine:
    """What of one source isn't imported.

    Args:
        source: its name.
        photos: how many photos it has.
        largest_share: corrupt records as a share of its photos, above which :meth:`add` refuses.
    """

    def __init__(self, source: str, *, photos: int, largest_share: float = LARGEST_QUARANTINED_SHARE) -> None:
        self.source = source
        self._photos = photos
        self._largest_share = largest_share
        self.records: list[CorruptRecord] = []

    def add(self, record: CorruptRecord) -> None:
        """Put a record aside.

        Raises:
            DataError: there are more of them than the share allows.
        """
        self.records.append(record)
        if len(self.records) > self._largest_share * self._photos:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in self.counts().items())
            raise DataError(
                f"Too much of source '{self.source}' is corrupt, so far {len(self.records)} of {self._photos} photos "
                f"({reasons}), where 'largest_quarantined_share' in parameters_ingestion.yml allows a share of "
                f"{self._largest_share:g}; the first: {self.records[0].detail.rstrip('.')}; list them with "
                "`countenance inspect SOURCE FOLDER --photos all`."
            )

    def counts(self) -> dict[str, int]:
        """How many records each reason has, most frequent first."""
        return dict(Counter(record.reason for record in self.records).most_common())


def quarantine_table(quarantines: list[Quarantine]) -> pd.DataFrame:
    """All quarantined records: :data:`QUARANTINE_COLUMNS`, one row a record."""
    rows = [
        (quarantine.source, record.photo, record.reason, record.detail)
        for quarantine in quarantines
        for record in quarantine.records
    ]
    return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS)).astype("str")


def require_sound_face(face: LabelledFace) -> None:
    """Refuse labels that can't be true, whatever the photo shows.

    Raises:
        CorruptRecordError: a number is not finite or out of range, a box has no size, or landmarks coincide.
    """
    _require_landmarks(face)
    _require_alignment_points(face)
    _require_box(face)
    angles = (face.yaw_deg, face.pitch_deg, face.roll_deg, *(face.yaw_range or ()))
    if not all(angle is None or abs(angle) <= _WIDEST_ANGLE_DEG for angle in angles):
        raise CorruptRecordError("bad number", "A head angle is not between -180 and 180 degrees.")
    if face.age_years is not None and not 0 <= face.age_years <= _OLDEST_YEARS:
        raise CorruptRecordError("bad number", f"An age is {face.age_years:g}: it must lie in 0 to 120 years.")
    if face.age_std is not None and not 0 < face.age_std < _OLDEST_YEARS:
        raise CorruptRecordError("bad number", f"The spread of an age is {face.age_std:g} years: it must be positive.")


def require_face_in_photo(face: LabelledFace, shape: tuple[int, ...]) -> None:
    """Refuse a box that lies outside a photo of this shape ([H, W, ...]), or beside its middle where it belongs there.

    Raises:
        CorruptRecordError: it does.
    """
    if face.box_xywh is None:
        return
    x, y, width, height = (float(value) for value in face.box_xywh)
    if x >= shape[1] or y >= shape[0] or x + width <= 0 or y + height <= 0:
        raise CorruptRecordError("box outside the photo", "A face box lies outside its photo.")
    if face.is_central and not (x <= shape[1] / 2 <= x + width and y <= shape[0] / 2 <= y + height):
        raise CorruptRecordError(
            "not in the middle",
            "A face box doesn't hold the middle of its photo, where this source shows whom it names: it is of another.",
        )


def _require_box(face: LabelledFace) -> None:
    if face.box_xywh is None:
        return
    if not np.isfinite(face.box_xywh).all():
        raise CorruptRecordError("bad number", "A face box has a number that is missing or not finite.")
    if not (face.box_xywh[2] > 0 and face.box_xywh[3] > 0):
        width, height = face.box_xywh[2:]
        raise CorruptRecordError(
            "box without size", f"A face box needs a positive width and height, but one is {width:g} x {height:g}."
        )


def _require_alignment_points(face: LabelledFace) -> None:
    points = face.alignment_points
    if points is None:
        return
    if not np.isfinite(points).all():
        raise CorruptRecordError("bad number", "A point that a face is aligned by is not finite.")
    if float(np.ptp(points, axis=0).max()) < 1.0:
        raise CorruptRecordError("coincident landmarks", "The points that a face is aligned by coincide.")


def _require_landmarks(face: LabelledFace) -> None:
    if face.landmarks is None:
        return
    points = face.landmarks
    missing = ~np.isfinite(points).all(axis=1)
    if np.isinf(points).any() or (missing & ~_invisible(face)).any():
        raise CorruptRecordError("bad number", "A landmark has a number that is missing or not finite.")
    seen = points[~missing]
    if len(seen) > 1 and float(seen.std(axis=0).max()) < 1e-3:
        raise CorruptRecordError("coincident landmarks", "The landmarks of a face coincide.")
    if not missing.any() and face.landmark_scheme is not None:
        five = five_points(points, face.landmark_scheme)
        if float(five.std(axis=0).max()) < 1e-3:
            raise CorruptRecordError("coincident landmarks", "Eyes, nose and mouth of a face coincide.")


def _invisible(face: LabelledFace) -> NDArray[np.bool_]:
    if face.visibility is None or face.landmarks is None:
        return np.zeros(0 if face.landmarks is None else len(face.landmarks), dtype=np.bool_)
    return np.asarray(face.visibility == 0, dtype=np.bool_)
