"""Release gates: PASS, FAIL or INCONCLUSIVE, each with its number, its limit and its reason.

A gate passes only when its whole interval is on the right side of the limit, and fails only when the whole interval
is on the wrong side (disparities apart, which noise alone lifts: see ``disparity_gate``). In between, and where
nothing was measured, it is INCONCLUSIVE, which never passes silently: it needs a signed waiver with an expiry.
Many gates over one set of data have many chances to fail by noise alone, so that a gate only fails where it would fail
by Holm's rule over all of them (:func:`hold_together`); what it takes from a FAIL makes an INCONCLUSIVE, never a PASS.
Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from countenance.assessment.cost_report import CostReport
from countenance.assessment.differential import Differential, GroupErrorRates
from countenance.assessment.intervals import DEFAULT_LEVEL, USUAL_DESIGN_EFFECT
from countenance.assessment.non_inferiority import PairedDifference
from countenance.assessment.results import Measurement, Result
from countenance.assessment.several_tests import chance_at_limit, holm
from countenance.errors import AssessmentError

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "WAIVED"]
Decided = Literal["PASS", "FAIL", "INCONCLUSIVE"]
RATIOS: Final = ("ratio", "worst / geometric mean", "worst / mean")
"""Units of quantities whose noise is even between logarithms."""


@dataclass(frozen=True)
class Gate(Result):
    """The outcome of one gate.

    Attributes:
        name: e.g. "worst-group FNMR".
        verdict: PASS, FAIL, INCONCLUSIVE or WAIVED.
        value: what was measured, or None.
        low: lower end of its interval, or None.
        high: upper end of its interval, or None.
        limit: what it was held against.
        unit: of all four numbers.
        reason: one sentence.
        warning: one sentence, or empty.
        chance: how likely so bad a value is by noise alone, the truth at the limit; None where noise has no part in it.
    """

    name: str
    verdict: Verdict
    value: float | None
    low: float | None
    high: float | None
    limit: float
    unit: str
    reason: str
    warning: str = ""
    chance: float | None = None


@dataclass(frozen=True)
class Waiver(Result):
    """Someone's signed word that a gate's verdict is accepted until a date.

    Attributes:
        gate: name of the gate.
        verdicts: what it accepts: "INCONCLUSIVE", "FAIL" or both.
        signed_by: who signed.
        reason: why.
        expires_at: with a time zone; from then on the waiver is void.
    """

    gate: str
    verdicts: tuple[Literal["INCONCLUSIVE", "FAIL"], ...]
    signed_by: str
    reason: str
    expires_at: datetime

    def __post_init__(self) -> None:
        if not self.signed_by.strip() or not self.reason.strip():
            raise AssessmentError(f"The waiver for gate '{self.gate}' lacks a signature or a reason: give both.")
        if not self.verdicts or set(self.verdicts) - {"INCONCLUSIVE", "FAIL"}:
            raise AssessmentError(
                f"The waiver for gate '{self.gate}' accepts {list(self.verdicts)}: name INCONCLUSIVE, FAIL or both."
            )
        if self.expires_at.tzinfo is None:
            raise AssessmentError(f"The waiver for gate '{self.gate}' expires without a time zone: give one.")


@dataclass(frozen=True)
class GateDecision(Result):
    """All gates after waivers.

    Attributes:
        verdict: FAIL if any gate fails, else INCONCLUSIVE if any is, else PASS.
        gates: in the order given.
        reason: one sentence.
    """

    verdict: Decided
    gates: tuple[Gate, ...]
    reason: str


def at_most(
    name: str, value: float | None, low: float | None, high: float | None, limit: float, unit: str, note: str = ""
) -> Gate:
    """Hold a quantity and its interval against an upper limit."""
    verdict: Verdict
    if value is None:
        return Gate(
            name, "INCONCLUSIVE", None, None, None, limit, unit, f"{name} was not measured: {note or 'no data'}."
        )
    shown = f"{name} is {value:.4g}"
    if low is None or high is None:
        return Gate(
            name, "INCONCLUSIVE", value, low, high, limit, unit, f"{shown} without an interval, limit {limit:.4g}."
        )
    shown = f"{shown} [{low:.4g}, {high:.4g}]"
    chance = chance_at_limit(value, low, limit, ratio=unit in RATIOS) if low < high else None
    if high <= limit:
        verdict, meaning = "PASS", f"{shown}, all at or under the limit {limit:.4g}."
    elif low > limit:
        verdict, meaning = "FAIL", f"{shown}, all over the limit {limit:.4g}."
    else:
        verdict, meaning = "INCONCLUSIVE", f"{shown} spans the limit {limit:.4g}."
    return Gate(name, verdict, value, low, high, limit, unit, meaning, chance=chance)


def no_regression_gate(difference: PairedDifference, margin: float) -> Gate:
    """Hold a paired TAR difference against the non-inferiority margin.

    PASS if low > -margin, FAIL if high < -margin, else INCONCLUSIVE.
    """
    if margin < 0.0:
        raise AssessmentError(f"The non-inferiority margin is {margin}: give zero or more.")
    name, limit = "no regression of TAR", -margin
    value, low, high = difference.difference, difference.low, difference.high
    if value is None or low is None or high is None:
        reason = f"The difference of {difference.what} has no interval: {difference.note or 'no data'}."
        return Gate(name, "INCONCLUSIVE", value, low, high, limit, difference.unit, reason)
    shown = f"{difference.what}: candidate - champion is {value:+.4f} [{low:+.4f}, {high:+.4f}], margin {margin:.4f}"
    verdict: Verdict = "PASS" if low > limit else "FAIL" if high < limit else "INCONCLUSIVE"
    meaning = {
        "PASS": "not worse by more than the margin",
        "FAIL": "worse by more than the margin",
        "INCONCLUSIVE": "the evidence does not tell",
    }[verdict]
    # Worse is lower here, and the chance is that of a value so far below the limit.
    chance = chance_at_limit(-value, -high, -limit) if low < high else None
    return Gate(name, verdict, value, low, high, limit, difference.unit, f"{shown}: {meaning}.", chance=chance)


def increase_gate(difference: PairedDifference, limit: float, against: str = "champion") -> Gate:
    """Hold a paired difference, or ratio, where more is worse, against the largest increase allowed."""
    name = f"{difference.what} against the {against}"
    return at_most(
        name, difference.difference, difference.low, difference.high, limit, difference.unit, difference.note
    )


def measurement_gate(name: str, measurement: Measurement, limit: float) -> Gate:
    """Hold a measurement where more is worse (a gap, a latency, the bias index) against an upper limit."""
    return at_most(
        name, measurement.value, measurement.low, measurement.high, limit, measurement.unit, measurement.note
    )


def budget_gate(name: str, value: float | None, limit: float, unit: str) -> Gate:
    """Hold an exactly known quantity (bytes, parameters) against an upper limit."""
    return at_most(name, value, value, value, limit, unit)


def group_fmr_gate(differential: Differential, nominal_fmr: float, factor: float) -> Gate:
    """Hold every shown group's FMR against ``factor`` times the nominal one: the group of the highest upper end."""
    return _over_groups("FMR of every group", differential, factor * nominal_fmr)


