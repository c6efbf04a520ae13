import pytest
import torch
from torch import nn

from countenance.learning.averaging import WeightAverage


def network(value):
    layers = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    with torch.no_grad():
        layers[0].weight.fill_(value)
    return layers


def follow(layers, average, values):
    for value in values:
        with torch.no_grad():
            layers[0].weight.fill_(value)
            layers[1].running_mean.fill_(10 * value)
        average.update()


def test_an_average_by_hand():
    layers = network(1.0)
    average = WeightAverage(layers, 0.15)
    follow(layers, average, [2.0, 4.0])
    # d = min(.15, 1/10), then min(.15, 2/11): 0.1 * 1 + 0.9 * 2 = 1.9; 0.15 * 1.9 + 0.85 * 4 = 3.685
    assert average.state_dict()["0.weight"].item() == pytest.approx(3.685)
    average.put_into_network()
    assert layers[0].weight.item() == pytest.approx(3.685)


def test_running_statistics_are_averaged_with_the_weights_and_counters_are_left_alone():
    layers = network(1.0)
    average = WeightAverage(layers, 0.15)
    follow(layers, average, [2.0, 4.0])
    layers[1].num_batches_tracked.fill_(7)
    average.put_into_network()
    assert layers[1].running_mean.item() == pytest.approx(0.15 * 18.0 + 0.85 * 40.0)
    assert layers[1].num_batches_tracked.item() == 7


def test_a_restored_average_goes_on_as_if_it_had_never_stopped():
    values = [0.3, -1.0, 2.0, 5.0]
    whole_network, broken_network = network(1.0), network(1.0)
    whole, broken = WeightAverage(whole_network, 0.9), WeightAverage(broken_network, 0.9)
    follow(whole_network, whole, values)
    follow(broken_network, broken, values[:2])
    fresh = WeightAverage(broken_network, 0.9)
    fresh.load_state_dict(broken.state_dict(), updates=2)
    follow(broken_network, fresh, values[2:])
    assert torch.equal(whole.state_dict()["0.weight"], fresh.state_dict()["0.weight"])
