"""What a registry must show, and how that differs from what it shows: pure, places and values only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from countenance.rollout.ledger import canonical_json
from countenance.rollout.registry.description import block_of
from countenance.rollout.registry.shown import ALIASES, PREFIX, Shown


class Place(NamedTuple):
    """Where a value is shown: an alias, a tag of a release's version or (no release) of the model, its description."""

    kind: Literal["alias", "tag", "description"]
    release: str | None
    key: str


Projection = Mapping[Place, str]
"""By place what it shows: a release for an alias, text for the others. What is not in it is to be empty."""

DESCRIPTION: Final = Place("description", None, "")
_ORDER: Final = ("alias", "tag", "description")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing to write: ``value`` (None: nothing) belongs at a place of ``version`` (None: of the model itself).

    ``value`` of an alias is the version that it must point at.
    """

    place: Place
    version: str | None
    value: str | None


@dataclass(frozen=True, kw_only=True)
class HandEdit:
    """A place whose value is neither what it was last told nor what it was being told: somebody else wrote there.

    ``found`` and ``belongs`` are releases, for an alias only: a tag's foreign text could hold anything, and the history
    that keeps this can't forget.
    """

    place: Place
    found: str | None = None
    belongs: str | None = None

    def sentence(self) -> str:
        """What was edited, for people."""
        return f"{named(self.place)} was edited by hand in the registry{self._how()} and is put right."

    def _how(self) -> str:
        if self.place.kind != "alias":
            return ""
        found, belongs = ("nothing" if name is None else f"'{name}'" for name in (self.found, self.belongs))
        return f" (it pointed at {found} where {belongs} belongs)"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What separates a registry from what it must show.

    ``reachable`` is what it can show: all but the places of releases that have no version in it. ``unregistered``:
    those of them that hold an alias.
    """

    reachable: Projection
    changes: tuple[Change, ...]
    edits: tuple[HandEdit, ...]
    unregistered: tuple[str, ...]


def projection_of(
    aliases: Mapping[str, str], tags: Mapping[str, Mapping[str, str]], model_tags: Mapping[str, str], description: str
) -> dict[Place, str]:
    """What must be shown: release by alias, tags by release, tags of the model, our part of its description."""
    places = {Place("alias", None, alias): release for alias, release in aliases.items()}
    places |= {Place("tag", release, key): value for release, told in tags.items() for key, value in told.items()}
    places |= {Place("tag", None, key): value for key, value in model_tags.items()}
    return places | ({DESCRIPTION: description} if description else {})


def shown_places(shown: Shown) -> dict[Place, str]:
    """What a registry shows in the places that are ours; an alias of a version without a release is 'version N'."""
    release_of = {version.version: release for release, version in shown.versions.items()}
    return projection_of(
        {alias: release_of.get(to, f"version {to}") for alias, to in shown.aliases.items() if alias in ALIASES},
        {release: _own(version.tags) for release, version in shown.versions.items()},
        _own(shown.tags),
        block_of(shown.description),
    )


def compare(shown: Shown, wanted: Projection, told: Iterable[Projection] | None) -> Difference:
    """What to write, and what somebody else wrote.

    Args:
        shown: the registry now.
        wanted: what it must show.
        told: what it was last seen to show and told to show; a value found in any of these is ours. None: it was never
            told anything, so nothing in it is an edit.
    """
    present = shown_places(shown)
    reachable = {place: value for place, value in wanted.items() if _reachable(place, value, shown)}
    releases = {place.release for place in wanted if place.kind == "tag"}
    # Tags of a version that the store knows no rollout of were left by another store.
    judged = {place for place in present if place.kind != "tag" or place.release in releases}
    places = sorted(judged | reachable.keys(), key=_rank)
    changes = [place for place in places if present.get(place) != reachable.get(place)]
    # Of a version that is gone, its alias is told of, not every tag.
    watched = sorted({*places, *(place for place in wanted if place.kind == "alias")}, key=_rank)
    before = None if told is None else tuple(told)
    return Difference(
        reachable=reachable,
        changes=tuple(_change(place, reachable.get(place), shown) for place in changes),
        edits=tuple(
            _edit(place, present, wanted)
            for place in watched
            if before is not None
            and _foreign(present.get(place), [wanted.get(place), *(old.get(place) for old in before)])
        ),
        unregistered=tuple(
            sorted({value for place, value in wanted.items() if place.kind == "alias"} - shown.versions.keys())
        ),
    )


def named(place: Place) -> str:
    """A place as a sentence begins with it."""
    if place.kind == "alias":
        return f"Alias '{place.key}'"
    if place.kind == "tag":
        return f"Tag '{place.key}' of " + ("the model" if place.release is None else f"release '{place.release}'")
    return "The rollout's part of the model's description"


def to_json(projection: Projection) -> str:
    """A projection as text; ``from_json`` gives an equal one back."""
    return canonical_json(sorted([*place, value] for place, value in _sortable(projection).items()))


def from_json(text: str) -> dict[Place, str]:
    """Read what ``to_json`` wrote."""
    return {Place(kind, release or None, key): value for kind, release, key, value in json.loads(text)}


def _sortable(projection: Projection) -> dict[tuple[str, str, str], str]:
    return {(place.kind, place.release or "", place.key): value for place, value in projection.items()}


def _own(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key.startswith(PREFIX)}


def _foreign(found: str | None, ours: Iterable[str | None]) -> bool:
    return all(found != each for each in ours)


def _reachable(place: Place, value: str, shown: Shown) -> bool:
    if not shown.exists:
        return False
    if place.kind == "alias":
        return value in shown.versions
    return place.release is None or place.release in shown.versions


def _edit(place: Place, present: Projection, wanted: Projection) -> HandEdit:
    if place.kind != "alias":
        return HandEdit(place=place)
    return HandEdit(place=place, found=present.get(place), belongs=wanted.get(place))


def _change(place: Place, value: str | None, shown: Shown) -> Change:
    if place.kind == "alias":
        return Change(place=place, version=None, value=None if value is None else shown.versions[value].version)
    version = None if place.release is None else shown.versions[place.release].version
    return Change(place=place, version=version, value=value)


def _rank(place: Place) -> tuple[int, int, str, str]:
    # The champion's alias first: it is what people look at.
    first = ALIASES.index(place.key) if place.kind == "alias" else 0
    return _ORDER.index(place.kind), first, place.release or "", place.key
