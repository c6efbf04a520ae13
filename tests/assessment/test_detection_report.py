import json
import math

import pytest

from countenance.assessment.detection_report import (
    CURVE_POINTS,
    DetectionReport,
    figure_title,
    report_fddb,
    report_found_boxes,
    report_wider_face,
)
from countenance.assessment.intervals import Resampling

QUICK = Resampling(resamples=50)
FACE, OTHER, NOBODY = (0.0, 0.0, 9.0, 9.0), (50.0, 0.0, 9.0, 9.0), (200.0, 200.0, 9.0, 9.0)
ROUND, SQUARE = (10.0, 10.0, 0.0, 50.0, 50.0), (40.0, 40.0, 20.0, 20.0)


def wider(found, scores, easy=((True, False), (False,)), **more) -> DetectionReport:
    subsets = {"easy": easy, "hard": [[True, True], [True]]}
    return report_wider_face([[FACE, OTHER], [FACE]], subsets, found, scores, model="m", resampling=QUICK, **more)


def test_wider_face_by_hand_subset_by_subset():
    # Best first: right .9, false .8, right .7 (not of the easy ones); photo 1 has nothing.
    report = wider([[FACE, NOBODY, OTHER], []], [[0.9, 0.8, 0.7], []])
    assert report.figures["average_precision.easy"].value == 1.0
    # Of three faces: one at precision 1, one at 2/3.
    assert report.figures["average_precision.hard"].value == pytest.approx((1 + 2 / 3) / 3)
    assert report.curves["hard"] == {
        "threshold": (0.9, 0.8, 0.7),
        "recall": (pytest.approx(1 / 3), pytest.approx(1 / 3), pytest.approx(2 / 3)),
        "precision": (1.0, 0.5, pytest.approx(2 / 3)),
    }
    assert report.protocol == {"name": "WIDER FACE", "photos": 2, "faces": 3, "subsets": {"easy": 1, "hard": 3}}


def test_equal_scores_are_one_point_whatever_their_order():
    ahead = wider([[FACE, NOBODY], []], [[0.5, 0.5], []])
    behind = wider([[NOBODY, FACE], []], [[0.5, 0.5], []])
    assert ahead.figures["average_precision.easy"].value == behind.figures["average_precision.easy"].value == 0.5
    assert ahead.curves["easy"]["precision"] == (0.5,)


def test_nothing_found_is_0_and_nothing_labelled_has_no_value():
    report = wider([[], []], [[], []], easy=((False, False), (False,)))
    assert report.figures["average_precision.hard"].value == 0.0
    assert report.figures["average_precision.easy"].note == "not labelled"
    assert list(report.curves) == ["hard"]
    assert report.curves["hard"]["recall"] == ()


def test_the_published_thresholds_are_an_option_that_is_told():
    assert wider([[FACE], []], [[0.9], []]).options["thresholds"] == "every_score"
    assert wider([[FACE], []], [[0.9], []], thresholds="one_thousand").options["thresholds"] == "one_thousand"


def test_fddb_by_hand():
    far = (10.0, 10.0, 0.0, 150.0, 50.0)
    report = report_fddb([[ROUND, far], []], [[SQUARE], [SQUARE]], [[0.9], [0.8]], model=None, resampling=QUICK)
    assert report.figures["discrete.1000"].value == 0.5
    assert report.figures["continuous.100"].value == pytest.approx(math.pi / 8)
    assert report.curves["all"]["false_faces"] == (0.0, 1.0)
    assert report.rates["discrete"][0].true_positives == 1.0
    assert report.options["within_photo"] is False
    within = report_fddb([[ROUND]], [[SQUARE]], [[0.9]], model=None, photo_sizes=[(50, 100)], resampling=QUICK)
    assert within.options["within_photo"] is True


def test_fddb_without_a_labelled_or_a_found_face():
    nobody = report_fddb([[]], [[SQUARE]], [[0.9]], model=None, resampling=QUICK)
    assert {figure.value for figure in nobody.figures.values()} == {None}
    assert nobody.curves == {}
    nothing = report_fddb([[ROUND]], [[]], [[]], model=None, resampling=QUICK)
    assert {figure.value for figure in nothing.figures.values()} == {0.0}


def test_any_labelled_photos_by_hand():
    # Right .9, false .8, right .7 over two photos: .5 false faces a photo from .8 on.
    report = report_found_boxes(
        [[FACE], [FACE]], [[FACE, NOBODY], [FACE]], [[0.9, 0.8], [0.7]], model="m", protocol="ours", resampling=QUICK
    )
    assert report.figures["average_precision.all"].value == pytest.approx((1 + 2 / 3) / 2)
    assert [report.figures[f"recall.{limit}"].value for limit in ("0.01", "0.1", "1")] == [0.5, 0.5, 1.0]
    assert report.curves["all"]["false_per_photo"] == (0.0, 0.5, 0.5)
    empty = report_found_boxes([[]], [[NOBODY]], [[0.9]], model="m", protocol="ours", resampling=QUICK)
    assert {figure.value for figure in empty.figures.values()} == {None}


def test_long_curves_are_thinned_with_both_ends_and_the_quick_gain_of_recall_kept():
    # A hundred faces are found at once, and then nothing but false boxes.
    faces = [(100.0 * face, 0.0, 9.0, 9.0) for face in range(100)]
    scores = [3 + face / 1000 for face in range(100)] + [number / 10_000 for number in range(9_900)]
    report = report_found_boxes(
        [faces], [faces + [NOBODY] * 9_900], [scores], model=None, protocol="ours", resampling=QUICK
    )
    curve = report.curves["all"]
    assert len(curve["threshold"]) <= CURVE_POINTS
    assert (curve["threshold"][0], curve["threshold"][-1]) == (scores[99], 0.0)
    assert sum(recall < 1 for recall in curve["recall"]) > 50


def test_every_report_is_json_and_comes_back_from_it():
    reports = [
        wider([[FACE], []], [[0.9], []]),
        report_fddb([[ROUND]], [[SQUARE]], [[0.9]], model=None, resampling=QUICK),
        report_found_boxes([[FACE]], [[FACE]], [[0.9]], model="m", protocol="ours", resampling=QUICK),
    ]
    for report in reports:
        values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert DetectionReport.from_dict(values).to_dict() == values
        assert (values["kind"], values["version"]) == ("detection", 1)
        assert all(figure_title(name) for name in values["figures"])
