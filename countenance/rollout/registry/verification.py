"""Whether a registry still shows what it was told, and whether that is what the history says."""

from __future__ import annotations

from countenance.errors import RolloutError
from countenance.rollout.reader import RolloutReader
from countenance.rollout.registry.memory import remembered
from countenance.rollout.registry.projection import Place, Projection, compare, named, shown_places
from countenance.rollout.registry.shown import Registry, Shown
from countenance.rollout.registry.stories import standings
from countenance.rollout.registry.telling import HEAD

_MODEL_HEAD = Place("tag", None, HEAD)


def verify_tags(reader: RolloutReader, registry: Registry) -> int:
    """Hold every alias and tag of ours against what the store told the registry last, and that against the history.

    What the registry wasn't told yet isn't an error: the reconciler will tell it.

    Returns:
        How many values were compared; 0 where the registry was never told anything.

    Raises:
        RolloutError: naming the first alias or tag that somebody else wrote.
        RegistryAwayError: the registry doesn't answer.
    """
    memory = remembered(reader)
    if memory is None:
        return 0
    shown = registry.read()
    for edit in compare(shown, memory.meant, (memory.shown, memory.meant)).edits:
        _refuse(edit.place, shown)
    present = shown_places(shown)
    _refuse_rewritten(memory.meant, standings(reader).projection(shown, {}), shown)
    return sum(place in memory.meant for place in present)


def noted_head(registry: Registry) -> str | None:
    """The chain's head as the registry was told it: a note outside the store, for ``verify_store``."""
    return registry.read().tags.get(HEAD)


def _refuse_rewritten(meant: Projection, now: Projection, shown: Shown) -> None:
    """Where no event came since the registry was told, what it was told must follow from the history still."""
    if meant.get(_MODEL_HEAD) != now.get(_MODEL_HEAD):
        return
    for place, value in now.items():
        # Looks add evidence between events, and the description speaks of it; what events decide stays.
        decided = place.kind == "alias" or place.key in _DECIDED
        if decided and place in meant and meant[place] != value:
            _refuse(place, shown)


_DECIDED = frozenset(f"rollout.{name}" for name in ("state", "share", "step", "reason", "since", "policy_hash", "head"))


def _refuse(place: Place, shown: Shown) -> None:
    version = None if place.release is None else shown.versions.get(place.release)
    where = "" if version is None else f" (version {version.version})"
    raise RolloutError(
        f"{named(place)}{where} is not what the rollout store told the registry: somebody else wrote it, or the "
        "store was set back to an earlier copy; run the reconciler to put it right."
    )
