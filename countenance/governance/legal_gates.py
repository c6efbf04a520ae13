"""Gates that hold a release against its declared use: licences of all that it was made of, and purposes of its data.

They stand beside the measured gates, with one difference: what a licence or a purpose forbids, no waiver allows. What
nobody knows may be waived by whoever signs for it, with an expiry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pandas as pd

from countenance.assessment.gates import Decided, Gate
from countenance.governance.intended_use import SETTING_TITLES, IntendedUse
from countenance.governance.licenses import LicenseTable
from countenance.governance.materials import Material

LICENSE_GATE: Final = "licences against the intended use"
PURPOSE_GATE: Final = "data purposes against the intended use"
LEGAL_GATES: Final = (LICENSE_GATE, PURPOSE_GATE)


def license_gate(use: IntendedUse, materials: Sequence[Material], table: LicenseTable) -> Gate:
    """PASS where every material's licence allows the setting, FAIL where one forbids it, else INCONCLUSIVE.

    ``value`` counts the materials that aren't shown to allow it. A release of nothing is INCONCLUSIVE.
    """
    found = [(material, table.find(material.license)) for material in materials]
    forbidden = [material for material, license_ in found if license_ and not license_.allows(use.setting)]
    unknown = [material for material, license_ in found if license_ is None]
    asked = {material.license: license_.asks for material, license_ in found if license_ and license_.asks}
    warning = " ".join(f"{name} asks to {' and to '.join(asks)}." for name, asks in sorted(asked.items()))
    setting, count = SETTING_TITLES[use.setting], len(forbidden) + len(unknown)
    if forbidden:
        reason = f"The intended use is {setting}, which the licence does not allow: {_listed(forbidden)}."
        return _counted(LICENSE_GATE, "FAIL", count, "materials", reason, warning)
    if unknown or not found:
        reason = f"Nobody knows what is allowed: {_listed(unknown) or 'no material is named'}."
        return _counted(LICENSE_GATE, "INCONCLUSIVE", count, "materials", reason, warning)
    reason = f"The intended use is {setting}, which every licence allows: {_listed(materials)}."
    return _counted(LICENSE_GATE, "PASS", 0, "materials", reason, warning)


def purpose_gate(use: IntendedUse, rows_by_purpose: Mapping[str | None, int]) -> Gate:
    """FAIL where rows of the manifest are for a purpose that the use isn't, INCONCLUSIVE where rows name none.

    Args:
        use: the declaration.
        rows_by_purpose: rows of the manifest by purpose, None where a row names none; see :func:`rows_by_purpose`.
    """
    refused = {str(name): rows for name, rows in rows_by_purpose.items() if not use.accepts(name)}
    silent, named = rows_by_purpose.get(None, 0), sum(rows_by_purpose.values()) - rows_by_purpose.get(None, 0)
    if refused:
        shown = ", ".join(f"{name} ({rows:,} rows)" for name, rows in sorted(refused.items()))
        accepted = " or ".join(use.data_purposes)
        reason = f"The use takes data for {accepted}, and some was given for something else: {shown}."
        return _counted(PURPOSE_GATE, "FAIL", sum(refused.values()), "rows", reason)
    if silent or not named:
        reason = f"{silent:,} of {silent + named:,} rows of the manifest don't say what they may be used for."
        return _counted(PURPOSE_GATE, "INCONCLUSIVE", silent, "rows", reason)
    reason = f"All {named:,} rows of the manifest are for a purpose of this use: {', '.join(use.data_purposes)}."
    return _counted(PURPOSE_GATE, "PASS", 0, "rows", reason)


def rows_by_purpose(manifest: pd.DataFrame) -> dict[str | None, int]:
    """Rows of a manifest by purpose, None where a row names none."""
    named = manifest["purpose"].dropna()
    silent = len(manifest) - len(named)
    counts: dict[str | None, int] = {str(name): int(count) for name, count in named.value_counts().sort_index().items()}
    return counts if not silent else {**counts, None: silent}


def _listed(materials: Iterable[Material]) -> str:
    return ", ".join(material.shown for material in materials)


def _counted(name: str, verdict: Decided, count: int, unit: str, reason: str, warning: str = "") -> Gate:
    value = float(count)
    return Gate(name, verdict, value, value, value, 0.0, unit, reason, warning)
