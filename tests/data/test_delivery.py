import pandas as pd
import pytest

from countenance.data.delivery import merge_one_group
from countenance.data.protected_attributes import subject_key
from countenance.errors import DataError

SECRET = b"a secret of the tests"


def people() -> tuple[pd.DataFrame, pd.DataFrame]:
    manifest = pd.DataFrame(
        {
            "face_id": list("123456"),
            "subject_id": ["a", "b", "c", "c", None, "d"],
            "is_face": [True] * 6,
            "split": ["train"] * 5 + ["test"],
        }
    )
    tones = {"a": "darker", "b": "darker", "c": "lighter", "d": "darker"}
    groups = pd.DataFrame(
        [
            {"subject_key": subject_key(name, "", SECRET), "attribute": "skin_tone", "group": tone, "group_source": "x"}
            for name, tone in tones.items()
        ]
    )
    return manifest, groups


def test_everybody_of_the_group_becomes_one_subject_and_nobody_else_changes():
    faulty = merge_one_group(*people(), attribute="skin_tone", group="darker", secret=SECRET)
    assert faulty["face_id"].tolist() == ["1", "2", "3", "4"]
    assert faulty["subject_id"].tolist() == ["merged:darker", "merged:darker", "c", "c"]


def test_a_group_with_nobody_to_merge_is_refused():
    with pytest.raises(DataError, match="Group 'lighter' of 'skin_tone' has 1 people"):
        merge_one_group(*people(), attribute="skin_tone", group="lighter", secret=SECRET)
