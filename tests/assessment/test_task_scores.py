import numpy as np

from countenance.assessment.held_out import join_outputs
from countenance.assessment.intervals import Resampling
from countenance.assessment.results import NOT_LABELLED
from countenance.assessment.task_scores import task_scores

from .faces import POINTS, face, manifest, said

ROWS = manifest(
    face("1", "anna", gender="female", age_years=20, box_xywh=[0, 0, 9, 9]),
    face("2", "anna", gender="male", landmarks_5=POINTS),
    face("3", "bela", age_years=50),
    face("4", is_face=False, box_xywh=[0, 0, 9, 9]),
)


def joined(**columns):
    return join_outputs(ROWS, said(dict.fromkeys("1234", 0.0), **columns), "test")


def test_every_face_has_its_own_score_and_an_unlabelled_one_has_none():
    scores = task_scores(joined(male_probability=[0.1, 0.1, 0.9, 0.9], age_years=[25.0, 0.0, 47.0, 0.0]))
    assert set(scores) == {"gender", "age"}
    np.testing.assert_array_equal(scores["gender"].scores.values, [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(scores["age"].scores.values, [5.0, np.nan, 3.0])
    assert scores["age"].subjects.tolist() == ["anna", "anna", "bela"]


def test_two_models_on_the_same_rows_have_their_scores_in_the_same_places():
    one, other = (task_scores(joined(face_probability=said_face))["face"] for said_face in ([0.9] * 4, [0.1] * 4))
    # Only the first and the last have a box; the last is no face.
    np.testing.assert_array_equal(one.scores.values, [1.0, 0.0])
    np.testing.assert_array_equal(other.scores.values, [0.0, 1.0])
    assert one.subjects.tolist()[0] == "anna"


def test_landmarks_of_faces_without_a_label_are_left_out_and_those_with_one_are_normalised():
    moved = POINTS + 3.2  # a tenth of the distance between the eyes, in x and in y
    scores = task_scores(joined(landmarks_5=[moved] * 4))["landmarks"]
    np.testing.assert_allclose(scores.scores.values, [np.nan, 0.1 * np.sqrt(2), np.nan], rtol=1e-6)


def test_the_measure_of_a_task_is_the_mean_of_its_scores():
    scores = task_scores(joined(age_years=[25.0, 0.0, 47.0, 0.0], smile_probability=0.5))
    assert scores["age"].measure(Resampling(resamples=5)).value == 4.0
    assert scores["smile"].measure(Resampling(resamples=5)).note == NOT_LABELLED


def test_without_a_row_there_is_no_task():
    assert task_scores(joined(age_years=30.0).iloc[:0].astype({"is_face": object})) == {}
