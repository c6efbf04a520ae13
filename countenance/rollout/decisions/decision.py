"""One request as it was answered: what either model said, who answered, and whether it is to be labelled."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countenance.errors import RolloutError
from countenance.rollout.batch import LARGEST_WEIGHT

_SMALLEST: Final = 1 / LARGEST_WEIGHT
_DRAWS: Final = 2**53
_STAGE_KEY: Final = re.compile(r"shadow|baking|canary:[1-9][0-9]?")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One answered request. It holds nobody's face, embedding or name.

    Args:
        decision_id: the request's own id; the same one counts once, however often it is handed in.
        champion: the release that is champion by the snapshot under which the request was routed.
        candidate: the candidate by that snapshot, whether it scored this request or not; None where none runs.
        by_candidate: whether the candidate answered.
        candidate_match, champion_match: what each of them decided; None where it did not score the request.
        candidate_score: the candidate's comparison score, where it scored.
        group: the subject's group, where it is known and guarded.
        routing_key: an HMAC of who asked (``traffic.routing_key``); empty where it is not kept.
        site: where it was asked.
        candidate_ms, champion_ms: how long each took, in milliseconds.
        failed: the model that answered failed on it (an error, a time-out).
        shadow_dropped: the shadow should have scored it and dropped it.
        audit_probability: with which probability it was drawn for labelling: 1 where all are to be labelled.
        audited: whether it was drawn.
        stage_key: the stage by the snapshot; None: the present one of the rollout.
        at: when it was answered; None (in service): the moment at which the store takes it in, by its own clock.

    Raises:
        RolloutError: when the parts contradict each other.
    """

    decision_id: str
    champion: str
    candidate: str | None = None
    by_candidate: bool = False
    candidate_match: bool | None = None
    champion_match: bool | None = None
    candidate_score: float | None = None
    group: str | None = None
    routing_key: str = ""
    site: str | None = None
    candidate_ms: float | None = None
    champion_ms: float | None = None
    failed: bool = False
    shadow_dropped: bool = False
    audit_probability: float = 1.0
    audited: bool = True
    stage_key: str | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        wrong = self._contradiction()
        if wrong is not None:
            raise RolloutError(f"Decision '{self.decision_id}' {wrong}.")

    def _contradiction(self) -> str | None:
        answer = self.candidate_match if self.by_candidate else self.champion_match
        if not self.decision_id:
            return "has no id: give every request its own"
        if self.candidate is None and (self.by_candidate or self.candidate_match is not None):
            return "speaks of a candidate and names none: name the release that scored it"
        if answer is None and not self.failed:
            return "has no answer of the model that answered: give it, or say that it failed"
        if not _SMALLEST <= self.audit_probability <= 1:
            return f"was drawn with a probability of {self.audit_probability}: audit with {_SMALLEST:g} to 1"
        if self.audit_probability == 1 and not self.audited:
            return "was to be labelled for sure and was not drawn: draw it, or give the probability"
        if self.stage_key is not None and _STAGE_KEY.fullmatch(self.stage_key) is None:
            return f"names the stage '{self.stage_key}': give shadow, canary:1, canary:2 ... or baking"
        numbers = (self.candidate_score, self.candidate_ms, self.champion_ms)
        if not all(number is None or math.isfinite(number) for number in numbers):
            return "holds a number that is not finite: leave out what was not measured"
        return None


def draw_for_audit(decision_id: str, *, probability: float, salt: bytes, discordant: bool) -> tuple[float, bool]:
    """Whether a request is to be labelled, and with which probability that was drawn.

    A discordant pair (the two models decided differently) is always drawn: such labels are the best that a minute can
    buy. The draw of the others follows from the id and the salt, so that everybody who asks draws alike.

    Args:
        decision_id: of the request.
        probability: for a request on which nothing special is known, within [0.001, 1].
        salt: a secret, so that nobody chooses ids that are never looked at.
        discordant: whether both models scored it and decided differently.

    Returns:
        ``audit_probability`` and ``audited`` of the decision.
    """
    if discordant or probability >= 1:
        return 1.0, True
    return probability, _draw(decision_id, salt) < probability


def _draw(decision_id: str, salt: bytes) -> float:
    digest = hmac.new(salt, b"countenance.rollout.audit.v1\0" + decision_id.encode(), hashlib.sha256).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / _DRAWS
