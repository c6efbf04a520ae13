"""The whole report by hand, and what holds of it for any embeddings."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.template_report import TemplateReport, assess_templates
from countenance.assessment.template_sums import aggregate_templates
from countenance.assessment.templates import TemplateOptions, Templates
from countenance.data.protocols.template_protocol import (
    Gallery,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)
from countenance.errors import AssessmentError
from tests.assessment.template_worlds import scored_pairs, templates_of

TENTHS = [n / 10 for n in range(10)]


def protocol_of(
    templates: np.ndarray,
    media: np.ndarray,
    pairs: TemplatePairs,
    galleries: tuple[Gallery, ...] = (),
    probes: Probes | None = None,
) -> TemplateProtocol:
    names = np.array([f"{number}.jpg" for number in range(len(templates))], dtype=object)
    return TemplateProtocol("made", SampleTable(names, templates, media), pairs, galleries, probes)


def report_of(mated: list[float], non_mated: list[float], fail: tuple[int, ...] = (), **options) -> TemplateReport:
    """Of pairs with these scores, of which those numbered in ``fail`` (mated ones first) are failures to extract."""
    scored = scored_pairs(mated, non_mated)
    made = scored.templates
    if fail:
        failed = np.zeros(len(made.ids), dtype=bool)
        failed[1 + np.array(fail)] = True
        exact = np.where(failed[:, None], 0.0, made.features64)
        made = Templates(made.ids, exact.astype(np.float32), exact, failed, len(fail))
    pairs = TemplatePairs(scored.first, scored.second, scored.mated)
    protocol = protocol_of(np.arange(len(made.ids)), np.arange(len(made.ids)), pairs)
    return assess_templates(made, protocol, **options)


def told(report: TemplateReport) -> list[tuple]:
    rows = report.verification
    return [
        (row.far, row.tar, row.accepted, row.mated, row.threshold, row.false_accepts, row.non_mated) for row in rows
    ]


def test_the_report_by_hand():
    # k = 1 of 10: tau = .8, and .9 is above it. k = 2: tau = .7, which the mated .7 isn't above.
    report = report_of([0.9, 0.75, 0.7, 0.1], TENTHS, fars=[0.1, 0.2], model="net")
    assert told(report) == [
        (0.1, 0.25, 1, 4, pytest.approx(0.8), 1, 10),
        (0.2, 0.5, 2, 4, pytest.approx(0.7), 2, 10),
    ]
    assert [row.realised_far for row in report.verification] == [0.1, 0.2]
    assert (report.kind, report.version, report.model) == ("templates", 1, "net")
    assert len(report.protocol.pop("sha256")) == 64
    assert report.protocol == {
        "name": "made",
        "samples": 15,
        "templates": 15,
        "pairs": 14,
        "mated_pairs": 4,
        "galleries": {},
        "probes": 0,
    }
    assert report.options == {
        "flip": "sum",
        "normalise_samples": False,
        "weigh_by_detector_score": False,
        "rule": "threshold",
        "level": 0.95,
    }
    assert report.failures == {"samples": 0, "templates": 0, "pairs": 0}
    assert report.identification is None
    assert json.loads(json.dumps(report.to_dict()))["roc"]["non_mated"] == 10


def test_ties_at_the_threshold_are_refused_together():
    # k = 2, but three are .5: none of them may pass, nor the mated .5.
    report = report_of([0.5, 0.6], [0.9, 0.5, 0.5, 0.5, *[0.1] * 6], fars=[0.2])
    assert told(report) == [(0.2, 0.5, 1, 2, 0.5, 1, 10)]


def test_all_mated_is_not_measurable_and_not_zero():
    report = report_of([0.9, 0.5], [])
    assert all(row.tar is None and row.accepted is None and row.threshold is None for row in report.verification)
    assert report.verification[0].note == "not measurable: FAR 1e-06 is below 1 in 0 non-mated comparisons"
    assert report.roc is None
    json.dumps(report.to_dict())


def test_none_mated_is_not_measurable_but_its_threshold_is_told():
    (row,) = report_of([], TENTHS, fars=[0.1]).verification
    assert (row.tar, row.low, row.high, row.mated) == (None, None, None, 0)
    assert (row.threshold, row.false_accepts, row.note) == (
        pytest.approx(0.8),
        1,
        "not measurable: no mated comparisons",
    )


@pytest.mark.parametrize("rule", ["threshold", "insightface_compat"])
def test_a_far_below_one_comparison_is_not_measurable_and_not_zero(rule):
    (row,) = report_of([0.95], TENTHS, fars=[0.09], rule=rule).verification
    assert (row.tar, row.accepted, row.false_accepts, row.realised_far) == (None, None, None, None)
    assert row.note == "not measurable: FAR 0.09 is below 1 in 10 non-mated comparisons"


def test_failures_to_extract_are_counted_and_never_accepted():
    # The mated .9 and the non-mated .9 failed: k = 1 of 10 leaves tau = .7 and one false accept, .8.
    report = report_of([0.9, 0.75], TENTHS, fail=(0, 11), fars=[0.1])
    assert told(report) == [(0.1, 0.5, 1, 2, pytest.approx(0.7), 1, 10)]
    assert report.failures == {"samples": 2, "templates": 2, "pairs": 2}
    assert report.roc is not None and (report.roc.mated, report.roc.true_accepts[-1]) == (2, 1)
    json.dumps(report.to_dict())


def test_the_rule_of_public_scripts_has_no_interval_and_says_so():
    (row,) = report_of(
        [0.75, 0.55], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], fars=[0.375], rule="insightface_compat"
    ).verification
    assert (row.false_accepts, row.accepted, row.low, row.high) == (4, 2, None, None)
    assert "published figures only" in row.note


SAMPLES = SampleTable(
    names=np.array(["a", "b", "c", "d", "e", "f", "g"], dtype=object),
    templates=np.array([10, 10, 11, 20, 21, 12, 30]),
    media=np.arange(7),
)
ENROLLED = (Gallery("A", np.array([10]), np.array([1])), Gallery("B", np.array([20, 30]), np.array([2, 3])))
PAIRS = TemplatePairs(np.array([10, 10, 20]), np.array([11, 21, 21]), np.array([True, False, True]))
SEARCHED = Probes(np.array([11, 12, 21]), np.array([1, 1, 2]))
# Template 10 is at 45 degrees; 11 at 40, 12 at 80; 20 at 90, 30 at 120; 21 at 100: as near to 20 as 10 degrees.
ANGLES = np.radians([0.0, 90.0, 40.0, 90.0, 100.0, 80.0, 120.0])
PLANE = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]).astype(np.float32)


def test_1_n_by_hand_each_gallery_by_itself_and_averaged():
    protocol = TemplateProtocol("made", SAMPLES, PAIRS, ENROLLED, SEARCHED)
    made = aggregate_templates(PLANE, SAMPLES.templates, SAMPLES.media)
    found = assess_templates(made, protocol, ranks=(1,), fpirs=(0.5,)).identification
    assert found is not None
    one, other = found.galleries
    assert (one.gallery, one.mated_probes, one.non_mated_probes, one.ranks[0].found) == ("A", 2, 1, 2)
    assert one.tpirs[0].note == "not measurable: FPIR 0.5 is below 1 in 1 non-mated probes"
    # Non-mated in B: 11 and 12 are 50 and 10 degrees from 20; one of two allowed: the threshold is cos 50.
    assert other.tpirs[0].at[0].threshold == pytest.approx(np.cos(np.radians(50)))
    assert (other.tpirs[0].identified, other.ranks[0].rate, found.ranks[0].rate) == (1, 1.0, 1.0)


def test_a_failed_probe_and_a_failed_mate_are_not_found_but_counted():
    protocol = TemplateProtocol("made", SAMPLES, PAIRS, ENROLLED, SEARCHED)
    failed = np.isin(SAMPLES.templates, [11, 20])
    made = aggregate_templates(PLANE, SAMPLES.templates, SAMPLES.media, failed=failed)
    report = assess_templates(made, protocol, ranks=(1, 10), fars=[0.5])
    assert report.failures == {"samples": 2, "templates": 2, "pairs": 2}
    assert report.identification is not None
    assert [rate.found for rate in report.identification.galleries[0].ranks] == [1, 1]
    assert [rate.found for rate in report.identification.galleries[1].ranks] == [0, 0]
    assert [rate.probes for rate in report.identification.galleries[1].ranks] == [1, 1]


def test_a_protocol_without_probes_or_galleries_has_no_1_n_part_and_says_why():
    made = aggregate_templates(PLANE, SAMPLES.templates, SAMPLES.media)
    for galleries, probes, missing in (
        (ENROLLED, None, "no probes"),
        ((), SEARCHED, "no galleries"),
        ((), None, "no galleries and no probes"),
    ):
        report = assess_templates(made, TemplateProtocol("made", SAMPLES, PAIRS, galleries, probes))
        assert report.identification is None
        assert report.to_dict()["identification_note"] == f"1:N not measured: {missing}"
    whole = TemplateProtocol("made", SAMPLES, PAIRS, ENROLLED, SEARCHED)
    assert assess_templates(made, whole, fpirs=(0.5,)).identification_note == ""


def test_a_template_that_was_not_made_is_refused():
    made = templates_of(np.eye(2))
    protocol = TemplateProtocol("made", SAMPLES, PAIRS)
    with pytest.raises(AssessmentError, match="row 0 and 2 more the template is not one of those that were made"):
        assess_templates(made, protocol)


def test_the_detector_score_is_reported_as_used_only_where_there_is_one():
    made = aggregate_templates(PLANE, SAMPLES.templates, SAMPLES.media)
    scored = replace(SAMPLES, detector_scores=np.ones(7, dtype=np.float32))
    for samples, weigh in product((SAMPLES, scored), (True, False)):
        report = assess_templates(
            made, TemplateProtocol("made", samples, PAIRS), options=TemplateOptions(weigh_by_detector_score=weigh)
        )
        assert report.options["weigh_by_detector_score"] == (weigh and samples is scored)


def world(seed: int, *, tied: bool = False, failing: float = 0.0) -> tuple[np.ndarray, TemplateProtocol, np.ndarray]:
    """Embeddings, a protocol of 4 subjects' templates with a gallery of half of them, and which samples failed."""
    generator = np.random.default_rng(seed)
    subject = np.concatenate([np.arange(4), generator.integers(0, 4, 12)])
    templates = np.concatenate([np.arange(16), generator.integers(0, 16, 20)])
    media = generator.integers(0, 3, len(templates))
    if tied:
        # Templates along few directions: most scores are equal to others, to the last bit.
        embeddings = np.eye(4, dtype=np.float32)[generator.integers(0, 4, 16)][templates]
    else:
        embeddings = (
            generator.normal(size=(len(templates), 6)).astype(np.float32) + 2 * np.eye(4, 6)[subject][templates]
        )
    one, other = (side.ravel() for side in np.triu_indices(16, 1))
    kept = generator.random(len(one)) < 0.8
    pairs = TemplatePairs(one[kept], other[kept], subject[one[kept]] == subject[other[kept]])
    galleries = (Gallery("A", np.array([0, 1]), np.array([0, 1])), Gallery("B", np.array([2, 3]), np.array([2, 3])))
    probes = Probes(np.arange(4, 16), subject[4:])
    failed = generator.random(len(templates)) < failing
    return embeddings.astype(np.float32), protocol_of(templates, media, pairs, galleries, probes), failed


