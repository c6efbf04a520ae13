import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.rollout.batch import EvidenceBatch
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.statistics.paired import log_non_inferiority, upper_bound
from countenance.rollout.statistics.worst_case import unlabelled_disagreements, worst_case
from countenance.rollout.verdict import judge

from .scenes import ARMS, PAIRED, differences, policy, two_arms


def pairs(tally: Tally, *, due: int, **counts: float) -> EvidenceState:
    return EvidenceState(key="k", overall=tally, due=due, discordant_weight=tally.discordant, **counts)  # type: ignore[arg-type]


def test_nothing_seen_bounds_nothing() -> None:
    for rules in (PAIRED, ARMS):
        verdict = judge(EvidenceState(key="k"), rules)
        assert (verdict.worst_case.lower, verdict.worst_case.upper, verdict.excess_upper) == (-1.0, 1.0, 1.0)


def test_an_unlabelled_disagreement_counts_against_the_candidate_and_an_agreement_for_nothing() -> None:
    state = pairs(Tally(4, 900, 6), due=1000, due_disagreed=25.0)
    assert unlabelled_disagreements(state) == 15
    assert worst_case(state, PAIRED).upper == upper_bound(4, 975, 21, alpha=0.05)
    assert worst_case(state, PAIRED).lower == -upper_bound(6, 975, 19, alpha=0.05)


def test_without_being_told_all_that_may_be_disagreements_are_reckoned_with() -> None:
    tally = Tally(4, 900, 6)
    assert unlabelled_disagreements(pairs(tally, due=1000, scored=2000, disagreed=30)) == 20  # all that disagree
    assert unlabelled_disagreements(pairs(tally, due=1000, scored=2000, disagreed=300)) == 90  # all without a label
    assert unlabelled_disagreements(pairs(tally, due=1000, scored=10, disagreed=1)) == 90  # not even these are known


def test_a_worst_case_within_the_margin_is_a_worst_case_e_value_beyond_the_limit() -> None:
    state = pairs(Tally(20, 8000, 20), due=8100, due_disagreed=45.0)
    inside = worst_case(state, PAIRED).upper <= PAIRED.non_inferiority_margin
    assert inside == (float(log_non_inferiority(20, 8055, 25, margin=0.01)) >= math.log(20))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([-1, 0, 0, 0, 1]), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 200),
)
def test_no_label_that_comes_later_can_raise_the_worst_case(rows: list[tuple[int, bool]], copies: int) -> None:
    rows = rows * copies
    disagreed = float(sum(x != 0 for x, _ in rows))
    known = EvidenceBatch(
        labelled=differences([x for x, labelled in rows if labelled]), due=len(rows), due_disagreed=disagreed
    )
    everything = EvidenceBatch(labelled=differences([x for x, _ in rows]), due=len(rows), due_disagreed=disagreed)
    before, after = (worst_case(EvidenceState(key="k").folded(each, PAIRED), PAIRED) for each in (known, everything))
    assert before.upper >= after.upper - 1e-5
    assert before.lower <= after.lower + 1e-5


def test_labels_only_for_the_good_cases_leave_the_worst_case_open() -> None:
    # Half of 20,000 requests are labelled, all those on which the candidate was right.
    good = differences([0] * 9900 + [-1] * 100)
    for told in ({"due_disagreed": 400.0}, {"scored": 20_000, "disagreed": 400}, {}):
        state = EvidenceState(key="k").folded(EvidenceBatch(labelled=good, due=20_000, **told), PAIRED)
        verdict = judge(state, PAIRED)
        assert verdict.non_inferior  # by what is labelled alone
        assert verdict.worst_case.upper > PAIRED.non_inferiority_margin
        assert verdict.unlabelled_share == 0.5


def test_labels_only_for_the_good_cases_leave_the_worst_case_open_between_arms() -> None:
    state = EvidenceState(key="k")
    for _ in range(20):
        batch = two_arms([0] * 250, [0] * 490 + [1] * 10)
        state = state.folded(EvidenceBatch(labelled=batch, due=1000, due_by_candidate=500), ARMS)
    verdict = judge(state, ARMS)
    assert verdict.non_inferior
    assert verdict.worst_case.upper >= 0.5


