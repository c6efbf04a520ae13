"""What licences allow, as a table that a project may extend by its own contracts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from countenance.configuration import Configuration, narrow
from countenance.errors import ConfigurationError
from countenance.governance.intended_use import Setting
from countenance.governance.statements import Statement

UNKNOWN_LICENSE: Final = "unknown"
UNKNOWN_LICENSES: Final = (UNKNOWN_LICENSE, "unstated")
"""Words that stand where no licence is known; no table may give them a meaning."""

OTHER: Final = "other"
"""The hub's word for a licence that it has no id for."""


class License(Configuration):
    """What a licence allows.

    Attributes:
        title: in full.
        research: whether a model may be made from the material for research.
        commercial: whether it may be made and used commercially.
        asks: what the licence asks for in return.
        hugging_face: its id on the hub, or ``other``.
        text: where it can be read.
    """

    title: Statement
    research: bool
    commercial: bool
    asks: tuple[Statement, ...] = ()
    hugging_face: Statement = OTHER
    text: Statement

    def allows(self, setting: Setting) -> bool:
        """Whether it lets the material be used in this setting."""
        return self.commercial if setting == "commercial" else self.research


class LicenseTable:
    """Licences by id; ids are looked up without regard to case, as SPDX says.

    Args:
        own: licences of the project's own, such as a contract; one of a known id takes its place.

    Raises:
        ConfigurationError: an own licence is called ``unknown`` or ``unstated``.
    """

    def __init__(self, own: Mapping[str, License] | None = None) -> None:
        taken = next((name for name in own or {} if name.casefold() in UNKNOWN_LICENSES), None)
        if taken is not None:
            raise ConfigurationError(
                f"A licence called '{taken}' in parameters_registration.yml would make what nobody knows allowed: "
                "give it another id."
            )
        self._licenses = {name.casefold(): license_ for name, license_ in {**_published(), **(own or {})}.items()}

    def find(self, license_id: str) -> License | None:
        """The licence of this id, or None if nobody knows what it allows."""
        return self._licenses.get(license_id.strip().casefold())

    def hugging_face_id(self, license_ids: Iterable[str]) -> str:
        """One id for all of them: the hub's where they are one licence that it knows, else ``other``."""
        found = {license_.hugging_face if (license_ := self.find(name)) else OTHER for name in license_ids}
        return found.pop() if len(found) == 1 else OTHER


@cache
def _published() -> Mapping[str, License]:
    text = files("countenance.governance").joinpath("licenses.toml").read_text(encoding="utf-8")
    return {name: narrow(License, values, where="licenses.toml") for name, values in tomllib.loads(text).items()}
