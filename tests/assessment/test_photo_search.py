import json
import math

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.intervals import Resampling
from countenance.assessment.photo_search import assess_photo_search, most_false_faces
from countenance.errors import AssessmentError

from .faces import POINTS, face, manifest

RESAMPLING = Resampling(resamples=20)
BOX = np.array([10.0, 10.0, 40.0, 50.0], dtype=np.float32)
ELSEWHERE = np.array([200.0, 10.0, 40.0, 50.0], dtype=np.float32)


def found(photo: str, box: object = None, score: float = np.nan, **said: object) -> dict[str, object]:
    nothing = dict.fromkeys(
        ("yaw_deg", "pitch_deg", "roll_deg", "smile_probability", "male_probability", "age_years"), np.nan
    )
    return {"photo_sha256": photo, "box_xywh": box, "face_probability": score, "landmarks_5": None, **nothing, **said}


def people(*names: str, split: str = "test") -> list[dict[str, object]]:
    return [face(name, split=split, source="lfw", box_xywh=BOX, landmarks_5=POINTS, gender="male") for name in names]


def test_recall_and_false_faces_are_counted_at_the_threshold_that_the_validation_photos_allow():
    rows = manifest(*people("v1", "v2", split="validation"), *people("t1", "t2", "t3"))
    said = pd.DataFrame([
        # On the validation photos a false face scores .6: one false face in two photos is more than .1 a photo, so
        # the threshold is the next stricter score, .7.
        found("v1", BOX, 0.9), found("v1", ELSEWHERE, 0.6), found("v2", BOX, 0.7),
        found("t1", BOX + 2, 0.8, male_probability=0.9, landmarks_5=POINTS), found("t1", ELSEWHERE, 0.75),
        found("t2", BOX, 0.65), found("t3"),
    ])  # fmt: skip
    report = assess_photo_search(rows, said, RESAMPLING)
    assert (report["threshold"], report["confidence"]) == (0.7, None)  # two photos are too few to be sure
    lfw = report["sources"]["lfw"]
    assert (lfw["photos"], lfw["faces"]) == (3, 3)
    assert lfw["recall"]["value"] == pytest.approx(1 / 3)
    assert lfw["false_faces_per_photo"]["value"] == pytest.approx(1 / 3)
    # Only the one face that was found is read: a male, called male, with every landmark where it belongs.
    assert lfw["tasks"]["gender"] == lfw["tasks"]["gender"] | {"value": 1.0, "count": 1}
    assert lfw["tasks"]["landmarks"]["value"] == 0.0
    assert report["curve"][-1]["recall"] == pytest.approx(2 / 3)
    json.dumps(report, allow_nan=False)


def test_without_a_searched_photo_there_is_nothing_to_assess():
    with pytest.raises(AssessmentError, match="No validation photo was searched"):
        assess_photo_search(manifest(*people("t1")), pd.DataFrame([found("t1")]), RESAMPLING)
    with pytest.raises(AssessmentError, match="No test photo was searched"):
        assess_photo_search(
            manifest(*people("v1", split="validation"), *people("t1")), pd.DataFrame([found("v1")]), RESAMPLING
        )


def test_so_many_false_faces_show_a_rate_as_a_count_of_rare_events_does():
    # Nothing seen in n photos: a rate of r would have shown nothing with probability exp(-r n).
    just_enough = math.ceil(-math.log(0.05) / 0.1)
    assert just_enough == 30
    assert most_false_faces(just_enough, 0.1, 0.95) == 0
    assert most_false_faces(just_enough - 1, 0.1, 0.95) is None
    # One seen: P(X <= 1) = exp(-m) (1 + m) <= .05 from m = 4.744 on.
    assert (most_false_faces(47, 0.1, 0.95), most_false_faces(48, 0.1, 0.95)) == (0, 1)


def test_with_photos_enough_the_threshold_keeps_to_the_limit_with_confidence():
    names = [f"v{number}" for number in range(60)]
    rows = manifest(*people(*names, split="validation"), *people("t1"))
    said = pd.DataFrame([
        *(found(photo, BOX, 0.9) for photo in (*names, "t1")),
        found("v0", ELSEWHERE, 0.5), found("v1", ELSEWHERE, 0.4), found("v2", ELSEWHERE, 0.3),
    ])  # fmt: skip
    # One false face in 60 photos shows at most .1 a photo; by the plain count six would do.
    report = assess_photo_search(rows, said, RESAMPLING)
    assert (report["threshold"], report["confidence"]) == (0.5, 0.95)
    assert assess_photo_search(rows, said, RESAMPLING, confidence=0.5)["threshold"] == 0.3


def test_labelled_angles_are_compared_with_those_of_the_found_face():
    angles = {"yaw_deg": 10.0, "pitch_deg": 0.0, "roll_deg": -5.0}
    rows = manifest(*people("v1", split="validation"), *(row | angles for row in people("t1", "t2")))
    said = pd.DataFrame([
        found("v1", BOX, 0.9),
        found("t1", BOX, 0.9, yaw_deg=13.0, pitch_deg=0.0, roll_deg=-5.0, landmarks_5=POINTS), found("t2"),
    ])  # fmt: skip
    pose = assess_photo_search(rows, said, RESAMPLING)["sources"]["lfw"]["tasks"]["pose"]
    assert (pose["value"], pose["count"]) == (pytest.approx(1.0), 1)
