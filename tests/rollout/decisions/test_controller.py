from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.decisions import intake
from countenance.rollout.decisions.controller import step
from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.folding import fold
from countenance.rollout.decisions.present import present_evidence
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import Look
from countenance.rollout.state import Gate as OfflineGate
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verification import verify_store

from ..scenes import ANNA, NOON, bootstrapped, hours, policy, signed
from .requests import asked, begun, labelled
from .service import MINUTE, Gate

_MINUTES = 25


def rules(**changes: object) -> RolloutPolicy:
    """Small enough for a few hours of a small gate."""
    small = {"guarded_groups": (), "non_inferiority_margin": 0.05, "maximum_disagreement": 0.3, "label_delay": 60}
    return policy(**small | changes)


def stages(store: RolloutStore, release: str = "v2") -> list[str]:
    record = store.rollout_of(release)
    assert record is not None
    return [event.payload["stage"] for event in store.events(record.id) if "stage" in event.payload]


def last(reports: Iterator[Any]) -> Any:
    return list(reports)[-1]


def test_without_a_champion_a_step_says_so_and_changes_nothing(any_store: RolloutStore) -> None:
    report = step(any_store)
    assert report.idle == "There is no champion yet: bootstrap a first release, which an operator signs."
    assert (report.champion, list(report.sentences()), any_store.events()) == (None, [report.idle], ())


def test_when_nothing_runs_a_step_says_who_answers(service: RolloutStore) -> None:
    assert step(service).idle == "Nothing runs: 'v1' answers everybody."


def test_a_good_candidate_goes_all_the_way_on_decisions_and_labels_alone(any_service: RolloutStore) -> None:
    begun(any_service, under=rules())
    report = None
    for report in Gate(any_service).steps(120):
        if report.idle:
            break
    assert report is not None and report.idle == "Nothing runs: 'v2' answers everybody."
    assert (any_service.champion(), any_service.previous()) == ("v2", "v1")
    assert stages(any_service) == [
        "REGISTERED",
        "VALIDATING",
        "SHADOW",
        "CANARY",
        "CANARY",
        "BAKING",
        "AWAITING_APPROVAL",
        "PROMOTED",
    ]
    record = any_service.rollout_of("v2")
    assert record is not None
    looks = any_service.looks(record.id)
    last_look = looks[-1]
    assert last_look.measured.labelled > 1000 and last_look.hash
    exposed = sum(batch.requests for look in looks for batch in look.batches if batch.release == "v2")
    assert exposed == Cursor.from_json(last_look.cursor).exposed_requests > 0
    assert verify_store(any_service).looks == len(looks)


def test_many_steps_come_to_the_evidence_of_one_look_at_everything(service: RolloutStore) -> None:
    record = begun(service, under=rules(shadow={"labelled": 10**6}))
    gate = Gate(service, labelled=0.8, a_minute=60)
    last(gate.steps(20, rows=50))
    while step(service, now=gate.now, rows=50).behind:
        pass
    whole = fold(service, record, Cursor(), gate.now)
    assert record.policy is not None
    (batch,) = whole.batches
    look = service.latest_look(record.id)
    assert look is not None and look.number > 20
    assert look.measured == EvidenceState(key=record.state.evidence_key).folded(batch, record.policy)
    assert Cursor.from_json(look.cursor) == whole.cursor


def test_a_step_with_nothing_new_takes_no_look_and_still_decides(service: RolloutStore) -> None:
    record = begun(service, under=rules())
    gate = Gate(service)
    last(gate.steps(3))
    late = NOON + hours(1)
    assert step(service, now=late).looks == 1  # labels that became old enough
    assert step(service, now=late).looks == 0
    overdue = step(service, now=NOON + hours(49))
    assert (overdue.looks, overdue.stage) == (0, "INCONCLUSIVE")
    assert "The deadline passed" in overdue.moves[0]
    assert len(service.looks(record.id)) == 4


def test_without_labels_nothing_is_promoted_and_the_report_says_what_is_missing(service: RolloutStore) -> None:
    begun(service, under=rules())
    report = last(Gate(service, labelled=0.0).steps(10))
    assert (report.stage, report.share) == ("SHADOW", 0.0)
    assert report.waits_for[0] == "0 of 400 labelled requests of this stage have matured."
    assert "100% of the requests that are old enough have no label" in report.waits_for[1]


def test_a_worse_candidate_ends_in_its_shadow(service: RolloutStore) -> None:
    begun(service, under=rules(shadow={"labelled": 3000}))
    last(Gate(service, candidate_errors=0.2).steps(15))
    record = service.rollout_of("v2")
    assert record is not None and record.state.stage is Stage.ABORTED
    assert "worse than the champion" in record.state.reason and service.champion() == "v1"


