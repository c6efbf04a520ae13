"""What happened to each candidate, in words: for the terminal and for the page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from countenance.reporting.wording import heading, lasting, listed, many, moment, money, plain_times, share

Tone = Literal["good", "bad", "open"]

_OUTCOMES: Final[dict[str, tuple[str, Tone]]] = {
    "PROMOTED": ("promoted", "good"),
    "ROLLED_BACK": ("rolled back", "bad"),
    "ABORTED": ("stopped before anybody was exposed", "bad"),
    "REJECTED": ("rejected", "bad"),
    "SUPERSEDED": ("superseded", "open"),
    "INCONCLUSIVE": ("inconclusive", "open"),
    "PAUSED": ("paused", "open"),
    "AWAITING_APPROVAL": ("waiting for an operator's signature", "open"),
}
_STAGE_WORDS: Final = {"SHADOW": "shadow", "BAKING": "bake", "PROMOTED": "promoted", "ROLLED_BACK": "rolled back"}


@dataclass(frozen=True, kw_only=True)
class CandidateWords:
    """One candidate's way in words.

    Attributes:
        title: its heading, with its version where it has one.
        outcome: how it ended, e.g. "rolled back".
        tone: whether that is good, bad or open.
        path: stages with their times; empty where it was not played.
        reason: the sentence of the last move, or why it was skipped.
        exposure: people and requests that it answered on trial, and how many wrongly.
        price: what that cost.
    """

    title: str
    outcome: str
    tone: Tone
    path: str
    reason: str
    exposure: str
    price: str

    @property
    def paragraph(self) -> str:
        """All of it in one paragraph."""
        parts = (f"{self.title}: {self.outcome}.", self.path, self.reason, self.exposure, self.price)
        return " ".join(part for part in parts if part)


def story_text(rollout: Mapping[str, Any], *, names: Mapping[str, str] | None = None, width: int = 100) -> str:
    """The rollouts for the terminal: a short paragraph a candidate, and who is in charge.

    Args:
        rollout: ``champion``, ``previous``, ``chain_events``, ``operator_minutes``, ``currency`` and ``entries``.
        names: heading by candidate; a candidate without one goes by its key.
        width: of a line, in characters.
    """
    told = [words.paragraph for words in all_words(rollout, names or {})]
    return "\n\n".join(textwrap.fill(text, width) for text in (*told, charge_sentence(rollout, names or {}))) + "\n"


def all_words(rollout: Mapping[str, Any], names: Mapping[str, str]) -> list[CandidateWords]:
    """Every candidate's way, in the order of the entries."""
    return [candidate_words(entry, rollout, names) for entry in rollout.get("entries", ())]


