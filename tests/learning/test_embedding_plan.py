import pytest

from countenance.errors import DataError
from countenance.learning.embedding_plan import EmbeddingPlan, Failure, read_plan, write_plan

PLAN = EmbeddingPlan(
    rows=10, dimension=3, mirrored=True, unit_length=False, block=4, model="a", model_identity="m", crops_identity="c"
)


def test_blocks_cover_every_row_once_and_the_last_is_the_rest():
    assert PLAN.blocks == 3
    assert [list(PLAN.rows_of(block)) for block in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert (PLAN.shape, PLAN.row_bytes) == ((10, 2, 3), 24)


def test_what_is_written_is_read(tmp_path):
    failures = (Failure(3, "Photo ä.jpg (row 3) is truncated."),)
    write_plan(tmp_path / "plan.json", PLAN, failures)
    assert read_plan(tmp_path / "plan.json") == (PLAN, failures)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "countenance embeddings", "version": 2}', "\0"])
def test_a_damaged_description_is_refused(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(DataError, match=r"plan.json describes no embeddings"):
        read_plan(tmp_path / "plan.json")
