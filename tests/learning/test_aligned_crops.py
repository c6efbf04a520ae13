import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.alignment import FIVE_POINT_TEMPLATE, align
from countenance.data.crop_store import Crop, CropStore, write_crop_store
from countenance.data.photographs import encode_photo
from countenance.data.protocols.face_points import FacePoints
from countenance.data.protocols.row_origins import InMemory, TextFile
from countenance.errors import DataError
from countenance.learning.aligned_crops import (
    LEAST_LIKENESS,
    AlignedPictures,
    EncodedCrops,
    PhotosWithPoints,
    StoredCrops,
    UnusableCropError,
    likeness,
    pack_crops,
)
from tests.conftest import FIVE_POINTS_250, picture, write_jpeg

MIRRORED = [1, 0, 2, 4, 3]


def photos(folder, *names, points=None, origin=None):
    listed = np.array(names, dtype=np.object_)
    given = np.stack([FIVE_POINTS_250] * len(names)) if points is None else np.asarray(points, dtype=np.float32)
    return PhotosWithPoints(folder, FacePoints(listed, given, origin or InMemory("faces")))


def test_a_photo_is_aligned_by_its_points(tmp_path):
    for number in range(2):
        write_jpeg(tmp_path / "a" / f"{number}.jpg", picture(250, 250, seed=number))
    from countenance.data.photographs import decode_photo

    crops = photos(tmp_path, "a/1.jpg", "a/0.jpg")
    assert len(crops) == 2
    photo = decode_photo((tmp_path / "a" / "1.jpg").read_bytes(), name="1")
    np.testing.assert_array_equal(crops.read(0), align(photo, FIVE_POINTS_250))
    assert crops.read(1).shape == (112, 112, 3)
    crops.check()


def test_a_photo_that_does_not_decode_is_named_with_its_row(tmp_path):
    write_jpeg(tmp_path / "0.jpg", picture(250, 250))
    (tmp_path / "1.jpg").write_bytes((tmp_path / "0.jpg").read_bytes()[:900])
    crops = photos(tmp_path, "0.jpg", "1.jpg", "2.jpg")
    with pytest.raises(UnusableCropError, match=r"Photo 1 \(row 1 of the .*\) is truncated or damaged"):
        crops.read(1)
    with pytest.raises(DataError, match=r"Photo 2 \(row 2 of the .*\) cannot be read") as missing:
        crops.read(2)
    assert not isinstance(missing.value, UnusableCropError)  # most likely the wrong folder


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 7.0),
        np.where(np.arange(10).reshape(5, 2) == 3, np.nan, FIVE_POINTS_250),
        np.where(np.arange(10).reshape(5, 2) == 3, np.inf, FIVE_POINTS_250),
        FIVE_POINTS_250[MIRRORED],
        FIVE_POINTS_250 / 200,
    ],
)
def test_points_that_are_no_faces_are_refused_with_their_line_without_a_look_at_any_photo(tmp_path, points):
    (tmp_path / "points.txt").write_text("\n\na\nb\nc\n")
    crops = photos(
        tmp_path, "a", "b", "c", points=[FIVE_POINTS_250, points, points], origin=TextFile(tmp_path / "points.txt")
    )
    told = r"points.txt, line 4, the five points don't lie like a face's"
    with pytest.raises(DataError, match=rf"{told} \(and 1 more like it\): mend the row"):
        crops.check()
    with pytest.raises(UnusableCropError, match=told):
        crops.read(1)


@pytest.mark.parametrize("shift", [-200.0, 250.0, 1e9])
def test_points_outside_of_the_photo_give_no_crop(tmp_path, shift):
    write_jpeg(tmp_path / "0.jpg", picture(250, 250))
    crops = photos(tmp_path, "0.jpg", points=[FIVE_POINTS_250 + np.array([shift, 0])])
    with pytest.raises(UnusableCropError, match="row 0 of the faces, the five points don't l"):
        crops.read(0)


def test_a_face_many_times_its_photo_gives_no_crop(tmp_path):
    write_jpeg(tmp_path / "0.jpg", picture(250, 250))
    crops = photos(tmp_path, "0.jpg", points=[(FIVE_POINTS_250 - FIVE_POINTS_250[0]) * 1e5 + 10])
    with pytest.raises(UnusableCropError, match="don't lie in the photo"):
        crops.read(0)


