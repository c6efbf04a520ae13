import math

import pytest
import torch

from countenance.learning.task_balance import TaskBalance
from countenance.network.losses import MultiTaskWeights, weighted_sum

WEIGHTS = MultiTaskWeights(face=2.0, age=0.5, smile=0.0)


def losses(**values):
    return {task: torch.tensor(value, requires_grad=True) for task, value in values.items()}


def total(balance, given):
    return balance(balance.weighted(given))


def test_fixed_weights_give_the_weighted_sum_and_have_nothing_to_learn():
    balance, given = TaskBalance(WEIGHTS, "fixed"), losses(face=3.0, age=4.0, smile=100.0)
    assert total(balance, given) == 8.0 == weighted_sum(given, WEIGHTS)
    assert not list(balance.parameters())
    assert balance.curves() == {}


def test_learned_weights_start_as_the_configured_ones():
    balance, given = TaskBalance(WEIGHTS, "uncertainty"), losses(face=3.0, age=4.0)
    assert total(balance, given).item() == pytest.approx(8.0 + 2 * math.log(1.5))
    assert balance.curves()["weight/face"] == pytest.approx(2.0)
    assert "weight/smile" not in balance.curves()


def test_the_uncertainty_of_a_task_settles_where_its_loss_puts_it():
    # d/ds [L / 2s + log(1 + s)] = 0  <=>  2 s^2 = L (1 + s); with L = 4: s = (1 + sqrt(3)) = 2.732.., s = sigma^2
    balance = TaskBalance(MultiTaskWeights(), "uncertainty")
    optimiser = torch.optim.SGD(balance.parameters(), lr=0.5)
    for _ in range(300):
        optimiser.zero_grad()
        total(balance, {"face": torch.tensor(4.0), "age": torch.tensor(0.04)}).backward()
        optimiser.step()
    curves = balance.curves()
    assert 0.5 / curves["weight/face"] == pytest.approx(1 + math.sqrt(3), rel=1e-3)
    assert curves["weight/age"] > curves["weight/face"]


def test_a_task_that_is_absent_or_switched_off_is_not_learned_about():
    balance = TaskBalance(WEIGHTS, "uncertainty")
    total(balance, losses(face=3.0, smile=5.0)).backward()
    touched = balance.log_variance.grad != 0
    assert touched.sum() == 1


def test_the_sum_never_falls_below_zero_however_small_a_loss_is():
    balance = TaskBalance(MultiTaskWeights(), "uncertainty")
    with torch.no_grad():
        balance.log_variance.fill_(-20.0)
    assert total(balance, losses(face=1e-12)).item() > 0
