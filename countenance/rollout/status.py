"""Where a rollout stands, for people: who answers whom, on what evidence, what it waits for, and what else is open."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from countenance.rollout import schema
from countenance.rollout.approvals import Approval
from countenance.rollout.connection import reading
from countenance.rollout.decisions.present import present_evidence
from countenance.rollout.money import excess_cost
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Heartbeat, OutboxJob, RolloutRecord
from countenance.rollout.status_evidence import Reading, readings
from countenance.rollout.transaction import Transaction
from countenance.rollout.verdict import judge
from countenance.rollout.waiting import signers, waits_for


@dataclass(frozen=True, kw_only=True)
class Money:
    """What of a rollout's budget may be gone: ``spent`` is the upper bound that the guard reckons with."""

    spent: float
    left: float
    amount: float
    currency: str


@dataclass(frozen=True, kw_only=True)
class CandidateStatus:
    """The active rollout. ``stage`` may be a side state; ``base`` is then the stage that it came from."""

    rollout: int
    release: str
    champion: str | None
    stage: str
    base: str
    step: int
    steps: tuple[float, ...]
    share: float
    reason: str
    started_at: datetime
    since: datetime
    deadline_at: datetime
    waits_for: tuple[str, ...]
    signed_by: tuple[str, ...]
    approvers: int
    looks: int
    looked_at: datetime | None
    evidence: tuple[Reading, ...]
    exposed_requests: int
    money: Money | None
    policy_hash: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The newest rollout that is over."""

    release: str
    stage: str
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What the world was not told yet: how many jobs, the oldest one's moment, the most tries and the last failure."""

    aliases: int
    messages: int
    oldest_at: datetime | None
    attempts: int
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds, or held last, the right to move the rollout."""

    holder: str
    expires_at: datetime
    running: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """One model at one moment of the database's clock."""

    model: str
    now: datetime
    champion: str | None
    champion_since: datetime | None
    previous: str | None
    candidate: CandidateStatus | None
    last: Ended | None
    queued: tuple[str, ...]
    waiting: Waiting
    heartbeat: Heartbeat | None
    lease: Holder | None
    events: int
    head: str

    def to_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_plain))
        return plain


def status_of(reader: RolloutReader) -> Status:
    """Read a model's status; changes nothing, and costs the same however many decisions the store holds."""
    standing = reader.standing()
    active = standing.active
    with reading(reader._engine) as connection:
        transaction = Transaction(connection, reader._model)
        pointer, held = transaction.pointer(), schema.lease
        row = connection.execute(select(held).where(held.c.model == reader._model)).one_or_none()
    return Status(
        model=standing.model,
        now=standing.now,
        champion=standing.champion,
        champion_since=None if pointer is None else pointer.since,
        previous=standing.previous,
        candidate=None if active is None else _candidate(reader, active, standing.now),
        last=_last(reader),
        queued=tuple(queued.release for queued in reader.queued()),
        waiting=_waiting(reader.pending_outbox(None)),
        heartbeat=reader.heartbeat(),
        lease=None
        if row is None
        else Holder(holder=row.holder, expires_at=row.expires_at, running=row.expires_at > standing.now),
        events=standing.epoch,
        head=standing.head,
    )


class _AsKept(RolloutReader):
    """A reader without keys: it shows signatures as they were kept; whether they count is decided elsewhere."""

    def approvals(self, rollout: int) -> tuple[Approval, ...]:
        """The approvals kept for a rollout."""
        with reading(self._engine) as connection:
            return Transaction(connection, self._model).approvals(rollout)


def _candidate(reader: RolloutReader, record: RolloutRecord, now: datetime) -> CandidateStatus:
    state, policy = record.state, record.policy
    assert policy is not None
    look = reader.latest_look(record.id)
    source = reader if reader._keys else _AsKept(reader._engine, reader._model, {})
    evidence = present_evidence(source, record, now=now, look=look)
    verdict = judge(evidence.measured, policy)
    budget, money = policy.budget, None
    if budget is not None:
        spent = excess_cost(budget, evidence, verdict)
        left = max(0.0, budget.amount - spent)
        money = Money(spent=spent, left=left, amount=budget.amount, currency=budget.currency)
    return CandidateStatus(
        rollout=record.id,
        release=state.release,
        champion=state.champion,
        stage=str(state.stage),
        base=str(state.base),
        step=state.step,
        steps=policy.steps,
        share=state.share,
        reason=state.reason,
        started_at=state.started_at,
        since=state.entered_at,
        deadline_at=state.deadline_at,
        waits_for=waits_for(state, evidence, policy, now),
        signed_by=signers(state, evidence, now) if state.awaited else (),
        approvers=policy.approvers,
        looks=0 if look is None else look.number,
        looked_at=None if look is None else look.at,
        evidence=readings(state, evidence.measured, verdict, policy),
        exposed_requests=evidence.exposed_requests,
        money=money,
        policy_hash=policy.policy_hash(),
    )


def _last(reader: RolloutReader) -> Ended | None:
    table = schema.rollout
    ended = (table.c.model == reader._model, table.c.ended_at.is_not(None))
    with reading(reader._engine) as connection:
        newest = select(table.c.release, table.c.state).where(*ended).order_by(table.c.id.desc()).limit(1)
        row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    state = json.loads(row.state)
    return Ended(
        release=row.release,
        stage=state["stage"],
        reason=state["reason"],
        at=datetime.fromisoformat(state["entered_at"]),
    )


def _waiting(jobs: tuple[OutboxJob, ...]) -> Waiting:
    tried = [job for job in jobs if job.error is not None]
    return Waiting(
        aliases=sum(job.kind == "alias" for job in jobs),
        messages=sum(job.kind == "notify" for job in jobs),
        oldest_at=jobs[0].created_at if jobs else None,
        attempts=max((job.attempts for job in jobs), default=0),
        error=tried[-1].error if tried else None,
    )


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