@given(angle=st.floats(-3.2, 3.2), scale=st.floats(0.1, 100), x=st.floats(-1e3, 1e3), noise=st.integers(0, 2**32 - 1))
def test_a_face_is_like_a_face_wherever_it_is_and_a_mirrored_one_is_not(angle, scale, x, noise):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (FIVE_POINT_TEMPLATE @ turn.T + x).astype(np.float32)
    assert likeness(points[None])[0] == pytest.approx(1, abs=1e-3)
    assert likeness(points[None, MIRRORED])[0] < LEAST_LIKENESS
    shaken = points + np.random.default_rng(noise).normal(0, 2 * scale, (5, 2)).astype(np.float32)
    assert LEAST_LIKENESS < likeness(shaken[None])[0] <= 1 + 1e-6


def test_a_profile_on_one_line_is_still_a_face():
    profile = FIVE_POINT_TEMPLATE.copy()
    profile[:, 0] = 50
    assert likeness(profile[None])[0] == pytest.approx(0.78, abs=0.005)
    assert likeness(np.zeros((0, 5, 2), dtype=np.float32)).shape == (0,)


def test_aligned_pictures_are_taken_as_they_are_and_must_be_of_a_crops_size(tmp_path):
    write_jpeg(tmp_path / "right.jpg", picture(112, 112))
    write_jpeg(tmp_path / "large.jpg", picture(120, 112))
    crops = AlignedPictures(tmp_path, ["right.jpg", "large.jpg"])
    assert crops.read(0).shape == (112, 112, 3)
    with pytest.raises(
        DataError, match=r"Picture 1 \(row 1 of the list\) is 112 x 120 pixels where an aligned crop has"
    ):
        crops.read(1)


def test_a_verification_pack_gives_its_pictures_in_order(tmp_path):
    pictures = [encode_photo(picture(112, 112, seed=seed)) for seed in range(3)] + [b"spoilt"]
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps((pictures, [True, False])))
    crops = pack_crops(tmp_path / "lfw.bin")
    assert len(crops) == 4
    assert np.abs(crops.read(2).astype(int) - picture(112, 112, seed=2)).mean() < 3
    with pytest.raises(UnusableCropError, match=r"Photo 3 of lfw.bin is not an image"):
        crops.read(3)


@pytest.fixture
def store(tmp_path):
    with write_crop_store(tmp_path / "crops", files=2) as writer:
        for number in range(4):
            aligned = None if number == 2 else encode_photo(picture(112, 112, seed=number))
            writer.add(Crop(crop=f"face-{number}", owner=f"owner-{number}", aligned=aligned, box=b"box"))
    return CropStore(tmp_path / "crops")


def test_stored_crops_are_read_by_row(store):
    rows = store.rows(["face-3", "face-0"])
    crops = StoredCrops(store, rows)
    crops.check()
    assert len(crops) == 2 and len(StoredCrops(store)) == 4
    np.testing.assert_array_equal(crops.read(0), store.read("face-3", "aligned"))
    assert crops.identity != StoredCrops(store, rows[::-1]).identity


def test_a_stored_face_without_an_aligned_view_is_refused(store):
    crops = StoredCrops(store, store.rows(["face-0", "face-2"]))
    with pytest.raises(DataError, match="Row 1 of the crops has no aligned view"):
        crops.check()
    with pytest.raises(UnusableCropError, match="Row 1 of the crops has no aligned view"):
        crops.read(1)


def test_identities_follow_names_points_and_contents(tmp_path):
    one = photos(tmp_path, "a", "b").identity
    assert one == photos(tmp_path / "moved", "a", "b").identity
    moved = [FIVE_POINTS_250, FIVE_POINTS_250 + 1]
    others = [photos(tmp_path, "ab", "").identity, photos(tmp_path, "b", "a").identity]
    others += [photos(tmp_path, "a", "b", points=moved).identity, AlignedPictures(tmp_path, ["a", "b"]).identity]
    others += [EncodedCrops([b"a", b"b"], "pack").identity, EncodedCrops([b"ab", b""], "pack").identity]
    assert len({one, *others}) == 7
