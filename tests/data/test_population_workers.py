"""Work on several processes: in order, with errors passed on, and nobody left behind."""

from __future__ import annotations

import multiprocessing

import pytest

from countenance.data.population_workers import in_order


def halve(number: int) -> float:
    if number == 13:
        raise ValueError("thirteen cannot be halved here")
    return number / 2


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks_and_errors_are_passed_on(workers: int) -> None:
    results = in_order(halve, iter([*range(10), 13, 14]), workers=workers)
    assert [next(results) for _ in range(10)] == [number / 2 for number in range(10)]
    with pytest.raises(ValueError, match="thirteen"):
        next(results)
    assert multiprocessing.active_children() == []


def test_an_abandoned_iteration_ends_its_processes() -> None:
    results = in_order(halve, iter(range(100, 10_000)), workers=2)
    assert next(results) == 50.0
    assert multiprocessing.active_children()
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
