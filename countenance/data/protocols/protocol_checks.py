"""Whether a template protocol is sound; the first problem is told with the file and line that it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from countenance.data.protocols.row_origins import InMemory, RowOrigin, refuse_row, refuse_rows
from countenance.data.protocols.template_protocol import (
    Gallery,
    Integers,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
    Truths,
)
from countenance.errors import DataError

DuplicatedPairs = Literal["refuse", "keep"]
"""What to do with a comparison that is listed twice: refuse the protocol, or keep both, as the public scripts do."""

WHOLE_SUBJECTS: Final = "number the subjects from zero upwards, alike in all galleries and among the probes"

_SAMPLES, _PAIRS, _PROBES = InMemory("samples"), InMemory("pairs"), InMemory("probes")
_BLOCK: Final = 1 << 20
_TABLE_SPAN: Final = 1 << 24
_WHOLE_SET: Final = "take all files from one release of the set, or remove the line"


@dataclass(frozen=True, kw_only=True)
class ProtocolOrigins:
    """Where each list of a protocol comes from."""

    samples: RowOrigin = _SAMPLES
    points: RowOrigin | None = None
    pairs: RowOrigin = _PAIRS
    galleries: tuple[RowOrigin, ...] | None = None
    probes: RowOrigin = _PROBES

    def of_gallery(self, index: int, gallery: Gallery) -> RowOrigin:
        """Where a gallery's rows come from."""
        return InMemory(f"gallery {gallery.name}") if self.galleries is None else self.galleries[index]


def check_protocol(
    protocol: TemplateProtocol,
    origins: ProtocolOrigins | None = None,
    *,
    duplicated_pairs: DuplicatedPairs = "refuse",
) -> None:
    """Check that a protocol says one thing only, and that everything it names is there.

    Raises:
        DataError: lists differ in length, a template has no sample or no medium, a template is compared with itself or
            twice with another, labels or subjects contradict each other, a gallery holds a subject twice or a probe,
            points or scores are no numbers.
    """
    origins = origins or ProtocolOrigins()
    _check_lengths(protocol)
    _check_samples(protocol.samples, origins)
    index = _TemplateIndex(protocol.samples.templates)
    subjects = np.full(len(index), -1, dtype=np.int64)
    for number, gallery in enumerate(protocol.galleries):
        _check_searched(gallery, index, origins.of_gallery(number, gallery), "the gallery")
        _check_subjects(gallery, index, subjects, origins.of_gallery(number, gallery))
        _check_enrolled_once(gallery, origins.of_gallery(number, gallery))
    if protocol.probes is not None:
        _check_searched(protocol.probes, index, origins.probes, "the probe list")
        _check_subjects(protocol.probes, index, subjects, origins.probes)
        _check_not_enrolled(protocol.probes, protocol.galleries, origins.probes)
    _check_pairs(protocol.pairs, index, subjects, origins.pairs, duplicated_pairs)


def _check_lengths(protocol: TemplateProtocol) -> None:
    samples, pairs = protocol.samples, protocol.pairs
    points = len(samples) if samples.five_points is None else len(samples.five_points)
    scores = len(samples) if samples.detector_scores is None else len(samples.detector_scores)
    columns: dict[str, tuple[int, ...]] = {
        "samples": (len(samples.names), len(samples), len(samples.media), points, scores),
        "pairs": (len(pairs.first), len(pairs.second), len(pairs)),
    }
    for gallery in protocol.galleries:
        columns[f"gallery {gallery.name}"] = (len(gallery), len(gallery.subjects))
    if protocol.probes is not None:
        columns["probes"] = (len(protocol.probes), len(protocol.probes.subjects))
    for what, lengths in columns.items():
        if len(set(lengths)) > 1:
            told = ", ".join(f"{length:,}" for length in lengths)
            raise DataError(f"The columns of the {what} have {told} rows: give one value a row in each.")
        if not lengths[0]:
            raise DataError(f"The protocol '{protocol.name}' has no {what}: give at least one row.")
    names = [gallery.name for gallery in protocol.galleries]
    if len(set(names)) < len(names):
        raise DataError(f"Two galleries of the protocol '{protocol.name}' have one name: name each differently.")


def _check_samples(samples: SampleTable, origins: ProtocolOrigins) -> None:
    refuse_rows(
        samples.media < 0,
        origins.samples,
        lambda row: f"a sample of template {samples.templates[row]} has no medium",
        "give each sample the number of its photo or video",
    )
    origin = origins.points or origins.samples
    if samples.five_points is not None:
        if samples.five_points.shape[1:] != (5, 2):
            raise DataError(f"The five points have shape {samples.five_points.shape}: give [samples, 5, 2].")
        wrong = np.asarray(~np.isfinite(samples.five_points).all(axis=(1, 2)), dtype=np.bool_)
        refuse_rows(wrong, origin, "a point is not a finite number", "mend the row")
    if samples.detector_scores is not None:
        wrong = ~(np.isfinite(samples.detector_scores) & (samples.detector_scores >= 0))
        refuse_rows(wrong, origin, "a detector score is not a number of zero or more", "mend the row")


class _TemplateIndex:
    """Gives each template that has a sample a code, its place among the sorted ids."""

    def __init__(self, templates: Integers) -> None:
        self.ids: Integers = np.unique(templates)
        self._start = int(self.ids[0])
        span = int(self.ids[-1]) - self._start + 1
        self._table: NDArray[np.int32] | None = None
        if span <= _TABLE_SPAN:
            # A look-up is many times faster than a search, and template ids lie close together.
            self._table = np.full(span, -1, dtype=np.int32)
            self._table[self.ids - self._start] = np.arange(len(self.ids), dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, templates: Integers) -> NDArray[np.int64]:
        """The code of each id, -1 where no sample has it."""
        if self._table is None:
            found = np.minimum(np.searchsorted(self.ids, templates), len(self.ids) - 1)
            return np.where(self.ids[found] == templates, found, -1)
        offset = templates - self._start
        inside = (templates >= self._start) & (templates <= self.ids[-1])
        return np.where(inside, self._table[np.where(inside, offset, 0)], -1).astype(np.int64)