def test_shares_without_a_label_between_arms_by_hand() -> None:
    state = EvidenceState(key="k")
    generator = np.random.default_rng(2)
    for _ in range(40):
        wrong = (generator.random((2, 100)) < 0.02).astype(int).tolist()
        state = state.folded(EvidenceBatch(labelled=two_arms(*wrong), due=200, due_by_candidate=100), ARMS)
    within = worst_case(state, ARMS).upper
    assert within <= 0.01
    # 4,000 of 4,100 and of 5,000 are labelled: (1 - 100/4100) U + max(100/4100, 1000/5000)
    lacking = replace(state, due=9100, due_by_candidate=4100)
    assert worst_case(lacking, ARMS).upper == pytest.approx((1 - 100 / 4100) * within + 0.2)
    # Where nobody told the arms apart all that lack a label may be the candidate's: 1,100 of 5,100.
    unknown = replace(state, due=9100, due_by_candidate=0)
    assert worst_case(unknown, ARMS).upper == pytest.approx((1 - 1100 / 5100) * within + 1100 / 5100)


def test_light_disagreements_without_a_label_weigh_little() -> None:
    batch = differences([0] * 900 + [1] * 5 + [-1] * 5, weight=[10.0] * 900 + [1.0] * 10)
    state = EvidenceState(key="k").folded(EvidenceBatch(labelled=batch, due=920, due_disagreed=20.0), PAIRED)
    assert unlabelled_disagreements(state) == pytest.approx(1.0)  # ten, each a tenth of the largest weight


def test_an_audit_that_is_thinned_out_later_makes_no_earlier_disagreement_lighter() -> None:
    early = EvidenceBatch(labelled=differences([0] * 900), due=960, due_disagreed=60.0)
    state = EvidenceState(key="k").folded(early, PAIRED)
    assert unlabelled_disagreements(state) == 60
    thin = EvidenceBatch(labelled=differences([0], weight=1000.0), due=1, due_disagreed=0.0)
    later = state.folded(thin, PAIRED)
    assert unlabelled_disagreements(later) == 60
    assert unlabelled_disagreements(EvidenceState.from_json(later.to_json())) == 60
    more = later.folded(EvidenceBatch(labelled=differences([1], weight=1.0), due=3, due_disagreed=3.0), PAIRED)
    assert unlabelled_disagreements(more) == pytest.approx(60.002)  # two more, each a thousandth


def test_what_is_due_before_the_first_label_is_weighed_as_the_first_labels_are() -> None:
    state = EvidenceState(key="k").folded(EvidenceBatch(due=20, due_disagreed=20.0), PAIRED)
    batch = differences([0] * 900 + [1] * 10, weight=[10.0] * 900 + [1.0] * 10)
    assert unlabelled_disagreements(state.folded(EvidenceBatch(labelled=batch), PAIRED)) == pytest.approx(1.0)


def test_many_labelled_pairs_of_the_shadow_hide_no_missing_label_of_an_arm() -> None:
    # The champion's labels are those of its errors: 2 % became 20 %, and the candidate errs in 12 % of its requests.
    rules = policy(canary_comparison="arms", non_inferiority_margin=0.05)
    shadow = differences([0] * 200_000, stage="shadow")
    state = EvidenceState(key="k").folded(EvidenceBatch(labelled=shadow, due=200_000, due_disagreed=0.0), rules)
    for _ in range(40):
        batch = two_arms([1] * 12 + [0] * 88, [1] * 20 + [0] * 80)
        state = state.folded(EvidenceBatch(labelled=batch, due=1100, due_by_candidate=100), rules)
    verdict = judge(state, rules)
    assert verdict.non_inferior and verdict.harm() is None
    assert verdict.unlabelled_share is not None and verdict.unlabelled_share < rules.maximum_unlabelled_share
    assert verdict.worst_case.upper >= 0.9
    told = replace(state, due_paired=200_000)
    assert worst_case(told, rules).upper == verdict.worst_case.upper
    # What is missing among pairs is no part of an arm: here all that is.
    of_pairs = replace(state, due_paired=200_000 + 40 * 900)
    assert worst_case(of_pairs, rules).upper <= rules.non_inferiority_margin
