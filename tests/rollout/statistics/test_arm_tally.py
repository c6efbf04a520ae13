import numpy as np
import pytest

from countenance.errors import RolloutError
from countenance.rollout.batch import EvidenceBatch
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.statistics.arm_tally import NO_HARM, ArmTally, nulls_of
from countenance.rollout.statistics.arms import Arms, Null, log_block, log_together, starting_wealth
from countenance.rollout.verdict import judge

from .scenes import ARMS, PAIRED, labels, policy, two_arms


def folded(*batches: EvidenceBatch, rules=ARMS) -> EvidenceState:
    state = EvidenceState(key="k")
    for batch in batches:
        state = state.folded(batch, rules)
    return state


def test_wealth_is_multiplied_look_by_look() -> None:
    first = Arms(candidate_wrong=1, candidate_seen=3, champion_wrong=0, champion_seen=2)
    second = Arms(candidate_wrong=0, candidate_seen=1, champion_wrong=2, champion_seen=4)
    tally = ArmTally().folded(first, (NO_HARM,)).folded(second, (NO_HARM,))
    by_hand = starting_wealth(NO_HARM) + log_block(first, Arms(), NO_HARM) + log_block(second, first, NO_HARM)
    assert tally.log_wealth[0] == pytest.approx(tuple(by_hand))
    assert tally.log_e_values((NO_HARM,))[0] == pytest.approx(float(log_together(by_hand)))
    assert tally.seen == first.plus(second)


def test_rows_both_models_scored_are_pairs_and_the_others_arms() -> None:
    state = folded(
        EvidenceBatch(labelled=labels([(1, 0), (0, 0)])), EvidenceBatch(labelled=two_arms([1, 0, 0], [0, 1]))
    )
    assert (state.overall.labelled, state.labelled, state.labelled_by_candidate) == (2, 7, 3)
    assert state.arms["overall"].seen == Arms(candidate_wrong=1, candidate_seen=3, champion_wrong=1, champion_seen=2)
    assert state.labelled_by_stage == {"canary:1": 7}


def test_where_pairs_are_compared_a_request_that_one_model_scored_is_no_evidence() -> None:
    state = folded(EvidenceBatch(labelled=two_arms([1, 0], [0]), due=3), rules=PAIRED)
    assert (state.labelled, state.arms, state.labelled_by_stage) == (0, {}, {})
    assert judge(state, PAIRED).unlabelled_share == 1.0


def test_guarded_groups_and_their_strangers_have_arms_of_their_own() -> None:
    rules = policy(canary_comparison="arms", guarded_groups=("north",), false_match_tolerance=0.02)
    batch = two_arms([1, 0], [0, 0], groups=["north", "south", "north", None], mated=[False, True, True, True])
    state = folded(EvidenceBatch(labelled=batch), rules=rules)
    assert set(state.arms) == {"overall", "group north", "strangers north"}
    assert state.arms["group north"].seen == Arms(
        candidate_wrong=1, candidate_seen=1, champion_wrong=0, champion_seen=1
    )
    assert state.arms["strangers north"].seen.champion_seen == 0
    assert nulls_of("strangers north", rules) == (Null("at most", 0.02),)


def test_arms_audited_with_two_probabilities_in_one_look_are_refused() -> None:
    with pytest.raises(RolloutError, match="one probability"):
        folded(EvidenceBatch(labelled=two_arms([1], [0], weight=[1.0, 5.0])))
    state = folded(*(EvidenceBatch(labelled=two_arms([1], [0], weight=weight)) for weight in (1.0, 5.0)))
    assert state.labelled == 4


def test_arms_survive_json_and_their_size_does_not_grow() -> None:
    generator = np.random.default_rng(0)
    state, sizes = EvidenceState(key="k"), []
    for _ in range(30):
        wrong = (generator.random((2, 50)) < 0.1).astype(int).tolist()
        state = state.folded(EvidenceBatch(labelled=two_arms(*wrong), due=100, due_by_candidate=50), ARMS)
        sizes.append(len(state.to_json()))
    assert EvidenceState.from_json(state.to_json()) == state
    assert max(sizes[5:]) - min(sizes[5:]) < 100
