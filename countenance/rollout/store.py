"""The rollout store: the truth about which release answers whom. One transaction moves a rollout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.actions import Action, Notify, RollBack
from countenance.rollout.advance import Move, aborted, paused, resumed, stopped, superseded
from countenance.rollout.approvals import Act, Approval, verify
from countenance.rollout.bootstrap import bootstrap
from countenance.rollout.connection import moving
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.ledger import canonical_json
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Look, RolloutRecord, told
from countenance.rollout.schema import in_utc
from countenance.rollout.state import Gate, RolloutState, Stage, registered
from countenance.rollout.transaction import Transaction
from countenance.rollout.verdict import judge


class RolloutStore(RolloutReader):
    """One model's rollouts, champion, history and projection jobs, and the moves that change them.

    Every method that changes something is one transaction: it happens as a whole or not at all, also when the
    process is killed in the middle. Moments are handed in and need a time zone.
    """

    def bootstrap(
        self,
        release: str,
        *,
        registration: tuple[Gate, ...],
        offline: tuple[Gate, ...],
        approval: Approval,
        now: datetime,
        replaces: str | None = None,
    ) -> RolloutRecord:
        """Make ``release`` champion on offline gates and a signature alone.

        Args:
            release: what becomes champion.
            registration, offline: all its gates.
            approval: signed for ``Act.BOOTSTRAP`` on ``release``.
            now: the moment.
            replaces: the present champion, named on purpose; None for a first release.

        Raises:
            RolloutError: when a gate or the signature is missing or wrong, or the champion is another.
        """
        verify(approval, self._keys)
        state, actions = bootstrap(
            release, registration=registration, offline=offline, approval=approval, now=now, replaces=replaces
        )
        with self._moving(now) as transaction:
            if release == transaction.champion():
                raise RolloutError(f"'{release}' is the champion already: there is nothing to bootstrap.")
            _end_active(transaction, now, lambda state: superseded(state, now, by=release))
            record = transaction.insert(state, None, now)
            transaction.sign(record.id, approval, now)
            transaction.point(release, over=replaces, previous=replaces, now=now)
            gates = {"registration": registration, "offline": offline}
            detail = {name: [asdict(gate) for gate in listed] for name, listed in gates.items()}
            transaction.append(record.id, "bootstrapped", told(None, state, actions) | detail, now)
        return record

    def start(
        self, release: str, policy: RolloutPolicy, *, evidence_key: str, now: datetime, supersede: bool = False
    ) -> RolloutRecord:
        """Start a rollout of ``release`` against the champion; it stands at REGISTERED.

        Args:
            release: the candidate.
            policy: what it runs under, to its end.
            evidence_key: what its evidence is about, from ``evidence.evidence_key``.
            now: the moment.
            supersede: end another candidate's rollout that is still active.

        Raises:
            RolloutError: when there is no champion, another rollout is active, or ``release`` had its try.
        """
        with self._moving(now) as transaction:
            champion = transaction.champion()
            if champion is None:
                raise RolloutError(f"There is no champion to compare '{release}' with: bootstrap one first.")
            _refuse_second_try(transaction, release)
            active = transaction.active()
            if active is not None and not supersede:
                raise RolloutError(
                    f"The rollout of '{active.state.release}' is still {active.state.stage}: let it end, abort it, or "
                    f"supersede it with '{release}'."
                )
            _end_active(transaction, now, lambda state: superseded(state, now, by=release))
            state = registered(release, champion, evidence_key, now=now, deadline=policy.deadline)
            record = transaction.insert(state, policy, now)
            payload = told(None, state, ()) | {"policy_hash": policy.policy_hash(), "evidence_key": evidence_key}
            transaction.append(record.id, "started", payload, now)
        return record

    def move(
        self,
        record: RolloutRecord,
        after: RolloutState,
        actions: tuple[Action, ...],
        *,
        now: datetime,
        measured: EvidenceState | None = None,
    ) -> RolloutRecord:
        """Apply what ``advance`` decided: compare-and-set on the epoch, event, champion, alias moves.

        Args:
            record: the rollout as it was read before deciding.
            after, actions: what ``advance`` returned.
            now: the moment of the decision.
            measured: the evidence it was taken on, kept in the event.

        Raises:
            RolloutError: when somebody moved the rollout or the champion in between.
        """
        with self._moving(now) as transaction:
            return _apply(transaction, record, (after, actions), now, measured)

    def approve(self, approval: Approval, *, now: datetime) -> None:
        """Keep a signature that the active rollout waits for; the next ``advance`` acts on it.

        Raises:
            RolloutError: when the signature is wrong or used, or nothing waits for it.
        """
        verify(approval, self._keys)
        with self._moving(now) as transaction:
            active = transaction.active()
            if active is None or active.state.release != approval.subject or active.state.awaited is not approval.act:
                raise RolloutError(
                    f"Nothing waits for an approval to {approval.act} '{approval.subject}': sign when it is asked for."
                )
            transaction.sign(active.id, approval, now)

    def command(self, approval: Approval, *, now: datetime) -> RolloutRecord | None:
        """Carry out a signed ABORT, PAUSE or RESUME of the active rollout at once.

        Returns:
            The rollout after it, or None for an abort when that release has no active rollout, which does nothing.

        Raises:
            RolloutError: when the signature is wrong or used, or the rollout is in no state for it.
        """
        verify(approval, self._keys)
        with self._moving(now) as transaction:
            active = transaction.active()
            if active is None or active.policy is None or active.state.release != approval.subject:
                if approval.act is Act.ABORT:
                    return None
                raise RolloutError(f"No rollout of '{approval.subject}' is active: there is nothing to {approval.act}.")
            state, signer = active.state, {"by": approval.actor, "reason": approval.reason}
            if approval.act is Act.ABORT:
                after = aborted(state, now, **signer)
            elif approval.act is Act.PAUSE:
                after = paused(state, now, **signer)
            elif approval.act is Act.RESUME:
                after = resumed(state, active.policy, now, **signer)
            else:
                raise RolloutError(f"'{approval.act}' is no command to a running rollout: sign abort, pause or resume.")
            transaction.sign(active.id, approval, now)
            return _apply(transaction, active, after, now, None)

    def roll_back(self, now: datetime, approval: Approval) -> str:
        """Return to the previous champion: a pointer flip. A running candidate is stopped with it.

        Args:
            now: the moment.
            approval: signed for ``Act.ROLL_BACK`` on the present champion.

        Returns:
            The release that is champion now.

        Raises:
            RolloutError: when there is no previous champion, or the signature is wrong or for another release.
        """
        verify(approval, self._keys)
        with self._moving(now) as transaction:
            row = transaction.pointer()
            if row is None or row.previous is None:
                raise RolloutError(
                    "There is no previous champion to return to: bootstrap a release in its place instead."
                )
            if approval.act is not Act.ROLL_BACK or approval.subject != row.release:
                raise RolloutError(
                    f"The champion is '{row.release}', and the approval is to {approval.act} "
                    f"'{approval.subject}': sign to roll back '{row.release}'."
                )
            why = f"The champion '{row.release}' that it was compared with was rolled back."
            _end_active(transaction, now, lambda state: stopped(state, why, now))
            leaving = transaction.promoted(row.release)
            reason = f"{approval.actor} rolled back to '{row.previous}': {approval.reason}"
            after = replace(leaving.state, stage=Stage.ROLLED_BACK, share=0.0, entered_at=now, reason=reason)
            actions = (RollBack(row.release, row.previous), Notify(row.release, reason))
            transaction.save(leaving, after, now)
            transaction.sign(leaving.id, approval, now)
            before = transaction.promoted(row.previous).state.champion
            transaction.point(row.previous, over=row.release, previous=before, now=now)
            transaction.append(leaving.id, "rolled_back", told(leaving.state, after, actions), now)
            return str(row.previous)

    def observe(self, record: RolloutRecord, look: Look) -> None:
        """Keep one look and what was answered since the last one.

        Raises:
            RolloutError: when somebody moved the rollout since ``record`` was read.
        """
        with moving(self._engine) as connection:
            Transaction(connection, self._model).fence(record)
            connection.execute(
                insert(schema.evidence).values(
                    rollout=record.id,
                    look=look.number,
                    at=look.at,
                    stage=str(look.stage),
                    stage_key=look.stage_key,
                    share=look.share,
                    measured=look.measured.to_json(),
                    verdict=canonical_json(look.verdict),
                )
            )
            if look.batches:
                rows = [{"rollout": record.id, "look": look.number, **asdict(batch)} for batch in look.batches]
                connection.execute(insert(schema.decision), rows)

    def mark_projected(self, job: int, *, now: datetime) -> None:
        """Note that the registry carries alias move ``job``; doing so twice changes nothing.

        Raises:
            RolloutError: when there is no such job.
        """
        table = schema.outbox
        mine = (table.c.id == job, table.c.model == self._model)
        with moving(self._engine) as connection:
            if connection.execute(select(table.c.id).where(*mine)).one_or_none() is None:
                raise RolloutError(f"There is no projection job {job}: take the numbers from the pending outbox.")
            connection.execute(update(table).where(*mine, table.c.projected_at.is_(None)).values(projected_at=now))

    @contextmanager
    def _moving(self, now: datetime) -> Iterator[Transaction]:
        now = in_utc(now)
        with moving(self._engine) as connection:
            transaction = Transaction(connection, self._model)
            yield transaction
            transaction.project(now)


def _apply(
    transaction: Transaction, record: RolloutRecord, move: Move, now: datetime, measured: EvidenceState | None
) -> RolloutRecord:
    after, actions = move
    if after == record.state:
        return record
    if record.state.stage.ended:
        raise RolloutError(
            f"The rollout of '{record.state.release}' ended as {record.state.stage} and cannot move: start another."
        )
    saved = transaction.save(record, after, now)
    if after.stage is Stage.PROMOTED:
        transaction.point(after.release, over=after.champion, previous=after.champion, now=now)
    payload = told(record.state, after, actions)
    if measured is not None and record.policy is not None:
        payload["verdict"] = judge(measured, record.policy).summary()
    transaction.append(record.id, "moved", payload, now)
    return saved


def _end_active(transaction: Transaction, now: datetime, end: Callable[[RolloutState], Move]) -> None:
    active = transaction.active()
    if active is not None:
        _apply(transaction, active, end(active.state), now, None)


def _refuse_second_try(transaction: Transaction, release: str) -> None:
    before = transaction.latest(release)
    if release == transaction.champion():
        raise RolloutError(f"'{release}' is the champion already: there is nothing to roll out.")
    if before is not None and before.state.stage is not Stage.SUPERSEDED:
        raise RolloutError(
            f"'{release}' had its rollout and it is {before.state.stage}: register a new release to try again."
        )
