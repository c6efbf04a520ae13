import math
from dataclasses import replace

import pytest

from countenance.rollout.evidence import Tally
from countenance.rollout.verdict import AlphaSplit, judge, plain_e_value

from .scenes import measured, policy


def test_alpha_is_shared_out_as_the_policy_says() -> None:
    guards = {"latency": {"limit_ms": 200, "tolerated": 0.01}, "drift": {"tail_score": 0.5, "tolerated": 0.001}}
    split = AlphaSplit.of(policy(alpha=0.04, **guards))
    assert (split.overall_harm, split.group_harm) == (pytest.approx(0.016), pytest.approx(0.012))
    assert (split.latency, split.drift, split.non_inferiority) == (pytest.approx(0.006), pytest.approx(0.006), 0.04)


def test_shares_of_guards_that_are_off_go_to_the_others_in_proportion() -> None:
    split = AlphaSplit.of(policy(alpha=0.07))
    assert (split.overall_harm, split.group_harm) == (pytest.approx(0.04), pytest.approx(0.03))
    assert (split.latency, split.drift) == (0.0, 0.0)


def test_without_guarded_groups_overall_harm_has_all_of_alpha() -> None:
    split = AlphaSplit.of(policy(alpha=0.04, guarded_groups=()))
    assert (split.overall_harm, split.group_harm) == (pytest.approx(0.04), 0.0)


def test_nothing_seen_is_neither_harm_nor_a_pass() -> None:
    verdict = judge(measured(), policy())
    assert verdict.harm() is None
    assert not verdict.non_inferior
    assert verdict.disagreement is None and verdict.unlabelled_share is None
    assert verdict.insufficient_groups() == ("north", "south")


def test_a_worse_candidate_is_named_with_its_e_value_and_limit() -> None:
    sentence = judge(measured(overall=Tally(5, 900, 40)), policy()).harm()
    assert sentence is not None and "worse than the champion" in sentence and "limit 35" in sentence


def test_harm_to_one_group_is_found_and_named_while_the_whole_looks_fine() -> None:
    groups = {"north": Tally(60, 3000, 5), "south": Tally(2, 300, 25)}
    verdict = judge(measured(overall=Tally(62, 3300, 30), groups=groups), policy())
    assert not verdict.harmed_overall
    assert [group.verdict for group in verdict.groups] == ["clear", "harmed"]
    assert "group 'south' (25 pairs worse, 2 better" in str(verdict.harm())


def test_harm_to_a_group_is_called_however_few_it_has_but_clear_needs_the_minimum() -> None:
    groups = {"north": Tally(0, 99, 0), "south": Tally(0, 0, 14)}
    verdict = judge(measured(overall=Tally(0, 99, 14), groups=groups), policy(group_minimum=100))
    assert [group.verdict for group in verdict.groups] == ["insufficient", "harmed"]


def test_an_unseen_group_dilutes_the_average_as_an_e_value_of_one() -> None:
    groups = {"north": Tally(0, 0, 5)}
    verdict = judge(measured(overall=Tally(0, 0, 5), groups=groups), policy())
    north = math.exp(verdict.groups[0].log_harm)
    assert math.exp(verdict.log_group_harm or 0.0) == pytest.approx((north + 1) / 2)


def test_shares_are_of_what_was_scored_and_of_what_is_due() -> None:
    verdict = judge(measured(overall=Tally(1, 8, 1), scored=40, disagreed=4, due=20), policy())
    assert verdict.disagreement == pytest.approx(0.1)
    assert verdict.unlabelled_share == pytest.approx(0.5)


@pytest.mark.parametrize(("log_e", "text"), [(0.0, "1"), (math.log(43.21), "43.2"), (math.log(1e9), "1e+9")])
def test_an_e_value_is_written_as_people_read_it(log_e: float, text: str) -> None:
    assert plain_e_value(log_e) == text


def test_fewer_people_turned_away_cannot_hide_strangers_let_in() -> None:
    # In the north 200 fewer errors on mated requests outweigh 150 more false matches: all errors together look better.
    evidence = measured(
        overall=Tally(250, 1500, 200),
        groups={"north": Tally(250, 700, 200), "south": Tally(0, 1000, 0)},
    )
    evidence = replace(evidence, false_matches={"north": Tally(10, 400, 160), "south": Tally(0, 500, 0)})
    verdict = judge(evidence, policy(false_match_tolerance=0.03))
    assert verdict.harmed_in_a_group and not verdict.harmed_overall
    assert verdict.harm() is not None and "160 more let in and 10 fewer" in str(verdict.harm())
    assert [group.verdict for group in verdict.groups] == ["harmed", "clear"]
