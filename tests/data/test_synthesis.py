"""Embedded people: same seed same pixels, labels that fit, populations as asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from countenance.configuration import narrow
from countenance.data.head_identity import draw_identity
from countenance.data.head_person import Person, build_person
from countenance.data.photo_assembly import SynthesizedFace, SynthesizedPhoto, assemble_photo
from countenance.data.photo_conditions import Conditions, Habits, draw_conditions
from countenance.data.synthesis import PeopleConfiguration, contact_sheet, synthesize_people
from countenance.errors import ConfigurationError

SMALL = PeopleConfiguration(subjects=12, photos_per_subject=1, scenes=2, photo_size=96, scene_size=(240, 180))
EVEN_TONES = np.full(10, 0.1)


@pytest.fixture(scope="module")
def photos() -> list[SynthesizedPhoto]:
    return list(synthesize_people(SMALL, seed=5, workers=1))


@pytest.fixture(scope="module")
def person() -> Person:
    identity = draw_identity(0, 1, female_share=0.5, tone_shares=np.eye(10)[4])
    plain = replace(identity, hair_style="buzz", beard="none", age_years=30.0)
    return build_person(plain)


def calm(person: Person, **changes: object) -> Conditions:
    """A sharp, frontal, evenly lit photo without anything worn, but for ``changes``."""
    habits = Habits(
        max_yaw_degrees=60.0,
        smile_share=0.0,
        glasses_share=0.0,
        dark_glasses_share=0.0,
        hat_share=0.0,
        badly_lit_strength=0.0,
    )
    drawn = draw_conditions(np.random.default_rng(0), person.identity, habits)
    base = replace(drawn, yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, smile=0.0, open_mouth=0.0, squint=0.0, brows_up=0.0)
    light = np.array([0.0, 0.6, 0.8], np.float32)
    base = replace(base, gaze=(0.0, 0.0), light=light, exposure=1.0, face_scale=1.0, shift=(0.0, 0.0))
    base = replace(base, blur=0.0, motion=0.0, noise=0.0, jpeg_quality=96)
    return replace(base, **changes)  # type: ignore[arg-type]


def photograph(person: Person, **changes: object) -> tuple[np.ndarray, SynthesizedFace]:
    photo = assemble_photo(person, calm(person, **changes), np.random.default_rng(1), size=160, name="test")
    return photo.image.astype(float), photo.faces[0]


def test_the_same_seed_gives_the_same_pixels_and_labels_with_two_workers(photos: list[SynthesizedPhoto]) -> None:
    again = list(synthesize_people(SMALL, seed=5, workers=2))
    assert [photo.name for photo in again] == [photo.name for photo in photos]
    for one, other in zip(photos, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        for face, twin in zip(one.faces, other.faces, strict=True):
            np.testing.assert_array_equal(face.landmarks68, twin.landmarks68)
            assert face.age_years == twin.age_years


def test_a_photo_does_not_depend_on_how_many_people_there_are(photos: list[SynthesizedPhoto]) -> None:
    few = SMALL.model_copy(update={"subjects": 2, "scenes": 0})
    for one, other in zip(photos, synthesize_people(few, seed=5, workers=1), strict=False):
        np.testing.assert_array_equal(one.image, other.image)


def test_another_seed_draws_other_people(photos: list[SynthesizedPhoto]) -> None:
    other = next(iter(synthesize_people(SMALL, seed=6, workers=1)))
    assert np.abs(photos[0].image.astype(int) - other.image).mean() > 10


def test_photos_have_the_asked_number_size_and_names(photos: list[SynthesizedPhoto]) -> None:
    assert len(photos) == 12 + 2
    assert len({photo.name for photo in photos}) == len(photos)
    assert photos[0].image.shape == (96, 96, 3)
    assert photos[0].image.dtype == np.uint8
    assert photos[-1].image.shape == (180, 240, 3)
    assert photos[0].faces[0].subject_id == "person-00000"


def test_boxes_and_visible_landmarks_lie_inside_the_photo(photos: list[SynthesizedPhoto]) -> None:
    for photo in photos:
        height, width, _ = photo.image.shape
        for face in photo.faces:
            x, y, w, h = face.box_xywh
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= height
            for points, visible in ((face.landmarks68, face.visibility68), (face.landmarks5, face.visibility5)):
                shown = points[visible > 0]
                assert ((shown >= 0) & (shown < (width, height))).all()
                assert set(np.unique(visible)) <= {0.0, 1.0}
            assert 8.0 <= face.age_years <= 85.0
            assert abs(face.yaw_deg) <= 60.0
            assert face.gender in ("male", "female")


def test_a_scene_shows_several_people_of_one_bucket(photos: list[SynthesizedPhoto]) -> None:
    scenes = [photo for photo in photos if photo.name.startswith("scene")]
    assert len(scenes) == 2
    for number, scene in enumerate(scenes):
        indices = [int(face.subject_id.removeprefix("person-")) for face in scene.faces]
        assert 2 <= len(indices) == len(set(indices)) <= 6
        assert {index % 10 for index in indices} == {number % 10}


def test_nobody_in_a_scene_hides_anothers_face() -> None:
    many = SMALL.model_copy(update={"subjects": 60, "scenes": 12, "scene_size": (480, 360)})
    scenes = [photo for photo in synthesize_people(many, seed=5, workers=1) if photo.name.startswith("scene")]
    inner = [face.visibility68[17:].mean() for scene in scenes for face in scene.faces]
    assert len(inner) > 30
    assert min(inner) > 0.25  # a far profile shows no more
    assert float(np.mean(np.array(inner) < 0.5)) < 0.05


def test_a_frontal_face_is_laid_out_like_a_face(person: Person) -> None:
    _, face = photograph(person)
    left_eye, right_eye, nose, left_corner, right_corner = face.landmarks5
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_corner[0] < nose[0] < right_corner[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_corner[1], right_corner[1])
    jaw, brows = face.landmarks68[:17], face.landmarks68[17:27]
    assert (np.diff(jaw[:, 0]) > 0).all()
    assert (np.diff(brows[:, 0]) > 0).all()
    assert jaw[8, 1] == jaw[:, 1].max()
    assert face.visibility68.mean() > 0.9
    # Left and right halves mirror each other about the midline, but for the person's own asymmetry.
    middle = (left_eye[0] + right_eye[0]) / 2
    assert jaw[0, 0] + jaw[16, 0] == pytest.approx(2 * middle, abs=2.0)


def test_positive_yaw_turns_the_face_to_the_right_of_the_image(person: Person) -> None:
    for yaw in (25.0, -25.0):
        _, face = photograph(person, yaw_deg=yaw)
        middle = face.landmarks68[[36, 45], 0].mean()
        assert np.sign(face.landmarks5[2, 0] - middle) == np.sign(yaw)
        assert face.yaw_deg == yaw


def test_positive_pitch_looks_up_and_positive_roll_tilts_clockwise(person: Person) -> None:
    level = photograph(person)[1].landmarks5
    up = photograph(person, pitch_deg=20.0)[1].landmarks5
    rolled = photograph(person, roll_deg=20.0)[1].landmarks5
    assert up[2, 1] - up[:2, 1].mean() < level[2, 1] - level[:2, 1].mean()
    slope = np.degrees(np.arctan2(*(rolled[1] - rolled[0])[::-1]))
    assert slope == pytest.approx(20.0, abs=2.5)


def test_the_far_side_is_hidden_at_sixty_degrees(person: Person) -> None:
    _, face = photograph(person, yaw_deg=60.0)
    near, far = face.visibility68[:8], face.visibility68[9:17]
    assert near.mean() > 0.8
    assert far.mean() < 0.3
    assert face.visibility68.mean() < photograph(person)[1].visibility68.mean()


def test_dark_glasses_hide_the_eyes_but_not_the_mouth(person: Person) -> None:
    _, face = photograph(person, glasses="dark")
    assert face.visibility68[36:48].max() == 0.0
    assert face.visibility5.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert photograph(person, glasses="clear")[1].visibility5.min() == 1.0


def test_a_cap_shades_and_clears_nothing_below_the_nose(person: Person) -> None:
    bare, _ = photograph(person)
    capped, face = photograph(person, hat="cap", hat_colour=np.array([0.5, 0.02, 0.02], np.float32))
    x, y = face.landmarks68[27].astype(int)
    assert capped[: y - 25, x - 10 : x + 10, 0].mean() > capped[: y - 25, x - 10 : x + 10, 2].mean() + 30
    assert face.visibility68[48:68].min() == 1.0
    assert not np.array_equal(bare, capped)


def test_a_smile_widens_and_lifts_the_corners_of_the_mouth(person: Person) -> None:
    plain, smile = photograph(person)[1].landmarks68, photograph(person, smile=1.0)[1].landmarks68
    assert smile[54, 0] - smile[48, 0] > 1.1 * (plain[54, 0] - plain[48, 0])
    assert smile[[48, 54], 1].mean() < plain[[48, 54], 1].mean() - 1.0


def test_the_iris_is_drawn_where_the_eye_is_labelled(person: Person) -> None:
    image, face = photograph(person)
    for eye, cheek in ((0, 40), (1, 47)):
        x, y = np.round(face.landmarks5[eye]).astype(int)
        patch = image[y - 1 : y + 2, x - 1 : x + 2].mean()
        x, y = np.round(face.landmarks68[cheek] + (0.0, 9.0)).astype(int)
        assert patch < 0.75 * image[y - 1 : y + 2, x - 1 : x + 2].mean()


def test_lips_are_redder_than_the_chin(person: Person) -> None:
    image, face = photograph(person)
    lip = face.landmarks68[[57, 66]].mean(axis=0).round().astype(int)
    chin = (0.35 * face.landmarks68[57] + 0.65 * face.landmarks68[8]).round().astype(int)
    ratios = [image[y, x, 0] / image[y, x, 1] for x, y in (lip, chin)]
    assert ratios[0] > 1.1 * ratios[1]


def test_a_rare_tone_is_rare_and_the_rest_keeps_its_shares() -> None:
    configuration = PeopleConfiguration(rare_skin_tones=(9, 10), rare_share=0.1)
    shares = configuration.tone_shares()
    assert shares.sum() == pytest.approx(1.0)
    assert shares[9] == pytest.approx(0.1 * shares[0])
    tones = [draw_identity(3, k, female_share=0.5, tone_shares=shares).skin_tone for k in range(400)]
    assert np.mean(np.isin(tones, (9, 10))) == pytest.approx(shares[8] + shares[9], abs=0.015)
    assert np.mean(np.isin(tones, (1, 2))) == pytest.approx(shares[0] + shares[1], abs=0.03)


def test_the_population_has_the_asked_share_of_women_and_all_ages() -> None:
    people = [draw_identity(1, k, female_share=0.3, tone_shares=EVEN_TONES) for k in range(300)]
    assert np.mean([p.gender == "female" for p in people]) == pytest.approx(0.3, abs=0.02)
    ages = np.array([p.age_years for p in people])
    assert ages.min() < 12.0
    assert ages.max() > 78.0


def test_shape_tells_gender_often_but_not_always() -> None:
    people = [draw_identity(2, k, female_share=0.5, tone_shares=EVEN_TONES) for k in range(1200)]
    people = [p for p in people if p.age_years >= 18]
    traits = np.array([list(p.traits.values()) for p in people])
    male = np.array([p.gender == "male" for p in people])
    half = len(people) // 2
    design = np.concatenate([traits, np.ones((len(people), 1))], axis=1)
    weights, *_ = np.linalg.lstsq(design[:half], 2.0 * male[:half] - 1, rcond=None)
    right = ((design[half:] @ weights > 0) == male[half:]).mean()
    assert 0.80 < right < 0.94


def test_badly_lit_people_are_darker_and_others_are_untouched() -> None:
    base = PeopleConfiguration(subjects=6, photos_per_subject=2, scenes=0, photo_size=64)
    unfair = base.model_copy(update={"badly_lit_skin_tones": (6, 7, 8, 9, 10), "badly_lit_strength": 0.9})
    pairs = list(
        zip(synthesize_people(base, seed=4, workers=1), synthesize_people(unfair, seed=4, workers=1), strict=True)
    )
    assert {photo.faces[0].skin_tone > 5 for photo, _ in pairs} == {True, False}
    for fair, changed in pairs:
        if fair.faces[0].skin_tone > 5:
            assert changed.image.mean() < 0.75 * fair.image.mean()
        else:
            np.testing.assert_array_equal(fair.image, changed.image)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"female_share": 1.5}, "female_share"),
        ({"smile_share": -0.1}, "smile_share"),
        ({"skin_tone_shares": {1: 0.5, 2: 0.6}}, "sum to 1"),
        ({"skin_tone_shares": {11: 1.0}}, "1 to 10"),
        ({"rare_skin_tones": (0,)}, "1 to 10"),
        ({"faces_per_scene": (5, 2)}, "fewest"),
        ({"scene_size": (481, 360)}, "even"),
        ({"skin_tone_shares": {3: 1.0}, "rare_skin_tones": (3,), "rare_share": 0.0}, "rare_share"),
        ({"subject": 3}, "subjects"),
    ],
)
def test_a_wrong_configuration_is_refused_with_one_sentence(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refusal:
        narrow(PeopleConfiguration, values, where="parameters_ingestion.yml")
    assert str(refusal.value).count("\n") == 0


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers must be 1 or more"):
        next(iter(synthesize_people(SMALL, seed=0, workers=0)))


def test_a_contact_sheet_lays_photos_out_in_rows(photos: list[SynthesizedPhoto]) -> None:
    singles = photos[:5]
    sheet = contact_sheet(singles, columns=3)
    assert sheet.shape == (2 * 96 + 2, 3 * 96 + 4, 3)
    np.testing.assert_array_equal(sheet[:96, 98:194], singles[1].image)
    marked = contact_sheet(singles, columns=3, draw_landmarks=True)
    assert not np.array_equal(sheet, marked)
    with pytest.raises(ValueError, match="one size"):
        contact_sheet([photos[0], photos[-1]], columns=2)