def _check_searched(searched: Gallery | Probes, index: _TemplateIndex, origin: RowOrigin, what: str) -> None:
    templates = searched.templates
    refuse_rows(
        index.codes(templates) < 0,
        origin,
        lambda row: f"{what} names template {templates[row]}, which has no sample",
        _WHOLE_SET,
    )
    order = np.argsort(templates, kind="stable")
    same = templates[order][1:] == templates[order][:-1]
    # The subject may differ from one row to the other; that is told as such.
    same &= searched.subjects[order][1:] == searched.subjects[order][:-1]
    refuse_rows(
        order[1:][same],
        origin,
        lambda row: f"{what} names template {templates[row]} for the second time",
        "name each template once",
    )


def _check_subjects(
    searched: Gallery | Probes, index: _TemplateIndex, subjects: NDArray[np.int64], origin: RowOrigin
) -> None:
    """Refuse a template with two subjects; note in ``subjects`` [T], by code, whose the others are."""
    # -1 stays free for a template of which no list says whose it is.
    refuse_rows(searched.subjects < 0, origin, "a subject is a negative number", WHOLE_SUBJECTS)
    codes = index.codes(searched.templates)
    known = subjects[codes]
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    expected = np.where(known >= 0, known, searched.subjects[first[place]])
    refuse_rows(
        expected != searched.subjects,
        origin,
        lambda row: f"template {searched.templates[row]} belongs to another subject than it did before",
        "give each template one subject in all galleries and among the probes",
    )
    subjects[codes] = searched.subjects


def _check_enrolled_once(gallery: Gallery, origin: RowOrigin) -> None:
    _, first, place = np.unique(gallery.subjects, return_index=True, return_inverse=True)
    again = first[place] != np.arange(len(gallery))
    refuse_rows(
        np.asarray(again, dtype=np.bool_),
        origin,
        lambda row: f"the subject of template {gallery.templates[row]} is enrolled already in the same gallery",
        "enrol a subject with one template",
    )


def _check_not_enrolled(probes: Probes, galleries: tuple[Gallery, ...], origin: RowOrigin) -> None:
    for gallery in galleries:
        refuse_rows(
            np.isin(probes.templates, gallery.templates),
            origin,
            lambda row: f"template {probes.templates[row]} is searched for, but it is enrolled itself",
            "search for templates of other samples",
        )


def _check_pairs(
    pairs: TemplatePairs,
    index: _TemplateIndex,
    subjects: NDArray[np.int64],
    origin: RowOrigin,
    duplicated_pairs: DuplicatedPairs,
) -> None:
    count = len(index)
    unknown, itself, contradicted = (np.zeros(len(pairs), dtype=np.bool_) for _ in range(3))
    # One number a pair, the same for its reverse; the smaller type halves the memory of the sort.
    keys = np.empty(len(pairs), dtype=np.uint32 if count <= 1 << 16 else np.uint64)
    for part in _blocks(len(pairs)):
        first, second = index.codes(pairs.first[part]), index.codes(pairs.second[part])
        unknown[part] = (first < 0) | (second < 0)
        itself[part] = pairs.first[part] == pairs.second[part]
        one, other = subjects[first], subjects[second]
        contradicted[part] = (one >= 0) & (other >= 0) & ((one == other) != pairs.mated[part])
        keys[part] = np.minimum(first, second) * count + np.maximum(first, second)

    def unknown_template(row: int) -> str:
        template = int(pairs.first[row]) if index.codes(pairs.first[row : row + 1])[0] < 0 else int(pairs.second[row])
        return f"a pair names template {template}, which has no sample"

    refuse_rows(unknown, origin, unknown_template, _WHOLE_SET)
    refuse_rows(itself, origin, lambda row: f"template {pairs.first[row]} is compared with itself", "remove the pair")
    refuse_rows(
        contradicted,
        origin,
        lambda row: (
            f"the pair of templates {pairs.first[row]} and {pairs.second[row]} is labelled "
            f"{'mated' if pairs.mated[row] else 'non-mated'}, but the galleries and probes say otherwise"
        ),
        _WHOLE_SET,
    )
    _check_duplicates(keys, pairs, origin, duplicated_pairs)


def _check_duplicates(
    keys: NDArray[Any], pairs: TemplatePairs, origin: RowOrigin, duplicated_pairs: DuplicatedPairs
) -> None:
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return
    del ordered
    order = np.argsort(keys, kind="stable")
    fresh = np.concatenate([[True], keys[order][1:] != keys[order][:-1]])
    earliest = np.empty_like(order)
    earliest[order] = order[fresh][np.cumsum(fresh) - 1]
    contradictory: Truths = pairs.mated != pairs.mated[earliest]

    def repeated(row: int) -> str:
        return f"templates {pairs.first[row]} and {pairs.second[row]} are compared as in {origin.place(earliest[row])}"

    wrong = np.flatnonzero(contradictory)
    if len(wrong):
        row = int(wrong[0])
        refuse_row(row, origin, f"{repeated(row)}, but with the other label", "keep one", more=len(wrong) - 1)
    if duplicated_pairs == "refuse":
        remedy = "remove one, or count both with --duplicated-pairs keep (in Python, duplicated_pairs='keep')"
        refuse_rows(order[~fresh], origin, lambda row: f"{repeated(row)} already", remedy)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))
