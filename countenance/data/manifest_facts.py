"""What the manifest alone says of each face, as scalar columns; a million rows take some seconds."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.manifest import LABEL_COLUMNS
from countenance.data.manifest_gaps import is_blank

FACT_COLUMNS: Final = (
    "face_id",
    "source",
    "is_face",
    "split",
    "photo_sha256",
    "license",
    "purpose",
    "gender",
    "smiling",
    "age_years",
    "age_std",
    "landmark_scheme",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "scene_scale",
)
"""Manifest columns that are facts as they are."""

_ROWS_AT_ONCE: Final = 65_536
_NEARLY_NONE: Final = 1e-6
_MOST: Final = 0.5
"""Share of a source's faces with a box, beyond which it is one that gives boxes."""


def manifest_facts(manifest: pd.DataFrame, *, now: datetime, consent_needed_for: Collection[str] = ()) -> pd.DataFrame:
    """Facts that need no picture.

    Beside :data:`FACT_COLUMNS`:

    - ``box_is_given`` (of faces whose source gives boxes), ``box_is_whole`` (four finite numbers), ``box_width``,
      ``box_height`` (pixels);
    - ``landmark_count_fits``, ``landmarks_are_finite`` (but for points that are said to be invisible),
      ``visibility_fits`` (a number in 0 to 1 for each point), ``landmarks_outside_box`` (share of the points that lie
      farther than half a box from it), and of the points that aren't said to be invisible, in box sizes,
      ``farthest_landmark`` (how far from the box it lies, 0 within) and ``landmark_span`` (the longer side of what
      they take up);
    - ``yaw_range_fits``: two angles, the smaller first;
    - ``subject_splits``, ``photo_splits`` (in how many splits the face's subject and photo are), ``subject_genders``
      (how many genders the subject is labelled with), ``subject_age_span`` (years between its youngest and oldest
      face), ``subject_share`` (of all named faces);
    - ``face_rows``, ``face_names``: how many rows and how many subjects the same box of the same photo has;
      ``crop_rows``: how many rows have the same crop;
    - ``background_is_unlabelled``: of crops that show no face;
    - ``consent_is_stated``, of people who are named, where the purpose is one of ``consent_needed_for``; and
      ``days_until_expiry``.

    Args:
        manifest: as :func:`countenance.data.manifest.to_frame` gives it.
        now: with a time zone; what expiry is counted from.
        consent_needed_for: purposes for which a named person's face must name the consent that covers it.

    Returns:
        [N] rows in the manifest's order, numbered from 0; null where a fact doesn't apply.
    """
    manifest = manifest.reset_index(drop=True)
    boxes, given = _boxes(manifest["box_xywh"])
    whole = np.asarray(np.isfinite(boxes).all(axis=1), dtype=np.bool_)
    facts = manifest[list(FACT_COLUMNS)].copy()
    facts["box_is_given"] = _given_as_usual(manifest, given)
    facts["box_is_whole"] = _where(given, whole)
    facts["box_width"], facts["box_height"] = boxes[:, 2], boxes[:, 3]
    facts = facts.join(_landmark_facts(manifest, boxes))
    facts["yaw_range_fits"] = _ranges_fit(manifest["yaw_range"])
    facts = facts.join(_subject_facts(manifest)).join(_same_face_facts(manifest, boxes))
    facts["background_is_unlabelled"] = _background_is_unlabelled(manifest)
    needed = (manifest["purpose"].isin(list(consent_needed_for)) & manifest["subject_id"].notna()).to_numpy()
    stated = manifest["consent_id"].notna().to_numpy() & ~is_blank(manifest["consent_id"])
    facts["consent_is_stated"] = _where(needed, stated)
    facts["days_until_expiry"] = (manifest["expires_at"] - pd.Timestamp(now)).dt.total_seconds() / 86_400
    return facts


def _where(applies: NDArray[np.bool_], values: NDArray[np.bool_]) -> pd.Series[Any]:
    """A nullable boolean column: null where the question doesn't apply."""
    return pd.Series(pd.array(values, dtype="boolean")).mask(pd.Series(~applies))


