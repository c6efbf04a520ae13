from contextlib import closing
from itertools import islice

import pytest
import torch

from countenance.learning import throughput
from countenance.learning.launching import in_processes
from countenance.learning.loop import TrainingLoop
from countenance.learning.schedule import TrainingConfiguration
from countenance.learning.throughput import LOOPS, Throughput, measure_training
from tests.learning.faces import NETWORK


def test_the_ratio_is_the_median_over_the_rounds():
    speeds = {LOOPS[0]: (10.0, 30.0, 20.0), LOOPS[1]: (10.0, 10.0, 10.0), LOOPS[2]: (20.0, 20.0, 20.0)}
    measured = Throughput(images_per_second=speeds, data_wait_share=0.0, batch_size=2, input_size=32, threads=1)
    assert measured.ratio("plain") == 2.0
    assert measured.ratios("plain, channels last").tolist() == [0.5, 1.5, 1.0]


def test_the_plain_loop_learns_the_same_as_ours():
    data = throughput._data(0, 8, 32)
    # The age loss's annealing is the one thing that the plain loop doesn't have: at the start of a long plan it is 0.
    plan = TrainingConfiguration(steps=10**6, warmup_steps=2, threads=1)
    plain, ours = throughput._network(0, NETWORK), throughput._network(0, NETWORK)
    header = throughput._header(0, NETWORK)
    with closing(throughput._plain(plain, header, data, plan, torch.contiguous_format)) as steps:
        assert list(islice(steps, 4)) == [0, 1, 2, 3]

    def work(processes):
        with closing(TrainingLoop(ours, throughput._header(0, NETWORK), data, plan, processes).steps()) as steps:
            list(islice(steps, 4))

    in_processes(work, plan)
    moved = throughput._network(0, NETWORK).state_dict()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, ours.state_dict()[name], atol=1e-4, rtol=1e-3, msg=name)
    assert not torch.equal(moved["trunk.stem.0.weight"], ours.state_dict()["trunk.stem.0.weight"])


@pytest.mark.slow
def test_the_loop_is_as_fast_as_a_plain_one_and_does_not_wait_for_data():
    measured = measure_training(seconds=45.0, batch_size=64, input_size=64, threads=1)
    assert measured.ratio("plain") >= 1.0
    assert measured.ratio("plain, channels last") >= 0.9
    assert measured.data_wait_share < 0.05