def test_a_candidate_that_fails_to_answer_is_rolled_back_by_the_next_step(service: RolloutStore) -> None:
    begun(service, under=rules(steps=[0.5], errors={"window": 60, "maximum": 10, "share": 0.2}))
    gate, reached = Gate(service), []
    for report in gate.steps(60):
        reached.append(report.stage)
        if report.stage == "CANARY":
            gate._fails = 0.6  # from now on
        if report.stage == "ROLLED_BACK":
            break
    assert reached[-2:] == ["CANARY", "ROLLED_BACK"]
    assert "The error breaker tripped" in service.events()[-1].payload["reason"]


def test_a_failed_gate_of_the_registration_record_rejects(service: RolloutStore) -> None:
    failed = (OfflineGate(name="size", passed=False, detail="9 MB of 5 MB"),)
    service.start("v2", rules(), evidence_key="key", now=NOON, registration=failed)
    report = step(service, now=NOON)
    assert (report.stage, report.moves) == ("REJECTED", ("Gate 'size' failed: 9 MB of 5 MB.",))


def test_gates_that_nobody_ran_keep_a_candidate_where_it_is(service: RolloutStore) -> None:
    service.start("v2", rules(), evidence_key="key", now=NOON)
    report = step(service, now=NOON)
    assert (report.stage, report.waits_for) == ("REGISTERED", ("No registration gate has been run.",))


def test_of_two_controllers_one_does_nothing_and_says_so(any_service: RolloutStore) -> None:
    begun(any_service, under=rules(), now=any_service.now())
    lease = any_service.lease("the other one", timedelta(minutes=1))
    report = step(any_service)
    assert report.idle.startswith("Nothing was done: 'the other one' holds the lease")
    assert stages(any_service) == ["REGISTERED"]
    any_service.release_lease(lease)
    assert step(any_service).moves == ("Every registration gate passed.", "Every offline gate passed.")
    any_service.release_lease(any_service.lease("the next one", timedelta(minutes=1)))  # it was let go


def test_a_pause_holds_and_an_abort_ends_whatever_the_evidence_says(service: RolloutStore) -> None:
    begun(service, under=rules())
    gate = Gate(service)
    last(gate.steps(5))
    service.command(signed(Act.PAUSE, "v2", gate.now), now=gate.now)
    report = last(gate.steps(20))
    assert (report.stage, len(report.waits_for)) == ("PAUSED", 1)
    service.command(signed(Act.ABORT, "v2", gate.now), now=gate.now)
    assert last(gate.steps(1)).idle == "Nothing runs: 'v1' answers everybody."


def test_whoever_waits_is_started_when_the_active_one_has_ended(service: RolloutStore) -> None:
    begun(service, under=rules())
    queueing = rules(on_active="queue")
    assert start_queued(service, "v3", queueing) is None
    gate = Gate(service)
    for report in gate.steps(120):
        if report.release == "v3":
            break
    assert report.moves[0] == "'v3' was registered as a candidate against champion 'v2'."
    record = service.active()
    assert record is not None and (record.state.release, record.state.champion) == ("v3", "v2")
    assert report.stage == "SHADOW"  # its gates waited with it


def start_queued(store: RolloutStore, release: str, under: RolloutPolicy) -> Any:
    try:
        return begun(store, release, under=under)
    except AssertionError:
        return None


def test_a_candidate_whose_gallery_belongs_to_an_earlier_champion_must_enrol_it_again(service: RolloutStore) -> None:
    from countenance.rollout.decisions.papers import ReleasePapers, papers_of
    from countenance.rollout.decisions.starting import start_release
    from countenance.rollout.preconditions import Preconditions

    begun(service, under=rules(shadow={"labelled": 1}, step={"labelled": 1}, bake={"labelled": 1}))
    measured = Preconditions(
        embedding_space="v3", champion_space="v1", cross_model_tar=0.99, required_tar=0.9, threshold=0.4
    )
    start_release(
        service,
        "v3",
        threshold=0.4,
        champion_threshold=0.5,
        policy=rules(on_active="queue"),
        papers=ReleasePapers(preconditions=measured),
        now=NOON,
    )
    gate = Gate(service)
    for report in gate.steps(120):
        if report.release == "v3":
            break
    record = service.active()
    assert record is not None
    known = papers_of(service, record).preconditions
    assert known is not None and (known.champion_space, known.cross_model_tar) == ("v2", None)
    assert "Nobody measured" in known.unmet()[0]
    again = papers_of(service, record, re_enrolled=["v3"]).preconditions
    assert again is not None and again.unmet() == ()


