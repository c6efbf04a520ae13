"""What the store says of all its releases, read in one transaction: the ground of what a registry must show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from countenance.rollout import schema
from countenance.rollout.connection import reading
from countenance.rollout.ledger import GENESIS
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.reader import RolloutReader
from countenance.rollout.registry.description import described
from countenance.rollout.registry.projection import Place, projection_of
from countenance.rollout.registry.shown import Shown
from countenance.rollout.registry.telling import HEAD, VersionStory, tags_of
from countenance.rollout.state import RolloutState
from countenance.rollout.transaction import Transaction


@dataclass(frozen=True, kw_only=True)
class Standings:
    """One model as the store has it: release by alias, the newest rollout of every release, the chain's last hash."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    stories: Mapping[str, VersionStory] = field(default_factory=dict)
    head: str = GENESIS

    def projection(self, shown: Shown, reports: Mapping[str, str]) -> dict[Place, str]:
        """What a registry must show of it.

        Args:
            shown: the registry now, for the numbers of versions and the runs that the description points to.
            reports: address by title, of pages that lie elsewhere.
        """
        if not self.stories:
            return {}
        return projection_of(
            self.aliases,
            {release: tags_of(story) for release, story in self.stories.items()},
            {HEAD: self.head},
            described(self.aliases, self.stories, shown.versions, reports),
        )


def standings(reader: RolloutReader) -> Standings:
    """Read them; the cost grows with the number of rollouts, not with that of looks or decisions."""
    model = reader._model
    with reading(reader._engine) as connection:
        events = schema.ledger
        head = connection.execute(select(events.c.hash).order_by(events.c.sequence.desc()).limit(1)).scalar()
        return Standings(
            aliases=Transaction(connection, model).aliases(),
            stories=_stories(connection, model),
            head=head or GENESIS,
        )


def _stories(connection: Connection, model: str) -> dict[str, VersionStory]:
    table = schema.rollout
    newest = select(func.max(table.c.id)).where(table.c.model == model).group_by(table.c.release)
    rows = connection.execute(select(table).where(table.c.id.in_(newest)).order_by(table.c.id)).all()
    numbers = [row.id for row in rows]
    last, looks = _last_events(connection, numbers), _last_looks(connection, numbers)
    exposed, files = _exposed(connection, numbers), _files(connection, numbers)
    return {
        row.release: VersionStory(
            rollout=row.id,
            state=RolloutState.from_dict(json.loads(row.state)),
            policy=None if row.policy is None else RolloutPolicy.model_validate_json(row.policy),
            head=last[row.id].hash if row.id in last else GENESIS,
            verdict=_verdict(looks.get(row.id), last.get(row.id)),
            looks=looks[row.id].look if row.id in looks else 0,
            people_exposed=exposed.get(row.id, (0, 0))[0],
            requests_exposed=exposed.get(row.id, (0, 0))[1],
            evidence_files=files.get(row.id, ()),
        )
        for row in rows
    }


def _verdict(look: Row[Any, Any, Any] | None, event: Row[Any, Any, Any] | None) -> dict[str, Any] | None:
    """Of the last look; or, where none was kept, the one that the last move was decided on."""
    if look is not None:
        found: dict[str, Any] = json.loads(look.verdict)
        return found
    return None if event is None else json.loads(event.payload).get("verdict")


def _last_events(connection: Connection, numbers: list[int]) -> dict[int, Row[Any, Any, Any]]:
    table = schema.ledger
    last = select(func.max(table.c.sequence)).where(table.c.rollout.in_(numbers)).group_by(table.c.rollout)
    rows = connection.execute(select(table.c.rollout, table.c.hash, table.c.payload).where(table.c.sequence.in_(last)))
    return {row.rollout: row for row in rows}


def _last_looks(connection: Connection, numbers: list[int]) -> dict[int, Row[Any, Any, Any]]:
    table = schema.evidence
    last = (
        select(table.c.rollout, func.max(table.c.look).label("look"))
        .where(table.c.rollout.in_(numbers))
        .group_by(table.c.rollout)
        .subquery()
    )
    joined = and_(table.c.rollout == last.c.rollout, table.c.look == last.c.look)
    rows = connection.execute(select(table.c.rollout, table.c.look, table.c.verdict).join(last, joined))
    return {row.rollout: row for row in rows}


def _exposed(connection: Connection, numbers: list[int]) -> dict[int, tuple[int, int]]:
    made, rollout = schema.answered, schema.rollout
    rows = connection.execute(
        select(made.c.rollout, func.sum(made.c.new_people).label("people"), func.sum(made.c.requests).label("requests"))
        .join(rollout, and_(rollout.c.id == made.c.rollout, rollout.c.release == made.c.release))
        .where(made.c.rollout.in_(numbers))
        .group_by(made.c.rollout)
    )
    return {row.rollout: (int(row.people), int(row.requests)) for row in rows}


def _files(connection: Connection, numbers: list[int]) -> dict[int, tuple[str, ...]]:
    table = schema.attachment
    found: dict[int, tuple[str, ...]] = {}
    rows = connection.execute(select(table.c.rollout, table.c.name).where(table.c.rollout.in_(numbers)))
    for row in sorted(rows, key=lambda row: (row.rollout, row.name)):
        found[row.rollout] = (*found.get(row.rollout, ()), row.name)
    return found
