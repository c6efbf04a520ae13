import math

import pytest
import torch
from torch import nn

from countenance.learning.interference import GradientStatistics, interference_table
from countenance.learning.record import TrainingRecord
from countenance.learning.tables import curves_table


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.early = nn.Conv2d(1, 2, 1, bias=False)
        self.late = nn.Conv2d(2, 1, 1, bias=False)
        with torch.no_grad():
            self.early.weight.fill_(1.0)
            self.late.weight.fill_(1.0)


def alone(tensors):
    pass


def test_lengths_and_cosines_by_hand_on_the_last_layer_that_all_tasks_share():
    trunk = TwoLayers()
    early = trunk.early(torch.ones(1, 1, 1, 1))  # the weights themselves
    weighted = {
        "left": 3.0 * early[0, 0].sum(),
        "both": early.sum() * 1.0,
        "against": -early[0, 0].sum() + trunk.late(early).sum() * 0.0,
    }
    values = GradientStatistics(trunk)(weighted, alone)
    assert values["gradient/left"] == pytest.approx(3.0)
    assert values["gradient/both"] == pytest.approx(math.sqrt(2.0))
    assert values["gradient_cosine/left/both"] == pytest.approx(1.0 / math.sqrt(2.0))
    assert values["gradient_cosine/left/against"] == pytest.approx(-1.0)
    sum(weighted.values()).backward()  # the graph is still there


def test_layers_that_are_kept_as_they_are_have_no_gradient_to_compare():
    trunk = TwoLayers()
    late = trunk.late(trunk.early.requires_grad_(False)(torch.ones(1, 1, 1, 1)))
    values = GradientStatistics(trunk)({"one": late.sum(), "other": -2.0 * late.sum()}, alone)
    assert values["gradient_cosine/one/other"] == pytest.approx(-1.0)
    loss = nn.Parameter(torch.ones(())) * 2.0
    assert GradientStatistics(trunk.requires_grad_(False))({"one": loss}, alone) == {}


def test_tasks_that_all_use_the_last_layer_are_compared_there():
    trunk = TwoLayers()
    late = trunk.late(trunk.early(torch.ones(1, 1, 1, 1)))
    values = GradientStatistics(trunk)({"one": late.sum(), "other": -2.0 * late.sum()}, alone)
    assert values["gradient/other"] == pytest.approx(2.0 * math.sqrt(2.0))
    assert values["gradient_cosine/one/other"] == pytest.approx(-1.0)


def test_a_task_without_a_gradient_has_a_length_but_no_cosine():
    trunk = TwoLayers()
    late = trunk.late(trunk.early(torch.ones(1, 1, 1, 1))).sum()
    values = GradientStatistics(trunk)({"on": late, "off": 0.0 * late, "constant": torch.tensor(1.0)}, alone)
    assert values == {"gradient/on": pytest.approx(math.sqrt(2.0)), "gradient/off": 0.0}


def test_the_table_puts_the_tasks_that_hinder_each_other_first():
    nan = math.nan
    curves = {
        "loss": (1.0, 1.0, 1.0),
        "gradient/age": (1.0, nan, 2.0),
        "gradient/face": (2.0, nan, 4.0),
        "gradient/pose": (1.0, nan, nan),
        "gradient_cosine/age/face": (0.5, nan, -0.1),
        "gradient_cosine/age/pose": (-0.4, nan, nan),
    }
    table = interference_table(curves)
    assert table["task"].tolist() == ["age", "age"]
    assert table["other"].tolist() == ["pose", "face"]
    assert table["cosine"].tolist() == pytest.approx([-0.4, 0.2])
    assert table["opposed"].tolist() == [1.0, 0.5]
    assert table["length_ratio"].tolist() == [1.0, 0.5]
    assert table["looks"].tolist() == [1, 2]
    record = TrainingRecord(steps=(0, 1, 2), curves=curves, images_seen=1, seconds=1.0, parameters=1)
    assert interference_table(curves_table(record)).equals(table)


def test_without_statistics_the_table_is_empty_but_has_its_columns():
    table = interference_table({"loss": (1.0,)})
    assert table.empty
    assert "cosine" in table
