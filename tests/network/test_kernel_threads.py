"""Kernels on torch's own threads."""

import sys
import threading

import pytest
import torch

from countenance.network.kernel_threads import (
    PROMPT_SECONDS,
    SMALLEST_SHARED,
    _on_threads_of_their_own,
    in_threads,
    lock_handed_over_promptly,
)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_every_part_is_done_once(three_threads):
    done = []
    in_threads(lambda part, parts: done.append((part, parts)), SMALLEST_SHARED)
    assert sorted(done) == [(0, 3), (1, 3), (2, 3)]


def test_the_parts_run_side_by_side(three_threads):
    # Nobody gets past the barrier before all three are there.
    meeting = threading.Barrier(3, timeout=10.0)
    in_threads(lambda part, parts: meeting.wait(), SMALLEST_SHARED)


def test_little_work_is_not_handed_out(three_threads):
    done = []
    in_threads(lambda part, parts: done.append((part, parts, threading.current_thread())), SMALLEST_SHARED - 1)
    assert done == [(0, 1, threading.current_thread())]


def test_what_goes_wrong_in_a_part_is_raised_here(three_threads):
    def work(part, parts):
        if part == 2:
            raise KeyError("part 2")

    with pytest.raises(KeyError, match="part 2"):
        in_threads(work, SMALLEST_SHARED)


def test_where_torch_brings_no_openmp_along_threads_are_started():
    done = []
    _on_threads_of_their_own(lambda part, parts: done.append((part, parts)), 3)
    assert sorted(done) == [(0, 3), (1, 3), (2, 3)]


def test_the_interpreters_lock_is_handed_over_as_before_afterwards():
    before = sys.getswitchinterval()
    with lock_handed_over_promptly():
        assert sys.getswitchinterval() == pytest.approx(PROMPT_SECONDS)
    assert sys.getswitchinterval() == before
