"""Opening the model that a command is to run, whatever form it has."""

from __future__ import annotations

from pathlib import Path

from countenance.analysis.model import (
    PROPOSAL_FILE,
    READING_FILE,
    ExportedModel,
    FaceModel,
    NetworkModel,
    open_exported,
)
from countenance.commands.arguments import DEFAULT_MODEL
from countenance.errors import ModelError
from countenance.learning.checkpoint import load_network
from countenance.serving.release import RELEASE_FILE, open_release


def open_model(path: Path | None, *, threads: int) -> FaceModel:
    """Open a network (``.safetensors``), a release unit (checked first), or an exported model (folder or ``.onnx``).

    Args:
        path: None means :data:`~countenance.commands.arguments.DEFAULT_MODEL`.
        threads: the model's.

    Raises:
        ModelError: there is no such model, or it is damaged.
    """
    chosen = path or DEFAULT_MODEL
    if not chosen.exists():
        remedy = "train one with 'kedro run --pipelines ingestion,validation,training', or name another with --model"
        raise ModelError(f"There is no model at {chosen}: {remedy}.")
    if chosen.suffix == ".safetensors":
        return NetworkModel(load_network(chosen), threads=threads)
    if chosen.is_dir() and (chosen / RELEASE_FILE).is_file():
        return _open_release(chosen, threads)
    if chosen.is_dir() or chosen.suffix == ".onnx":
        return open_exported(chosen, threads=threads)
    raise ModelError(
        f"{chosen} is no model: give a .safetensors file, a release unit, or a folder with {READING_FILE} and "
        f"{PROPOSAL_FILE}."
    )


def _open_release(folder: Path, threads: int) -> ExportedModel:
    manifest = open_release(folder)
    if PROPOSAL_FILE not in manifest.files:
        raise ModelError(
            f"Release unit {folder} has no {PROPOSAL_FILE}, so it reads faces but finds none: release a newer model."
        )
    return open_exported(folder, threads=threads)
