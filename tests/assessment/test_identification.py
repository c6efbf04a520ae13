import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.identification import GalleryRows, Identification, identify
from countenance.assessment.score_grid import on_grid
from countenance.assessment.templates import Templates
from countenance.assessment.verification import allowed_false_accepts
from countenance.errors import AssessmentError
from tests.assessment.template_worlds import templates_of, unit


def plane(*degrees: float) -> Templates:
    angles = np.radians(degrees)
    return templates_of(np.column_stack([np.cos(angles), np.sin(angles)]))


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


# Gallery A: ann at 0, bob at 40, cid at 80 degrees. Gallery B: dee at 120, eve at 200.
# Probes: ann at 10 and bob at 25 (both at rank 1), cid at 50 (rank 2, bob is nearer); dee at 110 (rank 1 in B), eve at
# 90 (rank 2).
WORLD = plane(0, 40, 80, 120, 200, 10, 25, 50, 110, 90)
GALLERIES = (
    GalleryRows("A", rows(0, 1, 2), np.array(["ann", "bob", "cid"])),
    GalleryRows("B", rows(3, 4), np.array(["dee", "eve"])),
)
PROBES, SUBJECTS = rows(5, 6, 7, 8, 9), ["ann", "bob", "cid", "dee", "eve"]


def test_each_gallery_by_itself_by_hand():
    made = identify(WORLD, GALLERIES, PROBES, SUBJECTS, ranks=(1, 2), fpirs=(0.5, 0.4))
    one, other = made.galleries
    assert (one.gallery, one.templates, one.mated_probes, one.non_mated_probes) == ("A", 3, 3, 2)
    assert (other.gallery, other.templates, other.mated_probes, other.non_mated_probes) == ("B", 2, 2, 3)
    assert [(rate.rank, rate.found, rate.probes) for rate in one.ranks] == [(1, 2, 3), (2, 3, 3)]
    assert [(rate.rank, rate.found, rate.probes) for rate in other.ranks] == [(1, 1, 2), (2, 2, 2)]
    # Non-mated probes of A are 110 and 90 degrees, nearest to cid at 30 and 10 degrees: with one of two allowed the
    # threshold is cos 30. Of the mates at rank 1, ann is 10 and bob is 15 degrees away.
    at_half, scarce = one.tpirs
    assert at_half.at[0].threshold == pytest.approx(np.cos(np.radians(30)))
    assert (at_half.identified, at_half.tpir, at_half.at[0].false_accepts) == (2, 2 / 3, 1)
    assert (scarce.identified, scarce.tpir) == (None, None)
    assert scarce.note == "not measurable: FPIR 0.4 is below 1 in 2 non-mated probes"
    # Of B: ann, bob and cid are 110, 95 and 70 degrees from dee. Dee is 10 degrees from herself; eve is at rank 2.
    assert other.tpirs[0].at[0].threshold == pytest.approx(np.cos(np.radians(95)))
    assert (other.tpirs[0].identified, other.tpirs[0].tpir) == (1, 0.5)


def test_galleries_are_averaged_not_their_probes():
    made = identify(WORLD, GALLERIES, PROBES, SUBJECTS, ranks=(1,), fpirs=(0.5, 0.4))
    (rank,), (half, scarce) = made.ranks, made.tpirs
    assert rank.rate == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (rank.found, rank.probes) == (3, 5)
    assert half.tpir == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (half.identified, half.probes, len(half.at)) == (3, 5, 2)
    assert (scarce.tpir, scarce.identified) == (None, None)
    assert "below 1 in 2 non-mated" in scarce.note
    assert Identification.from_dict(made.to_dict()) == made


def test_a_mate_above_the_threshold_but_not_at_rank_1_is_not_identified():
    # Non-mated dee is far from all: the threshold is low, and cid is above it at rank 2.
    world = plane(0, 40, 10, 28, 180, 170)
    gallery = GalleryRows("A", rows(0, 1), np.array(["ann", "bob"]))
    made = identify(world, [gallery], rows(2, 3, 4, 5), ["ann", "ann", "dee", "eve"], fpirs=(0.5,))
    assert made.galleries[0].tpirs[0].identified == 1
    assert made.galleries[0].ranks[1].found == 2


def test_a_tie_counts_against_the_probe():
    # Ann and bob have the same template.
    gallery = GalleryRows("A", rows(0, 1, 2), np.array(["ann", "bob", "cid"]))
    made = identify(plane(30, 30, 90, 31), [gallery], rows(3), ["ann"], ranks=(1, 2))
    assert [rate.found for rate in made.ranks] == [0, 1]


