"""A registry of models as the reconciler sees it: what it shows now, and the few calls that change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from countenance.errors import RolloutError

ALIASES: Final = ("champion", "previous", "canary", "shadow")
"""The aliases that belong to the rollout store; any other alias is somebody else's and is left alone."""

PREFIX: Final = "rollout."
"""Tags that begin so belong to the rollout store; any other tag is somebody else's and is left alone."""


class RegistryAwayError(RolloutError):
    """The registry could not be asked or told; routing doesn't depend on it, and it is told later."""


@dataclass(frozen=True, kw_only=True)
class ShownVersion:
    """One version of the registered model: its number, its tags, and the run that made it."""

    version: str
    tags: Mapping[str, str] = field(default_factory=dict)
    run: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a registry shows of one model at one moment.

    ``aliases``: version by alias. ``versions``: by release id. ``tags``: of the model itself. ``description``: of the
    model. ``exists``: whether it knows the model at all. What in it belongs to people is left alone.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, ShownVersion] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    exists: bool = True


class Registry(Protocol):
    """One registered model of a registry; every method raises ``RegistryAwayError`` when it does not answer."""

    def read(self) -> Shown:
        """All that it shows now."""

    def set_alias(self, alias: str, version: str) -> None:
        """Let ``alias`` point at ``version``."""

    def delete_alias(self, alias: str) -> None:
        """Let ``alias`` point at nothing."""

    def set_tag(self, version: str | None, key: str, value: str) -> None:
        """Write a tag of a version, or of the model itself (None)."""

    def delete_tag(self, version: str | None, key: str) -> None:
        """Remove a tag of a version, or of the model itself (None)."""

    def describe(self, text: str) -> None:
        """Replace the model's description."""
