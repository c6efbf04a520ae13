"""What goes wrong around a store: a process that is killed, a clock that jumps, a registry that is away or edited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from sqlalchemy import Engine, event

from countenance.rollout import connection
from countenance.rollout.registry.shown import ALIASES, RegistryAwayError, Shown, ShownVersion


class Killed(BaseException):
    """The process ends here; nothing may catch it."""


class Kill:
    """Kills at the n-th statement or commit while ``armed``, n counted from 0; None: never."""

    def __init__(self) -> None:
        self.after: int | None = None
        self.armed = False

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", lambda *_: self._count())
        event.listen(engine, "commit", lambda _: self._count())

    def _count(self) -> None:
        if not self.armed or self.after is None:
            return
        if self.after == 0:
            self.after = None
            raise Killed
        self.after -= 1


class Clock:
    """The machine's clock as the store reads it; it can be set wrong."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def time_ns(self) -> int:
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000

    def shift(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @contextmanager
    def ticking(self) -> Iterator[None]:
        with patch.object(connection, "time", self):
            yield


class DictionaryRegistry:
    """A registry in memory that keeps what it is told; ``away`` makes every call fail from then on."""

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.tags: dict[str | None, dict[str, str]] = {None: {}}
        self.versions: dict[str, str] = {}
        self.description = ""
        self.away = False

    def register(self, release: str) -> None:
        version = self.versions.setdefault(release, str(len(self.versions) + 1))
        self.tags.setdefault(version, {})

    def read(self) -> Shown:
        self._answer()
        return Shown(
            aliases={alias: version for alias, version in self.aliases.items() if alias in ALIASES},
            versions={
                release: ShownVersion(version=version, tags=dict(self.tags[version]))
                for release, version in self.versions.items()
            },
            tags=dict(self.tags[None]),
            description=self.description,
        )

    def set_alias(self, alias: str, version: str) -> None:
        self._answer()
        self.aliases[alias] = version

    def delete_alias(self, alias: str) -> None:
        self._answer()
        self.aliases.pop(alias, None)

    def set_tag(self, version: str | None, key: str, value: str) -> None:
        self._answer()
        self.tags[version][key] = value

    def delete_tag(self, version: str | None, key: str) -> None:
        self._answer()
        self.tags[version].pop(key, None)

    def describe(self, text: str) -> None:
        self._answer()
        self.description = text

    def _answer(self) -> None:
        if self.away:
            raise RegistryAwayError("The registry does not answer: start it.")
