"""What to try when a gate on groups fails: its reason names the options, and the command that measures them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from countenance.assessment.gates import Gate

IDENTITY_GATES: Final = (
    "FMR of every group",
    "FMR disparity",
    "FNMR disparity",
    "bias index",
    "worst-group FMR against the champion",
    "worst-group FNMR against the champion",
    "worst-group FMR against the teacher",
    "worst-group FNMR against the teacher",
)
"""Gates on identity errors by group, which balance and normalisation may help."""
REMEDY: Final = (
    "To try: group-balanced sampling ('balanced: true' in parameters_distillation.yml or parameters_training.yml) or "
    "normalised scores; `kedro run --pipelines mitigation,reporting` measures both."
)


def with_remedies(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return the gates, each that fails on identity errors by group with what to try in its reason."""
    return tuple(
        replace(gate, reason=f"{gate.reason} {REMEDY}")
        if gate.verdict == "FAIL" and gate.name in IDENTITY_GATES
        else gate
        for gate in gates
    )
