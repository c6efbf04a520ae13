import errno
import json
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import DataError
from countenance.learning.embedding_plan import ARRAY, MARKS, EmbeddingPlan, Failure, described, part_folder
from countenance.learning.shared_embeddings import join_extraction

PLAN = EmbeddingPlan(
    rows=10,
    dimension=3,
    mirrored=True,
    unit_length=False,
    block=4,
    model="made",
    model_identity="m",
    crops_identity="c",
)
VALUES = np.arange(60, dtype=np.float32).reshape(10, 2, 3)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "E.npy"


def do(shared, block, failures=()):
    rows = PLAN.rows_of(block)
    shared.write(rows.start, VALUES[rows.start : rows.stop])
    shared.finish(block, failures)


def do_all(shared):
    while (block := shared.claim(0, 1)) is not None:
        do(shared, block)
    shared.publish()


def test_a_file_is_made_of_its_blocks_and_given_its_name(out):
    with join_extraction(out, PLAN) as shared:
        do_all(shared)
    np.testing.assert_array_equal(np.load(out), VALUES)
    assert described(out) == (PLAN, ())
    assert not part_folder(out).exists()
    assert join_extraction(out, PLAN) is None


def test_each_takes_its_own_share_first_and_then_the_others_from_the_end(out):
    plan = PLAN.__class__(**{**PLAN.__dict__, "block": 1})
    with join_extraction(out, plan) as first, join_extraction(out, plan) as second:
        assert [first.claim(0, 3) for _ in range(4)] == [0, 3, 6, 9]
        assert [second.claim(1, 3) for _ in range(3)] == [1, 4, 7]
        assert [first.claim(0, 3), second.claim(1, 3)] == [8, 5]
        assert [second.claim(1, 3), first.claim(0, 3)] == [2, None]


def test_a_claim_is_given_back_when_its_owner_goes(out):
    with join_extraction(out, PLAN) as first:
        with join_extraction(out, PLAN) as second:
            assert second.claim(0, 1) == 0
            assert first.claim(0, 1) == 1
        assert first.claim(0, 1) == 0


def test_a_finished_block_is_not_claimed_again(out):
    with join_extraction(out, PLAN) as first, join_extraction(out, PLAN) as second:
        do(first, first.claim(0, 1))
        assert second.finished().tolist() == [True, False, False]
        assert second.claim(0, 1) == 1


def test_claims_of_many_threads_never_meet(out):
    plan = EmbeddingPlan(**{**PLAN.__dict__, "rows": 200, "block": 1})
    taken = []

    def take(rank):
        with join_extraction(out, plan) as shared:
            while (block := shared.claim(rank, 4)) is not None:
                shared.write(block, np.zeros((1, 2, 3), dtype=np.float32))
                taken.append(block)
                shared.finish(block)

    threads = [threading.Thread(target=take, args=(rank,)) for rank in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(200))


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["claim", "write", "finish", "stop"])), max_size=40))
def test_whoever_does_what_and_stops_where_the_file_is_the_same(steps):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "E.npy"
        plan = EmbeddingPlan(**{**PLAN.__dict__, "block": 2})
        joined, claimed = [join_extraction(out, plan) for _ in range(3)], [None] * 3
        for rank, step in steps:
            shared, block = joined[rank], claimed[rank]
            if step == "stop":
                shared.__exit__()
                claimed[rank] = None
                joined[rank] = join_extraction(out, plan)
            elif step == "claim" and block is None:
                claimed[rank] = shared.claim(rank, 3)
            elif block is not None:
                rows = plan.rows_of(block)
                # Who stops in between leaves half of a block.
                shared.write(rows.start, VALUES[rows.start : rows.stop if step == "finish" else rows.start + 1])
                if step == "finish":
                    shared.finish(block)
                    claimed[rank] = None
        for shared in joined:
            shared.__exit__()
        with join_extraction(out, plan) as last:
            while (block := last.claim(0, 1)) is not None:
                rows = plan.rows_of(block)
                last.write(rows.start, VALUES[rows.start : rows.stop])
                last.finish(block)
            last.publish()
        np.testing.assert_array_equal(np.load(out), VALUES)


