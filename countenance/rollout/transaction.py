"""The writes that make up one move of the store; all of them happen in one transaction or none does."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import lease, outbox, queue, schema
from countenance.rollout.approvals import Act, Approval
from countenance.rollout.ledger import GENESIS, Event, canonical_json, link_hash
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import Queued, RolloutRecord, alias_changes, aliases_of
from countenance.rollout.state import RolloutState, Stage


class Transaction:
    """The state of one model inside an open transaction.

    ``project`` must be the last call of every transaction that changed anything: it queues the alias moves that
    lead from what held at the beginning to what holds now.
    """

    def __init__(self, connection: Connection, model: str):
        self._connection = connection
        self._model = model
        self._aliases_before: dict[str, str] | None = None

    def pointer(self) -> Row[Any] | None:
        """The champion's row, or None before the first one."""
        return self._connection.execute(
            select(schema.champion).where(schema.champion.c.model == self._model)
        ).one_or_none()

    def champion(self) -> str | None:
        """The release that answers everybody who is in no canary."""
        row = self.pointer()
        return None if row is None else str(row.release)

    def active(self) -> RolloutRecord | None:
        """The rollout that has not ended, if there is one."""
        return self._record(schema.rollout.c.ended_at.is_(None))

    def latest(self, release: str) -> RolloutRecord | None:
        """The newest rollout of ``release``."""
        return self._record(schema.rollout.c.release == release)

    def promoted(self, release: str) -> RolloutRecord:
        """The rollout by which ``release`` became champion last."""
        found = self._record(schema.rollout.c.release == release, schema.rollout.c.promoted_at.is_not(None))
        if found is None:
            raise RolloutError(f"No promotion of '{release}' is recorded: restore the store from a copy.")
        return found

    def aliases(self) -> dict[str, str]:
        """Every alias that must be set in the registry now."""
        held: dict[str, str] = {}
        row, active = self.pointer(), self.active()
        if row is not None:
            held["champion"] = row.release
            if row.previous is not None:
                held["previous"] = row.previous
        return held | aliases_of(active.state) if active is not None else held

    def insert(self, state: RolloutState, policy: RolloutPolicy | None, now: datetime) -> RolloutRecord:
        """Put a new rollout into the store at epoch 1."""
        self._remember_aliases()
        row = self._connection.execute(
            insert(schema.rollout).values(
                model=self._model,
                release=state.release,
                champion=state.champion,
                policy=None if policy is None else policy.model_dump_json(),
                policy_hash=None if policy is None else policy.policy_hash(),
                epoch=1,
                started_at=now,
                **_columns(state, now),
            )
        )
        assert row.inserted_primary_key is not None
        return RolloutRecord(id=row.inserted_primary_key[0], model=self._model, epoch=1, state=state, policy=policy)

    def save(self, record: RolloutRecord, after: RolloutState, now: datetime) -> RolloutRecord:
        """Replace a rollout's state if nobody did since ``record`` was read.

        Raises:
            RolloutError: when the epoch has moved on.
        """
        self._remember_aliases()
        done = self._connection.execute(
            update(schema.rollout)
            .where(schema.rollout.c.id == record.id, schema.rollout.c.epoch == record.epoch)
            .values(epoch=record.epoch + 1, **_columns(after, now))
        )
        if done.rowcount != 1:
            raise RolloutError(
                f"The rollout of '{record.state.release}' moved on since epoch {record.epoch} was read: read it "
                "again and decide again."
            )
        return replace(record, epoch=record.epoch + 1, state=after)

    def fence(self, record: RolloutRecord) -> None:
        """Refuse a writer whose record is no longer the present one."""
        table = schema.rollout
        epoch = self._connection.execute(select(table.c.epoch).where(table.c.id == record.id)).scalar_one()
        if epoch != record.epoch:
            raise RolloutError(
                f"The rollout of '{record.state.release}' is at epoch {epoch}, not {record.epoch}: read it again."
            )

    def point(self, release: str, *, over: str | None, previous: str | None, now: datetime) -> None:
        """Make ``release`` champion if ``over`` (None: nobody) is champion now.

        Raises:
            RolloutError: when another release is champion.
        """
        self._remember_aliases()
        table = schema.champion
        values = {"release": release, "previous": previous, "since": now}
        holder = self.champion()
        if holder is None and over is None:
            self._connection.execute(insert(table).values(model=self._model, epoch=1, **values))
            return
        done = self._connection.execute(
            update(table)
            .where(table.c.model == self._model, table.c.release == over)
            .values(epoch=table.c.epoch + 1, **values)
        )
        if done.rowcount != 1:
            raise RolloutError(
                f"'{release}' cannot take the place of {_named(over)}: the champion is {_named(holder)}; start from "
                "that one."
            )

    def append(self, rollout: int, kind: str, payload: dict[str, Any], now: datetime) -> None:
        """Add an event to the chain.

        Raises:
            RolloutError: when ``now`` lies before the rollout's newest event.
        """
        table = schema.ledger
        before = self.last_event_at(rollout)
        if before is not None and now < before:
            raise RolloutError(
                f"The clock goes backwards: {now.isoformat()} lies before the rollout's newest event of "
                f"{before.isoformat()}; set the database's clock right."
            )
        last = self._connection.execute(
            select(table.c.sequence, table.c.hash).order_by(table.c.sequence.desc()).limit(1)
        ).one_or_none()
        unhashed = Event(
            sequence=1 if last is None else last.sequence + 1,
            model=self._model,
            rollout=rollout,
            at=schema.in_utc(now),
            kind=kind,
            payload=payload,
            previous_hash=GENESIS if last is None else last.hash,
            hash="",
        )
        self._connection.execute(
            insert(table).values(
                sequence=unhashed.sequence,
                model=unhashed.model,
                rollout=rollout,
                at=unhashed.at,
                kind=kind,
                payload=canonical_json(payload),
                previous_hash=unhashed.previous_hash,
                hash=link_hash(unhashed),
            )
        )

    def sign(self, rollout: int, approval: Approval, now: datetime) -> None:
        """Keep a verified approval and tell of it.

        Raises:
            RolloutError: when it was used before or is signed for a later moment.
        """
        what = f"The approval to {approval.act} '{approval.subject}' by '{approval.actor}'"
        if approval.at > now:
            raise RolloutError(f"{what} is signed for {approval.at.isoformat()}, which is yet to come: sign it now.")
        table = schema.approval
        used = self._connection.execute(
            select(func.count()).where(table.c.signature == approval.signature)
        ).scalar_one()
        if used:
            raise RolloutError(f"{what} was used already: sign a new one.")
        values = {
            "actor": approval.actor,
            "act": str(approval.act),
            "subject": approval.subject,
            "reason": approval.reason,
            "signature": approval.signature,
        }
        self._connection.execute(insert(table).values(rollout=rollout, at=approval.at, **values))
        self.append(rollout, "approved", values | {"signed_at": approval.at.isoformat()}, now)

    def approvals(self, rollout: int) -> tuple[Approval, ...]:
        """The approvals kept for a rollout, as they were signed."""
        table = schema.approval
        rows = self._connection.execute(select(table).where(table.c.rollout == rollout).order_by(table.c.id))
        return tuple(
            Approval(
                actor=row.actor,
                act=Act(row.act),
                subject=row.subject,
                at=row.at,
                reason=row.reason,
                signature=row.signature,
            )
            for row in rows
        )

    def notify(self, payload: dict[str, Any], now: datetime) -> None:
        """Queue a message to the operators about the newest event, whose number it carries as ``event``."""
        head = self._head()
        outbox.add_message(self._connection, self._model, head, payload | {"event": head}, now)

    def project(self, now: datetime) -> None:
        """Queue the alias moves that this transaction made necessary."""
        before = self._aliases_before
        changes = [] if before is None else alias_changes(before, self.aliases())
        if changes:
            outbox.add_alias_moves(self._connection, self._model, self._head(), changes, now)

    def last_event_at(self, rollout: int) -> datetime | None:
        """The moment of a rollout's newest event."""
        table = schema.ledger
        newest = select(table.c.at).where(table.c.rollout == rollout).order_by(table.c.sequence.desc()).limit(1)
        return self._connection.execute(newest).scalar_one_or_none()

    def evidence_head(self, rollout: int) -> str | None:
        """The hash of a rollout's newest look."""
        table = schema.rollout
        head: str | None = self._connection.execute(
            select(table.c.evidence_head).where(table.c.id == rollout)
        ).scalar_one()
        return head

    def not_before_the_last(self, now: datetime) -> datetime:
        """``now``, or the model's newest event where that is later: a clock gone wrong delays no stop."""
        table = schema.ledger
        mine = select(table.c.at).where(table.c.model == self._model).order_by(table.c.sequence.desc()).limit(1)
        return max(now, self._connection.execute(mine).scalar_one_or_none() or now)

    def refuse_stale(self, token: int | None) -> None:
        """Refuse a controller whose lease was given to another since; see ``lease.refuse_stale``."""
        lease.refuse_stale(self._connection, self._model, token)

    def queued(self) -> tuple[Queued, ...]:
        """Who waits for a rollout, in the order of their turns."""
        return queue.waiting(self._connection, self._model)

    def enqueue(self, release: str, **waits: Any) -> None:
        """Let ``release`` wait for its turn; see ``queue.put``."""
        queue.put(self._connection, self._model, release, **waits)

    def note_started(self, queued: Queued, record: RolloutRecord) -> None:
        """The turn of ``queued`` came, and ``record`` is its rollout."""
        queue.note_started(self._connection, queued, record.id)

    def drop_queued(self, queued: Queued, why: str) -> None:
        """The turn of ``queued`` came and it cannot be rolled out."""
        queue.drop(self._connection, queued, why)

    def _remember_aliases(self) -> None:
        """Before the first write that can move one: what held until now."""
        if self._aliases_before is None:
            self._aliases_before = self.aliases()

    def _head(self) -> int:
        return int(self._connection.execute(select(func.max(schema.ledger.c.sequence))).scalar_one())

    def _record(self, *conditions: Any) -> RolloutRecord | None:
        table = schema.rollout
        row = self._connection.execute(
            select(table).where(table.c.model == self._model, *conditions).order_by(table.c.id.desc()).limit(1)
        ).one_or_none()
        if row is None:
            return None
        return RolloutRecord(
            id=row.id,
            model=row.model,
            epoch=row.epoch,
            state=RolloutState.from_dict(json.loads(row.state)),
            policy=None if row.policy is None else RolloutPolicy.model_validate_json(row.policy),
        )


def _columns(state: RolloutState, now: datetime) -> dict[str, Any]:
    columns: dict[str, Any] = {"stage": str(state.stage), "state": canonical_json(state.to_dict())}
    if state.stage is Stage.PROMOTED:
        columns["promoted_at"] = now
    if state.stage.ended:
        columns["ended_at"] = now
    return columns


def _named(release: str | None) -> str:
    return "no champion" if release is None else f"'{release}'"
