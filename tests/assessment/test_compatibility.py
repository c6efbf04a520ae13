import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.comparison import assess_all, headline_numbers
from countenance.assessment.compatibility import EmbeddingSpaces, assess_compatibility, compatibility_numbers
from countenance.assessment.cost import CostModel
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.errors import AssessmentError

from .faces import direction, face, manifest, said
from .populations import embeddings, photos_of

SETTINGS = AssessmentConfiguration(
    fars=(0.01, 0.25),
    headline_far=0.25,
    resampling=Resampling(resamples=40),
    cost=CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5),
)
PEOPLE = ["anna", "anna", "bela", "bela"]
STUDENT, TEACHER = (np.stack([direction(angle) for angle in at]) for at in ([0, 10, 60, 150], [20, 21, 90, 140]))


def spaces_of(subjects=PEOPLE, configuration=SETTINGS, **features):
    return EmbeddingSpaces(features, np.array(subjects, dtype=object), configuration)


@pytest.fixture(scope="module")
def tiny():
    return spaces_of(student=STUDENT, teacher=TEACHER).compatibility("student", "teacher")


def at(found, probes, references):
    (entry,) = [entry for entry in found.comparisons if (entry.probes, entry.references) == (probes, references)]
    return entry.tar[1]


def cosine(degrees):
    return np.cos(np.deg2rad(degrees))


def test_four_faces_worked_by_hand(tiny):
    # Angles between the two sides of each comparison; one of four strangers may pass, so the second closest is tau.
    #                       mated     strangers              tau
    # student -> student    10, 90    60, 150, 50, 140       60
    # student -> teacher    21, 80    90, 140, 80, 130       90
    # teacher -> student    10, 60    40, 130, 39, 129       40
    # teacher -> teacher     1, 50    70, 120, 69, 119       70
    expected = {
        ("student", "student"): (0.5, 60),
        ("student", "teacher"): (1.0, 90),
        ("teacher", "student"): (0.5, 40),
        ("teacher", "teacher"): (1.0, 70),
    }
    assert [(entry.probes, entry.references) for entry in tiny.comparisons] == list(expected)
    for (probes, references), (tar, degrees) in expected.items():
        measured = at(tiny, probes, references)
        assert (measured.tar, measured.mated, measured.accepted) == (tar, 2, int(2 * tar))
        assert measured.at.threshold == pytest.approx(cosine(degrees), abs=1e-6)
        assert (measured.at.realised_far, measured.at.false_accepts, measured.at.non_mated) == (0.25, 1, 4)
    assert tiny.over_other.difference == 0.0
    assert tiny.under_own.difference == 0.5


def test_a_false_accept_rate_below_one_comparison_is_not_measurable(tiny):
    assert all(entry.tar[0].tar is None and entry.tar[0].at.threshold is None for entry in tiny.comparisons)


def test_the_threshold_in_use_is_judged_on_the_new_probes(tiny):
    kept = tiny.kept_threshold
    assert kept.threshold == pytest.approx(cosine(70), abs=1e-6)
    # Of the strangers, 80 degrees and more apart, nobody; of the mated the pair at 80 degrees is missed.
    assert (kept.fmr.errors, kept.fmr.comparisons) == (0, 4)
    assert (kept.fnmr.errors, kept.fnmr.comparisons) == (1, 2)


def test_the_agreement_is_the_mean_cosine_of_one_photo_in_both_models(tiny):
    assert tiny.agreement.value == pytest.approx(np.mean([cosine(degrees) for degrees in (20, 11, 30, 10)]), abs=1e-6)
    assert tiny.agreement.low <= tiny.agreement.value <= tiny.agreement.high


def test_embeddings_of_unequal_length_are_not_comparable_and_say_so():
    found = spaces_of(student=STUDENT, teacher=np.eye(4, dtype=np.float32)).compatibility("student", "teacher")
    assert found.note == "not comparable: the embeddings have 2 and 4 dimensions"
    assert found.comparisons == () and found.over_other is found.under_own is found.kept_threshold is None
    assert compatibility_numbers([found.to_dict()]) == {}


