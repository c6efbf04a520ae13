import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import ModelError
from countenance.learning.methods.refo import RefoStyle, RefoStyleHeader


def test_the_loss_is_the_squared_distance_between_unit_vectors_and_names_do_not_count():
    ours = RefoStyleHeader(RefoStyle(weight=3.0))
    embedding = torch.tensor([[3.0, 4.0], [0.0, 2.0], [1.0, 1.0]])
    teacher = torch.tensor([[0.0, 1.0], [1.0, 0.0], [math.nan, 0.0]])
    # (0.6, 0.8) to (0, 1): 0.36 + 0.04; (0, 1) to (1, 0): 2; the mean is 1.2.
    for labels in ([0, 1, -1], [500, 500, -1]):
        assert ours(embedding, torch.tensor(labels), teacher).item() == pytest.approx(3 * 1.2)
    assert ours.curves == {"teacher_agreement": pytest.approx(0.4)}
    assert not list(ours.parameters()) and not ours.state_dict()


@given(st.integers(0, 10_000))
def test_the_loss_is_twice_one_minus_the_agreement(seed):
    generator = torch.Generator().manual_seed(seed)
    embedding, teacher = torch.randn(2, 5, 7, generator=generator)
    ours = RefoStyleHeader(RefoStyle(weight=1.0))
    loss = ours(embedding, torch.zeros(5, dtype=torch.int64), teacher)
    assert loss.item() == pytest.approx(2 * (1 - ours.curves["teacher_agreement"]), abs=1e-5)
    assert 0.0 <= loss.item() <= 4.0 + 1e-6


def test_a_missing_or_damaged_teacher_is_refused_and_a_batch_without_a_class_teaches_nothing():
    ours, embedding, labels = RefoStyleHeader(RefoStyle()), torch.ones(2, 3), torch.tensor([0, 1])
    with pytest.raises(ModelError, match="no teacher features"):
        ours(embedding, labels, None)
    with pytest.raises(ModelError, match="zero or not finite"):
        ours(embedding, labels, torch.full((2, 3), math.inf))
    assert ours(embedding, torch.tensor([-1, -1]), None) is None
