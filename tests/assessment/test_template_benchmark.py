import os
from dataclasses import replace
from pathlib import Path

import pytest

from countenance.assessment import template_benchmark
from countenance.assessment.made_up_protocol import ProtocolSize, make_protocol
from countenance.assessment.template_benchmark import STAGES, measure_templates, run_ours, run_plain
from countenance.errors import AssessmentError

SMALL = ProtocolSize(images=400, galleries=(12, 11), probes=80, pairs=1200, mated=70, dimension=16)


def test_both_ways_count_the_same(tmp_path: Path):
    make_protocol(tmp_path, SMALL)
    ours, plain = run_ours(tmp_path), run_plain(tmp_path)
    assert ours.counts == plain.counts
    # 1,130 non-mated pairs: 1e-3 is the first FAR that can be measured.
    assert [count is None for count in ours.accepted] == [True, True, True, False, False, False]
    assert ours.false_accepts[3:] == (1, 11, 113)
    assert set(ours.seconds) == set(STAGES)
    assert ours.total == pytest.approx(sum(ours.seconds[stage] for stage in STAGES[:3]))


@pytest.mark.slow
def test_processes_of_their_own_are_measured_and_growth_too(tmp_path: Path):
    before = dict(os.environ)
    size = ProtocolSize().scaled(1 / 90)
    measured = measure_templates(size, seed=1, growth=True, folder=tmp_path)
    assert measured.identical
    assert [share for share, _ in measured.growth] == [0.25, 0.5, 1.0]
    assert measured.growth[-1][1] == measured.ours
    for way in (measured.plain, measured.ours):
        assert way.peak_mebibytes > way.idle_mebibytes > 0.0
    assert measured.total_ratio == pytest.approx(measured.plain.total / measured.ours.total)
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("repeats", [1, 3])
def test_of_several_runs_in_turns_the_quickest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeats: int):
    protocol = tmp_path / "protocol"
    protocol.mkdir()
    make_protocol(protocol, SMALL)
    counted, seconds, order = run_ours(protocol), iter([5.0, 90.0, 3.0, 80.0, 4.0, 85.0]), []

    def timed(way: object, folder: Path, threads: int) -> template_benchmark.Run:
        order.append(way)
        return replace(counted, seconds=dict.fromkeys(STAGES, next(seconds)))

    monkeypatch.setattr(template_benchmark, "_in_own_process", timed)
    measured = measure_templates(SMALL, repeats=repeats, folder=tmp_path)
    assert order == [run_ours, run_plain] * repeats
    assert (measured.ours.seconds["1:N"], measured.plain.seconds["1:N"]) == ((5, 90) if repeats == 1 else (3, 80))
    assert measured.repeats == repeats


def vanished(folder: Path) -> template_benchmark.Run:
    os._exit(9)


def test_a_process_that_ends_before_its_time_is_told(tmp_path: Path):
    with pytest.raises(AssessmentError, match="ended from outside"):
        template_benchmark._in_own_process(vanished, tmp_path, 1)