def world(seed, noise):
    return embeddings(8, 3, noise=noise, seed=seed)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), noise=st.floats(0.1, 1.5))
def test_a_model_is_compatible_with_itself(seed, noise):
    one = world(seed, noise)
    found = spaces_of(photos_of(8, 3), one=one, same=one.copy()).compatibility("one", "same")
    tars = {entry.tar for entry in found.comparisons}
    assert len(tars) == 1
    assert found.over_other.difference == found.under_own.difference == 0.0
    assert found.agreement.value == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_turning_both_spaces_alike_changes_nothing_and_turning_one_changes_only_what_crosses(seed):
    one, other = world(seed, 0.5).astype(np.float64), world(seed, 0.8).astype(np.float64)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(16, 16)))
    people = photos_of(8, 3)

    def scores(model, against):
        spaces = spaces_of(people, one=model, other=against)
        return {sides: spaces.scores(*sides).mated for sides in (("one", "one"), ("one", "other"), ("other", "other"))}

    straight, both, half = scores(one, other), scores(one @ turn, other @ turn), scores(one @ turn, other)
    for sides, mated in straight.items():
        np.testing.assert_allclose(both[sides], mated, atol=1e-5)
    np.testing.assert_allclose(half["one", "one"], straight["one", "one"], atol=1e-5)
    assert half["one", "other"].mean() < straight["one", "other"].mean()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_exchanging_the_two_models_exchanges_the_directions(seed):
    features = {"one": world(seed, 0.4), "other": world(seed, 0.9)}
    spaces = spaces_of(photos_of(8, 3), **features)
    there, back = spaces.compatibility("one", "other"), spaces.compatibility("other", "one")
    assert {(e.probes, e.references): e.tar for e in there.comparisons} == {
        (e.probes, e.references): e.tar for e in back.comparisons
    }
    assert there.agreement.value == back.agreement.value
    for entry in there.comparisons:
        assert all(tar.at.realised_far is None or tar.at.realised_far <= tar.at.far for tar in entry.tar)


ROWS = manifest(
    face("a1", "anna"), face("a2", "anna"), face("b1", "bela"), face("b2", "bela"),
    face("c1", "carl", "validation"), face("c2", "carl", "validation"),
    face("d1", "dora", "validation"), face("d2", "dora", "validation"),
)  # fmt: skip
VALIDATION = {"c1": 0, "c2": 20, "d1": 40, "d2": 110}
OUTPUTS = {
    "student_distilled": said({"a1": 0, "a2": 10, "b1": 60, "b2": 150} | VALIDATION),
    "teacher": said({"a1": 20, "a2": 21, "b1": 90, "b2": 140} | VALIDATION),
    "student_alone": said({}),
}
ASKED = SETTINGS.model_copy(update={"compatible_with": {"student_distilled": ("teacher", "student_alone")}})


def test_the_evaluation_reports_the_configured_pairs_of_trained_models(tiny):
    report = assess_all(ROWS, OUTPUTS, ASKED)
    (found,) = report["compatibility"]
    assert (found["model"], found["other"]) == ("student_distilled", "teacher")
    assert [entry["headline"]["value"] for entry in found["comparisons"]] == [0.5, 1.0, 0.5, 1.0]
    json.dumps(report, allow_nan=False)
    assert headline_numbers(report, {"models": {}})["compatibility"] == {
        "student_distilled": {"teacher": {"tar": 1.0, "over_other": 0.0, "under_own": 0.5}}
    }


def test_nothing_is_compared_across_models_unless_it_is_asked_for():
    report = assess_all(ROWS, OUTPUTS, SETTINGS)
    assert report["compatibility"] == []
    assert "compatibility" not in headline_numbers(report, {"models": {}})


def test_a_name_that_is_no_models_is_refused():
    wrong = SETTINGS.model_copy(update={"compatible_with": {"student_distilled": ("nobody",)}})
    with pytest.raises(AssessmentError, match="'compatible_with' in parameters_evaluation.yml names 'nobody'"):
        assess_compatibility(ROWS, OUTPUTS, wrong)
