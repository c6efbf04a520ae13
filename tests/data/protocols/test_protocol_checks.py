from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.protocols.protocol_checks import check_protocol
from countenance.data.protocols.template_protocol import (
    Gallery,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)
from countenance.errors import DataError
from tests.data.protocols.published import protocols, small_protocol


def with_samples(**changes: Any) -> TemplateProtocol:
    protocol = small_protocol()
    return replace(protocol, samples=replace(protocol.samples, **changes))


def with_pairs(*pairs: tuple[int, int, bool]) -> TemplateProtocol:
    """The small protocol, whose own five pairs come first."""
    protocol = small_protocol()
    first, second, mated = (np.array(column) for column in zip(*pairs, strict=True))
    own = protocol.pairs
    joined = TemplatePairs(
        np.concatenate([own.first, first]),
        np.concatenate([own.second, second]),
        np.concatenate([own.mated, mated]),
    )
    return replace(protocol, pairs=joined)


@given(protocols())
def test_a_sound_protocol_passes(protocol: TemplateProtocol):
    check_protocol(protocol)


def test_counts_say_how_large_a_protocol_is():
    assert small_protocol().counts() == {
        "samples": 7,
        "templates": 5,
        "pairs": 5,
        "mated_pairs": 3,
        "galleries": {"G1": 1, "G2": 1},
        "probes": 3,
    }


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (with_samples(media=np.arange(6)), "The columns of the samples have 7, 7, 6, 7, 7 rows"),
        (with_samples(detector_scores=np.ones(8, np.float32)), "The columns of the samples have 7, 7, 7, 7, 8 rows"),
        (
            with_samples(media=np.array([1, 2, -1, 3, -1, 5, 6])),
            "In row 2 of the samples, a sample of template 11 has no",
        ),
        (with_samples(five_points=np.zeros((7, 10))), r"The five points have shape \(7, 10\)"),
        (
            with_samples(detector_scores=np.array([1, 1, np.nan, 1, 1, -1, 1])),
            r"In row 2 .* score .* \(and 1 more like it\)",
        ),
        (
            with_pairs((10, 99, False), (98, 10, False)),
            r"In row 5 of the pairs, a pair names template 99, which has no samp",
        ),
        (with_pairs((-3, 10, False)), "In row 5 of the pairs, a pair names template -3, which has no sample"),
        (
            replace(small_protocol(), galleries=(Gallery("G1", np.array([10, 12]), np.array([7, 7])),), probes=None),
            "In row 1 of the gallery G1, the subject of template 12 is enrolled already in the same gallery: enrol a",
        ),
        (
            replace(small_protocol(), probes=Probes(np.array([11, 20]), np.array([7, 9]))),
            "In row 1 of the probes, template 20 is searched for, but it is enrolled itself: search for templates of",
        ),
        (with_pairs((12, 12, True)), "In row 5 of the pairs, template 12 is compared with itself: remove the pair"),
        (
            with_pairs((10, 11, True)),
            "In row 5 of the pairs, templates 10 and 11 are compared as in row 0 of the pairs already: remove one",
        ),
        (
            with_pairs((21, 20, True), (11, 10, True)),
            r"In row 5 of the pairs, templates 21 and 20 are compared as in row 3 .* already \(and 1 more like it\)",
        ),
        (
            with_pairs((11, 12, False)),
            "In row 5 .* pair of templates 11 and 12 is labelled non-mated, but the galleries",
        ),
        (with_pairs((12, 21, True)), "In row 5 .* pair of templates 12 and 21 is labelled mated, but the galleries"),
    ],
)
def test_each_problem_of_samples_and_pairs_is_told_with_its_row(protocol: TemplateProtocol, text: str):
    with pytest.raises(DataError, match=text):
        check_protocol(protocol)


def test_two_labels_of_one_pair_are_refused_even_where_duplicates_are_kept():
    protocol = replace(with_pairs((21, 20, False)), galleries=(), probes=None)
    for duplicated_pairs in ("refuse", "keep"):
        with pytest.raises(
            DataError, match="In row 5 of the pairs, .* as in row 3 of the pairs, but with the other label"
        ):
            check_protocol(protocol, duplicated_pairs=duplicated_pairs)