def _over_groups(name: str, differential: Differential, limit: float) -> Gate:
    shown = [(item, item.fmr) for item in differential.shown if item.fmr is not None]
    if not shown:
        return at_most(name, None, None, None, limit, "proportion", "every group is suppressed")
    gates = [
        (item.group, at_most(f"FMR of group {item.group}", rate.value, rate.low, rate.high, limit, "proportion"))
        for item, rate in shown
    ]
    order = {"FAIL": 2, "INCONCLUSIVE": 1, "PASS": 0}
    _, worst = max(gates, key=lambda pair: (order[pair[1].verdict], pair[1].high or 1.0))
    # The worst of several groups had several chances to look bad.
    chance = None if worst.chance is None else min(1.0, worst.chance * len(gates))
    return replace(worst, name=name, chance=chance)


def disparity_gate(
    name: str, disparity: Measurement, fail_above: float, warn_above: float, worst: str | None = None
) -> Gate:
    """Hold worst / geometric mean: FAIL if its lower end is over ``fail_above``; a point over ``warn_above`` warns.

    ``worst`` is the name of the worst group, for the reason.

    Noise alone lifts the ratio, so its upper end is not held against the limit: groups that are truly equal
    with 10 errors each show 1.5 at the median. Without a value or an interval it is INCONCLUSIVE.
    """
    value, low, high = disparity.value, disparity.low, disparity.high
    if value is None or low is None or high is None:
        return at_most(name, value, low, high, fail_above, disparity.unit, disparity.note)
    shown = f"{name} is {value:.3g} [{low:.3g}, {high:.3g}]" + (f", group {worst} the worst" if worst else "")
    warning = f"{shown}: over {warn_above:g}, look at the groups." if value > warn_above else ""
    chance = chance_at_limit(value, low, fail_above, ratio=True) if low < high else None
    if low > fail_above:
        reason = f"{shown}, all over the limit {fail_above:g}."
        return Gate(name, "FAIL", value, low, high, fail_above, disparity.unit, reason, warning, chance)
    reason = f"{shown}: its lower end is not over the limit {fail_above:g}."
    return Gate(name, "PASS", value, low, high, fail_above, disparity.unit, reason, warning, chance)


