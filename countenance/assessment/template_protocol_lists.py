"""What the assessment reads of a template protocol, wherever it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from countenance.assessment.arrays import AnyArray, BoolArray, IntArray


class ComparedTemplates(Protocol):
    """The comparisons of 1:1, by template ids."""

    @property
    def first(self) -> IntArray:
        """One template of each pair, [P]."""

    @property
    def second(self) -> IntArray:
        """The other, [P]."""

    @property
    def mated(self) -> BoolArray:
        """Whether both are of one subject, [P]."""


class SearchedTemplates(Protocol):
    """Templates with their subjects: probes, or, with a name, a gallery."""

    @property
    def templates(self) -> IntArray:
        """Template ids, [G]."""

    @property
    def subjects(self) -> AnyArray:
        """Whose they are, [G]."""


class NamedTemplates(SearchedTemplates, Protocol):
    """A gallery."""

    @property
    def name(self) -> str:
        """Such as "G1"."""


class Samples(Protocol):
    """The samples that templates were made of."""

    @property
    def templates(self) -> IntArray:
        """The template of each sample, [N]."""

    @property
    def media(self) -> IntArray:
        """The photo or video of each, [N]."""

    @property
    def detector_scores(self) -> AnyArray | None:
        """Of each sample, [N], where the protocol has them."""


class ProtocolLists(Protocol):
    """What is read of a protocol; ``countenance.data.protocols.template_protocol.TemplateProtocol`` is one."""

    @property
    def name(self) -> str:
        """Of the protocol."""

    @property
    def samples(self) -> Samples:
        """What templates are made of."""

    @property
    def pairs(self) -> ComparedTemplates:
        """Of 1:1."""

    @property
    def galleries(self) -> Sequence[NamedTemplates]:
        """Of 1:N; none where there is no such part."""

    @property
    def probes(self) -> SearchedTemplates | None:
        """Of 1:N."""

    def counts(self) -> dict[str, Any]:
        """How large it is: samples, templates, pairs, mated_pairs, galleries {name: n}, probes."""


def why_not_searched(galleries: int, probes: int) -> str:
    """Say why a protocol with so many galleries and probes has no 1:N; empty where it has."""
    missing = [name for name, count in (("galleries", galleries), ("probes", probes)) if not count]
    return f"1:N not measured: no {' and no '.join(missing)}" if missing else ""
