"""Our part of a registered model's description: who is champion, what runs, on what evidence, and where reports lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from countenance.rollout.registry.shown import ShownVersion
from countenance.rollout.registry.telling import VersionStory, e_values, moment

_BEGIN: Final = "<!-- rollout: written by countenance, edits are put right -->"
_END: Final = "<!-- end of rollout -->"


def described(
    aliases: Mapping[str, str],
    stories: Mapping[str, VersionStory],
    versions: Mapping[str, ShownVersion],
    reports: Mapping[str, str],
) -> str:
    """The text as Markdown; it says nothing of the moment it was written at, so it changes only with the store.

    Args:
        aliases: release by alias.
        stories: by release.
        versions: as registered, by release; their runs hold the release unit with its reports.
        reports: address by title, of pages that lie elsewhere.
    """
    lines = ["### Rollout", "", "| | release | version | state | share | since |", "|---|---|---|---|---|---|"]
    lines += [_row(alias, aliases[alias], stories, versions) for alias in sorted(aliases)]
    for release in dict.fromkeys(aliases[alias] for alias in sorted(aliases)):
        if release in stories:
            lines += ["", *_evidence(release, stories[release], versions.get(release))]
    if reports:
        lines += ["", "Reports: " + ", ".join(f"[{title}]({where})" for title, where in reports.items()) + "."]
    return "\n".join(lines)


def with_block(description: str, block: str | None) -> str:
    """A description with our part replaced by ``block`` (None: without it); what people wrote around it stays."""
    before, after = _around(description)
    ours = f"{_BEGIN}\n{block}\n{_END}" if block else ""
    return "\n\n".join(part for part in (before.strip("\n"), ours, after.strip("\n")) if part)


def block_of(description: str) -> str:
    """Our part of a description, or nothing where there is none."""
    _, begun, rest = description.partition(_BEGIN)
    block, ended, _ = rest.partition(_END)
    return block.strip("\n") if begun and ended else ""


def _around(description: str) -> tuple[str, str]:
    before, begun, rest = description.partition(_BEGIN)
    _, ended, after = rest.partition(_END)
    # Without its end our part reaches to the end of the text: it is ours from the mark on.
    return (before, after) if begun and ended else (before, "")


def _row(alias: str, release: str, stories: Mapping[str, VersionStory], versions: Mapping[str, ShownVersion]) -> str:
    story, version = stories.get(release), versions.get(release)
    number = "not registered" if version is None else version.version
    if story is None:
        return f"| {alias} | {release} | {number} | | | |"
    state = story.state
    return f"| {alias} | {release} | {number} | {state.stage} | {state.share:.0%} | {moment(state.entered_at)} |"


def _evidence(release: str, story: VersionStory, version: ShownVersion | None) -> list[str]:
    lines = [f"**{release}**: {story.state.reason}"]
    values = {name.replace("e_value.", "e-value "): value for name, value in e_values(story.verdict or {}).items()}
    told = [f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value is not None]
    if told:
        lines.append(f"Evidence after look {story.looks}: {', '.join(told)}; {story.people_exposed} people exposed.")
    if version is not None and version.run is not None:
        lines.append(
            f"Model card and reports: [artifacts of its run](#/runs/{version.run}), folder `release-{release}`."
        )
    return lines
