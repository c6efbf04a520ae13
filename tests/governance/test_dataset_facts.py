import pandas as pd
import pytest

from countenance.governance.dataset_facts import dataset_facts, derived_gaps, size_category

from .declarations import manifest

ROWS = (
    {"subject_id": "anna", "gender": "female", "age_years": 17.9, "yaw_deg": -44.0, "consent_id": "c-1"},
    {"subject_id": "anna", "gender": "female", "age_years": 18.0, "yaw_deg": 14.9},
    {"subject_id": "ben", "gender": "male", "age_years": 70.0, "yaw_deg": 45.0, "split": "test"},
    {"is_face": False, "split": "test"},
    {"source": "photographed", "license": "research-only", "purpose": "research", "split": "validation"},
)
GROUPS = pd.DataFrame({"face_id": ["face-2", "face-4"], "skin_tone": ["darker", "lighter"]})


def facts(*rows, smallest_group=1):
    return dataset_facts(manifest(*(rows or ROWS)), GROUPS, smallest_group=smallest_group)


def coverage(found, attribute):
    return {
        row["group"]: (row["train"], row["validation"], row["test"])
        for row in found["coverage"]
        if row["attribute"] == attribute
    }


def test_sources_and_splits_are_counted():
    found = facts()
    assert found["rows"] == 5
    drawn, photographed = found["sources"]["drawn"], found["sources"]["photographed"]
    assert (drawn["rows"], drawn["faces"], drawn["background"], drawn["subjects"]) == (4, 3, 1, 2)
    assert (drawn["with_consent_id"], drawn["with_expiry"], drawn["labels"]["gender"]) == (1, 0, 3)
    assert (photographed["licenses"], photographed["purposes"]) == (["research-only"], ["research"])
    assert [(split["faces"], split["background"], split["subjects"]) for split in found["splits"]] == [
        (2, 0, 1),
        (1, 0, 0),
        (1, 1, 1),
    ]


def test_people_and_photos_in_several_splits_are_counted():
    assert facts()["shared"] == {"subjects": 0, "photos": 0}
    shared = facts(*ROWS, {"subject_id": "anna", "split": "test", "photo_sha256": f"{2:064x}"})["shared"]
    assert shared == {"subjects": 1, "photos": 0}
    assert facts(*ROWS, {"split": "test", "photo_sha256": f"{1:064x}"})["shared"]["photos"] == 1


def test_bands_hold_their_lower_end_and_unlabelled_faces_are_counted_apart():
    ages = coverage(facts(), "age label")
    assert ages == {
        "under 18": ("1", "0", "0"),
        "18 to 39": ("1", "0", "0"),
        "65 and over": ("0", "0", "1"),
        "not labelled": ("0", "1", "0"),
    }
    assert coverage(facts(), "yaw label")["profile, over 45°"] == ("0", "0", "1")
    assert coverage(facts(), "yaw label")["half turned, 15° to 45°"] == ("1", "0", "0")


def test_protected_groups_are_counted_for_test_faces_only():
    assert coverage(facts(), "skin_tone (protected)") == {"darker": ("not read", "not read", "1")}


def test_groups_of_few_faces_are_not_counted_out():
    assert coverage(facts(smallest_group=2), "gender label")["female"] == ("2", "0", "0")
    assert coverage(facts(smallest_group=2), "gender label")["male"] == ("0", "0", "fewer than 2")


def test_gaps_follow_from_the_numbers():
    gaps = derived_gaps(facts())
    assert "No face of photographed is labelled for age." in gaps
    assert "Of gender label, male has no face in the train split." in gaps
    assert not any("drawn is labelled for gender" in gap for gap in gaps)
    assert "The validation split has no face." in derived_gaps(facts(*ROWS[:4]))


@pytest.mark.parametrize(("rows", "word"), [(999, "n<1K"), (1000, "1K<n<10K"), (5490, "1K<n<10K"), (10**7, "n>10M")])
def test_the_hub_has_a_word_for_each_size(rows, word):
    assert size_category(rows) == word
