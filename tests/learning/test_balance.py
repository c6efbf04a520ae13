from collections import Counter

import numpy as np
import pandas as pd
import pytest

from countenance.errors import DataError
from countenance.learning.augmentation import AugmentationConfiguration
from countenance.learning.balance import SAMPLING_WEIGHT, weights_of, with_weights
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.kept_runs import data_digest
from countenance.network.configuration import NetworkConfiguration
from tests.learning.faces import small_world

WEIGHTS = pd.DataFrame({"face_id": ["face-0-0", "face-0-1"], "weight": [3.0, 3.0]})


def dataset(rows: pd.DataFrame, crops: object) -> FaceDataset:
    mix = BatchConfiguration(batch_size=4, identity_share=1, attributes_share=0, localisation_share=0)
    network = NetworkConfiguration(input_size=64, landmark_scheme="5")
    return FaceDataset(rows, crops, network, mix, AugmentationConfiguration(), seed=1)


def test_a_face_comes_as_often_as_its_weight_says_and_one_without_a_weight_once():
    rows, crops = small_world(people=2, photos=2)
    streams = dataset(with_weights(rows, WEIGHTS), crops).streams
    seen = [row for step in range(2) for _, row in streams.batch(step)]
    assert Counter(rows["face_id"].iloc[row] for row in seen) == {
        "face-0-0": 3,
        "face-0-1": 3,
        "face-1-0": 1,
        "face-1-1": 1,
    }


def test_weights_are_part_of_what_a_training_and_a_kept_run_are_known_by():
    rows, crops = small_world(people=2, photos=2)
    weighed = with_weights(rows, WEIGHTS)
    assert weights_of(rows) is None
    assert dataset(weighed, crops).fingerprint() != dataset(rows, crops).fingerprint()
    split = rows.assign(split="train")
    assert data_digest(with_weights(split, WEIGHTS), crops, "5") != data_digest(split, crops, "5")


def test_only_a_column_of_numbers_is_added():
    rows, _ = small_world(people=2, photos=2)
    weighed = with_weights(rows, WEIGHTS)
    assert set(weighed.columns) - set(rows.columns) == {SAMPLING_WEIGHT}
    assert weighed.set_index("face_id")[SAMPLING_WEIGHT].to_dict() == dict.fromkeys(rows["face_id"], 1.0) | {
        "face-0-0": 3.0,
        "face-0-1": 3.0,
    }


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (WEIGHTS.assign(group="dark"), "and nothing else"),
        (WEIGHTS.iloc[:0], "there are no sampling weights"),
        (WEIGHTS.assign(face_id="face-0-0"), "one number of zero or more a face"),
        (WEIGHTS.assign(weight=[1.0, np.nan]), "one number of zero or more a face"),
        (WEIGHTS.assign(weight=[1.0, -1.0]), "one number of zero or more a face"),
    ],
)
def test_a_table_that_is_not_one_number_a_face_is_refused(weights, said):
    rows, _ = small_world(people=2, photos=2)
    with pytest.raises(DataError, match=said):
        with_weights(rows, weights)
