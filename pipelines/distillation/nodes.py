"""Nodes of the distillation room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.consent import consented
from pipelines.sampling import as_sampled


def embed_with_teacher(
    manifest: pd.DataFrame, crops: Any, network: Any, parameters: dict[str, Any], cache_folder: str
) -> Any:
    """What the teacher says of every training face; what it said before, in whatever room, is in its cache."""
    from countenance.learning.teacher_features import teacher_features

    return teacher_features(manifest, crops, network, _configuration(parameters), cache=Path(cache_folder))


def ask_about_other_tasks(manifest: pd.DataFrame, crops: Any, network: Any, parameters: dict[str, Any]) -> pd.DataFrame:
    """What the training room's network says of the training faces beside identity; no row where nobody learns it."""
    from countenance.learning.soft_reading import read_configured, soft_frame

    return soft_frame(read_configured(network, manifest, crops, _configuration(parameters)))


def train_alone(
    manifest: pd.DataFrame,
    crops: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    parameters: dict[str, Any],
    consent: dict[str, Any],
    sessions_folder: str,
) -> Any:
    """The student without a teacher."""
    from countenance.learning.recipe import train_student_alone
    from countenance.learning.tables import curves_table, effort_summary

    session = Path(sessions_folder) / "student_alone.session"
    rows = as_sampled(consented(manifest, consent), weights, parameters)
    network, record = train_student_alone(rows, crops, _configuration(parameters), session=session)
    return network, curves_table(record), effort_summary(record)


def distil(
    manifest: pd.DataFrame,
    crops: Any,
    features: Any,
    soft: pd.DataFrame,
    trained: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    parameters: dict[str, Any],
    consent: dict[str, Any],
    sessions_folder: str,
) -> Any:
    """The student by AdaDistill."""
    from countenance.learning.recipe import train_student_distilled
    from countenance.learning.soft_reading import soft_table
    from countenance.learning.tables import curves_table, effort_summary
    from countenance.learning.teacher_features import teaching

    configuration, session = _configuration(parameters), Path(sessions_folder) / "student_distilled.session"
    teacher = teaching(features, configuration, trained)
    rows = as_sampled(consented(manifest, consent), weights, parameters)
    network, record = train_student_distilled(
        rows, crops, teacher, configuration, soft=soft_table(soft), session=session
    )
    return network, curves_table(record), effort_summary(record)


def continue_on_faulty_delivery(
    student: Any,
    delivery: pd.DataFrame,
    crops: Any,
    features: Any,
    soft: pd.DataFrame,
    trained: Any,
    parameters: dict[str, Any],
    consent: dict[str, Any],
    sessions_folder: str,
) -> Any:
    """The demonstration's damaged candidate: the distilled student, trained on with wrong labels."""
    from countenance.learning import recipe
    from countenance.learning.soft_reading import soft_table
    from countenance.learning.tables import curves_table, effort_summary
    from countenance.learning.teacher_features import teaching

    configuration, session = _configuration(parameters), Path(sessions_folder) / "student_damaged.session"
    teacher = teaching(features, configuration, trained)
    rows = consented(delivery, consent)
    network, record = recipe.continue_on_faulty_delivery(
        student, rows, crops, teacher, configuration, soft=soft_table(soft), session=session
    )
    return network, curves_table(record), effort_summary(record)


def export_candidate(network: Any, parameters: dict[str, Any]) -> tuple[bytes, bytes, dict[str, Any]]:
    """Export a candidate, check the export on golden probes, time and weigh it."""
    from countenance.serving.qualification import qualify

    return qualify(network, seed=parameters["seed"])


def _configuration(parameters: dict[str, Any]) -> Any:
    from countenance.learning.recipe import DistillationConfiguration

    return _narrow(DistillationConfiguration, parameters, "distillation")


def _narrow(model: Any, parameters: dict[str, Any], room: str) -> Any:
    from countenance.configuration import narrow

    return narrow(model, parameters, where=f"parameters_{room}.yml")
