import json
from pathlib import Path

import pytest

from countenance.commands import main
from countenance.rollout.decisions.benchmark import ControllerBenchmark


def test_the_benchmark_prints_a_line_for_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "controller", "--decisions", "400", "900", "--steps", "1", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["decisions"] for line in lines] == [400, 900]
    assert main(["bench", "controller", "--decisions", "300", "--steps", "2"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["decisions", "median", "ms"] and line.split()[0] == "300"


def test_a_store_that_has_grown_is_caught_up_with_before_steps_are_timed(any_url: str) -> None:
    with ControllerBenchmark(any_url, seed=1) as benchmark:
        small, larger = benchmark.measure(1000, steps=2), benchmark.measure(7000, steps=2)
    assert (small.decisions, larger.decisions) == (1000, 7000)
    assert small.new_rows == "100-1000" and larger.processor_ms > 0


@pytest.mark.slow
def test_a_step_on_a_million_decisions_takes_less_than_200_ms_and_no_more_memory(tmp_path: Path) -> None:
    """Of the processor, since tests share the machine; ``countenance bench controller`` tells the time by the clock."""
    with ControllerBenchmark(f"sqlite:///{tmp_path / 'rollouts.db'}", seed=7) as benchmark:
        first, last = benchmark.measure(20_000, steps=10), benchmark.measure(1_000_000, steps=10)
    assert last.processor_ms < 200
    assert last.processor_ms < 2 * first.processor_ms
    assert last.peak_mebibytes < first.peak_mebibytes + 30
