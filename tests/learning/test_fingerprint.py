from dataclasses import dataclass

import numpy as np
import pytest
import torch

from countenance.learning.fingerprint import fingerprint
from countenance.network.losses import MultiTaskWeights


@dataclass
class Pair:
    left: object
    right: object


def test_equal_parts_have_equal_fingerprints():
    def parts():
        return (
            [1, 2.5, None, True, "a"],
            {"b": np.arange(3), "a": torch.ones(2)},
            Pair("x", np.array(["u", "vw"])),
            MultiTaskWeights(),
            b"bytes",
        )

    assert fingerprint(*parts()) == fingerprint(*parts())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(2, dtype=np.float32), np.zeros(4, dtype=np.float16)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])),
        (["ab", "c"], ["a", "bc"]),
        ({"a": 1}, {"b": 1}),
        (MultiTaskWeights(), MultiTaskWeights(face=2.0)),
        (1, True),
        (np.array([0.0, np.nan]), np.array([0.0, 1.0])),
        (Pair(None, 1), Pair(1, None)),
    ],
)
def test_other_parts_have_other_fingerprints(one, other):
    assert fingerprint(one) != fingerprint(other)


def test_the_memory_layout_of_a_tensor_does_not_count():
    tensor = torch.arange(24.0).view(1, 2, 3, 4)
    assert fingerprint(tensor) == fingerprint(tensor.to(memory_format=torch.channels_last))


def test_something_without_a_fixed_form_is_refused():
    with pytest.raises(TypeError, match="no fingerprint of a set"):
        fingerprint({1, 2})
