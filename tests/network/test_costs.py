import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import (
    TASK_OUTPUTS,
    Cost,
    cost_of,
    cost_rows,
    count_multiply_adds,
    describe_costs,
    measure_milliseconds,
    repeated_milliseconds,
    task_costs,
)

TINY = NetworkConfiguration(
    input_size=32, widths=(1, 2, 3, 4), depths=(0, 0, 0, 0), embedding_dimension=5, identity_width=6, fused_width=2,
    local_width=3, global_width=7, landmark_scheme="5",
)  # fmt: skip

# By hand, as weights x cells of the output. A convolution with its normalisation and PReLU has 3 more parameters a
# channel, one without PReLU 2; the trunk's taps lie on 8, 4 and 2 cells a side, the stem on 16.
TRUNK = [(3 * 9 * 1, 256), (1 * 9 * 2, 64), (2 * 9 * 3, 16), (3 * 9 * 4, 4)]
TRUNK_PARAMETERS = sum(weights for weights, _ in TRUNK) + 3 * (1 + 2 + 3 + 4)
TRUNK_MULTIPLY_ADDS = sum(weights * cells for weights, cells in TRUNK)
FUSION = [(2 * 16 * 2, 4), (3 * 4 * 2, 4), ((2 + 2 + 4) * 2, 4)]
FUSION_PARAMETERS = sum(weights for weights, _ in FUSION) + 3 * (2 + 2 + 2)
FUSION_MULTIPLY_ADDS = sum(weights * cells for weights, cells in FUSION)
LOCAL = 2 * 4 * 3
PROPOSALS = [(2 * 9 * 4, 4), (4 * 1, 4), (4 * 4, 4)]


def test_single_task_networks_of_a_hand_counted_configuration():
    alone = task_costs(TINY).alone
    local = TRUNK_PARAMETERS + FUSION_PARAMETERS + LOCAL + 3 * 3
    local_adds = TRUNK_MULTIPLY_ADDS + FUSION_MULTIPLY_ADDS + LOCAL
    proposals = sum(weights for weights, _ in PROPOSALS) + 3 * 4 + 1 + 4
    proposals_adds = sum(weights * cells for weights, cells in PROPOSALS)
    whole, whole_adds = TRUNK_PARAMETERS + 4 * 7 + 3 * 7, TRUNK_MULTIPLY_ADDS + 4 * 7
    identity = TRUNK_PARAMETERS + (4 * 6 + 3 * 6) + (6 * 4 + 2 * 6) + 6 * 5 + 2 * 5
    assert alone == {
        "detection": Cost(local + (3 + 1) + proposals, local_adds + 3 + proposals_adds),
        "landmarks": Cost(local + (3 * 10 + 10) + (3 * 5 + 5), local_adds + 30 + 15),
        "pose": Cost(local + 3 * 3 + 3, local_adds + 9),
        "smile": Cost(local + 3 + 1, local_adds + 3),
        "gender": Cost(whole + 7 + 1, whole_adds + 7),
        "age": Cost(whole + 7 + 1, whole_adds + 7),
        "identity": Cost(identity, TRUNK_MULTIPLY_ADDS + 4 * 6 * 4 + 6 * 4 + 6 * 5),
    }


def test_the_one_network_has_every_layer_once():
    costs = task_costs(TINY)
    shared = TRUNK_PARAMETERS + FUSION_PARAMETERS + LOCAL + 9
    heads = sum(costs.alone[task].parameters - shared for task in ("detection", "landmarks", "pose", "smile"))
    whole = costs.alone["gender"].parameters - 8 - TRUNK_PARAMETERS
    identity = costs.alone["identity"].parameters - TRUNK_PARAMETERS
    assert costs.together.parameters == shared + heads + whole + 2 * 8 + identity


def test_the_sum_is_that_of_the_seven():
    costs = task_costs(TINY)
    assert set(costs.alone) == set(TASK_OUTPUTS)
    assert len(costs.alone) == 7
    assert costs.sum_alone == Cost(
        sum(cost.parameters for cost in costs.alone.values()), sum(cost.multiply_adds for cost in costs.alone.values())
    )


