"""1:N identification: each gallery by itself, the probes of people who aren't in it told from those who are.

For each gallery a probe is *mated* when its subject is in that gallery, else *non-mated*. A mated probe's rank is 1
plus the other templates of the gallery that score as high as its mate or higher: a tie counts against it. A non-mated
probe counts with its highest score over the gallery: the threshold at an FPIR is the (k+1)-th largest of those, k =
floor(FPIR * N), and TPIR is the share of mated probes whose mate is at rank 1 *and* above it. Galleries are averaged.
Source: IJB-C (Maze et al., ICB 2018). A subject has one template in a gallery, as there; a second one is refused.

Some public scripts merge the galleries, which leaves no non-mated probe, and read as FPIR a share of all other pairs.

A probe that failed finds nobody, and a template of a gallery that failed is found by nobody; both stay among those that
are counted.

All counts are those of float64 scores: ranks and thresholds that float32 scores leave open are decided in float64, as
in :mod:`countenance.assessment.template_verification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import AnyArray, IntArray, codes_of, refuse_rows, same_length
from countenance.assessment.gallery_search import GallerySearch
from countenance.assessment.results import Result
from countenance.assessment.template_scores import refuse_not_unit, refuse_outside
from countenance.assessment.templates import Templates
from countenance.assessment.verification import ThresholdAtFar, threshold_at_far
from countenance.errors import AssessmentError

RANKS: Final = (1, 5, 10)
FPIRS: Final = (0.01, 0.1)


@dataclass(frozen=True)
class RankRate(Result):
    """How many mated probes find their mate within a rank.

    Attributes:
        rank: the mate is among so many.
        found: mated probes for which it is; the sum over galleries in an average.
        probes: mated probes in all; likewise.
        rate: found / probes, or the galleries' mean of it; None without mated probes.
    """

    rank: int
    found: int
    probes: int
    rate: float | None


@dataclass(frozen=True)
class TpirAtFpir(Result):
    """The true positive identification rate at a false positive identification rate.

    Attributes:
        fpir: the target.
        tpir: identified / probes, or the galleries' mean of it; None where it is not measurable.
        identified: mated probes whose mate is at rank 1 and above the threshold; None where the FPIR is not
            measurable.
        probes: mated probes in all.
        at: of each gallery: the threshold and the counts of non-mated probes, which stand in the fields of ``far``.
    """

    fpir: float
    tpir: float | None
    identified: int | None
    probes: int
    at: tuple[ThresholdAtFar, ...]

    @property
    def note(self) -> str:
        """Say why nothing was measured; empty where something was."""
        if self.probes == 0:
            return "not measurable: no mated probes"
        scarce = [at.non_mated for at in self.at if at.threshold is None]
        return f"not measurable: FPIR {self.fpir:g} is below 1 in {scarce[0]:,} non-mated probes" if scarce else ""


@dataclass(frozen=True)
class GalleryIdentification(Result):
    """What probes find in one gallery.

    Attributes:
        gallery: its name.
        templates: how many it holds.
        mated_probes: probes whose subject is in it.
        non_mated_probes: probes whose subject is not.
        ranks: by rank.
        tpirs: by FPIR.
    """

    gallery: str
    templates: int
    mated_probes: int
    non_mated_probes: int
    ranks: tuple[RankRate, ...]
    tpirs: tuple[TpirAtFpir, ...]


@dataclass(frozen=True)
class Identification(Result):
    """What probes find in several galleries, and the mean over them.

    Attributes:
        galleries: each by itself.
        ranks: rates averaged over the galleries, not over probes.
        tpirs: likewise; not measurable where it isn't in one of them.
    """

    galleries: tuple[GalleryIdentification, ...]
    ranks: tuple[RankRate, ...]
    tpirs: tuple[TpirAtFpir, ...]


@dataclass(frozen=True, eq=False)
class GalleryRows:
    """A gallery.

    Attributes:
        name: e.g. "G1".
        rows: row of each of its templates, [G].
        subjects: subject of each, [G]; no two alike.
    """

    name: str
    rows: IntArray
    subjects: AnyArray


def identify(
    templates: Templates,
    galleries: Sequence[GalleryRows],
    probes: IntArray,
    probe_subjects: ArrayLike,
    *,
    ranks: Sequence[int] = RANKS,
    fpirs: Sequence[float] = FPIRS,
) -> Identification:
    """Search all probes in each gallery.

    Args:
        templates: T of them.
        galleries: of rows of ``templates``.
        probes: row of each probe template, [Q].
        probe_subjects: subject of each, [Q].
        ranks: to report.
        fpirs: targets of the false positive identification rate.

    Raises:
        AssessmentError: a subject is missing or twice in one gallery, a template is both in a gallery and a probe, a
            gallery is empty, or rows do not match.
    """
    if not galleries:
        raise AssessmentError("No gallery was given to search: give one at least.")
    refuse_not_unit(templates)
    found = []
    for gallery in galleries:
        mates = _mates(gallery, probes, probe_subjects, len(templates.ids))
        found.append(_searched(templates, gallery, probes, mates, ranks, fpirs))
    return Identification(
        tuple(found),
        tuple(_mean_rank([one.ranks[number] for one in found]) for number in range(len(ranks))),
        tuple(_mean_tpir([one.tpirs[number] for one in found]) for number in range(len(fpirs))),
    )


def _mates(gallery: GalleryRows, probes: IntArray, probe_subjects: ArrayLike, count: int) -> IntArray:
    """The place within the gallery of each probe's mate, [Q]; -1 for a non-mated probe."""
    same_length(gallery_templates=len(gallery.rows), gallery_subjects=len(gallery.subjects))
    same_length(probe_templates=len(probes), probe_subjects=len(np.asarray(probe_subjects)))
    if not len(gallery.rows):
        raise AssessmentError(f"Gallery {gallery.name} is empty: give it templates.")
    refuse_outside(gallery.rows, count)
    refuse_outside(probes, count)
    refuse_rows(np.isin(probes, gallery.rows), f"the probe is a template of gallery {gallery.name} itself")
    codes, _ = codes_of(np.concatenate([np.asarray(gallery.subjects, object), np.asarray(probe_subjects, object)]))
    enrolled, searched = codes[: len(gallery.rows)], codes[len(gallery.rows) :]
    refuse_rows(enrolled < 0, f"of gallery {gallery.name} the subject is missing")
    refuse_rows(searched < 0, "of the probes the subject is missing")
    place = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
    place[enrolled] = np.arange(len(enrolled))
    again = place[enrolled] != np.arange(len(enrolled))
    refuse_rows(again, f"gallery {gallery.name} holds a subject that it has again in a later row: merge its templates")
    return place[searched]


