"""Nodes of the evaluation room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd


def read_held_out(manifest: pd.DataFrame, crops: Any, network: Any) -> pd.DataFrame:
    """What a network says of the validation and test faces; nothing, if it was never trained."""
    from countenance.learning.outputs import network_outputs, no_outputs

    return no_outputs() if network is None else network_outputs(network, manifest[manifest["split"] != "train"], crops)


def read_held_out_with_teacher(
    manifest: pd.DataFrame,
    crops: Any,
    all_in_one_outputs: pd.DataFrame,
    parameters: dict[str, Any],
    cache_folder: str,
) -> pd.DataFrame:
    """What the teacher says of them; where the all-in-one network is the teacher, that is known already."""
    from countenance.configuration import narrow
    from countenance.learning.outputs import outputs_of_teacher
    from countenance.learning.recipe import DistillationConfiguration

    configuration = narrow(DistillationConfiguration, parameters, where="parameters_distillation.yml")
    held_out, cache = manifest[manifest["split"] != "train"], Path(cache_folder)
    return outputs_of_teacher(configuration, held_out, crops, all_in_one_outputs, cache=cache)


def search_photos(manifest: pd.DataFrame, crops: Any, network: Any, parameters: dict[str, Any]) -> pd.DataFrame:
    """The faces that the all-in-one network finds in whole held-out photos."""
    from countenance.analysis.held_out_photos import PhotoSearchConfiguration, search_held_out_photos
    from countenance.analysis.model import NetworkModel
    from countenance.configuration import narrow
    from countenance.network.acceleration import accelerated

    configuration = narrow(PhotoSearchConfiguration, parameters, where="parameters_evaluation.yml")
    with accelerated(network):
        return search_held_out_photos(NetworkModel(network), manifest, crops, configuration)


def make_template_protocol(manifest: pd.DataFrame, parameters: dict[str, Any]) -> Any:
    """A protocol of IJB's shape from the test people, or why there is none."""
    from countenance.configuration import narrow
    from pipelines.evaluation.templates import TemplateConfiguration, protocol_of_test_people

    configuration = narrow(TemplateConfiguration, parameters, where="parameters_evaluation.yml")
    return protocol_of_test_people(manifest, configuration)


def embed_templates(protocol: Any, **outputs: pd.DataFrame) -> Any:
    """Each trained model's embeddings of the protocol's samples, row by row."""
    from pipelines.evaluation.templates import embeddings_of_samples

    return embeddings_of_samples(protocol, outputs)


def assess_templates(protocol: Any, embeddings: Any, parameters: dict[str, Any], evaluation: dict[str, Any]) -> Any:
    """The report of every model on the protocol; the command gives the same one."""
    from countenance.assessment.held_out import AssessmentConfiguration
    from countenance.configuration import narrow
    from pipelines.evaluation.templates import TemplateConfiguration, assess_on_templates

    configuration = narrow(TemplateConfiguration, parameters, where="parameters_evaluation.yml")
    headline_far = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml").headline_far
    return assess_on_templates(protocol, embeddings, configuration, headline_far)


def assess_models(
    manifest: pd.DataFrame, found: pd.DataFrame, parameters: dict[str, Any], **outputs: pd.DataFrame
) -> Any:
    """Every task of every model, and what distillation gained."""
    from countenance.assessment.comparison import assess_all
    from countenance.assessment.held_out import AssessmentConfiguration
    from countenance.assessment.photo_search import assess_photo_search
    from countenance.configuration import narrow
    from countenance.data.manifest import with_five_points

    configuration = narrow(AssessmentConfiguration, parameters, where="parameters_evaluation.yml")
    labelled = with_five_points(manifest)
    report = assess_all(labelled, outputs, configuration)
    if len(found):
        report["detection"] = assess_photo_search(labelled, found, configuration.resampling)
    return report


def compare_runs(report: dict[str, Any], templates: dict[str, Any]) -> tuple[Any, Any]:
    """The numbers that DVC and MLflow compare from run to run, and the table of TAR at FAR."""
    from countenance.assessment.comparison import headline_numbers, tar_table

    return headline_numbers(report, templates), tar_table(report, templates)