def charge_sentence(rollout: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Who is in charge, who was before, and how much was recorded."""
    champion, previous = rollout.get("champion"), rollout.get("previous")
    if champion is None:
        return "No candidate is champion."
    before = f" Before it was {heading(names, previous)}, which stands ready." if previous is not None else ""
    minutes, events = rollout["operator_minutes"], many(rollout["chain_events"], "event")
    record = f" The record holds {events} in one chain of hashes; operators spent {minutes:,.1f} minutes."
    return f"{heading(names, champion)} is champion.{before}{record}"


def candidate_words(entry: Mapping[str, Any], rollout: Mapping[str, Any], names: Mapping[str, str]) -> CandidateWords:
    """One candidate's way."""
    version = f" (version {entry['version']})" if entry["version"] is not None else ""
    title, story = f"{heading(names, entry['candidate'])}{version}", entry["story"]
    if story is None:
        reason = named(entry["skipped"], rollout, names)
        return CandidateWords(
            title=title, outcome="not rolled out", tone="bad", path="", reason=reason, exposure="", price=""
        )
    outcome, tone = outcome_of(story)
    return CandidateWords(
        title=title,
        outcome=outcome,
        tone=tone,
        path=path_sentence(story),
        reason=named(story["reason"], rollout, names),
        exposure=exposure_sentence(story),
        price=price_sentence(story, rollout.get("currency", "")),
    )


def is_bootstrap(story: Mapping[str, Any]) -> bool:
    """Whether it became champion by a signed bootstrap; a bootstrap runs under no policy."""
    return story["policy_hash"] is None


def outcome_of(story: Mapping[str, Any]) -> tuple[str, Tone]:
    """How a rollout ended, or where it stands."""
    if is_bootstrap(story) and story["final_stage"] == "PROMOTED":
        return "made champion by a signed bootstrap", "good"
    stage = story["final_stage"]
    return _OUTCOMES.get(stage, (f"still in {stage.lower()}", "open"))


def path_sentence(story: Mapping[str, Any]) -> str:
    """The stages that count, each with the time at which it was entered."""
    stops, before = [], None
    for entered in story["moments"]:
        stage = entered["stage"]
        if stage in ("REGISTERED", "VALIDATING"):
            continue
        stops.append(f"{stage_words(entered)} {moment(entered['at'], after=before)}")
        before = entered["at"]
    if not stops:
        return ""
    took = lasting(story["started_at"], story["moved_at"])
    text = "; ".join(stops)
    return f"{text[0].upper()}{text[1:]}" + (f", {took} in all." if len(stops) > 1 else ".")


def stage_words(entered: Mapping[str, Any]) -> str:
    """A stage as people say it, e.g. ``canary at 5 %``."""
    if entered["stage"] == "CANARY":
        return f"canary at {share(entered['share'])}"
    return _STAGE_WORDS.get(entered["stage"], str(entered["stage"]).replace("_", " ").lower())


def exposure_sentence(story: Mapping[str, Any]) -> str:
    """How many people and requests it answered on trial, and how many of them wrongly."""
    if not story["requests_exposed"]:
        return "" if is_bootstrap(story) else "It never answered anybody while it was on trial."
    wrong, spared = story["wrong_decisions"], story["champion_wrong_decisions"]
    champion = f"have been wrong {many(spared, 'time')}" if spared else "never have been wrong"
    return (
        f"On trial it answered {many(story['requests_exposed'], 'request')} of "
        f"{many(story['people_exposed'], 'person', 'people')}, {f'{wrong:,}' if wrong else 'none'} of them wrongly; "
        f"on the same requests the champion would {champion}."
    )


def price_sentence(story: Mapping[str, Any], currency: str) -> str:
    """What its errors on trial cost, and how that compares with the champion's."""
    if not story["requests_exposed"]:
        return ""
    lost, beyond = story["money_lost"], story["money_lost_beyond_champion"]
    if lost is None:
        return "What that cost is not told: no prices were given."
    text = f"Its errors cost {money(lost, currency)}"
    if beyond is None:
        return f"{text}."
    if abs(beyond) < 0.005:
        return f"{text}, as much as the champion's would have."
    side = "more" if beyond > 0 else "less"
    return f"{text}, {money(abs(beyond), currency)} {side} than the champion's would have."


def named(text: str, rollout: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A recorded sentence with headings in place of release ids and candidate keys, and a full stop."""
    for entry in rollout.get("entries", ()):
        name = heading(names, entry["candidate"])
        for key in (entry["release_id"], entry["candidate"]):
            text = text.replace(f"'{key}'", f"'{name}'")
    text = plain_times(text)
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def stopped_sentence(rollout: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Which candidates did not get through, in one sentence; empty where all did."""
    ended = {heading(names, entry["candidate"]): entry["story"] for entry in rollout.get("entries", ())}
    stopped = [
        f"{name} was {'not rolled out' if story is None else outcome_of(story)[0]}"
        for name, story in ended.items()
        if story is None or outcome_of(story)[1] == "bad"
    ]
    return f"{listed(stopped)}." if stopped else ""
