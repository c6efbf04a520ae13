"""``governance.md`` of a release: which clause of which text is answered by which of its files."""

from __future__ import annotations

from collections.abc import Mapping

from countenance.governance.obligations import AnsweredRow, Evidence, answered, obligation_map
from countenance.reporting.documents import render_document

NOT_ANSWERED = "**not answered here**"
_SHOWN = 16


def render_evidence_map(
    candidate: str, unit_files: Mapping[str, str], dvc_hashes: Mapping[str, str], in_project: Mapping[str, str]
) -> str:
    """Render the map of one release.

    Args:
        candidate: its name.
        unit_files: sha256 of the other files of the unit, by name.
        dvc_hashes: of what the release was made from, by name.
        in_project: sha256 of the project's files that the map names, by path; see
            :func:`countenance.governance.obligations.project_files`.

    Raises:
        ModelError: a field is blank.
    """
    files = {**unit_files, "release.json": ""}  # it lists the others, this page among them, and can't list itself
    frameworks = [
        {
            "name": framework.name,
            "note": framework.note.strip(),
            "rows": [_row(answered(row, files, dvc_hashes, in_project)) for row in framework.rows],
        }
        for framework in obligation_map().frameworks
    ]
    return render_document(
        "governance.md.jinja", f"evidence map of '{candidate}'", {"candidate": candidate, "frameworks": frameworks}
    )


def _row(row: AnsweredRow) -> dict[str, str]:
    evidence = ", ".join(_link(entry) for entry in row.evidence)
    return {
        "clause": row.clause,
        "asks": row.asks,
        "answer": f"{row.answer}: {evidence}" if evidence else NOT_ANSWERED,
        "left": row.left or "the judgement whether that is enough",
    }


def _link(evidence: Evidence) -> str:
    names = {"unit": f"[{evidence.name}]({evidence.name})", "dvc": f"DVC's {evidence.name}"}
    name = names.get(evidence.kind, f"the project's `{evidence.name}`")
    return f"{name} (`{evidence.digest[:_SHOWN]}…`)" if evidence.digest else name
