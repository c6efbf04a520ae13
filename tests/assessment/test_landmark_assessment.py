import math

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.attribute_tables import joined_by_face
from countenance.assessment.intervals import Resampling
from countenance.assessment.landmark_assessment import LandmarkConfiguration, assess_landmarks
from countenance.errors import AssessmentError

FIVE = [0, 0, 10, 0, 5, 5, 2, 8, 8, 8]  # the eyes are 10 px apart


def assessed(said: list[dict], labels: list[dict]) -> dict:
    """The landmarks of faces that are in both lists, in their order."""
    model, truth = (
        pd.DataFrame([{"face_id": row, **face} for row, face in enumerate(faces)]) for faces in (said, labels)
    )
    quick = LandmarkConfiguration(resampling=Resampling(resamples=20))
    return assess_landmarks(joined_by_face(model, truth), np.full(len(labels), None), quick)


def test_points_in_the_labels_own_scheme_are_measured_by_scheme():
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    points[36], points[45] = [10.0, 50.0], [60.0, 50.0]
    labels = [
        {"landmarks": points.ravel(), "landmark_scheme": "68", "box_xywh": [0.0, 0.0, 100.0, 100.0]},
        {"landmarks": FIVE, "landmark_scheme": "5"},
        {},
    ]
    said = [{"landmarks": (points + np.array([3.0, 4.0])).ravel()}, {"landmarks": FIVE}, {}]
    report = assessed(said, labels)
    assert list(report) == ["5", "68"]
    assert report["68"]["outer_eye_corners"]["error"].value == pytest.approx(5 / 50)
    assert report["68"]["box_size"]["error"].value == pytest.approx(5 / 100)
    spanned = math.sqrt(np.prod(points.max(axis=0) - points.min(axis=0)))
    assert report["68"]["landmark_extent"]["error"].value == pytest.approx(5 / spanned)
    five = report["5"]
    assert (five["eye_centres"]["error"].value, five["eye_centres"]["error"].count) == (0.0, 1)
    assert five["box_size"]["error"].note == "not labelled"


def test_labels_of_another_scheme_are_reduced_to_the_five_points_that_a_model_says():
    points = np.zeros((68, 2))
    for eye, x in ((range(36, 42), 0.0), (range(42, 48), 10.0)):
        points[list(eye)] = [x, 0.0]
    points[30], points[48], points[54] = [5, 5], [2, 8], [8, 8]
    label = {"landmarks": points.ravel(), "landmark_scheme": "68"}
    nose_is_off = {"landmarks_5": [*FIVE[:4], 5, 15, *FIVE[6:]]}
    assert assessed([nose_is_off], [label])["5"]["eye_centres"]["error"].value == pytest.approx(0.2)
    hidden = {**label, "visibility": [1.0] * 30 + [0.0] + [1.0] * 37}
    assert assessed([nose_is_off], [hidden])["5"]["eye_centres"]["error"].value == 0.0


def test_without_labels_or_without_an_answer_nothing_is_measured():
    for said, note in (
        ({"landmarks_5": FIVE}, "not labelled"),
        ({"landmarks": FIVE}, "not labelled"),
        ({}, "not measurable: the model says nothing of it"),
    ):
        by_eyes = assessed([said], [{}])["5"]["eye_centres"]
        assert (by_eyes["error"].value, by_eyes["error"].note) == (None, note)
        assert by_eyes.get("curve") is None


def test_a_model_that_says_another_number_of_points_than_is_labelled_is_refused():
    with pytest.raises(AssessmentError, match="In row 0 the column 'said_landmarks' holds 10 numbers, not 136"):
        assessed([{"landmarks": FIVE}], [{"landmarks": [1.0] * 136, "landmark_scheme": "68"}])
