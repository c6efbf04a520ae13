"""A row of the table of TAR at FAR, as reports on templates and on pairs of photos hold it."""

from __future__ import annotations

from dataclasses import dataclass

from countenance.assessment.results import Result
from countenance.assessment.verification import TarAtFar


@dataclass(frozen=True, kw_only=True)
class VerificationRow(Result):
    """The true accept rate at a false accept rate, as a row of a table.

    Attributes:
        far: the target.
        tar: accepted / mated; None where it is not measurable, and ``note`` says why.
        accepted: mated comparisons above the threshold; None where the FAR is not measurable.
        mated: mated comparisons in all, failures to extract included.
        threshold: accept when score > threshold; None where the FAR is not measurable.
        false_accepts: non-mated comparisons above the threshold; None in the same case.
        non_mated: non-mated comparisons in all, failures to extract included.
        realised_far: false_accepts / non_mated; None in the same case.
        low: lower end of the TAR's interval; None where there is none.
        high: upper end; None in the same case.
        note: why nothing was measured; empty where there is nothing to say.
    """

    far: float
    tar: float | None
    accepted: int | None
    mated: int
    threshold: float | None
    false_accepts: int | None
    non_mated: int
    realised_far: float | None
    low: float | None
    high: float | None
    note: str = ""

    @classmethod
    def of(cls, point: TarAtFar, low: float | None, high: float | None, note: str) -> VerificationRow:
        """The row of a TAR with its interval."""
        return cls(
            far=point.at.far,
            tar=point.tar,
            accepted=point.accepted,
            mated=point.mated,
            threshold=point.at.threshold,
            false_accepts=point.at.false_accepts,
            non_mated=point.at.non_mated,
            realised_far=point.at.realised_far,
            low=low,
            high=high,
            note=note,
        )
