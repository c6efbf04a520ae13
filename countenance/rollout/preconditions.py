"""Biometric preconditions of a canary: the gallery speaks the candidate's language, and the threshold came along.

Templates that one model made cannot be compared with another's unless that was shown. So before anybody is answered
by a candidate, either its probes were measured against the champion's gallery (cross-model TAR) and were good
enough, or everybody in the gallery has been enrolled again. And it must be known at which score it accepts: a
threshold is calibrated with a model and means nothing beside another one.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Preconditions:
    """What is on record about the candidate's embedding space and threshold; None: nobody measured it.

    Args:
        embedding_space: the space that the candidate's embeddings live in.
        champion_space: the space of the gallery, which the champion's templates made.
        cross_model_tar: true accept rate of the candidate's probes against the champion's gallery, 0 to 1.
        required_tar: what it must reach; the report that measured it says so.
        re_enrolled: whether the whole gallery has been enrolled again with the candidate.
        threshold: the score above which the candidate accepts.
    """

    embedding_space: str | None = None
    champion_space: str | None = None
    cross_model_tar: float | None = None
    required_tar: float | None = None
    re_enrolled: bool = False
    threshold: float | None = None

    def unmet(self) -> tuple[str, ...]:
        """Sentences on what keeps a canary from starting; empty when nothing does."""
        return tuple(sentence for sentence in (self._gallery(), self._threshold()) if sentence)

    def to_dict(self) -> dict[str, Any]:
        """The preconditions as JSON values; ``Preconditions(**values)`` gives equal ones back."""
        return asdict(self)

    def _gallery(self) -> str | None:
        if not self.embedding_space:
            return "The candidate's embedding space is not recorded: register it with its release."
        if self.re_enrolled:
            return None
        measured, required = self.cross_model_tar, self.required_tar
        if measured is None or required is None or not 0 <= measured <= 1 or not 0 < required <= 1:
            return (
                "Nobody measured whether the candidate's probes match the champion's gallery: measure the cross-model "
                "TAR, or enrol the gallery again and record that."
            )
        if measured < required:
            return (
                f"The candidate's probes reach a TAR of {measured:.4f} against the champion's gallery, and "
                f"{required:.4f} is required: enrol the gallery again before the canary starts."
            )
        return None

    def _threshold(self) -> str | None:
        if self.threshold is None or not math.isfinite(self.threshold):
            return "The candidate's threshold is not recorded: calibrate it and register it with its release."
        return None
