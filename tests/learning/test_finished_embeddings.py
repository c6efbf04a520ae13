import threading

import numpy as np
import pytest

from countenance.errors import DataError
from countenance.learning import finished_embeddings
from countenance.learning.embedding_extraction import extract_embeddings
from countenance.learning.embedding_plan import Failure, description_path, part_folder
from countenance.learning.finished_embeddings import (
    embedding_plan,
    finished_blocks,
    finished_values,
    read_embeddings,
)
from countenance.learning.shared_embeddings import join_extraction
from tests.learning.embedding_workers import CellSums, NumberedCrops
from tests.learning.test_shared_embeddings import PLAN, VALUES, do, do_all


@pytest.fixture
def out(tmp_path):
    return tmp_path / "E.npy"


def gathered(blocks):
    """The blocks put together, and which rows failed; every block must come once."""
    values, failed = np.full(VALUES.shape, np.nan, dtype=np.float32), np.zeros(len(VALUES), dtype=bool)
    for block in blocks:
        rows = slice(block.first_row, block.first_row + len(block.values))
        assert np.isnan(values[rows]).all()
        values[rows], failed[rows] = block.values, block.failed
    return values, failed


def test_what_is_finished_can_be_read_before_the_rest_is(out):
    with join_extraction(out, PLAN) as shared:
        blocks = [shared.claim(0, 1) for _ in range(3)]
        assert list(finished_blocks(out, wait=False)) == []
        do(shared, blocks[1], [Failure(5, "spoilt")])
        (block,) = finished_blocks(out, wait=False)
        assert (block.first_row, block.failed.tolist()) == (4, [False, True, False, False])
        np.testing.assert_array_equal(block.values, VALUES[4:8])


def test_a_reader_follows_to_the_end_also_when_the_file_is_given_its_name_meanwhile(out, monkeypatch):
    monkeypatch.setattr(finished_embeddings, "_LOOK_EVERY_S", 0.01)
    with join_extraction(out, PLAN) as shared:
        following = finished_blocks(out)
        do(shared, shared.claim(0, 1), [Failure(1, "spoilt")])
        blocks = [next(following)]
        do(shared, shared.claim(0, 1))
        do(shared, shared.claim(0, 1), [Failure(8, "spoilt")])
        blocks.append(next(following))
        shared.publish()
        blocks += following
    values, failed = gathered(blocks)
    np.testing.assert_array_equal(values, VALUES)
    assert np.flatnonzero(failed).tolist() == [1, 8]


def test_a_finished_file_is_followed_like_one_in_the_making(out):
    with join_extraction(out, PLAN) as shared:
        do_all(shared)
    np.testing.assert_array_equal(gathered(finished_blocks(out))[0], VALUES)
    np.testing.assert_array_equal(gathered(finished_blocks(out, wait=False))[0], VALUES)


def test_sums_made_along_the_way_are_those_of_the_file(out, monkeypatch):
    monkeypatch.setattr(finished_embeddings, "_LOOK_EVERY_S", 0.001)
    total = np.zeros((2, 5))

    def embed():
        extract_embeddings(NumberedCrops(200), CellSums(), out, batch_size=2, block=4)

    embedder = threading.Thread(target=embed)
    embedder.start()
    while not (out.exists() or part_folder(out).joinpath("plan.json").exists()):
        pass
    for block in finished_blocks(out):
        total += block.values.sum(axis=0, dtype=np.float64)
    embedder.join()
    np.testing.assert_allclose(total, np.load(out).sum(axis=0, dtype=np.float64))


def test_a_reader_gives_up_where_nobody_is_at_work(out, monkeypatch):
    monkeypatch.setattr(finished_embeddings, "_LOOK_EVERY_S", 0.01)
    with join_extraction(out, PLAN) as shared:
        do(shared, shared.claim(0, 1))
    following = finished_blocks(out, give_up_after_s=0.05)
    assert next(following).first_row == 0
    with pytest.raises(DataError, match=r"No block of .*E.npy was finished for 0.05 s"):
        next(following)


def test_nothing_and_half_and_damaged_files_are_told_apart(out):
    with pytest.raises(DataError, match=r"E.npy is not there"):
        read_embeddings(out)
    with pytest.raises(DataError, match=r"Neither .*E.npy nor a beginning of it is there"):
        next(finished_blocks(out))
    with join_extraction(out, PLAN) as shared:
        with pytest.raises(DataError, match=r"E.npy is not finished"):
            read_embeddings(out)
        do_all(shared)
    np.save(out, VALUES[:4])
    with pytest.raises(DataError, match=r"holds \(4, 2, 3\) float32 where \(10, 2, 3\) float32 belong"):
        read_embeddings(out)
    out.write_text("no array")
    with pytest.raises(DataError, match="is no .npy file"):
        read_embeddings(out)
    description_path(out).unlink()
    with pytest.raises(DataError, match=r"E.npy.json, which tells what E.npy holds, is not there"):
        read_embeddings(out)


def test_plan_and_values_can_be_read_before_and_after_the_file_has_its_name(out):
    with join_extraction(out, PLAN) as shared:
        assert embedding_plan(out) == PLAN
        do(shared, shared.claim(0, 1))
        np.testing.assert_array_equal(finished_values(out)[:4], VALUES[:4])
        do_all(shared)
    assert embedding_plan(out) == PLAN
    np.testing.assert_array_equal(finished_values(out), VALUES)
    with pytest.raises(DataError, match="nor a beginning of it is there"):
        embedding_plan(out.with_name("other.npy"))
    with pytest.raises(DataError, match="nor a beginning of it is there"):
        finished_values(out.with_name("other.npy"))
