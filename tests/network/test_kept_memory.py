"""Memory that a step frees is there for the next one."""

import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor

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


def pages_given_within_and_afterwards():
    with freed_memory_kept():
        # The heap takes a few steps to settle: where its blocks lie differs from process to process.
        *_, within = [pages_given_for_a_step() for _ in range(5)]
    return within, pages_given_for_a_step()


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_a_step_takes_the_memory_of_the_last_one_again_and_only_within():
    pages = 4 * SIZE * TENSORS // resource.getpagesize()
    # A process of its own: what other tests left in this one's heap would be taken too.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as another:
        within, afterwards = another.submit(pages_given_within_and_afterwards).result()
    assert within < pages / 2
    assert afterwards >= pages * 0.9
