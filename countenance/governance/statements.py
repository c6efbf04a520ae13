"""Statements that people make and answer for: a blank one, or a word that stands for one, is none."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

_PLACEHOLDERS: Final = frozenset(
    {"", "-", "–", "—", "?", "??", "???", "…", "...", "n/a", "none", "tba", "tbd", "todo", "xxx"}
)


def is_blank(text: str) -> bool:
    """Whether a text says nothing: white space, or a placeholder such as ``TODO`` in whatever case."""
    return text.strip().casefold().rstrip(".:!") in _PLACEHOLDERS or text.strip().casefold() in _PLACEHOLDERS


def stated(text: str) -> str:
    """The text without white space around it.

    Raises:
        ValueError: it says nothing.
    """
    if is_blank(text):
        raise ValueError("it is blank or a placeholder; say what is true, even if that is little")
    return text.strip()


Statement = Annotated[str, AfterValidator(stated)]
"""A text that says something."""

Statements = Annotated[tuple[Statement, ...], Field(min_length=1)]
"""One text or several, each of which says something."""
