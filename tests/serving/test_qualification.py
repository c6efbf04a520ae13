import json

import pytest

from countenance.errors import ModelError
from countenance.network.costs import count_parameters
from countenance.serving.qualification import GOLDEN_PROBES, LARGEST_DIFFERENCE, qualify

from .conftest import tiny_network


def test_an_export_is_measured_weighed_and_compared_with_its_network(qualified):
    network, model, measured = qualified
    assert measured["model_bytes"] == len(model)
    assert measured["parameters"] == count_parameters(network)
    assert (measured["input_size"], measured["embedding_dimension"]) == (32, 8)
    assert 0 <= measured["golden_probe_difference"] <= LARGEST_DIFFERENCE
    assert measured["inference"]["batch_size"] == 1
    assert 0 < measured["inference"]["low_ms"] <= measured["inference"]["high_ms"]
    assert GOLDEN_PROBES >= 16
    json.dumps(measured, allow_nan=False)


def test_the_multiply_adds_are_those_of_the_layers(qualified):
    measured = qualified[2]
    # Each stage halves the side: 3x3 convolutions from 3, 8, 8, 8 channels to 8 on squares of 16, 8, 4 and 2.
    trunk = 9 * 8 * (3 * 16**2 + 8 * 8**2 + 8 * 4**2 + 8 * 2**2)
    # Local: 4x4 and 2x2 convolutions to 4 channels, 1x1 fusion of 16 to 4, on squares of 2; then 16 to 8.
    local = 2**2 * (16 * 8 * 4 + 4 * 8 * 4 + 16 * 4) + 16 * 8
    # Identity: 1x1 from 8 to 8 on squares of 2, one 2x2 kernel a channel, 8 to 8; and what gender and age share.
    identity, whole = 2**2 * 8 * 8 + 8 * 2**2 + 8 * 8, 8 * 4
    # Heads: face, 10 coordinates, 5 visibilities, 3 angles and a smile from 8 numbers; gender and age from 4.
    heads = 8 * (1 + 10 + 5 + 3 + 1) + 4 * 2
    # Proposals: 3x3 from 4 to 8 on squares of 2, then a score and four numbers a cell.
    proposals = 2**2 * (9 * 4 * 8 + 8 * 5)
    assert measured["multiply_adds"] == trunk + local + identity + whole + heads + proposals


def test_a_network_whose_answers_overflow_is_refused_and_the_head_is_named():
    network = tiny_network()
    network.age.weight.data.fill_(3e38)
    with pytest.raises(ModelError, match="age_years is not finite on golden probes"):
        qualify(network, seed=1)
