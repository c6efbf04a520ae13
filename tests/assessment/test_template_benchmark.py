import os
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


def vanished(folder: Path) -> template_benchmark.Run:
    os._exit(9)


def test_a_process_that_ends_before_its_time_is_told(tmp_path: Path):
    with pytest.raises(AssessmentError, match="ended from outside"):
        template_benchmark._in_own_process(vanished, tmp_path, 1)
