from dataclasses import replace
from datetime import timedelta

import pytest

from countenance.errors import RolloutError
from countenance.rollout.actions import Promote
from countenance.rollout.approvals import Act, Approval
from countenance.rollout.bootstrap import bootstrap
from countenance.rollout.state import Gate, Stage

from .scenes import NOON, OFFLINE, REGISTRATION, signed


def boot(approval: Approval, *, offline: tuple[Gate, ...] = OFFLINE, replaces: str | None = None):  # type: ignore[no-untyped-def]
    return bootstrap("v1", registration=REGISTRATION, offline=offline, approval=approval, now=NOON, replaces=replaces)


def test_the_first_release_is_promoted_on_its_gates_and_a_signature() -> None:
    state, actions = boot(signed(Act.BOOTSTRAP, "v1"))
    assert (state.stage, state.champion) == (Stage.PROMOTED, None)
    assert actions[0] == Promote("v1", None)
    assert "anna signed 'v1' as the first champion" in state.reason


def test_replacing_a_champion_on_purpose_is_recorded_as_such() -> None:
    state, actions = boot(signed(Act.BOOTSTRAP, "v1"), replaces="v0")
    assert actions[0] == Promote("v1", "v0")
    assert "in place of 'v0', on purpose and without a rollout" in state.reason


@pytest.mark.parametrize("passed", [False, None])
def test_a_gate_that_failed_or_was_not_measured_keeps_it_out(passed: bool | None) -> None:
    with pytest.raises(RolloutError, match="cannot become champion: Gate 'bias'"):
        boot(signed(Act.BOOTSTRAP, "v1"), offline=(Gate(name="bias", passed=passed, detail="index 0.4"),))


def test_no_gate_at_all_keeps_it_out() -> None:
    with pytest.raises(RolloutError, match="No offline gate"):
        boot(signed(Act.BOOTSTRAP, "v1"), offline=())


@pytest.mark.parametrize(
    "approval",
    [
        signed(Act.PROMOTE, "v1"),
        signed(Act.BOOTSTRAP, "v2"),
        replace(signed(Act.BOOTSTRAP, "v1"), at=NOON + timedelta(hours=1)),
    ],
)
def test_a_signature_for_something_else_keeps_it_out(approval: Approval) -> None:
    with pytest.raises(RolloutError, match="sign a bootstrap of 'v1'"):
        boot(approval)
