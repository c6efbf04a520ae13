import numpy as np
import pytest
import torch

from countenance.learning.readings import read_faces
from countenance.learning.views import CANONICAL_WARP, to_network_input
from countenance.network.allinone import AllInOneNetwork
from tests.learning.faces import NETWORK, manifest, manifest_row, small_world


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return AllInOneNetwork(NETWORK).eval()


def test_a_reading_is_nan_exactly_where_a_face_has_no_crop_for_it(network):
    rows, reader = small_world(people=2)
    readings = read_faces(network, rows, reader, batch_size=3)
    aligned = np.array(["aligned" in reader.crops[key] for key in rows["crop"]])
    box = np.array(["box" in reader.crops[key] for key in rows["crop"]])
    with_box = box & rows["box_xywh"].notna().to_numpy()
    assert (np.isnan(readings.embedding).any(axis=1) == ~aligned).all()
    assert (np.isnan(readings.face_probability) == ~box).all()
    assert (np.isnan(readings.pose_deg).any(axis=1) == ~box).all()
    assert (np.isnan(readings.landmarks).any(axis=(1, 2)) == ~with_box).all()
    for attribute in (readings.age_years, readings.male_probability, readings.smile_probability):
        assert (np.isnan(attribute) == ~(aligned | box)).all()


def test_the_embedding_is_the_unit_sum_of_the_crop_and_its_mirror_image(network):
    rows, reader = small_world(people=1, photos=1)
    readings = read_faces(network, rows[:1], reader)
    view = CANONICAL_WARP["aligned"].image(reader.crops["face-0-0"]["aligned"], 32)
    images = to_network_input(np.stack([view, view[:, ::-1]]))
    with torch.inference_mode():
        outputs = network(images)
    total = outputs.embedding.sum(dim=0)
    np.testing.assert_allclose(readings.embedding[0], (total / total.norm()).numpy(), atol=1e-5)
    assert readings.age_years[0] == pytest.approx(outputs.age_years.mean().item(), abs=1e-4)
    assert readings.male_probability[0] == pytest.approx(outputs.gender_logit.sigmoid().mean().item(), abs=1e-5)


def test_batch_size_and_order_change_nothing(network):
    rows, reader = small_world(people=3)
    whole = read_faces(network, rows, reader, batch_size=64)
    backwards = read_faces(network, rows[::-1].reset_index(drop=True), reader, batch_size=2)
    for name in vars(whole):
        np.testing.assert_allclose(getattr(backwards, name)[::-1], getattr(whole, name), atol=1e-4, err_msg=name)


def test_landmarks_come_back_in_photo_pixels(network):
    _, reader = small_world(people=1, photos=1)
    here = manifest_row("face-0-0", box_xywh=[21.0, 21.0, 70.0, 70.0])
    there = manifest_row("face-0-0", box_xywh=[1042.0, 2042.0, 140.0, 140.0])
    near, far = read_faces(network, manifest(here, there), reader).landmarks
    # The same crop cut from a square that is twice as large and elsewhere.
    np.testing.assert_allclose(far, 2 * near + (1000, 2000), atol=1e-2)
    # An untrained network puts all points near the middle of the box.
    np.testing.assert_allclose(near.mean(axis=0), [56, 56], atol=10)
