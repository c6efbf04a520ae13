"""The rollout store as read: who answers whom, why, and since when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Engine, select

from countenance.rollout import schema
from countenance.rollout.approvals import Approval, OperatorKey, keyring, verify
from countenance.rollout.connection import connect, reading
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.ledger import Event, verify_links
from countenance.rollout.records import AliasMove, DecisionBatch, Look, RolloutRecord
from countenance.rollout.state import Stage
from countenance.rollout.transaction import Transaction


class RolloutReader:
    """One model's rollouts, champion, history and projection jobs; changes nothing."""

    def __init__(self, engine: Engine, model: str, keys: Mapping[str, OperatorKey]):
        self._engine = engine
        self._model = model
        self._keys = keys

    @classmethod
    def open(cls, url: str, *, model: str = "countenance", keys: Iterable[OperatorKey] = ()) -> Self:
        """Open or make the store at ``url`` (``sqlite:///path``).

        Args:
            url: where the SQLite file lies.
            model: which model's rollouts this object speaks of; a store may hold several.
            keys: the operators whose signatures count.

        Raises:
            RolloutError: when the URL is not one of an SQLite file.
        """
        return cls(connect(url), model, keyring(keys))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def champion(self) -> str | None:
        """The release that answers everybody who is in no canary; None before the first bootstrap."""
        with self._reading() as transaction:
            return transaction.champion()

    def previous(self) -> str | None:
        """The release that ``roll_back`` would return to."""
        with self._reading() as transaction:
            row = transaction.pointer()
            return None if row is None else row.previous

    def active(self) -> RolloutRecord | None:
        """The rollout that has not ended, if there is one."""
        with self._reading() as transaction:
            return transaction.active()

    def rollout_of(self, release: str) -> RolloutRecord | None:
        """The newest rollout of ``release``, ended or not."""
        with self._reading() as transaction:
            return transaction.latest(release)

    def looks(self, rollout: int) -> tuple[Look, ...]:
        """All looks of a rollout in their order."""
        seen, made = schema.evidence, schema.decision
        with reading(self._engine) as connection:
            batches: dict[int, list[DecisionBatch]] = {}
            for row in connection.execute(select(made).where(made.c.rollout == rollout).order_by(made.c.id)):
                values = {name: row._mapping[name] for name in DecisionBatch.__dataclass_fields__}
                batches.setdefault(row.look, []).append(DecisionBatch(**values))
            rows = connection.execute(select(seen).where(seen.c.rollout == rollout).order_by(seen.c.look))
            return tuple(
                Look(
                    number=row.look,
                    at=row.at,
                    stage=Stage(row.stage),
                    stage_key=row.stage_key,
                    share=row.share,
                    measured=EvidenceState.from_json(row.measured),
                    verdict=json.loads(row.verdict),
                    batches=tuple(batches.get(row.look, ())),
                )
                for row in rows
            )

    def approvals(self, rollout: int) -> tuple[Approval, ...]:
        """The approvals kept for a rollout, each verified again.

        Raises:
            RolloutError: when one of them was not signed by a known operator.
        """
        with self._reading() as transaction:
            kept = transaction.approvals(rollout)
        for approval in kept:
            verify(approval, self._keys)
        return kept

    def events(self, rollout: int | None = None) -> tuple[Event, ...]:
        """The history in its order: of one rollout, or of the whole store (all models; one chain)."""
        table = schema.ledger
        query = select(table).order_by(table.c.sequence)
        with reading(self._engine) as connection:
            rows = connection.execute(query if rollout is None else query.where(table.c.rollout == rollout))
            return tuple(Event(**{**row._mapping, "payload": json.loads(row.payload)}) for row in rows)

    def verify_chain(self, *, expected_head: str | None = None) -> int:
        """Check every event's hash and return their number; see ``ledger.verify_links``.

        Raises:
            RolloutError: naming the first broken event.
        """
        return verify_links(self.events(), expected_head=expected_head)

    def pending_outbox(self) -> tuple[AliasMove, ...]:
        """The alias moves that the registry was not told yet, oldest first; apply them in this order."""
        table = schema.outbox
        query = select(table).where(table.c.model == self._model, table.c.projected_at.is_(None))
        with reading(self._engine) as connection:
            return tuple(
                AliasMove(id=row.id, alias=row.alias, release=row.release, event=row.event, created_at=row.created_at)
                for row in connection.execute(query.order_by(table.c.id))
            )

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with reading(self._engine) as connection:
            yield Transaction(connection, self._model)
