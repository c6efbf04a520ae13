import itertools
import json
import math

import numpy as np
import pytest

from countenance.errors import RolloutError
from countenance.rollout.batch import EvidenceBatch
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.statistics.weighing import Scale
from countenance.rollout.verdict import judge

from .scenes import PAIRED, differences, policy


def seen(*batches: tuple[list[int], list[float]]) -> EvidenceState:
    state = EvidenceState(key="k")
    for x, weights in batches:
        state = state.folded(EvidenceBatch(labelled=differences(x, weight=weights)), PAIRED)
    return state


def test_weights_are_kept_relative_to_the_largest_so_far() -> None:
    state = seen(([0, 1], [10.0, 1.0]), ([1, -1, 0], [4.0, 2.0, 20.0]))
    assert state.scale == Scale(all=20.0, discordant=4.0)
    # First look: the worse pair weighs 1/10 of all, and is the largest discordant one. Second: 4/20 and 2/20.
    assert state.light["overall"] == {
        "0.1 1": Tally(worse=1),
        "0.2 1": Tally(worse=1),
        "0.1 0.5": Tally(better=1),
    }
    assert state.overall == Tally(better=1, same=2, worse=2)
    assert state.discordant_weight == 7.0
    weighed = state.weighed()
    assert sorted(zip(weighed.worse, weighed.weight, strict=True)) == [(0, 0.1), (0, 1), (1, 0.1), (1, 0.2)]


def test_one_weight_for_all_is_like_no_weight() -> None:
    heavy, plain = seen(([1, 0, -1], [7.0] * 3)), seen(([1, 0, -1], [1.0] * 3))
    assert not heavy.light["overall"] if heavy.light else True
    assert judge(heavy, PAIRED).log_harm == judge(plain, PAIRED).log_harm
    assert judge(heavy, PAIRED).log_non_inferiority == judge(plain, PAIRED).log_non_inferiority


def test_harm_is_judged_at_full_weight_where_every_disagreement_is_audited() -> None:
    audited = seen(([1] * 5 + [0] * 10, [1.0] * 5 + [10.0] * 10))
    everything = seen(([1] * 5 + [0] * 100, [1.0] * 105))
    assert judge(audited, PAIRED).log_harm == pytest.approx(judge(everything, PAIRED).log_harm)


def test_a_lower_weight_speaks_less_loudly() -> None:
    light = seen(([0] * 50 + [-1] * 5, [10.0] * 50 + [1.0] * 5))
    heavy = seen(([0] * 50 + [-1] * 5, [10.0] * 55))
    assert judge(light, PAIRED).log_non_inferiority < judge(heavy, PAIRED).log_non_inferiority


def test_more_than_64_weights_are_refused() -> None:
    with pytest.raises(RolloutError, match="64 different probabilities"):
        seen(([1] * 100, list(np.linspace(1, 50, 100))))


def test_weights_survive_json() -> None:
    state = seen(([0, 1], [10.0, 1.0]), ([1, -1, 0], [4.0, 2.0, 20.0]))
    assert EvidenceState.from_json(state.to_json()) == state
    assert json.loads(state.to_json())["scale"] == {"all": 20.0, "discordant": 4.0}


Step = tuple[tuple[float, float], float, float]
"""Chances that x is +1 and -1, and the audit probabilities of discordant and of other requests."""


def expected(steps: list[Step], margin: float, non_inferiority: bool) -> float:
    """The exact mean e-value over all outcomes and all draws of the audit, a look a request."""
    rules = policy(non_inferiority_margin=margin)
    total = 0.0
    for outcome in itertools.product((-1, 0, 1), (False, True), repeat=len(steps)):
        chance, state = 1.0, EvidenceState(key="k")
        for x, drawn, ((worse, better), discordant, same) in zip(outcome[::2], outcome[1::2], steps, strict=True):
            audit = same if x == 0 else discordant
            chance *= {1: worse, -1: better, 0: 1 - worse - better}[x] * (audit if drawn else 1 - audit)
            if drawn and chance:
                state = state.folded(EvidenceBatch(labelled=differences([x], weight=1 / audit)), rules)
        if chance:
            verdict = judge(state, rules)
            total += chance * math.exp(verdict.log_non_inferiority if non_inferiority else verdict.log_harm)
    return total


@pytest.mark.parametrize("non_inferiority", [False, True])
def test_audited_requests_do_not_gain_on_average_under_the_null(non_inferiority: bool) -> None:
    excess = 0.3 if non_inferiority else 0.0
    steps = [((0.2 + excess, 0.2), 1.0, 1.0), ((0.05 + excess, 0.05), 0.5, 0.125), ((0.3 + excess, 0.3), 0.25, 0.5)]
    assert expected(steps, 0.3, non_inferiority) <= 1 + 1e-12
    assert expected(steps[::-1], 0.3, non_inferiority) <= 1 + 1e-12
