"""One move within a transaction: what is checked, saved and told, whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

from countenance.errors import RolloutError
from countenance.rollout.advance import Move
from countenance.rollout.approvals import Approval
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.ledger import text_hash
from countenance.rollout.outbox import messages
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.records import Queued, RolloutRecord, told
from countenance.rollout.state import Gate, RolloutState, Stage, registered
from countenance.rollout.transaction import Transaction
from countenance.rollout.verdict import judge

IfActive = Literal["refuse", "queue", "supersede"]
"""What a new candidate does while another one's rollout is active."""


class Papers(TypedDict, total=False):
    """What a candidate brings along: its gates, and what is known of its embeddings and threshold."""

    registration: tuple[Gate, ...]
    offline: tuple[Gate, ...]
    preconditions: Preconditions | None


def as_json(papers: Papers) -> dict[str, Any]:
    """A candidate's papers as JSON values, as its first event repeats them."""
    preconditions = papers.get("preconditions")
    return {
        "registration": [asdict(gate) for gate in papers.get("registration", ())],
        "offline": [asdict(gate) for gate in papers.get("offline", ())],
        "preconditions": None if preconditions is None else preconditions.to_dict(),
    }


@dataclass(frozen=True, kw_only=True)
class Basis:
    """The evidence that a move was decided on; an operator's command needs none."""

    measured: EvidenceState | None = None
    cursor: str | None = None
    evidence_hash: str | None = None


def begin(
    transaction: Transaction,
    release: str,
    policy: RolloutPolicy,
    evidence_key: str,
    papers: Mapping[str, Any],
    now: datetime,
) -> RolloutRecord:
    """Start a rollout where none is active."""
    champion = transaction.champion()
    assert champion is not None
    state = registered(release, champion, evidence_key, now=now, deadline=policy.deadline)
    record = transaction.insert(state, policy, now)
    payload = told(None, state, ()) | {
        "epoch": record.epoch,
        "policy_hash": policy.policy_hash(),
        "policy_sha256": text_hash(policy.model_dump_json()),
        "evidence_key": evidence_key,
        **papers,
    }
    tell(transaction, record.id, "started", payload, (state, ()), now)
    return record


def begin_next(
    transaction: Transaction, now: datetime, key_for: Callable[[Queued, str], str] | None
) -> RolloutRecord | None:
    """Start whoever waits longest and may still be rolled out, where none is active; see ``RolloutStore.start_next``.

    Raises:
        RolloutError: when the champion changed since and no ``key_for`` is given.
    """
    champion = transaction.champion()
    if transaction.active() is not None or champion is None:
        return None
    for queued in transaction.queued():
        refusal = second_try(transaction, queued.release)
        if refusal is not None:
            transaction.drop_queued(queued, refusal)
            continue
        key = queued.evidence_key
        if queued.champion != champion:
            if key_for is None:
                raise RolloutError(
                    f"'{queued.release}' was queued against '{queued.champion}', and the champion is '{champion}': "
                    "give the evidence key of the two."
                )
            key = key_for(queued, champion)
        record = begin(transaction, queued.release, queued.policy, key, queued.papers, now)
        transaction.note_started(queued, record)
        return record
    return None


def apply(transaction: Transaction, record: RolloutRecord, move: Move, now: datetime, basis: Basis) -> RolloutRecord:
    """Save a move by compare-and-set, move the champion with it, and tell of it.

    Raises:
        RolloutError: when the rollout has ended, moved on, or rests on another look; when the champion is another;
            when the clock goes backwards.
    """
    after, actions = move
    if after == record.state:
        return record
    if record.state.stage.ended:
        raise RolloutError(
            f"The rollout of '{record.state.release}' ended as {record.state.stage} and cannot move: start another."
        )
    if after.stage.ended and after.stage is not Stage.PROMOTED:
        now = transaction.not_before_the_last(max(now, after.entered_at))
    if after.entered_at > now:
        raise RolloutError(
            f"The clock goes backwards: it was decided at {after.entered_at.isoformat()}, and the store's clock says "
            f"{now.isoformat()}; decide by the database's time."
        )
    saved = transaction.save(record, after, now)
    if after.stage is Stage.PROMOTED:
        transaction.point(after.release, over=after.champion, previous=after.champion, now=now)
    payload = told(record.state, after, actions) | {"epoch": saved.epoch} | _rests_on(transaction, record, basis)
    tell(transaction, record.id, "moved", payload, move, now)
    return saved


def tell(transaction: Transaction, rollout: int, kind: str, payload: dict[str, Any], move: Move, now: datetime) -> None:
    """Add an event to the history, and the messages that it asks for to the outbox."""
    transaction.append(rollout, kind, payload, now)
    for message in messages(*move):
        transaction.notify(message | {"rollout": rollout}, now)


def end_active(transaction: Transaction, now: datetime, end: Callable[[RolloutState], Move]) -> None:
    """End the active rollout, if there is one, as ``end`` says."""
    active = transaction.active()
    if active is not None:
        apply(transaction, active, end(active.state), now, Basis())


def refuse_second_try(transaction: Transaction, release: str) -> None:
    """Refuse a release that is champion, or whose rollout ended otherwise than by being superseded.

    Raises:
        RolloutError: saying which.
    """
    refusal = second_try(transaction, release)
    if refusal is not None:
        raise RolloutError(refusal)


def second_try(transaction: Transaction, release: str) -> str | None:
    """Why a rollout of ``release`` may not start, or None."""
    before = transaction.latest(release)
    if release == transaction.champion():
        return f"'{release}' is the champion already: there is nothing to roll out."
    if before is not None and before.state.stage is not Stage.SUPERSEDED:
        return f"'{release}' had its rollout and it is {before.state.stage}: register a new release to try again."
    return None


def refuse_unheard(state: RolloutState, approval: Approval, kept: tuple[Approval, ...]) -> None:
    """Refuse a signature that would count for nothing, so that nobody believes to have been heard.

    Raises:
        RolloutError: when it was given before it was asked for, or by somebody who signed for this already.
    """
    what = f"The approval to {approval.act} '{approval.subject}' by '{approval.actor}'"
    if approval.at < state.entered_at:
        raise RolloutError(
            f"{what} was signed at {approval.at.isoformat()}, before it was asked for at "
            f"{state.entered_at.isoformat()}: look at the evidence and sign anew."
        )
    for earlier in kept:
        same = (earlier.act, earlier.actor) == (approval.act, approval.actor)
        if same and earlier.at >= state.entered_at and earlier.signature != approval.signature:
            raise RolloutError(f"{what} was given already: one operator signs once, and another one may sign too.")


def _rests_on(transaction: Transaction, record: RolloutRecord, basis: Basis) -> dict[str, Any]:
    newest = transaction.evidence_head(record.id)
    if basis.evidence_hash is not None and basis.evidence_hash != newest:
        raise RolloutError(
            f"The rollout of '{record.state.release}' was looked at again since the look that this move rests on: "
            "read the newest look and decide again."
        )
    rests: dict[str, Any] = {} if newest is None else {"evidence": newest}
    if basis.measured is not None and record.policy is not None:
        rests["verdict"] = judge(basis.measured, record.policy).summary()
    if basis.cursor is not None:
        rests["cursor"] = basis.cursor
    return rests