class Killed(RolloutStore):
    """A store whose process dies at a chosen write of a step."""

    left = 10**9

    def _die(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def observe(self, *given: Any, **named: Any) -> str:
        self._die()  # after the fold, before anything is kept
        return super().observe(*given, **named)

    def move(self, *given: Any, **named: Any) -> Any:
        self._die()  # after the look, before the move
        return super().move(*given, **named)


def history(store: RolloutStore) -> list[Any]:
    return [(event.kind, event.payload.get("stage"), event.at) for event in store.events()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Look]:
    """History and last look of a rollout whose controller was never killed."""
    path = tmp_path_factory.mktemp("undisturbed") / "rollouts.db"
    with RolloutStore.open(f"sqlite:///{path}", keys=[ANNA]) as store:
        bootstrapped(store)
        record = begun(store, under=rules())
        last(Gate(store).steps(_MINUTES))
        look = store.latest_look(record.id)
        assert look is not None and store.champion() == "v2"
        return history(store), look


@pytest.mark.parametrize("write", [1, 2, 6, 11, 16])
def test_a_step_that_was_killed_at_any_write_is_made_up_for_by_the_next(
    tmp_path: Path, undisturbed: tuple[list[Any], Look], write: int
) -> None:
    with Killed.open(f"sqlite:///{tmp_path / 'killed.db'}", keys=[ANNA]) as killed:
        bootstrapped(killed)
        record = begun(killed, under=rules())
        gate, killed.left = Gate(killed), write
        for _ in range(_MINUTES):
            gate.minute()
            try:
                step(killed, now=gate.now)
            except KeyboardInterrupt:
                step(killed, now=gate.now)
            gate.sign()
        expected, look = undisturbed
        again = killed.latest_look(record.id)
        assert killed.left <= 0 and again is not None
        assert history(killed) == expected
        assert (again.number, again.measured, again.cursor) == (look.number, look.measured, look.cursor)


def test_a_killed_controllers_lease_runs_out_and_its_token_is_refused(service: RolloutStore) -> None:
    record = begun(service, under=rules())
    dead = service.lease("a controller that was killed", timedelta(minutes=2), now=NOON)
    assert step(service, now=NOON + MINUTE).idle.startswith("Nothing was done")
    assert step(service, now=NOON + 3 * MINUTE).stage == "SHADOW"
    with pytest.raises(RolloutError, match="no longer the newest"):
        service.move(record, record.state, (), now=NOON + 3 * MINUTE, token=dead.token)


def test_what_the_controller_would_decide_on_can_be_read_without_a_step(service: RolloutStore) -> None:
    record = begun(service, under=rules())
    decisions = [asked(by_candidate=True) for _ in range(3)]
    intake.record(service, [*decisions, asked(by_candidate=True, candidate_match=None, failed=True)], now=NOON)
    labelled(service, decisions, now=NOON)
    step(service, now=NOON + 10 * MINUTE)
    service.beat(epoch=1, now=NOON + 10 * MINUTE)
    before = service.events()
    evidence = present_evidence(service, record, now=NOON + 0.5 * MINUTE)
    assert evidence.measured.overall.labelled == 3 and evidence.exposed_requests == 4
    assert evidence.breaker is not None and (evidence.breaker.requests, evidence.breaker.errors) == (4, 1)
    assert evidence.heartbeat_at == NOON + 10 * MINUTE and evidence.registration[0].name == "sha256"
    assert service.events() == before


def test_an_event_of_the_same_moment_is_no_broken_clock_and_a_clock_put_back_is(service: RolloutStore) -> None:
    started = service.now()
    record = begun(service, under=rules(), now=started)
    beaten = present_evidence(
        service, record, now=started - timedelta(seconds=1)
    ).clock  # an event came since `now` was read
    assert beaten is not None and beaten.database >= beaten.last_event == started
    ahead = begun_later(service, hours(2))
    with pytest.raises(RolloutError, match="clock"):
        step(service)  # the database's clock was put back by two hours
    assert stages(service, "v3") == ["REGISTERED"] and ahead is not None


def begun_later(store: RolloutStore, by: timedelta) -> Any:
    return begun(store, "v3", under=rules(on_active="supersede"), now=store.now() + by)


def test_a_report_tells_the_step_in_sentences_and_in_json(service: RolloutStore) -> None:
    begun(service, under=rules())
    report = step(service, now=NOON)
    told = list(report.sentences())
    assert told[:3] == [
        "Every registration gate passed.",
        "Every offline gate passed.",
        "The rollout of 'v2' is SHADOW and answers 0.00% of the traffic.",
    ]
    assert report.to_dict()["stage"] == "SHADOW" and report.to_dict()["at"] == NOON.isoformat()