def test_a_duplicated_pair_can_be_kept():
    check_protocol(with_pairs((11, 10, True), (10, 11, True)), duplicated_pairs="keep")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"galleries": (Gallery("G1", np.array([10, 5]), np.array([7, 7])),)},
            "In row 1 of the gallery G1, the gallery names template 5, which has no sample",
        ),
        (
            {"probes": Probes(np.array([11, 77]), np.array([7, 7]))},
            "In row 1 of the probes, the probe list names template 77, which has no sample",
        ),
        (
            {"galleries": (Gallery("G1", np.array([10, 20, 10]), np.array([7, 9, 7])),)},
            "In row 2 of the gallery G1, the gallery names template 10 for the second time",
        ),
        (
            {"galleries": (Gallery("G1", np.array([10, 20, 10]), np.array([7, 9, 8])),)},
            "In row 2 of the gallery G1, template 10 belongs to another subject than it did before",
        ),
        (
            {"probes": Probes(np.array([11, 10]), np.array([7, 9]))},
            "In row 1 of the probes, template 10 belongs to another subject",
        ),
        ({"probes": Probes(np.array([11, 10]), np.array([7]))}, "The columns of the probes have 2, 1 rows"),
        ({"probes": Probes(np.array([11]), np.array([-7]))}, "In row 0 of the probes, a subject is a negative number"),
        ({"galleries": (Gallery("G1", np.array([], int), np.array([], int)),)}, "'ijbx' has no gallery G1"),
        (
            {"galleries": (Gallery("G", np.array([10]), np.array([7])), Gallery("G", np.array([20]), np.array([9])))},
            "Two galleries of the protocol 'ijbx' have one name",
        ),
    ],
)
def test_each_problem_of_galleries_and_probes_is_told_with_its_row(changes: dict[str, Any], text: str):
    with pytest.raises(DataError, match=text):
        check_protocol(replace(small_protocol(), **changes))


@given(protocols(), st.data())
def test_a_pair_or_its_reverse_is_found_wherever_it_is_repeated(protocol: TemplateProtocol, data: st.DataObject):
    pairs = protocol.pairs
    row = data.draw(st.integers(0, len(pairs) - 1))
    place = data.draw(st.integers(0, len(pairs)))
    first, second = (pairs.second, pairs.first) if data.draw(st.booleans()) else (pairs.first, pairs.second)
    repeated = TemplatePairs(
        np.insert(pairs.first, place, first[row]),
        np.insert(pairs.second, place, second[row]),
        np.insert(pairs.mated, place, pairs.mated[row]),
    )
    later, earlier = max(place, row + (place <= row)), min(place, row + (place <= row))
    with pytest.raises(DataError, match=f"In row {later} of the pairs, .* as in row {earlier} of the pairs already:"):
        check_protocol(replace(protocol, pairs=repeated))


def test_a_repeated_pair_is_found_among_very_many_templates():
    ids = np.arange(70_000)
    samples = SampleTable(np.array(["x.jpg"] * len(ids), dtype=np.object_), ids, ids)
    # Among this many templates, numbers of 32 bits would give different pairs the same key.
    pairs = TemplatePairs(ids[:-1], ids[1:], np.zeros(len(ids) - 1, dtype=np.bool_))
    check_protocol(TemplateProtocol("many", samples, pairs))
    first, second = np.array([0, 1, 69_999]), np.array([69_999, 2, 69_998])
    repeated = TemplatePairs(
        np.concatenate([pairs.first, first]),
        np.concatenate([pairs.second, second]),
        np.zeros(len(pairs) + 3, dtype=np.bool_),
    )
    with pytest.raises(DataError, match=r"In row 70000 of the pairs, .* as in row 1 of the pairs already \(and 1 more"):
        check_protocol(TemplateProtocol("many", samples, repeated))