def _numbers_of(lists: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """A column of lists as one array [T], the length of each list [N] (0 for null), and which are there [N]."""
    given = lists.notna().to_numpy()
    arrays = lists[given].tolist()
    lengths = np.zeros(len(lists), dtype=np.int64)
    lengths[given] = np.fromiter((len(each) for each in arrays), dtype=np.int64, count=len(arrays))
    numbers = np.concatenate(arrays).astype(np.float64) if arrays else np.zeros(0)
    return numbers, lengths, given


def _boxes(lists: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """[N, 4] boxes, NaN where there is none or it hasn't four numbers; and which faces have one at all, [N]."""
    numbers, lengths, given = _numbers_of(lists)
    boxes = np.full((len(lists), 4), np.nan)
    fits = lengths == 4
    boxes[fits] = numbers[np.repeat(fits, lengths)].reshape(-1, 4)
    return boxes, given


def _given_as_usual(manifest: pd.DataFrame, given: NDArray[np.bool_]) -> pd.Series[Any]:
    faces = manifest["is_face"].to_numpy(dtype=np.bool_)
    source, _ = pd.factorize(manifest["source"])
    counted, with_box = (
        np.bincount(source[rows] + 1, minlength=source.max(initial=-1) + 2) for rows in (faces, faces & given)
    )
    usual = with_box > _MOST * counted
    return _where(faces & usual[source + 1], given)


def _ranges_fit(lists: pd.Series[Any]) -> pd.Series[Any]:
    numbers, lengths, given = _numbers_of(lists)
    fits = lengths == 2
    pairs = numbers[np.repeat(fits, lengths)].reshape(-1, 2)
    ordered = np.zeros(len(lists), dtype=np.bool_)
    ordered[fits] = (pairs[:, 0] < pairs[:, 1]) & (np.abs(pairs) <= 180).all(axis=1)
    return _where(given, ordered)


def _landmark_facts(manifest: pd.DataFrame, boxes: NDArray[np.float64]) -> pd.DataFrame:
    parts = [_landmark_facts_of(manifest.iloc[rows], boxes[rows.start : rows.stop]) for rows in _slices(len(manifest))]
    return pd.concat(parts) if parts else _landmark_facts_of(manifest, boxes)


def _slices(rows: int) -> Iterator[slice]:
    # Sixty-eight points of a million faces at once would take gigabytes.
    return (slice(start, start + _ROWS_AT_ONCE) for start in range(0, rows, _ROWS_AT_ONCE))


def _landmark_facts_of(rows: pd.DataFrame, boxes: NDArray[np.float64]) -> pd.DataFrame:
    numbers, lengths, given = _numbers_of(rows["landmarks"])
    visibility, seen_lengths, has_visibility = _numbers_of(rows["visibility"])
    expected = pd.to_numeric(rows["landmark_scheme"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    whole = lengths % 2 == 0
    counts = np.where(whole, lengths // 2, 0)
    points = numbers[np.repeat(whole, lengths)].reshape(-1, 2)
    aligned = has_visibility & (seen_lengths == counts)
    invisible = np.zeros(len(points), dtype=np.bool_)
    invisible[np.repeat(aligned, counts)] = visibility[np.repeat(aligned, seen_lengths)] == 0
    bad = ~(np.isfinite(points).all(axis=1) | invisible)
    out_of_range = ~((visibility >= 0) & (visibility <= 1))
    positions = _positions(points, np.repeat(boxes, counts, axis=0))
    with np.errstate(invalid="ignore"):
        outside = np.asarray(((positions < -0.5) | (positions > 1.5)).any(axis=1), dtype=np.bool_)
        share = _sums(outside, counts) / np.where(counts > 0, counts, np.nan)
    farthest, span = _extents(positions, invisible, counts)
    for fact in (share, farthest, span):
        fact[~np.isfinite(boxes).all(axis=1)] = np.nan
    facts = {
        "landmark_count_fits": _where(given, whole & (counts == expected)),
        "landmarks_are_finite": _where(given, _sums(bad, counts) == 0),
        "visibility_fits": _where(has_visibility, aligned & (_sums(out_of_range, seen_lengths) == 0)),
    }
    columns = {name: column.to_numpy() for name, column in facts.items()}
    extents = {"landmarks_outside_box": share, "farthest_landmark": farthest, "landmark_span": span}
    return pd.DataFrame({**columns, **extents}, index=rows.index).astype(dict.fromkeys(columns, "boolean"))


def _positions(points: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points [T, 2] in their boxes [T, 4]: 0 to 1 within; NaN for a missing point or box."""
    with np.errstate(invalid="ignore"):
        return np.asarray((points - boxes[:, :2]) / np.maximum(boxes[:, 2:], _NEARLY_NONE), dtype=np.float64)


def _extents(
    positions: NDArray[np.float64], invisible: NDArray[np.bool_], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each face's visible points lie from its box, and the longer side of what they take up; [N] each."""
    farthest, span = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    have = counts > 0
    if not have.any():
        return farthest, span
    starts = (np.cumsum(counts) - counts)[have]
    seen = np.where(invisible[:, None], np.nan, positions)
    lowest, highest = np.fmin.reduceat(seen, starts), np.fmax.reduceat(seen, starts)
    farthest[have] = np.maximum(np.maximum(-lowest, highest - 1).max(axis=1), 0)
    span[have] = (highest - lowest).max(axis=1)
    return farthest, span


def _sums(marks: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many marks each run of the given length has; [N]."""
    totals = np.concatenate([[0], np.cumsum(marks, dtype=np.int64)])
    ends = np.cumsum(lengths)
    return np.asarray(totals[ends] - totals[ends - lengths], dtype=np.float64)


def _subject_facts(manifest: pd.DataFrame) -> pd.DataFrame:
    subject, names = pd.factorize(manifest["subject_id"])
    photo, _ = pd.factorize(manifest["photo_sha256"])
    named = subject >= 0
    # One more than there are names: rows of nobody (-1) look it up.
    shares = np.bincount(subject[named], minlength=len(names) + 1) / max(1, int(named.sum()))
    return pd.DataFrame(
        {
            "subject_splits": _distinct(subject, manifest["split"]),
            "photo_splits": _distinct(photo, manifest["split"]),
            "subject_genders": _distinct(subject, manifest["gender"]),
            "subject_age_span": _span(subject, len(names), manifest["age_years"]),
            "subject_share": np.where(named, shares[subject], np.nan),
        },
        index=manifest.index,
    )


def _distinct(group: NDArray[np.int64], values: pd.Series[Any]) -> NDArray[np.float64]:
    """How many different values (nulls don't count) the group of each row has; NaN for rows of no group (-1)."""
    value, known = pd.factorize(values)
    both = (group >= 0) & (value >= 0)
    pairs = np.unique(group[both].astype(np.int64) * max(1, len(known)) + value[both])
    counts = np.bincount(pairs // max(1, len(known)), minlength=int(group.max(initial=-1)) + 2)
    return np.where(group >= 0, counts[group], np.nan).astype(np.float64)


def _span(group: NDArray[np.int64], groups: int, values: pd.Series[Any]) -> NDArray[np.float64]:
    years = values.to_numpy(dtype=np.float64, na_value=np.nan)
    both = (group >= 0) & np.isfinite(years)
    lowest, highest = np.full(groups + 1, np.inf), np.full(groups + 1, -np.inf)
    np.minimum.at(lowest, group[both], years[both])
    np.maximum.at(highest, group[both], years[both])
    span = np.where(np.isfinite(highest), highest - np.where(np.isfinite(lowest), lowest, 0), np.nan)
    return np.where(group >= 0, span[group], np.nan)


def _same_face_facts(manifest: pd.DataFrame, boxes: NDArray[np.float64]) -> pd.DataFrame:
    photo, _ = pd.factorize(manifest["photo_sha256"])
    rounded = np.where(np.isfinite(boxes), np.rint(np.clip(boxes, -1e9, 1e9)), -1e9).astype(np.int64)
    place = pd.MultiIndex.from_arrays([photo, *rounded.T, manifest["is_face"].to_numpy()])
    face, _ = pd.factorize(place)
    face = np.where(photo >= 0, face, -1)
    crop, _ = pd.factorize(manifest["crop"])
    return pd.DataFrame(
        {
            "face_rows": _rows_of(face),
            "face_names": _distinct(face, manifest["subject_id"]),
            "crop_rows": _rows_of(crop),
        },
        index=manifest.index,
    )


def _rows_of(group: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many rows the group of each row has; NaN for rows of no group (-1)."""
    counts = np.bincount(group + 1, minlength=1)
    return np.where(group >= 0, counts[group + 1], np.nan).astype(np.float64)


def _background_is_unlabelled(manifest: pd.DataFrame) -> pd.Series[Any]:
    columns = [column for columns in LABEL_COLUMNS.values() for column in columns]
    labelled = manifest[columns].notna().any(axis=1).to_numpy()
    return _where(~manifest["is_face"].to_numpy(dtype=np.bool_), ~labelled)