def evidence_gate(differential: Differential, nominal_fmr: float, minimum_expected: float) -> Gate:
    """Ask of every group for ``minimum_expected`` x design effect expected false matches at the nominal FMR.

    The rule of 30 (Doddington et al., 2000) with the design effect of comparisons that share subjects. Suppressed
    and insufficient groups lack evidence, too.
    """
    name, unit = "evidence in every group", "expected false matches / needed"
    shares = [_evidence_share(item, nominal_fmr, minimum_expected) for item in differential.groups]
    small = [item.group for item in differential.groups if item.status != "sufficient"]
    least = min(shares)
    group = differential.groups[shares.index(least)].group
    if small:
        reason = f"Too few subjects in {', '.join(small)}."
        return Gate(name, "INCONCLUSIVE", least, None, None, 1.0, unit, reason)
    if least < 1.0:
        reason = f"Group {group} has {least:.2f} of the comparisons needed at FMR {nominal_fmr:g}."
        return Gate(name, "INCONCLUSIVE", least, None, None, 1.0, unit, reason)
    return Gate(name, "PASS", least, None, None, 1.0, unit, f"The least, group {group}, has {least:.1f} times enough.")


def _evidence_share(rates: GroupErrorRates, nominal_fmr: float, minimum_expected: float) -> float:
    if rates.fmr is None:
        return 0.0
    needed = minimum_expected * (rates.fmr.design_effect or USUAL_DESIGN_EFFECT)
    return nominal_fmr * rates.fmr.comparisons / needed


def bias_index_gate(report: CostReport, limit: float) -> Gate:
    """Hold the bias index (worst group's cost / mean cost) against its limit."""
    gate = measurement_gate("bias index", report.bias_index, limit)
    if report.worst_group is None:
        return gate
    return replace(gate, reason=f"{gate.reason[:-1]}; the worst group is {report.worst_group}.")


def hold_together(gates: Sequence[Gate], level: float = DEFAULT_LEVEL) -> tuple[Gate, ...]:
    """Return the gates with every FAIL that Holm's rule over all of them doesn't uphold made INCONCLUSIVE.

    A gate without a chance (a size, evidence that is lacking) has no part in it.
    """
    tested = [number for number, gate in enumerate(gates) if gate.chance is not None]
    adjusted = dict(zip(tested, holm([gates[number].chance or 0.0 for number in tested]).tolist(), strict=True))
    return tuple(
        _not_upheld(gate, adjusted[number], len(tested))
        if gate.verdict == "FAIL" and number in adjusted and adjusted[number] > (1.0 - level) / 2.0
        else gate
        for number, gate in enumerate(gates)
    )


def _not_upheld(gate: Gate, chance: float, gates: int) -> Gate:
    reason = f"{gate.reason[:-1]}, but of {gates} gates one looks so bad by chance {chance:.1%} of the time (Holm)."
    return replace(gate, verdict="INCONCLUSIVE", reason=reason)


def decide(gates: Sequence[Gate], waivers: Sequence[Waiver], now: datetime) -> GateDecision:
    """Apply the waivers that hold at ``now`` and sum the gates up.

    Raises:
        AssessmentError: no gate, two gates of one name, a waiver for a gate that does not exist, or ``now``
            without a time zone.
    """
    names = [gate.name for gate in gates]
    if not gates or len(set(names)) != len(names):
        raise AssessmentError("A decision needs gates of different names: give each gate once.")
    if now.tzinfo is None:
        raise AssessmentError("The time of the decision has no time zone: give one.")
    for waiver in waivers:
        if waiver.gate not in names:
            raise AssessmentError(f"A waiver names the gate '{waiver.gate}', which is not among the gates: mend it.")
    settled = tuple(_waived(gate, waivers, now) for gate in gates)
    failed = [gate.name for gate in settled if gate.verdict == "FAIL"]
    unclear = [gate.name for gate in settled if gate.verdict == "INCONCLUSIVE"]
    if failed:
        return GateDecision("FAIL", settled, f"Failed: {', '.join(failed)}.")
    if unclear:
        return GateDecision("INCONCLUSIVE", settled, f"Not shown either way: {', '.join(unclear)}.")
    waived = sum(gate.verdict == "WAIVED" for gate in settled)
    return GateDecision(
        "PASS", settled, f"All {len(settled)} gates passed" + (f", {waived} by waiver." if waived else ".")
    )


def _waived(gate: Gate, waivers: Sequence[Waiver], now: datetime) -> Gate:
    for waiver in waivers:
        if waiver.gate == gate.name and gate.verdict in waiver.verdicts and now < waiver.expires_at:
            reason = (
                f"{gate.verdict} waived by {waiver.signed_by} until {waiver.expires_at.isoformat()} "
                f"({waiver.reason}): {gate.reason}"
            )
            return replace(gate, verdict="WAIVED", reason=reason)
    expired = [waiver for waiver in waivers if waiver.gate == gate.name and gate.verdict in waiver.verdicts]
    if expired:
        last = max(expired, key=lambda waiver: waiver.expires_at)
        return replace(
            gate, reason=f"{gate.reason} The waiver by {last.signed_by} expired at {last.expires_at.isoformat()}."
        )
    return gate