@pytest.mark.parametrize("trunk", ["mobilefacenet", "iresnet100"])
@pytest.mark.parametrize("age_head", ["scalar", "distribution"])
def test_any_trunk_is_compared_without_computing_anything(trunk, age_head):
    state = torch.get_rng_state()
    costs = task_costs(NetworkConfiguration(trunk=trunk, input_size=112, age_head=age_head, task_width=4))
    assert costs.together.parameters < costs.sum_alone.parameters < 7 * costs.together.parameters
    assert torch.equal(torch.get_rng_state(), state)


def test_a_local_task_alone_does_without_the_layers_behind_its_taps():
    configuration = NetworkConfiguration(trunk="mobilefacenet", input_size=112, task_width=4)
    costs = task_costs(configuration)
    # conv_6_sep: 128 x 512 weights on 7 x 7 cells.
    recogniser = costs.alone["identity"].multiply_adds - 512 * 49 - 512 * 128
    assert recogniser - costs.alone["smile"].multiply_adds < 128 * 512 * 49


def test_the_rows_are_multiples_of_the_one_network():
    rows = {row["network"]: row for row in cost_rows(task_costs(TINY))}
    assert len(rows) == 9
    assert rows["all seven tasks"]["parameters_ratio"] == 1.0
    together, alone = rows["all seven tasks"], rows["identity alone"]
    assert alone["multiply_adds_ratio"] == alone["multiply_adds"] / together["multiply_adds"]
    assert rows["seven networks together"]["parameters_ratio"] > 2.0


def test_the_costs_are_plain_numbers_for_a_metrics_file():
    costs = task_costs(TINY)
    told = json.loads(json.dumps(costs.to_dict()))
    assert told["together"] == {
        "parameters": costs.together.parameters,
        "multiply_adds": costs.together.multiply_adds,
    }
    assert set(told["alone"]) == set(TASK_OUTPUTS)
    for amount in ("parameters", "multiply_adds"):
        assert told["sum_alone"][amount] == sum(cost[amount] for cost in told["alone"].values())


def test_the_sentence_for_the_report():
    said = describe_costs(NetworkConfiguration(trunk="iresnet50", input_size=112, embedding_dimension=512))
    assert said.startswith("One network for seven tasks has 43.96 million parameters and needs 6316.2 million")
    assert said.endswith("(5.2 times) and need 44112.9 million (7.0 times).")


def test_a_layer_that_runs_twice_is_counted_twice():
    layer = nn.Linear(4, 4)
    assert count_multiply_adds(nn.Sequential(nn.Conv2d(3, 1, 4, 4), nn.Flatten(), layer, layer), 8) == 48 * 4 + 2 * 16


def test_the_cost_of_a_configuration_is_that_of_its_network():
    assert cost_of(TINY) == task_costs(TINY).together


def test_identity_alone_is_compared_with_itself():
    costs = task_costs(TINY.model_copy(update={"tasks": "identity"}))
    assert costs.alone == {"identity": costs.together}
    assert costs.together == task_costs(TINY).alone["identity"]


def test_work_is_repeated_after_a_warm_up_that_is_not_measured():
    done = []
    taken = repeated_milliseconds(lambda: done.append(None), repetitions=4, warm_up=3)
    assert len(done) == 7 and taken.shape == (4,) and (taken >= 0).all()


@pytest.mark.parametrize("tasks", [pytest.param("all", marks=pytest.mark.slow), "identity"])
def test_the_exported_network_is_timed_and_left_as_it_was(tasks):
    network = AllInOneNetwork(TINY.model_copy(update={"tasks": tasks})).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = measure_milliseconds(network, threads=1, repetitions=3, warm_up=1)
    assert 0 < found.low <= found.median <= found.high
    assert (found.threads, found.repetitions) == (1, 3)
    assert network.training and all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_nothing_is_loaded_for_timing_until_it_is_asked_for():
    code = "import sys, countenance.network.costs; print('onnxruntime' in sys.modules, 'onnx' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]
