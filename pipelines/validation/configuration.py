"""Parameters of the validation room."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from countenance.configuration import Configuration
from countenance.data.coverage import CoverageConfiguration
from countenance.data.manifest import LABEL_COLUMNS
from countenance.data.near_copies import NearCopyConfiguration

TableName = Literal["faces", "coverage", "protected_coverage", "drift"]

KEYS: Final[dict[str, str]] = {
    "faces": "face_id",
    "coverage": "cell",
    "protected_coverage": "cell",
    "drift": "column",
}
"""The tables that expectations are held against, and the column by which a finding names their rows."""

PROTECTED: Final = "protected_coverage"
"""The table that must not reach the seal: training depends on it."""


class Expectation(Configuration):
    """One expectation.

    Attributes:
        type: its Great Expectations type.
        arguments: of that type.
        severity: whether bad data stops the run or is only shown.
        why: what is expected, as the report and the sentence of a refusal say it.
        only: restricts it to rows with these values, e.g. ``{is_face: true}``.
        table: what it is held against.
    """

    type: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    severity: Literal["critical", "warning"]
    why: str
    only: dict[str, Any] = Field(default_factory=dict)
    table: TableName = "faces"


class KnownFacts(Configuration):
    """What is known of the faces beside their manifest; None where it isn't.

    Attributes:
        embeddings: a teacher's features by face id (``.arrow``, as distillation writes them), or what
            ``countenance embed`` made of this crop store (``.npy``).
        detector_scores: a Parquet table with ``face_id`` and ``detector_score``.
        same_person: cosine from which on the embeddings' model is sure that two faces are of one person.
    """

    embeddings: str | None = None
    detector_scores: str | None = None
    same_person: float = Field(default=0.4, gt=-1, lt=1)


class DriftConfiguration(Configuration):
    """What is compared with the last version of the data, and from which distance on it counts as drifted.

    Attributes:
        numerical: columns of the facts, by Wasserstein's distance in standard deviations of the last version.
        categorical: columns of the facts, by Jensen's and Shannon's distance.
        against: the facts of another version (``face_facts.parquet``) in place of the last one that passed here.
        rows: compared at most, evenly chosen.
        kept: versions that are kept.
    """

    numerical: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    wasserstein_threshold: float = Field(default=0.1, gt=0)
    jensen_shannon_threshold: float = Field(default=0.1, gt=0, lt=1)
    against: str | None = None
    rows: int = Field(default=20_000, ge=100)
    kept: int = Field(default=5, ge=2)


class ValidationConfiguration(Configuration):
    """Parameters of the validation room.

    Attributes:
        labels: by source, the tasks that it labels and the least share of its faces that carry the label.
        consent_needed_for: purposes for which every named person's face must name the consent that covers it.
        near_copies: when two pictures are copies.
        known: what is known of the faces beside their manifest.
        coverage: groups that ought to be there.
        drift: what is compared with the last version.
        named_rows: named by a finding of the report at most; the page shows the first few.
        workers: decoding threads.
        expectations: by name.
    """

    labels: dict[str, dict[str, float]]
    consent_needed_for: tuple[str, ...] = ()
    near_copies: NearCopyConfiguration = NearCopyConfiguration()
    known: KnownFacts = KnownFacts()
    coverage: CoverageConfiguration = CoverageConfiguration()
    drift: DriftConfiguration = DriftConfiguration()
    named_rows: int = Field(default=1000, ge=1, le=100_000)
    workers: int = Field(default=2, ge=1)
    expectations: dict[str, Expectation]

    @field_validator("labels")
    @classmethod
    def _known_tasks(cls, labels: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for source, shares in labels.items():
            for task, share in shares.items():
                if task not in LABEL_COLUMNS:
                    raise ValueError(f"'{source}' declares the unknown task '{task}': {', '.join(LABEL_COLUMNS)}")
                if not 0 <= share <= 1:
                    raise ValueError(f"'{source}' declares {share:g} of '{task}': a share lies in 0 to 1")
        return labels
