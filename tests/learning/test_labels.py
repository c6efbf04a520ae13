import numpy as np
import pytest

from countenance.errors import DataError
from countenance.learning.labels import labels_of
from tests.learning.faces import FIVE_POINTS, manifest, manifest_row


def test_what_is_null_in_the_manifest_is_nan_and_nobody_is_minus_one():
    labels = labels_of(manifest(manifest_row("a")), landmark_scheme="5")
    for name in ("landmarks", "visibility", "pose_deg", "yaw_range_deg", "smile", "gender", "age_years", "age_std"):
        assert np.isnan(getattr(labels, name)).all(), name
    assert labels.identity.tolist() == [-1]
    assert labels.is_face.tolist() == [1.0]
    assert labels.classes == 0


def test_classes_are_contiguous_over_sorted_subjects():
    rows = [manifest_row(str(index), subject_id=name) for index, name in enumerate(["zoe", None, "ann", "zoe"])]
    labels = labels_of(manifest(*rows), landmark_scheme="5")
    assert labels.identity.tolist() == [1, -1, 0, 1]
    assert labels.classes == 2


def test_unnamed_faces_can_become_classes_of_their_own():
    rows = [manifest_row(str(index), subject_id=name) for index, name in enumerate(["zoe", None, None, "ann"])]
    labels = labels_of(manifest(*rows), landmark_scheme="5")
    more = labels.with_own_classes(np.array([True, False, True, True]))
    assert more.identity.tolist() == [1, -1, 2, 0]
    assert (more.classes, labels.classes) == (3, 2)
    assert labels.identity.tolist() == [1, -1, -1, 0]


def test_labels_are_read_in_the_manifests_units():
    labels = labels_of(
        manifest(
            manifest_row(
                "a", gender="male", smiling=False, age_years=31.5, age_std=4.0, yaw_deg=12.0, yaw_range=[5, 20]
            ),
            manifest_row("b", gender="female", smiling=True),
        ),
        landmark_scheme="5",
    )
    assert labels.gender.tolist() == [1.0, 0.0]
    assert labels.smile.tolist() == [0.0, 1.0]
    assert (labels.age_years[0], labels.age_std[0], labels.pose_deg[0, 0]) == (31.5, 4.0, 12.0)
    assert labels.yaw_range_deg[0].tolist() == [5.0, 20.0]


def test_landmarks_come_in_pixels_of_the_box_crop():
    # 1.6 x 35 = 56 photo pixels become 112: the square starts at (100 + 17.5 - 28, 40 + 17.5 - 28).
    row = manifest_row("a", box_xywh=[100.0, 40.0, 35.0, 35.0], landmarks=[89.5, 29.5] * 5, landmark_scheme="5")
    labels = labels_of(manifest(row), landmark_scheme="5")
    np.testing.assert_allclose(labels.landmarks[0], np.zeros((5, 2)), atol=1e-4)


def test_landmarks_without_a_box_serve_nothing():
    row = manifest_row("a", box_xywh=None, landmarks=FIVE_POINTS, landmark_scheme="5")
    assert np.isnan(labels_of(manifest(row), landmark_scheme="5").landmarks).all()


def test_68_points_serve_a_network_of_five_but_not_the_other_way_round():
    points = np.arange(136, dtype=float)
    visibility = np.ones(68)
    visibility[36:39] = 0.0
    row = manifest_row("a", landmarks=points.tolist(), landmark_scheme="68", visibility=visibility.tolist())
    five = labels_of(manifest(row), landmark_scheme="5")
    np.testing.assert_allclose(five.landmarks[0, 0], points.reshape(68, 2)[36:42].mean(axis=0), atol=1e-4)
    assert five.visibility[0].tolist() == [0.5, 1.0, 1.0, 1.0, 1.0]
    few = manifest_row("b", landmarks=FIVE_POINTS, landmark_scheme="5")
    assert np.isnan(labels_of(manifest(few), landmark_scheme="68").landmarks).all()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"gender": "m"}, "'gender' holds 'm'"),
        ({"landmarks": [1.0, 2.0], "landmark_scheme": "5"}, "'landmarks' holds a list of 2"),
        ({"yaw_range": [1.0]}, "'yaw_range' holds a list of 1"),
    ],
)
def test_a_malformed_label_is_refused_by_its_column(labels, words):
    with pytest.raises(DataError, match=words):
        labels_of(manifest(manifest_row("a", **labels)), landmark_scheme="5")
