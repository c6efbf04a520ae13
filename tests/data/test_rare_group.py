import pandas as pd
import pytest

from countenance.data.protected_attributes import subject_key
from countenance.data.rare_group import RareGroup, with_rare_group
from countenance.errors import DataError

SECRET = b"a secret of the test"
PEOPLE = [f"p{number:02d}" for number in range(30)]
"""Twenty to train on and ten held out; every other one is dark."""
MANIFEST = pd.DataFrame(
    [
        {
            "face_id": f"{name}-{photo}",
            "subject_id": name,
            "is_face": True,
            "split": "train" if number < 20 else "test",
        }
        for number, name in enumerate(PEOPLE)
        for photo in range(2)
    ]
)
GROUPS = pd.DataFrame(
    {
        "subject_key": [subject_key(name, "", SECRET) for name in PEOPLE],
        "attribute": "tone",
        "group": ["dark" if number % 2 else "light" for number in range(30)],
        "group_source": "test",
    }
)


def thinned(kept: float, seed: int = 1):
    rare = RareGroup(attribute="tone", group="dark", kept=kept)
    return with_rare_group(MANIFEST, GROUPS, rare, secret=SECRET, seed=seed)


def test_most_of_the_group_leave_the_training_with_all_their_photos_and_nobody_else_does():
    left, people = thinned(0.3)
    assert people == {"people": 10, "kept": 3, "others": 10}
    dark = left[(left["split"] == "train") & (left["subject_id"].str[1:].astype(int) % 2 == 1)]
    assert dark["subject_id"].nunique() == 3 and len(dark) == 6
    assert len(left) == len(MANIFEST) - 14
    assert left.columns.tolist() == MANIFEST.columns.tolist()


def test_whoever_is_held_out_stays():
    left, _ = thinned(0.1)
    held_out = MANIFEST[MANIFEST["split"] == "test"]
    pd.testing.assert_frame_equal(left[left["split"] == "test"], held_out)


def test_who_stays_follows_from_the_seed_and_two_stay_at_least():
    again, _ = thinned(0.3)
    pd.testing.assert_frame_equal(thinned(0.3)[0], again)
    assert any(not thinned(0.3, seed)[0].equals(again) for seed in range(2, 5))
    assert thinned(0.01)[1]["kept"] == 2
    assert thinned(1.0)[0].equals(MANIFEST)


def test_a_group_that_is_not_there_is_named():
    rare = RareGroup(attribute="tone", group="green", kept=0.5)
    with pytest.raises(DataError, match="Group 'green' of 'tone' has 0 people to train on"):
        with_rare_group(MANIFEST, GROUPS, rare, secret=SECRET, seed=1)