def test_several_may_give_the_file_its_name_and_late_ones_find_it(out):
    with join_extraction(out, PLAN) as first, join_extraction(out, PLAN) as second:
        do_all(first)
        assert second.claim(0, 1) is None
        second.publish()
    np.testing.assert_array_equal(np.load(out), VALUES)


def test_a_file_that_lacks_blocks_is_not_given_its_name(out):
    with join_extraction(out, PLAN) as shared, pytest.raises(ValueError, match="Blocks are missing"):
        shared.publish()
    assert not out.exists()


def test_a_process_that_was_stopped_while_it_cleared_up_leaves_no_mess(out):
    with join_extraction(out, PLAN) as shared:
        do_all(shared)
    part_folder(out).mkdir()
    (part_folder(out) / MARKS).write_bytes(b"\1\1\1")
    assert join_extraction(out, PLAN) is None
    assert not part_folder(out).exists()


def test_a_beginning_that_was_stopped_before_its_plan_is_begun_anew(out):
    part_folder(out).mkdir()
    (part_folder(out) / ARRAY).write_bytes(b"half")
    with join_extraction(out, PLAN) as shared:
        do_all(shared)
    np.testing.assert_array_equal(np.load(out), VALUES)


def test_who_joins_takes_the_block_of_who_began(out):
    with join_extraction(out, PLAN), join_extraction(out, EmbeddingPlan(**{**PLAN.__dict__, "block": 7})) as shared:
        assert shared.plan.block == 4


def test_failures_are_told_in_the_order_of_rows_and_only_of_finished_blocks(out):
    with join_extraction(out, PLAN) as shared:
        blocks = [shared.claim(0, 1) for _ in range(3)]
        do(shared, blocks[2], [Failure(9, "spoilt")])
        do(shared, blocks[0], [Failure(1, "gone"), Failure(2, "spoilt")])
        assert [failure.row for failure in shared.failures()] == [1, 2, 9]
        # Left by one who was stopped before its mark; whoever does the block found nothing wrong.
        (part_folder(out) / "failures" / "1.json").write_text(json.dumps([{"row": 5, "problem": "gone"}]))
        assert len(shared.failures()) == 3
        do(shared, blocks[1])
        assert len(shared.failures()) == 3
        shared.publish()
    assert [failure.row for failure in described(out)[1]] == [1, 2, 9]


def test_a_file_of_another_making_is_never_replaced(out):
    np.save(out, VALUES)
    with pytest.raises(DataError, match=r"E.npy.json, which tells what E.npy holds, is not there"):
        join_extraction(out, PLAN)
    np.testing.assert_array_equal(np.load(out), VALUES)


@pytest.mark.parametrize("name", [ARRAY, MARKS])
def test_a_damaged_beginning_is_refused(out, name):
    with join_extraction(out, PLAN):
        pass
    (part_folder(out) / name).write_bytes(b"\0" * 5)
    with pytest.raises(DataError, match=r"E.npy.part is damaged: remove it"):
        join_extraction(out, PLAN)
    (part_folder(out) / name).unlink()
    with pytest.raises(DataError, match=r"E.npy.part is damaged: remove it"):
        join_extraction(out, PLAN)


def test_no_room_is_told_before_and_while_the_work_goes_on(out, monkeypatch):
    huge = EmbeddingPlan(**{**PLAN.__dict__, "rows": 10**13})
    with pytest.raises(DataError, match=r"E.npy needs 240000.0 GB, but .* GB are free there: make room"):
        join_extraction(out, huge)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with join_extraction(out, PLAN) as shared:
        block = shared.claim(0, 1)
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", full)
            with pytest.raises(DataError, match="cannot be written .No space left on device.: .* is kept"):
                shared.write(0, VALUES[:4])
        do(shared, block)


def test_a_place_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/E.npy cannot be written"):
        join_extraction(tmp_path / "file" / "E.npy", PLAN)
