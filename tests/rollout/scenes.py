"""What the tests of this room share: a clock, a key, gates, policies and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from countenance.rollout.advance import advance
from countenance.rollout.approvals import Act, Approval, OperatorKey
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.policy import RolloutPolicy, StageMinimum
from countenance.rollout.records import RolloutRecord
from countenance.rollout.state import Evidence, Gate, Stage
from countenance.rollout.store import RolloutStore

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ANNA = OperatorKey("anna", b"a secret of anna's, 32 bytes long")
SALT = b"the salt of this model"
GROUPS = ("north", "south")
REGISTRATION = (Gate(name="sha256", passed=True, detail="every file has its hash"),)
OFFLINE = (Gate(name="accuracy", passed=True, detail="TAR 0.99 at FAR 0.001"),)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def policy(**changes: object) -> RolloutPolicy:
    small = {
        "steps": (0.05, 0.25),
        "shadow": StageMinimum(labelled=400),
        "step": StageMinimum(labelled=300),
        "bake": StageMinimum(labelled=300),
        "label_delay": hours(0.1),
        "deadline": hours(48),
        "guarded_groups": GROUPS,
    }
    return RolloutPolicy.model_validate(small | changes)


def signed(act: Act, subject: str, at: datetime = NOON, reason: str = "It was looked at.") -> Approval:
    return ANNA.sign(act, subject=subject, at=at, reason=reason)


def bootstrapped(store: RolloutStore, release: str = "v1", at: datetime = NOON) -> None:
    store.bootstrap(
        release,
        registration=REGISTRATION,
        offline=OFFLINE,
        approval=signed(Act.BOOTSTRAP, release, at),
        now=at,
        replaces=store.champion(),
    )


def measured(
    key: str = "key",
    overall: Tally | None = None,
    groups: Mapping[str, Tally] | None = None,
    by_stage: int = 10_000,
    **changes: int,
) -> EvidenceState:
    """Evidence of so many outcomes, counted for every stage alike."""
    overall = overall or Tally()
    stages = ("shadow", "canary:1", "canary:2", "baking")
    counts = {"scored": overall.labelled, "disagreed": overall.discordant, "due": overall.labelled} | changes
    return EvidenceState(
        key=key,
        overall=overall,
        groups=groups or {},
        labelled_by_stage=dict.fromkeys(stages, by_stage),
        **counts,
    )


def good_evidence(key: str = "key") -> EvidenceState:
    """Enough for everything: clearly non-inferior, and both groups well covered."""
    return measured(key, Tally(30, 8000, 10), {"north": Tally(15, 4000, 5), "south": Tally(15, 4000, 5)})


def step(store: RolloutStore, record: RolloutRecord) -> RolloutRecord:
    """One decision on good evidence, taken and stored."""
    assert record.policy is not None
    evidence = Evidence(
        measured=good_evidence(),
        registration=REGISTRATION,
        offline=OFFLINE,
        approvals=store.approvals(record.id),
    )
    after, actions = advance(record.state, evidence, record.policy, LATER)
    return store.move(record, after, actions, now=LATER, measured=evidence.measured)


def started(store: RolloutStore, release: str = "v2", **changes: object) -> RolloutRecord:
    return store.start(release, policy(**changes), evidence_key="key", now=NOON)


def led_to(store: RolloutStore, stage: Stage, release: str = "v2", **changes: object) -> RolloutRecord:
    record = started(store, release, **changes)
    while record.state.stage is not stage:
        record = step(store, record)
    return record


def promoted(store: RolloutStore, release: str) -> RolloutRecord:
    return led_to(store, Stage.PROMOTED, release, promotion_needs_approval=False)


def projected(store: RolloutStore) -> dict[str, str]:
    """The aliases of a registry that was told everything."""
    aliases: dict[str, str] = {}
    for job in store.pending_outbox():
        if job.release is None:
            aliases.pop(job.alias)
        else:
            aliases[job.alias] = job.release
    return aliases