def _searched(
    templates: Templates,
    gallery: GalleryRows,
    probes: IntArray,
    mates: IntArray,
    ranks: Sequence[int],
    fpirs: Sequence[float],
) -> GalleryIdentification:
    search = GallerySearch(templates, gallery.rows, probes, mates, max(ranks, default=1))
    mated = len(search.mate_ranks)
    rates = []
    for rank in ranks:
        found = int((search.mate_ranks <= rank).sum())
        rates.append(RankRate(rank, found, mated, found / mated if mated else None))
    tpirs = []
    for fpir in fpirs:
        at = threshold_at_far(search.exact_non_mated_maxima(fpir), fpir)
        identified = None if at.threshold is None else search.identified_above(at.threshold)
        tpir = None if identified is None or not mated else identified / mated
        tpirs.append(TpirAtFpir(float(fpir), tpir, identified, mated, (at,)))
    return GalleryIdentification(
        gallery.name, len(gallery.rows), mated, len(probes) - mated, tuple(rates), tuple(tpirs)
    )


def _mean_rank(rates: Sequence[RankRate]) -> RankRate:
    found, probes = sum(one.found for one in rates), sum(one.probes for one in rates)
    return RankRate(rates[0].rank, found, probes, _mean([one.rate for one in rates]))


def _mean_tpir(rates: Sequence[TpirAtFpir]) -> TpirAtFpir:
    counts = [one.identified for one in rates if one.identified is not None]
    identified = sum(counts) if len(counts) == len(rates) else None
    at = tuple(each for one in rates for each in one.at)
    mean = _mean([one.tpir for one in rates])
    return TpirAtFpir(rates[0].fpir, mean, identified, sum(one.probes for one in rates), at)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
