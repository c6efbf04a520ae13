"""Nodes of the reporting room."""

from __future__ import annotations

from typing import Any

import pandas as pd


def picture_faces(
    manifest: pd.DataFrame, crops: Any, outputs: pd.DataFrame, reporting: dict[str, Any]
) -> list[dict[str, Any]]:
    """Held-out faces with what the distilled student says of them, for the page; only where the licence allows it."""
    from pipelines.reporting.faces import choose_faces

    return choose_faces(manifest, crops, outputs, reporting)


def make_report(crops: Any, faces: list[dict[str, Any]], reporting: dict[str, Any], **reports: Any) -> tuple[Any, str]:
    """The KPI sheet and the page."""
    from pipelines.reporting.assembly import assemble

    return assemble(crops, faces, reporting, reports)


def show_sheet(
    sheet: dict[str, Any], rollout_report: dict[str, Any], training_metrics: dict[str, Any], reporting: dict[str, Any]
) -> None:
    """Print the story, the sheet, what one network costs beside seven, and where to look next."""
    from pipelines.reporting.assembly import show

    show(sheet, rollout_report, training_metrics, reporting)
