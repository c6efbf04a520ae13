import numpy as np
import pytest

from countenance.errors import RolloutError
from countenance.rollout.batch import EvidenceBatch, LabelledBatch, Served

from .statistics.scenes import labels


def test_a_request_is_a_pair_when_both_models_scored_it_and_single_when_only_the_answering_one_did() -> None:
    rows = [(1, 0), (1, -1), (-1, 0), (-1, 0), (0, -1), (-1, -1)]
    batch = labels(rows, by_candidate=[True, True, False, True, False, True])
    assert batch.paired.tolist() == [True, False, False, False, False, False]
    assert batch.single.tolist() == [False, True, True, False, False, False]
    assert len(batch) == 6


def test_an_empty_batch_holds_nothing() -> None:
    assert len(LabelledBatch.empty()) == 0
    assert not LabelledBatch.empty().paired.any()
    assert EvidenceBatch().due == 0


def test_columns_of_different_lengths_are_refused() -> None:
    good = labels([(0, 0), (1, 0)])
    columns = {name: getattr(good, name) for name in good.__dataclass_fields__} | {"mated": np.ones(3, np.bool_)}
    with pytest.raises(RolloutError, match="equal lengths"):
        LabelledBatch(**columns)


def test_an_error_that_is_neither_0_nor_1_is_refused() -> None:
    with pytest.raises(RolloutError, match="'champion_wrong'"):
        labels([(0, 2)])


@pytest.mark.parametrize("weight", [0.5, 0.0, 1001.0, float("nan"), float("inf")])
def test_a_weight_of_no_audit_is_refused(weight: float) -> None:
    with pytest.raises(RolloutError, match="audit with a probability"):
        labels([(0, 0)], weight=weight)


@pytest.mark.parametrize(
    "counts",
    [
        {"scored": 1, "disagreed": 2},
        {"due": 1, "due_by_candidate": 2},
        {"tail_watched": 1, "tail_above": 2},
        {"shadow_dropped": -1},
        {"scored": -1, "disagreed": -1},
    ],
)
def test_counts_that_cannot_be_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(RolloutError, match="count it again"):
        EvidenceBatch(**counts)


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_disagreements_of_no_weight_are_refused(weight: float) -> None:
    with pytest.raises(RolloutError, match="due_disagreed"):
        EvidenceBatch(due=1, due_disagreed=weight)


def test_served_requests_are_added_and_checked() -> None:
    assert Served(requests=5, errors=1, slow=2).plus(Served(requests=3, slow=1)) == Served(requests=8, errors=1, slow=3)
    with pytest.raises(RolloutError, match="errors than requests"):
        Served(requests=1, errors=2)
    with pytest.raises(RolloutError, match="'shadow'"):
        EvidenceBatch(served={"shadow": Served()})
