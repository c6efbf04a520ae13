"""Memory that a step frees is there for the next one."""

import resource
import sys

import pytest
import torch

from countenance.network.kept_memory import freed_memory_kept

SIZE = 10 * 2**20
TENSORS = 10


def pages_given_for_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    feature_maps = [torch.ones(SIZE) for _ in range(TENSORS)]
    assert len(feature_maps) == TENSORS
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_a_step_takes_the_memory_of_the_last_one_again_and_only_within():
    pages = 4 * SIZE * TENSORS // resource.getpagesize()
    with freed_memory_kept():
        pages_given_for_a_step()
        assert pages_given_for_a_step() < pages / 2
    assert pages_given_for_a_step() >= pages * 0.9
