"""The rollout store: the truth about which release answers whom. One transaction moves a rollout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Unpack, overload

from countenance.errors import RolloutError
from countenance.rollout.actions import Action, Notify, RollBack
from countenance.rollout.advance import aborted, paused, resumed, stopped, superseded
from countenance.rollout.approvals import Act, Approval, verify
from countenance.rollout.bootstrap import bootstrap
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.moves import (
    Basis,
    IfActive,
    Papers,
    apply,
    as_json,
    begin,
    begin_next,
    end_active,
    refuse_second_try,
    refuse_unheard,
    tell,
)
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.recorder import RolloutRecorder
from countenance.rollout.records import Queued, RolloutRecord, told
from countenance.rollout.state import Gate, RolloutState, Stage
from countenance.rollout.transaction import Transaction


class RolloutStore(RolloutRecorder):
    """One model's rollouts, champion, history and projection jobs, and the moves that change them.

    Every method that changes something is one transaction: it happens as a whole or not at all, also when the
    process is killed in the middle. ``now`` None is the database's time, read within the transaction; a replay hands
    in the log's, which needs a time zone.
    """

    def bootstrap(
        self,
        release: str,
        *,
        registration: tuple[Gate, ...],
        offline: tuple[Gate, ...],
        approval: Approval,
        now: datetime | None = None,
        replaces: str | None = None,
        preconditions: Preconditions | None = None,
    ) -> RolloutRecord:
        """Make ``release`` champion on offline gates and a signature alone.

        Args:
            release: what becomes champion.
            registration, offline: all its gates.
            approval: signed for ``Act.BOOTSTRAP`` on ``release``.
            now: the moment.
            replaces: the present champion, named on purpose; None for a first release.
            preconditions: what is known of its embeddings and threshold.

        Raises:
            RolloutError: when a gate or the signature is missing or wrong, or the champion is another.
        """
        verify(approval, self._keys)
        with self._moving(now) as (transaction, now):
            state, actions = bootstrap(
                release, registration=registration, offline=offline, approval=approval, now=now, replaces=replaces
            )
            if release == transaction.champion():
                raise RolloutError(f"'{release}' is the champion already: there is nothing to bootstrap.")
            end_active(transaction, now, lambda state: superseded(state, now, by=release))
            record = transaction.insert(state, None, now)
            transaction.sign(record.id, approval, now)
            transaction.point(release, over=replaces, previous=replaces, now=now)
            papers = as_json({"registration": registration, "offline": offline, "preconditions": preconditions})
            payload = told(None, state, actions) | papers | {"epoch": record.epoch}
            tell(transaction, record.id, "bootstrapped", payload, (state, actions), now)
        return record

    @overload
    def start(
        self,
        release: str,
        policy: RolloutPolicy,
        *,
        evidence_key: str,
        now: datetime | None = None,
        supersede: bool = False,
        **papers: Unpack[Papers],
    ) -> RolloutRecord: ...

    @overload
    def start(
        self,
        release: str,
        policy: RolloutPolicy,
        *,
        evidence_key: str,
        now: datetime | None = None,
        if_active: IfActive,
        **papers: Unpack[Papers],
    ) -> RolloutRecord | None: ...

    def start(
        self,
        release: str,
        policy: RolloutPolicy,
        *,
        evidence_key: str,
        now: datetime | None = None,
        supersede: bool = False,
        if_active: IfActive | None = None,
        **papers: Unpack[Papers],
    ) -> RolloutRecord | None:
        """Start a rollout of ``release`` against the champion; it stands at REGISTERED.

        Args:
            release: the candidate.
            policy: what it runs under, to its end.
            evidence_key: what its evidence is about, from ``evidence.evidence_key``.
            now: the moment.
            supersede: the same as ``if_active="supersede"``.
            if_active: what to do while another candidate's rollout is active: refuse, wait for its end in the queue,
                or end it.
            papers: ``registration`` and ``offline`` gates and ``preconditions``; the event repeats them.

        Returns:
            The rollout, or None when the release waits in the queue.

        Raises:
            RolloutError: when there is no champion, another rollout is active, or ``release`` had its try.
        """
        if_active = if_active or ("supersede" if supersede else "refuse")
        with self._moving(now) as (transaction, now):
            champion = transaction.champion()
            if champion is None:
                raise RolloutError(f"There is no champion to compare '{release}' with: bootstrap one first.")
            refuse_second_try(transaction, release)
            active = transaction.active()
            if active is not None and if_active == "queue":
                waits = {"champion": champion, "policy": policy, "evidence_key": evidence_key}
                transaction.enqueue(release, **waits, papers=as_json(papers), now=now)
                return None
            if active is not None and if_active != "supersede":
                raise RolloutError(
                    f"The rollout of '{active.state.release}' is still {active.state.stage}: let it end, abort it, or "
                    f"supersede it with '{release}'."
                )
            end_active(transaction, now, lambda state: superseded(state, now, by=release))
            return begin(transaction, release, policy, evidence_key, as_json(papers), now)

    def start_next(
        self, now: datetime | None = None, *, key_for: Callable[[Queued, str], str] | None = None
    ) -> RolloutRecord | None:
        """Start the rollout of the candidate that waits longest; one that had its try meanwhile loses its turn.

        Args:
            now: the moment.
            key_for: the evidence key of a queued candidate against the present champion, where the champion
                changed since it was queued.

        Returns:
            The rollout, or None when one is active or nobody waits.

        Raises:
            RolloutError: when the champion changed and no ``key_for`` is given.
        """
        with self._moving(now) as (transaction, now):
            return begin_next(transaction, now, key_for)

    def move(
        self,
        record: RolloutRecord,
        after: RolloutState,
        actions: tuple[Action, ...],
        *,
        now: datetime | None = None,
        measured: EvidenceState | None = None,
        cursor: str | None = None,
        evidence_hash: str | None = None,
        token: int | None = None,
    ) -> RolloutRecord:
        """Apply what ``advance`` decided: compare-and-set on the epoch, event, champion, alias moves.

        Args:
            record: the rollout as it was read before deciding.
            after, actions: what ``advance`` returned.
            now: the moment of the decision.
            measured: the evidence it was taken on; its verdict is kept in the event.
            cursor: JSON; up to where that evidence was folded, kept in the event.
            evidence_hash: of the look it was taken on, from ``observe``; it must be the newest.
            token: of the lease that the controller holds.

        Raises:
            RolloutError: when somebody moved the rollout or the champion in between, looked again or took the lease,
                or when ``now`` lies before the decision or the rollout's newest event.
        """
        with self._moving(now) as (transaction, now):
            transaction.refuse_stale(token)
            basis = Basis(measured=measured, cursor=cursor, evidence_hash=evidence_hash)
            return apply(transaction, record, (after, actions), now, basis)

    def approve(self, approval: Approval, *, now: datetime | None = None) -> None:
        """Keep a signature that the active rollout waits for; the next ``advance`` acts on it.

        Raises:
            RolloutError: when the signature is wrong, used or older than the request, the same operator signed it
                already, or nothing waits for it.
        """
        verify(approval, self._keys)
        with self._moving(now) as (transaction, now):
            active = transaction.active()
            if active is None or active.state.release != approval.subject or active.state.awaited is not approval.act:
                raise RolloutError(
                    f"Nothing waits for an approval to {approval.act} '{approval.subject}': sign when it is asked for."
                )
            refuse_unheard(active.state, approval, transaction.approvals(active.id))
            transaction.sign(active.id, approval, now)

    def command(self, approval: Approval, *, now: datetime | None = None) -> RolloutRecord | None:
        """Carry out a signed ABORT, PAUSE or RESUME of the active rollout at once.

        Returns:
            The rollout after it, or None for an abort when that release has no active rollout, which does nothing.

        Raises:
            RolloutError: when the signature is wrong or used, or the rollout is in no state for it.
        """
        verify(approval, self._keys)
        with self._moving(now) as (transaction, now):
            active = transaction.active()
            if active is None or active.policy is None or active.state.release != approval.subject:
                if approval.act is Act.ABORT:
                    return None
                raise RolloutError(f"No rollout of '{approval.subject}' is active: there is nothing to {approval.act}.")
            state, signer = active.state, {"by": approval.actor, "reason": approval.reason}
            if approval.act is Act.ABORT:
                now = transaction.not_before_the_last(now)
                after = aborted(state, now, **signer)
            elif approval.act is Act.PAUSE:
                after = paused(state, now, **signer)
            elif approval.act is Act.RESUME:
                after = resumed(state, active.policy, now, **signer)
            else:
                raise RolloutError(f"'{approval.act}' is no command to a running rollout: sign abort, pause or resume.")
            transaction.sign(active.id, approval, now)
            return apply(transaction, active, after, now, Basis())

    def roll_back(self, now: datetime | None, approval: Approval) -> str:
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
        with self._moving(now) as (transaction, now):
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
            now = transaction.not_before_the_last(now)
            why = f"The champion '{row.release}' that it was compared with was rolled back."
            end_active(transaction, now, lambda state: stopped(state, why, now))
            leaving = transaction.promoted(row.release)
            reason = f"{approval.actor} rolled back to '{row.previous}': {approval.reason}"
            after = replace(leaving.state, stage=Stage.ROLLED_BACK, share=0.0, entered_at=now, reason=reason)
            actions = (RollBack(row.release, row.previous), Notify(row.release, reason))
            saved = transaction.save(leaving, after, now)
            transaction.sign(leaving.id, approval, now)
            before = transaction.promoted(row.previous).state.champion
            transaction.point(row.previous, over=row.release, previous=before, now=now)
            payload = told(leaving.state, after, actions) | {"epoch": saved.epoch}
            tell(transaction, leaving.id, "rolled_back", payload, (after, actions), now)
            return str(row.previous)

    @contextmanager
    def _moving(self, now: datetime | None) -> Iterator[tuple[Transaction, datetime]]:
        with self._at(now) as (connection, moment):
            transaction = Transaction(connection, self._model)
            yield transaction, moment
            transaction.project(moment)
        for told_of_it in self._listeners:
            told_of_it()
