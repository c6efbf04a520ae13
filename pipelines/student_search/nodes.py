"""Nodes of the student search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.consent import consented
from pipelines.sampling import as_sampled


def search_students(
    manifest: pd.DataFrame,
    crops: Any,
    features: Any,
    soft: pd.DataFrame,
    trained: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    distillation: dict[str, Any],
    evaluation: dict[str, Any],
    search: dict[str, Any],
    consent: dict[str, Any],
    folder: str,
) -> dict[str, Any]:
    """Try students of the budget, going on where an earlier search of the same kind ended; what became of each."""
    from pipelines.student_search.materials import materials_of
    from pipelines.student_search.results import search_report
    from pipelines.student_search.search import run_search

    rows = as_sampled(consented(manifest, consent), weights, distillation)
    materials = materials_of(rows, crops, features, soft, trained, distillation, evaluation, search)
    return search_report(run_search(materials, Path(folder)), materials)


def write_best(report: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The best student as configuration to be pasted, and the search's numbers."""
    from pipelines.student_search.results import search_numbers, snippet

    return snippet(report), search_numbers(report)
