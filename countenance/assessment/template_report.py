"""The report on templates: everything that IJB-B and IJB-C are read for, from templates and the protocol's lists.

1:1 is TAR at FAR by :mod:`countenance.assessment.template_verification`, 1:N is
:mod:`countenance.assessment.identification`, and what could not be extracted (ISO/IEC 19795-1) is counted beside both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from countenance.assessment.arrays import AnyArray
from countenance.assessment.identification import FPIRS, RANKS, GalleryRows, Identification, identify
from countenance.assessment.intervals import DEFAULT_LEVEL
from countenance.assessment.protocol_digest import protocol_sha256
from countenance.assessment.results import Result
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_intervals import TarInterval, tar_intervals
from countenance.assessment.template_protocol_lists import ProtocolLists, why_not_searched
from countenance.assessment.template_scores import TemplatePairScores, template_positions
from countenance.assessment.template_verification import (
    FARS,
    ROC_POINTS,
    RocCurve,
    Rule,
    roc_curve,
    template_tar_at_far,
)
from countenance.assessment.templates import DEFAULT_OPTIONS, TemplateOptions, Templates
from countenance.assessment.verification import TarAtFar
from countenance.assessment.verification_row import VerificationRow

_NO_INTERVAL = TarInterval(None, None, 0, None, "no interval: this rule is for comparison with published figures only")


@dataclass(frozen=True, kw_only=True, eq=False)
class TemplateReport(Result):
    """What templates say of a model.

    Attributes:
        kind: "templates".
        version: of this layout.
        model: its name, or None.
        protocol: its name, how large it is, and the digest of its lists, sha256.
        options: flip, normalise_samples, weigh_by_detector_score (False also where the protocol has no such scores),
            rule, level of the intervals.
        failures: samples that could not be embedded, templates without a usable sample, pairs with such a template.
        verification: TAR at each FAR, with counts and an interval over subjects.
        roc: thinned for plotting; None without mated or without non-mated pairs.
        identification: 1:N; None where the protocol has no galleries or no probes, which
        identification_note: says; else empty.
    """

    kind: str = "templates"
    version: int = 1
    model: str | None
    protocol: dict[str, Any]
    options: dict[str, Any]
    failures: dict[str, int]
    verification: tuple[VerificationRow, ...]
    roc: RocCurve | None
    identification: Identification | None
    identification_note: str = ""


def assess_templates(
    templates: Templates,
    protocol: ProtocolLists,
    *,
    options: TemplateOptions = DEFAULT_OPTIONS,
    fars: Sequence[float] = FARS,
    ranks: Sequence[int] = RANKS,
    fpirs: Sequence[float] = FPIRS,
    rule: Rule = "threshold",
    level: float = DEFAULT_LEVEL,
    roc_points: int = ROC_POINTS,
    model: str | None = None,
) -> TemplateReport:
    """Compare and search templates as a protocol says.

    Args:
        templates: those that the protocol's samples form.
        protocol: what is compared and searched, by template ids.
        options: how the templates were made; they are only told.
        fars: targets of 1:1.
        ranks: of 1:N.
        fpirs: targets of 1:N.
        rule: "threshold", or "insightface_compat" to compare with published figures.
        level: of the intervals, e.g. 0.95.
        roc_points: at most how many.
        model: its name.

    Raises:
        AssessmentError: a list names a template that isn't there, or a gallery can't be searched.
    """
    pairs = protocol.pairs
    first, second = (template_positions(templates.ids, side) for side in (pairs.first, pairs.second))
    scores = SortedScores(TemplatePairScores.of(templates, first, second, pairs.mated))
    points = template_tar_at_far(scores, fars, rule=rule)
    if rule == "threshold":
        intervals = tar_intervals(scores, points, subjects=_known_subjects(templates, protocol, scores), level=level)
    else:
        intervals = (_NO_INTERVAL,) * len(points)
    both = len(scores.mated) and len(scores.non_mated)
    return TemplateReport(
        model=model,
        protocol={"name": protocol.name, **protocol.counts(), "sha256": protocol_sha256(protocol)},
        options={
            **options.model_dump(),
            "weigh_by_detector_score": options.weigh_by_detector_score and protocol.samples.detector_scores is not None,
            "rule": rule,
            "level": level,
        },
        failures=_failures(templates, scores),
        verification=tuple(
            VerificationRow.of(point, interval.low, interval.high, _note(point, interval))
            for point, interval in zip(points, intervals, strict=True)
        ),
        roc=roc_curve(scores, roc_points) if both else None,
        identification=_identification(templates, protocol, ranks, fpirs),
        identification_note=_why_not_searched(protocol),
    )


def _note(point: TarAtFar, interval: TarInterval) -> str:
    if point.at.threshold is None:
        return point.at.note
    return "not measurable: no mated comparisons" if point.tar is None else interval.note


def _failures(templates: Templates, scores: SortedScores) -> dict[str, int]:
    failed = 0 if templates.failed is None else int(np.count_nonzero(templates.failed))
    return {"samples": templates.failed_samples, "templates": failed, "pairs": scores.failed}


def _known_subjects(templates: Templates, protocol: ProtocolLists, scores: SortedScores) -> AnyArray | None:
    """The subject of each template, [T], as galleries and probes tell; None where they don't of all compared ones."""
    subjects = np.full(len(templates.ids), None, dtype=object)
    for listed in (*protocol.galleries, *([] if protocol.probes is None else [protocol.probes])):
        subjects[template_positions(templates.ids, listed.templates)] = listed.subjects
    unknown = np.array([subject is None for subject in subjects], dtype=np.bool_)
    pairs = scores.pairs
    return None if unknown[pairs.first].any() or unknown[pairs.second].any() else subjects


def _identification(
    templates: Templates, protocol: ProtocolLists, ranks: Sequence[int], fpirs: Sequence[float]
) -> Identification | None:
    if protocol.probes is None or _why_not_searched(protocol):
        return None
    galleries = [
        GalleryRows(gallery.name, template_positions(templates.ids, gallery.templates), gallery.subjects)
        for gallery in protocol.galleries
    ]
    probes = template_positions(templates.ids, protocol.probes.templates)
    return identify(templates, galleries, probes, protocol.probes.subjects, ranks=ranks, fpirs=fpirs)


def _why_not_searched(protocol: ProtocolLists) -> str:
    return why_not_searched(len(protocol.galleries), 0 if protocol.probes is None else len(protocol.probes.templates))
