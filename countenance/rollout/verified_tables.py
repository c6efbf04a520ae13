"""Rollouts, champions, approvals and moves of aliases, each held against what the history says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.approvals import Act, Approval, OperatorKey, verify
from countenance.rollout.ledger import canonical_json, text_hash
from countenance.rollout.transaction import Transaction
from countenance.rollout.verified_story import Pointer, Story, Told, tampered


def verify_rollouts(connection: Connection, story: Story) -> int:
    """Hold every rollout's row against its events; return how many there are.

    Raises:
        RolloutError: naming the rollout and what of it was changed, or that it was put in or removed.
    """
    table = schema.rollout
    rows = {row.id: row for row in connection.execute(select(table).order_by(table.c.id))}
    for number, told in story.rollouts.items():
        if number not in rows:
            raise RolloutError(
                f"The row of rollout {number} ('{told.last.payload['release']}') is gone, and event "
                f"{told.first.sequence} tells of it: restore the store from a copy."
            )
    for number, row in rows.items():
        if number not in story.rollouts:
            raise RolloutError(
                f"The row of rollout {number} ('{row.release}') was put in: no event tells of it; restore the store "
                "from a copy."
            )
        _verify_rollout(row, story.rollouts[number])
    return len(rows)


def _verify_rollout(row: Row[Any], told: Told) -> None:
    what, event, payload = f"The row of rollout {row.id} ('{row.release}')", told.last.sequence, told.last.payload
    state = _read(row.state, what)
    for name in ("release", "champion", "stage", "step", "share", "reason"):
        if state.get(name) != payload[name]:
            raise tampered(f"{what} ({name})", holds=state.get(name), told=payload[name], event=event)
    for name in ("release", "champion", "stage"):
        if row._mapping[name] != payload[name]:
            raise tampered(f"{what} ({name})", holds=row._mapping[name], told=payload[name], event=event)
    if "state_sha256" in payload and text_hash(row.state) != payload["state_sha256"]:
        raise tampered(f"{what} (state)", holds=text_hash(row.state), told=payload["state_sha256"], event=event)
    expected = {
        "model": told.model,
        "epoch": told.epoch,
        "started_at": told.first.at,
        "promoted_at": told.promoted_at,
        "ended_at": told.ended_at,
    }
    for name, value in expected.items():
        if row._mapping[name] != value:
            raise tampered(f"{what} ({name})", holds=row._mapping[name], told=value, event=event)
    _verify_policy(row, told, what)


def _verify_policy(row: Row[Any], told: Told, what: str) -> None:
    payload, event = told.first.payload, told.first.sequence
    if row.policy_hash != payload.get("policy_hash"):
        raise tampered(f"{what} (policy_hash)", holds=row.policy_hash, told=payload.get("policy_hash"), event=event)
    if row.policy is None:
        if row.policy_hash is not None:
            raise RolloutError(f"{what} (policy) was tampered with: it is gone; restore the store from a copy.")
        return
    # Events of the first release repeat only the hash of all the policy's values.
    values = _read(row.policy, what)
    held = text_hash(row.policy) if "policy_sha256" in payload else text_hash(canonical_json(values))
    said = payload.get("policy_sha256", payload.get("policy_hash"))
    if held != said:
        raise tampered(f"{what} (policy)", holds=held, told=said, event=event)


def verify_champions(connection: Connection, story: Story) -> None:
    """Hold every champion's row against the promotions, bootstraps and rollbacks of the history.

    Raises:
        RolloutError: naming the model and what was changed.
    """
    rows = {row.model: row for row in connection.execute(select(schema.champion))}
    for model in sorted(rows.keys() | story.champions.keys()):
        row, told = rows.get(model), story.champions.get(model)
        what = f"The champion of '{model}'"
        if told is None:
            raise RolloutError(f"{what} was put in: no event tells of it; restore the store from a copy.")
        if row is None:
            raise RolloutError(f"{what} is gone, and event {told.event} made it: restore the store from a copy.")
        _verify_champion(row, told, what)


def _verify_champion(row: Row[Any], told: Pointer, what: str) -> None:
    for name in ("release", "previous", "since", "epoch"):
        if row._mapping[name] != getattr(told, name):
            raise tampered(f"{what} ({name})", holds=row._mapping[name], told=getattr(told, name), event=told.event)


def verify_approvals(connection: Connection, story: Story, keys: Mapping[str, OperatorKey]) -> tuple[int, int]:
    """Hold every approval against its event, and its signature against its signer's key.

    Returns:
        How many there are, and of how many the signer's key is not among ``keys``.

    Raises:
        RolloutError: naming the approval that was changed, put in or removed, or whose signature is wrong.
    """
    table, seen, unchecked = schema.approval, set(), 0
    for row in connection.execute(select(table).order_by(table.c.id)):
        what = f"The approval to {row.act} '{row.subject}' by '{row.actor}'"
        event = story.approvals.get(row.signature)
        if event is None:
            raise RolloutError(
                f"{what} was put in or its signature changed: no event tells of it; restore the store from a copy."
            )
        seen.add(row.signature)
        for name in ("actor", "act", "subject", "reason"):
            if row._mapping[name] != event.payload[name]:
                raise tampered(what, holds=row._mapping[name], told=event.payload[name], event=event.sequence)
        if row.at.isoformat() != event.payload["signed_at"] or row.rollout != event.rollout:
            raise tampered(what, holds=row.at, told=event.payload["signed_at"], event=event.sequence)
        if row.actor in keys:
            verify(_approval(row), keys)
        else:
            unchecked += 1
    for signature, event in story.approvals.items():
        if signature not in seen:
            told = event.payload
            raise RolloutError(
                f"The approval to {told['act']} '{told['subject']}' by '{told['actor']}' is gone, and event "
                f"{event.sequence} tells of it: restore the store from a copy."
            )
    return len(seen), unchecked


def verify_outbox(connection: Connection) -> None:
    """Follow every move of an alias since the beginning: they must lead to the aliases that hold now.

    Raises:
        RolloutError: naming the alias to which they don't.
    """
    table = schema.outbox
    held: dict[str, dict[str, str]] = {}
    for row in connection.execute(select(table).where(table.c.kind == "alias").order_by(table.c.id)):
        aliases = held.setdefault(row.model, {})
        if row.release is None:
            aliases.pop(row.alias, None)
        else:
            aliases[row.alias] = row.release
    models = connection.execute(select(schema.champion.c.model)).scalars().all()
    for model in sorted({*held, *models}):
        led, meant = held.get(model, {}), Transaction(connection, model).aliases()
        for alias in sorted(led.keys() | meant.keys()):
            if led.get(alias) != meant.get(alias):
                raise RolloutError(
                    f"The outbox of '{model}' was tampered with: its moves lead the alias '{alias}' to "
                    f"{led.get(alias)!r}, and it must be at {meant.get(alias)!r}; restore the store from a copy."
                )


def _approval(row: Row[Any]) -> Approval:
    named = {name: row._mapping[name] for name in ("actor", "subject", "at", "reason", "signature")}
    return Approval(act=Act(row.act), **named)


def _read(text: str, what: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise RolloutError(f"{what} was tampered with: it cannot be read; restore the store from a copy.") from error
    return dict(values) if isinstance(values, dict) else {}
