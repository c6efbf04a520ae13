"""A protocol of IJB's shape from the held-out test people, and every model on it, by the functions of the command.

What is written here is what ``countenance evaluate ijb`` reads: the protocol's folder, and a file of embeddings a model
whose row i is the protocol's sample i.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from countenance.assessment.template_report import assess_templates
from countenance.assessment.template_sums import aggregate_templates
from countenance.configuration import Configuration
from countenance.data.protocols.made_protocol import GALLERIES, made_protocol
from countenance.data.protocols.template_protocol import TemplateProtocol
from countenance.errors import AssessmentError
from countenance.progress import track

LOG: Final = logging.getLogger(__name__)
MEDIUM: Final = "photo_sha256"
ROC_POINTS: Final = 400


class TemplateConfiguration(Configuration):
    """How templates are made of the test people's photos, and at which rates they are measured.

    ``samples_per_template`` and ``probes_per_subject`` are limits; of a person's photos at most half form the gallery
    template. With ``frames_per_video`` above 1 every second medium is a video of so many photos, so that the mean
    within media is put to use as on IJB. The headline FAR of the evaluation is
    measured beside ``fars``.
    """

    seed: int = Field(ge=0)
    name: str = Field(default="test-people", min_length=1)
    samples_per_template: int = Field(default=3, ge=1)
    probes_per_subject: int = Field(default=3, ge=1)
    frames_per_video: int = Field(default=2, ge=1)
    non_mated_pairs: int = Field(default=1_000_000, ge=1)
    fars: tuple[float, ...] = Field(default=(1e-4, 1e-3, 1e-2, 1e-1), min_length=1)


@dataclass(frozen=True)
class MissingProtocol:
    """In the place of a protocol that could not be made: why, in one sentence."""

    reason: str


def protocol_of_test_people(
    manifest: pd.DataFrame, configuration: TemplateConfiguration
) -> TemplateProtocol | MissingProtocol:
    """The protocol; where too few test people have two photos, the reason why there is none, which is logged, too."""
    faces = manifest[(manifest["split"] == "test") & manifest["is_face"].astype(bool) & manifest["subject_id"].notna()]
    enrolled = int((faces.groupby("subject_id")[MEDIUM].nunique() > 1).sum())
    if enrolled < len(GALLERIES):
        reason = (
            f"{enrolled} of {faces['subject_id'].nunique()} test people have two photos, and a protocol of templates "
            f"needs {len(GALLERIES)}: give the test split more people or photos."
        )
        LOG.warning("Templates are not measured: %s", reason)
        return MissingProtocol(reason)
    return made_protocol(
        faces,
        generator=np.random.default_rng(configuration.seed),
        name=configuration.name,
        samples_per_template=configuration.samples_per_template,
        probes_per_subject=configuration.probes_per_subject,
        non_mated_pairs=configuration.non_mated_pairs,
        medium=MEDIUM,
        frames_per_video=configuration.frames_per_video,
    ).protocol


def embeddings_of_samples(
    protocol: TemplateProtocol | MissingProtocol, outputs: Mapping[str, pd.DataFrame]
) -> dict[str, NDArray[np.float32]]:
    """Each trained model's embeddings of the protocol's samples, [N, D], row by row.

    Raises:
        AssessmentError: a model has no embedding of a sample.
    """
    if isinstance(protocol, MissingProtocol):
        return {}
    return {model: _rows(model, said, protocol) for model, said in outputs.items() if len(said)}


def _rows(model: str, said: pd.DataFrame, protocol: TemplateProtocol) -> NDArray[np.float32]:
    by_face = said.set_index("face_id")["embedding"]
    found = by_face.reindex(protocol.samples.names)
    silent = int(found.isna().sum())
    if silent:
        raise AssessmentError(
            f"'{model}' has no embedding of {silent} of the {len(found)} faces of the template protocol: a face needs "
            "landmarks, and so an aligned crop, to be compared; or run the evaluation pipeline again."
        )
    return np.stack([np.asarray(values, dtype=np.float32) for values in found])


def assess_on_templates(
    protocol: TemplateProtocol | MissingProtocol,
    embeddings: Mapping[str, NDArray[np.float32]],
    configuration: TemplateConfiguration,
    headline_far: float,
) -> dict[str, Any]:
    """The report of every model on the protocol, by model; without a protocol there are none, and ``note`` says why.

    The headline FAR is one of those that are measured, whether it is configured or not.
    """
    if isinstance(protocol, MissingProtocol):
        return {"protocol": None, "models": {}, "note": protocol.reason}
    samples, fars = protocol.samples, sorted({*configuration.fars, headline_far})
    reports = {}
    for model, rows in track(embeddings.items(), what="Assessing templates", total=len(embeddings), unit="model"):
        templates = aggregate_templates(np.asarray(rows), samples.templates, samples.media)
        report = assess_templates(templates, protocol, fars=fars, roc_points=ROC_POINTS, model=model)
        reports[model] = report.to_dict()
    return {"protocol": {"name": protocol.name, **protocol.counts()}, "models": reports, "note": ""}
