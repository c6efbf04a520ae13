"""Repetitions depend on their seed alone, are kept as soon as they are done, and tell error rates of a known truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from countenance.errors import RolloutError
from countenance.rollout.simulation.arms import LEVEL, LOGGED, WORSE, Arm
from countenance.rollout.simulation.repetitions import FILE_NAME
from countenance.rollout.simulation.study import Study, run_study

from ..scenes import policy
from .logs import known_log

NULL, HARM = Arm(name=LEVEL), Arm(name=WORSE, worse=0.02)


def study(**changes: object) -> Study:
    given: dict[str, object] = {
        "log": known_log(requests=1_500, people=400, hours=1.0),
        "policies": {"small": policy(), "one step": policy(steps=(0.5,))},
        "arms": (Arm(name=LOGGED), NULL, HARM),
    }
    return Study(**given | changes)  # type: ignore[arg-type]


def test_a_repetition_depends_on_seed_and_number_alone() -> None:
    once, again = study(), study()
    assert once.repetition(3) == again.repetition(3) != once.repetition(4)
    assert study(seed=8).repetition(3) != once.repetition(3)


def test_another_policy_beside_it_changes_nothing_for_a_policy() -> None:
    alone = study(policies={"small": policy()})
    assert alone.repetition(0)["small", LEVEL] == study().repetition(0)["small", LEVEL]


def test_a_simulation_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = run_study(study(), 4)
    run_study(study(), 2, folder=tmp_path)
    path = tmp_path / FILE_NAME
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"repetition":2,"outco')  # killed while it wrote
    played: list[int] = []

    def track(numbers: list[int]) -> list[int]:
        played.extend(numbers)
        return numbers

    resumed = run_study(study(), 4, folder=tmp_path, track=track)  # type: ignore[arg-type]
    assert played == [2, 3]
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 5
    for cell in (("small", LEVEL), ("one step", "worse"), ("small", LOGGED)):
        assert resumed.of(cell, 4) == whole.of(cell, 4)


def test_repetitions_of_another_simulation_are_not_mixed_in(tmp_path: Path) -> None:
    run_study(study(), 1, folder=tmp_path)
    with pytest.raises(RolloutError, match="another simulation \\(seed differs\\)"):
        run_study(study(seed=8), 1, folder=tmp_path)
    with pytest.raises(RolloutError, match="policies differs"):
        run_study(study(policies={"small": policy(alpha=0.1)}), 1, folder=tmp_path)


def test_a_file_that_holds_no_repetitions_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("not json\n")
    with pytest.raises(RolloutError, match="a line that is no repetition"):
        run_study(study(), 1, folder=tmp_path)


@pytest.mark.slow
def test_several_processes_find_the_same() -> None:
    alone, shared = run_study(study(), 3), run_study(study(), 3, processes=2)
    for cell in (("small", LEVEL), ("one step", "worse")):
        assert alone.of(cell, 3) == shared.of(cell, 3)


def test_what_the_log_cannot_give_is_refused_before_anything_is_played() -> None:
    with pytest.raises(RolloutError, match="Policy 'p' guards group 'east', of whom the log holds nobody"):
        run_study(study(policies={"p": policy(guarded_groups=["north", "east"])}), 1)
    drift = {"drift": {"tail_score": 0.4, "tolerated": 0.001}}
    with pytest.raises(RolloutError, match="no column 'candidate_score', which its drift guard needs"):
        run_study(study(policies={"p": policy(**drift)}), 1)
    with pytest.raises(RolloutError, match="There is no policy"):
        run_study(study(policies={}), 1)


def test_a_candidate_that_is_no_worse_is_seldom_stopped_and_a_worse_one_seldom_promoted() -> None:
    known = study(log=known_log(), policies={"small": policy()}, arms=(NULL, HARM))
    null, worse = known.summaries(run_study(known, 30), 30)
    assert null.error is not None and worse.error is not None
    assert null.error.low <= 0.05 and null.promoted.share > 0.8
    assert worse.error.count <= 3 and worse.stop_hours is not None
    assert null.to_dict()["promoted"]["share"] == null.promoted.share


@pytest.mark.slow
def test_errors_that_come_together_in_people_are_seen_to_break_the_promise() -> None:
    """Every request counts as new evidence, so one person who comes often is believed too much; it must be visible."""
    few = {"common": 0.0, "candidate_alone": 0.0, "champion_alone": 0.0, "persistent": 0.02}
    log = known_log(requests=20_000, people=1_000, hours=10.0, **few)
    known = study(log=log, policies={"small": policy()}, arms=(NULL,))
    (null,) = known.summaries(run_study(known, 60), 60)
    assert null.error is not None and null.error.low > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("people", [200, 20_000])
def test_error_rates_on_known_truth_are_as_the_policy_promises(people: int) -> None:
    log = known_log(requests=20_000, people=people, hours=10.0, seed=people)
    known = study(log=log, policies={"small": policy()}, arms=(NULL, HARM))
    null, worse = known.summaries(run_study(known, 300), 300)
    assert null.error is not None and worse.error is not None
    assert null.error.low <= 0.05 and null.error.share <= 0.06
    assert worse.error.high <= 0.05