def assessed(
    embeddings: np.ndarray, protocol: TemplateProtocol, failed: np.ndarray, fars: list[float]
) -> TemplateReport:
    samples = protocol.samples
    made = aggregate_templates(embeddings, samples.templates, samples.media, failed=failed)
    return assess_templates(made, protocol, fars=fars, fpirs=(0.2, 0.5))


FARS = [0.02, 0.1, 0.5]


@given(seed=st.integers(0, 10_000), tied=st.booleans(), failing=st.sampled_from([0.0, 0.3, 0.9]))
def test_neither_order_nor_the_names_of_templates_media_and_subjects_matter(seed: int, tied: bool, failing: float):
    embeddings, protocol, failed = world(seed, tied=tied, failing=failing)
    expected = assessed(embeddings, protocol, failed, FARS)
    generator = np.random.default_rng(seed + 1)
    name, subject_name = generator.permutation(500)[:16] - 100, generator.permutation(50)[:4]
    rows, pairs = generator.permutation(len(embeddings)), generator.permutation(len(protocol.pairs))
    swapped = generator.random(len(pairs)) < 0.5
    first, second = name[protocol.pairs.first[pairs]], name[protocol.pairs.second[pairs]]
    searched = generator.permutation(12)
    assert protocol.probes is not None
    again = protocol_of(
        name[protocol.samples.templates[rows]],
        (protocol.samples.media * 7 + 5)[rows],
        TemplatePairs(np.where(swapped, second, first), np.where(swapped, first, second), protocol.pairs.mated[pairs]),
        tuple(
            Gallery(gallery.name, name[gallery.templates][::-1], subject_name[gallery.subjects][::-1])
            for gallery in protocol.galleries
        ),
        Probes(name[protocol.probes.templates][searched], subject_name[protocol.probes.subjects][searched]),
    )
    found = assessed(embeddings[rows], again, failed[rows], FARS)
    for mine, theirs in zip(told(found), told(expected), strict=True):
        assert mine[:4] == theirs[:4] and mine[5:] == theirs[5:]
        assert mine[4] == (None if theirs[4] is None else pytest.approx(theirs[4], abs=1e-12))
    assert found.failures == expected.failures
    assert found.identification is not None and expected.identification is not None
    assert found.identification.ranks == expected.identification.ranks
    assert [one.identified for one in found.identification.tpirs] == [
        one.identified for one in expected.identification.tpirs
    ]
    for one, other in zip(found.verification, expected.verification, strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-9)


@given(
    seed=st.integers(0, 10_000), tied=st.booleans(), failing=st.sampled_from([0.0, 0.3, 0.9]), far=st.floats(0.01, 0.99)
)
def test_the_far_never_exceeds_its_target_ties_and_failures_included(seed: int, tied: bool, failing: float, far: float):
    embeddings, protocol, failed = world(seed, tied=tied, failing=failing)
    report = assessed(embeddings, protocol, failed, [far])
    (row,) = report.verification
    if row.realised_far is not None:
        assert row.false_accepts is not None and row.realised_far == row.false_accepts / row.non_mated
        assert row.realised_far <= far
    assert report.identification is not None
    for gallery in report.identification.galleries:
        for found in gallery.tpirs:
            assert all(at.realised_far is None or at.realised_far <= found.fpir for at in found.at)
    json.dumps(report.to_dict())
