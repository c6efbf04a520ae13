import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.pair_report import PairOptions, PairReport, assess_pairs, report_on_scores
from countenance.assessment.pair_scores import PhotoPairScores
from countenance.assessment.pair_verification import pair_roc, verification_rows
from countenance.errors import AssessmentError

FARS = (0.01, 0.1, 0.25, 0.5)


def angles(*degrees: float) -> np.ndarray:
    """Embeddings whose cosines are easily told: directions in a plane."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def pairs_of(mated_scores: list[float], non_mated_scores: list[float], folds: int = 2) -> PhotoPairScores:
    scores = np.array([*mated_scores, *non_mated_scores])
    mated = np.arange(len(scores)) < len(mated_scores)
    first = 2 * np.arange(len(scores))
    return PhotoPairScores(scores, mated, np.arange(len(scores)) % folds, first, first + ~mated)


def report(pairs: PhotoPairScores, **options: object) -> PairReport:
    given = PairOptions.model_validate({"fars": FARS, **options})
    return report_on_scores(pairs, options=given, protocol={"name": "made", "photos": 2 * len(pairs)})


def test_tar_at_far_by_hand():
    # Four non-mated scores: FAR .25 allows one above the threshold, which is the second largest, .4.
    rows = verification_rows(pairs_of([0.9, 0.5, 0.45, 0.4], [0.6, 0.4, 0.2, 0.1]), (0.1, 0.25, 0.5))
    assert [(row.tar, row.accepted, row.false_accepts, row.threshold, row.realised_far) for row in rows] == [
        (None, None, None, None, None),
        (0.75, 3, 1, 0.4, 0.25),
        (1.0, 4, 2, 0.2, 0.5),
    ]
    assert rows[0].note == "not measurable: FAR 0.1 is below 1 in 4 non-mated comparisons"
    assert all(row.mated == 4 and row.non_mated == 4 for row in rows)


def test_ties_at_the_threshold_are_refused_together():
    # FAR .5 allows two of four, but the second to fourth are alike: only one is accepted.
    (row,) = verification_rows(pairs_of([0.9, 0.4], [0.6, 0.4, 0.4, 0.4]), (0.5,))
    assert (row.tar, row.false_accepts, row.realised_far) == (0.5, 1, 0.25)


def test_failures_stay_in_the_denominators_and_are_never_accepted():
    # FAR .75 of four allows three, but only two have a score: the threshold accepts whatever has one.
    rows = verification_rows(pairs_of([0.9, 0.1, -np.inf], [0.6, 0.4, -np.inf, -np.inf]), (0.25, 0.75))
    assert [(row.accepted, row.mated, row.false_accepts, row.non_mated) for row in rows] == [(1, 3, 1, 4), (2, 3, 2, 4)]
    assert rows[1].threshold is not None and 0.0999 < rows[1].threshold < 0.1
    roc = pair_roc(pairs_of([0.9, 0.1, -np.inf], [0.6, 0.4, -np.inf, -np.inf]))
    assert roc is not None
    assert roc.false_accepts.tolist() == [0, 0, 1, 2] and roc.true_accepts.tolist() == [0, 1, 1, 2]
    assert (roc.non_mated, roc.mated) == (4, 3)


def test_all_mated_and_none_mated_say_what_is_not_measurable():
    mated = report(pairs_of([0.9, 0.8], []))
    assert mated.roc is None and mated.accuracy.mean is None
    assert mated.verification[0].note == "not measurable: FAR 0.01 is below 1 in 0 non-mated comparisons"
    strangers = report(pairs_of([], [0.9, 0.8]))
    assert strangers.roc is None and strangers.verification[3].note == "not measurable: no mated comparisons"
    assert strangers.verification[3].threshold == 0.8
    with pytest.raises(AssessmentError, match="No pair has a score"):
        report(pairs_of([-np.inf], [-np.inf]))


def test_groups_are_compared_at_one_threshold_and_have_folds_of_their_own():
    # All eight non-mated scores: FAR .25 allows two above .5, the third largest, and both of these are in group "b".
    groups = {
        "a": ([0.60, 0.40, 0.70, 0.80], [0.10, 0.20, 0.15, 0.05]),
        "b": ([0.95, 0.90, 0.85, 0.99], [0.55, 0.65, 0.50, 0.30]),
    }
    parts = [pairs_of(*scores) for scores in groups.values()]
    names = ("scores", "mated", "fold", "first_subject", "second_subject")
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    columns[3], columns[4] = (column + np.repeat([0, 100], 8) for column in columns[3:])
    told = report(PhotoPairScores(*columns, group=np.repeat(["a", "b"], 8).astype(object)), common_far=0.25)
    assert told.common_threshold is not None and told.common_threshold.threshold == 0.5
    counts = {
        name: (of.fmr.errors, of.fmr.comparisons, of.fnmr.errors, of.fnmr.comparisons)
        for name, of in told.groups.items()
        if of.fmr and of.fnmr
    }
    assert counts == {"a": (0, 4, 1, 4), "b": (2, 4, 0, 4)}
    # Each group by itself is told apart without an error, at thresholds of its own.
    assert [of.accuracy.mean for of in told.groups.values()] == [1.0, 1.0]
    assert told.accuracy.mean is not None and told.accuracy.mean < 1.0


def test_without_a_common_threshold_groups_have_counts_and_no_rates():
    pairs = pairs_of([0.9, 0.8], [0.1, 0.2])
    told = report(replace(pairs, group=np.array(["a"] * 4, dtype=object)), common_far=0.1)
    assert told.common_threshold is not None and told.common_threshold.threshold is None
    assert (told.groups["a"].pairs, told.groups["a"].fmr, told.groups["a"].fnmr) == (4, None, None)


def test_embeddings_become_a_report_of_plain_json():
    embeddings = np.concatenate([angles(0, 10, 90, 100, 0, 45), np.zeros((1, 2), np.float32)])
    failed = np.arange(7) == 6
    told = assess_pairs(
        embeddings,
        first=[0, 2, 0, 1, 6, 6],
        second=[1, 3, 2, 3, 0, 2],
        mated=[True, True, False, False, True, False],
        fold=[0, 1, 0, 1, 0, 1],
        failed=failed,
        options=PairOptions(fars=(0.5,)),
        name="plane",
        model="ours",
    )
    values = json.loads(json.dumps(told.to_dict()))
    assert values["protocol"] == {
        "name": "plane", "photos": 5, "pairs": 6, "mated_pairs": 3, "folds": 2, "subjects": 2,
    }  # fmt: skip
    assert values["failures"] == {"photos": 1, "pairs": 2} and values["options"]["flip"] is None
    assert values["accuracy"]["by_fold"] == [pytest.approx(2 / 3), 1.0]
    assert values["verification"][0]["accepted"] == 2 and values["verification"][0]["mated"] == 3
    assert (values["kind"], values["version"], values["model"], values["groups"]) == ("pairs", 1, "ours", {})
    assert "known of mated pairs only" in values["note"]


SCORED = st.lists(
    st.tuples(st.integers(-8, 8) | st.just(-99), st.booleans(), st.integers(0, 2), st.integers(0, 5)),
    min_size=4,
    max_size=30,
).filter(lambda rows: any(row[0] > -99 for row in rows))


def of_rows(rows: list[tuple[int, bool, int, int]]) -> PhotoPairScores:
    score, mated, fold, subject = (np.array(column) for column in zip(*rows, strict=True))
    scores = np.where(score == -99, -np.inf, score / 8.0)
    group = np.array([f"group {number}" for number in fold], dtype=object)
    return PhotoPairScores(scores, mated, fold, subject, np.where(mated, subject, (subject + 1) % 7), group)


def equal(one: PairReport, other: PairReport) -> bool:
    def near(left: object, right: object) -> bool:
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(near(left[key], right[key]) for key in left)
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(near, left, right))
        return bool(left == pytest.approx(right, abs=1e-12)) if isinstance(left, float) else left == right

    return near(one.to_dict(), other.to_dict())


@settings(max_examples=25)
@given(SCORED, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_and_of_their_photos_does_not_matter(rows, random):
    pairs = of_rows(rows)
    expected = report(pairs)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert equal(report(pairs.take(np.array(order))), expected)
    swapped = replace(pairs, first_subject=pairs.second_subject, second_subject=pairs.first_subject)
    assert equal(report(swapped), expected)


@settings(max_examples=25)
@given(SCORED, st.sampled_from([0.125, 0.5, 4.0]), st.integers(-4, 4))
def test_scores_on_another_scale_are_decided_alike(rows, factor, shift):
    pairs = of_rows(rows)
    before, after = report(pairs), report(replace(pairs, scores=pairs.scores * factor + shift))
    assert after.accuracy.by_fold == before.accuracy.by_fold and after.accuracy.low == before.accuracy.low
    for one, other in zip(before.verification, after.verification, strict=True):
        assert (one.accepted, one.false_accepts, one.low) == (other.accepted, other.false_accepts, other.low)


@settings(max_examples=25)
@given(SCORED)
def test_any_rising_transform_leaves_tar_at_far_as_it_is(rows):
    pairs = of_rows(rows)
    before, after = report(pairs), report(replace(pairs, scores=pairs.scores**3))
    counts = [[(row.accepted, row.false_accepts) for row in each.verification] for each in (before, after)]
    assert counts[0] == counts[1]


@given(SCORED)
def test_far_never_exceeds_its_target_ties_and_failures_included(rows):
    for row in verification_rows(of_rows(rows), FARS):
        if row.realised_far is not None and row.threshold is not None:
            assert row.realised_far <= row.far and np.isfinite(row.threshold)
        else:
            assert row.note.startswith("not measurable") and row.tar is None


@given(SCORED)
def test_a_roc_curve_starts_with_nothing_and_ends_with_all_that_has_a_score(rows):
    pairs = of_rows(rows)
    roc = pair_roc(pairs)
    if roc is None:
        return
    assert (roc.false_accepts[0], roc.true_accepts[0]) == (0, 0)
    assert roc.false_accepts[-1] + roc.true_accepts[-1] == (~pairs.failed).sum()
    assert (np.diff(roc.false_accepts) >= 0).all() and (np.diff(roc.true_accepts) >= 0).all()
