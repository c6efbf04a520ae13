import numpy as np
import pytest
import torch

from countenance.learning.readings import read_faces, with_mirror_image
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


def test_attributes_are_means_over_the_views_of_a_face_and_their_mirror_images(network):
    rows, reader = small_world(people=1, photos=1)
    readings = read_faces(network, rows[:1], reader)
    crops = reader.crops["face-0-0"]
    views = [CANONICAL_WARP[view].image(crops[view], 32) for view in ("aligned", "box")]
    with torch.inference_mode():
        said = network(to_network_input(np.stack([turned for view in views for turned in (view, view[:, ::-1])])))
    assert readings.age_years[0] == pytest.approx(said.age_years.mean().item(), abs=1e-4)
    assert readings.male_probability[0] == pytest.approx(said.gender_logit.sigmoid().mean().item(), abs=1e-5)
    assert readings.smile_probability[0] == pytest.approx(said.smile_logit.sigmoid().mean().item(), abs=1e-5)


def test_a_face_with_one_view_is_read_from_that_alone(network):
    rows, reader = small_world(people=1, photos=1)
    del reader.crops["face-0-0"]["aligned"]
    readings = read_faces(network, rows[:1], reader)
    view = CANONICAL_WARP["box"].image(reader.crops["face-0-0"]["box"], 32)
    with torch.inference_mode():
        said = network(to_network_input(np.stack([view, view[:, ::-1]])))
    assert readings.age_years[0] == pytest.approx(said.age_years.mean().item(), abs=1e-4)


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


def test_what_is_said_of_the_mirror_image_is_turned_back_before_it_is_averaged():
    configuration = NETWORK
    torch.manual_seed(0)
    network = AllInOneNetwork(configuration).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        said, mirrored = network(images), network(images.flip(3))
    both, swapped = with_mirror_image(said, mirrored, configuration), with_mirror_image(mirrored, said, configuration)
    # Reading the mirror image first gives the mirror image of the answer: eyes change places, yaw and roll their sign.
    last = 31 / 32
    torch.testing.assert_close(both.landmarks[:, 0, 0], last - swapped.landmarks[:, 1, 0])
    torch.testing.assert_close(both.landmarks[:, 2, 1], swapped.landmarks[:, 2, 1])
    torch.testing.assert_close(both.pose_deg, swapped.pose_deg * torch.tensor([-1.0, 1.0, -1.0]))
    torch.testing.assert_close(both.face_logit, swapped.face_logit)
    assert torch.equal(both.embedding, said.embedding)
