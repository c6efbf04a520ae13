"""A registry in memory, which can be away, can be killed after so many writes, and counts them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from countenance.rollout.registry.shown import RegistryAwayError, Shown, ShownVersion


class Killed(BaseException):
    """The process died here."""


@dataclass
class Board:
    """What is shown, and how to disturb it; implements ``Registry``."""

    shown: Shown = field(default_factory=Shown)
    away: bool = False
    writes: int = 0
    writes_left: int | None = None
    dies: bool = False

    @classmethod
    def of(cls, *releases: str) -> Board:
        versions = {release: ShownVersion(version=str(number)) for number, release in enumerate(releases, start=1)}
        return cls(Shown(versions=versions))

    def read(self) -> Shown:
        self._answer()
        return self.shown

    def set_alias(self, alias: str, version: str) -> None:
        self._write()
        self.point(alias, version)

    def delete_alias(self, alias: str) -> None:
        self._write()
        self.point(alias, None)

    def set_tag(self, version: str | None, key: str, value: str) -> None:
        self._write()
        self.tag(version, key, value)

    def delete_tag(self, version: str | None, key: str) -> None:
        self._write()
        self.tag(version, key, None)

    def describe(self, text: str) -> None:
        self._write()
        self.shown = replace(self.shown, description=text)

    def point(self, alias: str, version: str | None) -> None:
        """What anybody may do by hand, too."""
        aliases = {name: held for name, held in self.shown.aliases.items() if name != alias}
        self.shown = replace(self.shown, aliases=aliases | ({} if version is None else {alias: version}))

    def tag(self, version: str | None, key: str, value: str | None) -> None:
        def changed(tags: dict[str, str]) -> dict[str, str]:
            return {name: held for name, held in tags.items() if name != key} | ({} if value is None else {key: value})

        if version is None:
            self.shown = replace(self.shown, tags=changed(dict(self.shown.tags)))
            return
        versions = {
            release: replace(each, tags=changed(dict(each.tags))) if each.version == version else each
            for release, each in self.shown.versions.items()
        }
        self.shown = replace(self.shown, versions=versions)

    def aliases(self) -> dict[str, str]:
        """Release by alias."""
        release_of = {each.version: release for release, each in self.shown.versions.items()}
        return {alias: release_of[version] for alias, version in self.shown.aliases.items()}

    def _answer(self) -> None:
        if self.away:
            raise RegistryAwayError("The board is away.")

    def _write(self) -> None:
        self._answer()
        if self.writes_left is not None:
            if self.writes_left == 0:
                if self.dies:
                    raise Killed
                raise RegistryAwayError("The board went away.")
            self.writes_left -= 1
        self.writes += 1
