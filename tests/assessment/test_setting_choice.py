import numpy as np
import pandas as pd
import pytest

from countenance.assessment.setting_choice import voted_accuracy

from .faces import face, manifest
from .noisy_students import EVERY, NAMED, SETTINGS, said_by


def of(rows, said):
    return voted_accuracy(rows, said, SETTINGS)


def test_a_person_with_many_photos_has_one_vote_like_the_others():
    # Two photos of a that agree; four of b in two opposite pairs, which b's two mated comparisons of six survive.
    rows = manifest(*(face(f"f{number}", name, "validation") for number, name in enumerate("aabbbb")))
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    said = pd.DataFrame({"face_id": rows["face_id"], "embedding": [north, north, east, east, -east, -east]})
    columns = ("face_probability", "landmarks_5", "yaw_deg", "pitch_deg", "roll_deg", "smile_probability",
               "male_probability", "age_years")  # fmt: skip
    found = of(rows, said.assign(**dict.fromkeys(columns)))
    assert found.people == 2
    # All of a's and a third of b's mated comparisons are accepted; no non-mated one is, as all of those are at 0.
    assert found.value == pytest.approx(((1 + 1 / 3) / 2 + 1) / 2)


def test_the_less_noisy_student_is_better_and_a_much_less_noisy_one_surely():
    alone, weighted, teacher = (of(EVERY, said_by(row, 1)) for row in ("alone", "weighted", "teacher"))
    assert 0.5 < alone.value < weighted.value < teacher.value <= 1.0
    assert teacher.surely_above(alone, 0.9) and not alone.surely_above(teacher, 0.5)
    assert not alone.surely_above(alone, 0.5)


def test_only_what_is_said_of_the_people_for_validation_counts():
    said = said_by("weighted", 1)
    test = said["face_id"].isin(EVERY.loc[EVERY["split"] == "test", "face_id"])
    flipped = [-vector if other else vector for vector, other in zip(said["embedding"], test, strict=True)]
    noise = np.random.default_rng(3).normal(size=(len(said), len(said["embedding"].iloc[0]))).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    spoilt = [drawn if other else vector for vector, drawn, other in zip(flipped, noise, test, strict=True)]
    assert of(EVERY, said).value == of(EVERY, said.assign(embedding=spoilt)).value
    assert of(EVERY, said).people == NAMED.loc[NAMED["split"] == "validation", "subject_id"].nunique()


def test_the_order_of_the_rows_changes_nothing():
    said = said_by("alone", 2)
    assert of(EVERY, said).value == pytest.approx(of(EVERY, said.sample(frac=1, random_state=3)).value)