def test_no_mated_and_no_non_mated_probes_are_not_measurable():
    gallery = GalleryRows("A", rows(0, 1), np.array(["ann", "bob"]))
    strangers = identify(plane(0, 40, 10, 20), [gallery], rows(2, 3), ["dee", "eve"], fpirs=(0.5,))
    assert strangers.ranks[0].rate is None
    assert (strangers.tpirs[0].tpir, strangers.tpirs[0].note) == (None, "not measurable: no mated probes")
    known = identify(plane(0, 40, 10, 20), [gallery], rows(2, 3), ["ann", "bob"], fpirs=(0.5,))
    assert known.ranks[0].rate == 0.5
    assert known.tpirs[0].tpir is None
    assert "0 non-mated probes" in known.tpirs[0].note


def by_brute_force(
    templates: Templates, gallery: GalleryRows, probes: np.ndarray, subjects: list[int], fpir: float
) -> tuple[list[int], int | None]:
    features = templates.features64
    ranks, mates, maxima = [], [], []
    for probe, subject in zip(probes, subjects, strict=True):
        enrolled = features[gallery.rows]
        scores = on_grid(np.einsum("pd,pd->p", np.repeat(features[[probe]], len(enrolled), axis=0), enrolled))
        own = np.flatnonzero(gallery.subjects == subject)
        if len(own):
            ranks.append(1 + sum(scores[other] >= scores[own[0]] for other in range(len(scores)) if other != own[0]))
            mates.append(scores[own[0]])
        else:
            maxima.append(scores.max())
    allowed = allowed_false_accepts(fpir, len(maxima))
    if not allowed:
        return ranks, None
    threshold = sorted(maxima)[-1 - allowed]
    return ranks, sum(rank == 1 and score > threshold for rank, score in zip(ranks, mates, strict=True))


@given(seed=st.integers(0, 10_000), spread=st.sampled_from([1e-15, 1e-9, 1e-7, 1e-5, 0.5]))
def test_counts_are_those_of_float64_scores_compared_one_by_one(seed: int, spread: float):
    generator = np.random.default_rng(seed)
    centres = unit(generator.normal(size=(3, 20)))
    features = unit(centres[generator.integers(0, 3, 60)] + spread * generator.normal(size=(60, 20)))
    templates = templates_of(features)
    order = generator.permutation(60)
    gallery = GalleryRows("G", order[:15], generator.permutation(30)[:15])
    probes, subjects = order[15:], generator.integers(0, 30, 45)
    made = identify(templates, [gallery], probes, subjects, ranks=(1, 3, 5), fpirs=(0.1, 0.3))
    for found in made.tpirs:
        ranks, identified = by_brute_force(templates, gallery, probes, subjects.tolist(), found.fpir)
        assert found.identified == identified
        assert [rate.found for rate in made.ranks] == [sum(rank <= deep for rank in ranks) for deep in (1, 3, 5)]


@given(seed=st.integers(0, 10_000))
def test_the_order_of_probes_and_gallery_does_not_matter(seed: int):
    generator = np.random.default_rng(seed)
    templates = templates_of(unit(generator.normal(size=(40, 4))))
    order, names = generator.permutation(40), generator.permutation(20)[:10]
    probes, subjects = order[10:], generator.integers(0, 20, 30)
    made = identify(templates, [GalleryRows("G", order[:10], names)], probes, subjects, fpirs=(0.2,))
    turn, other = generator.permutation(10), generator.permutation(30)
    gallery = GalleryRows("G", order[:10][turn], names[turn])
    assert identify(templates, [gallery], probes[other], subjects[other], fpirs=(0.2,)) == made


def first_gallery(**change) -> GalleryRows:
    return GalleryRows(**({"name": "A", "rows": rows(0, 1, 2), "subjects": np.array(["ann", "bob", "cid"])} | change))


@pytest.mark.parametrize(
    ("galleries", "probes", "subjects", "message"),
    [
        ([], PROBES, SUBJECTS, "No gallery"),
        ([first_gallery(rows=rows(), subjects=np.array([]))], PROBES, SUBJECTS, "Gallery A is empty"),
        ([first_gallery(subjects=np.array(["ann", "bob"]))], PROBES, SUBJECTS, "gallery_subjects has 2"),
        ([first_gallery(rows=rows(0, 1, 10))], PROBES, SUBJECTS, "outside the 10 features"),
        ([first_gallery()], rows(5, 10), ["ann", "bob"], "outside the 10 features"),
        ([first_gallery()], PROBES, SUBJECTS[:4], "probe_subjects has 4"),
        ([first_gallery()], rows(5, 2), ["ann", "cid"], "row 1 the probe is a template of gallery A itself"),
        ([first_gallery(subjects=np.array(["a", "b", "a"]))], PROBES, SUBJECTS, "row 0 gallery A holds a subject that"),
        ([first_gallery(subjects=np.array(["a", None, "b"]))], PROBES, SUBJECTS, "row 1 of gallery A the subject is"),
        ([first_gallery()], rows(5, 6), ["ann", None], "row 1 of the probes the subject is missing"),
    ],
)
def test_what_cannot_be_searched_is_refused(galleries: list, probes: np.ndarray, subjects: list, message: str):
    with pytest.raises(AssessmentError, match=message):
        identify(WORLD, galleries, probes, subjects)
