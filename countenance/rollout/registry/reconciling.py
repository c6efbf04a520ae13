"""Make a registry show what the store says: repair, tell what was edited by hand, and wait where it is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countenance.errors import RolloutError
from countenance.rollout.records import AliasMove
from countenance.rollout.registry.description import with_block
from countenance.rollout.registry.memory import Memory, OvertakenError, intend, remembered, settle, tell_edits
from countenance.rollout.registry.projection import Change, Difference, HandEdit, Projection, compare, shown_places
from countenance.rollout.registry.shown import Registry, RegistryAwayError, Shown
from countenance.rollout.registry.stories import standings
from countenance.rollout.store import RolloutStore

_PASSES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one reconciliation found and did.

    Attributes:
        aliases: version that each alias points at now; empty when the registry was away.
        written: how many single values were written.
        edits: what somebody else had written.
        unregistered: releases that hold an alias and have no version; their jobs stay.
        away: why the registry couldn't be asked or told; None when it could. Nothing but what people see depends on it.
        waiting: jobs of the outbox that stay.
    """

    aliases: Mapping[str, str]
    written: int = 0
    edits: tuple[HandEdit, ...] = ()
    unregistered: tuple[str, ...] = ()
    away: str | None = None
    waiting: int = 0

    def lines(self) -> tuple[str, ...]:
        """What a person should know, a sentence each."""
        away = () if self.away is None else (f"{self.away} {self.waiting} alias moves wait in the outbox.",)
        lacking = tuple(
            f"Release '{release}' holds an alias but has no version in the registry: run the registration pipeline."
            for release in self.unregistered
        )
        return (*away, *(edit.sentence() for edit in self.edits), *lacking)


def reconcile(
    store: RolloutStore, registry: Registry, *, reports: Mapping[str, str] | None = None, now: datetime | None = None
) -> Report:
    """Bring the registry to what the store says now; a second call right after it writes nothing.

    It asks for differences rather than replaying moves, so a registry that was away for an hour shows the present, not
    the past. What it is about to write is remembered first: a kill at any moment leaves nothing that would be
    mistaken for an edit by hand.

    Args:
        store: the truth.
        registry: what people look at.
        reports: address by title, of pages that the description should point to.
        now: the moment; None takes the database's clock.

    Raises:
        RolloutError: when other reconcilers were faster, time and again.
    """
    own: list[Projection] = []
    for _ in range(_PASSES):
        try:
            return _once(store, registry, reports or {}, now or store.now(), own)
        except OvertakenError:
            continue
    raise RolloutError(
        f"Other reconcilers wrote to the registry {_PASSES} times in between: let one run at a time, and run it again."
    )


def _once(
    store: RolloutStore, registry: Registry, reports: Mapping[str, str], now: datetime, own: list[Projection]
) -> Report:
    # Jobs are read before the standings: whatever they ask for, the standings hold it or something newer.
    jobs = store.pending_outbox("alias")
    memory = remembered(store)
    edits: tuple[HandEdit, ...] = ()
    try:
        shown = registry.read()
        wanted, difference = _compared(store, shown, memory, reports, own)
        if difference.edits and memory is not None:
            edits = difference.edits
            memory = tell_edits(store, memory, shown_places(shown), edits, now)
            # Telling has lengthened the chain, whose head is shown too.
            wanted, difference = _compared(store, shown, memory, reports, own)
        if wanted and (difference.changes or memory is None or memory.meant != difference.reachable):
            memory = intend(store, memory, shown_places(shown), difference.reachable, now)
            own.append(difference.reachable)
            for change in difference.changes:
                _write(registry, change, shown)
    except RegistryAwayError as error:
        for job in jobs:
            store.defer(job.id, error=str(error), now=now)
        return Report(aliases={}, edits=edits, away=str(error), waiting=len(jobs))
    done, kept = _sorted_out(jobs, wanted, difference)
    for job in kept:
        store.defer(job.id, error=f"Release '{job.release}' has no version in the registry.", now=now)
    if memory is not None and (done or memory.shown != memory.meant):
        settle(store, memory, done, now)
    return Report(
        aliases=_aliases(shown, wanted),
        written=len(difference.changes),
        edits=edits,
        unregistered=difference.unregistered,
        waiting=len(kept),
    )


def _compared(
    store: RolloutStore, shown: Shown, memory: Memory | None, reports: Mapping[str, str], own: list[Projection]
) -> tuple[Projection, Difference]:
    wanted = standings(store).projection(shown, reports)
    return wanted, compare(shown, wanted, None if memory is None else (memory.shown, memory.meant, *own))


def _sorted_out(
    jobs: Sequence[AliasMove], wanted: Projection, difference: Difference
) -> tuple[list[int], list[AliasMove]]:
    """Jobs that are done now, and those of an alias that can't be shown yet."""
    lacking = {
        place.key for place, value in wanted.items() if place.kind == "alias" and value in difference.unregistered
    }
    return [job.id for job in jobs if job.alias not in lacking], [job for job in jobs if job.alias in lacking]


def _aliases(shown: Shown, wanted: Projection) -> dict[str, str]:
    return {
        place.key: shown.versions[value].version
        for place, value in wanted.items()
        if place.kind == "alias" and value in shown.versions
    }


def _write(registry: Registry, change: Change, shown: Shown) -> None:
    place = change.place
    if place.kind == "alias" and change.value is not None:
        registry.set_alias(place.key, change.value)
    elif place.kind == "alias":
        registry.delete_alias(place.key)
    elif place.kind == "description":
        registry.describe(with_block(shown.description, change.value))
    elif change.value is not None:
        registry.set_tag(change.version, place.key, change.value)
    else:
        registry.delete_tag(change.version, place.key)
