"""The release unit: one directory that is registered, rolled out and served.

It holds ``model.onnx``, ``proposals.onnx``, ``release.json``, ``model_card.md`` and the reports that it was gated on.
``release.json`` lists the sha256 of every other file, so that whoever opens the unit knows that it is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from countenance.analysis.model import PROPOSAL_FILE
from countenance.configuration import Configuration, narrow
from countenance.errors import ConfigurationError, ModelError
from countenance.governance.intended_use import IntendedUse, require_identification
from countenance.governance.materials import Material
from countenance.network.export import INPUT_NAME, OUTPUT_NAMES
from countenance.storage import file_sha256, write_folder_aside

MODEL_FILE: Final = "model.onnx"
RELEASE_FILE: Final = "release.json"
MODEL_CARD_FILE: Final = "model_card.md"
EVIDENCE_MAP_FILE: Final = "governance.md"
INPUT_MEAN: Final = 127.5
INPUT_SCALE: Final = 127.5


class InputSpecification(Configuration):
    """What the model takes: ``images`` [n, 3, size, size] RGB, (x - 127.5) / 127.5."""

    name: str = INPUT_NAME
    size: int
    layout: Literal["NCHW"] = "NCHW"
    colour: Literal["RGB"] = "RGB"
    mean: float = INPUT_MEAN
    scale: float = INPUT_SCALE


class CalibratedThreshold(Configuration):
    """A cosine above which two faces are one person, at a false accept rate measured on people held out."""

    far: float = Field(gt=0, le=1)
    threshold: float


class ReleaseManifest(Configuration):
    """``release.json``: everything a user of the model must know, and the hash of every file beside it."""

    release_id: str
    candidate: str
    input: InputSpecification
    heads: tuple[str, ...] = OUTPUT_NAMES
    thresholds: tuple[CalibratedThreshold, ...]
    operating_threshold: float
    """The common threshold at which this model decides, chosen on validation people."""
    embedding_dimension: int
    embedding_space: str
    """Embeddings may be compared only within one space; unless shown otherwise, a model's own."""
    dataset_sha256: str
    code_sha256: str
    licenses: tuple[str, ...]
    intended_use: IntendedUse | None = None
    """None in units that are older than the declaration."""
    materials: tuple[Material, ...] = ()
    """What the model was made of, each with its licence."""
    files: dict[str, str]

    def require_identification(self) -> None:
        """Refuse to search a gallery with this release where it wasn't declared for that.

        Raises:
            ModelError: identification (1:N) isn't declared.
        """
        require_identification(self.intended_use, release=self.release_id)


class ReleaseDetails(Configuration):
    """What a release is told of itself by the rooms that made it."""

    candidate: str
    input: InputSpecification
    embedding_dimension: int
    thresholds: tuple[CalibratedThreshold, ...]
    operating_threshold: float
    dataset_sha256: str
    code_sha256: str
    licenses: tuple[str, ...]
    intended_use: IntendedUse | None = None
    materials: tuple[Material, ...] = ()


def build_release(
    folder: Path,
    model: bytes,
    details: ReleaseDetails,
    *,
    model_card: str,
    reports: Mapping[str, Any],
    proposals: bytes | None = None,
    documents: Mapping[str, str] | None = None,
    evidence_map: Callable[[Mapping[str, str]], str] | None = None,
) -> ReleaseManifest:
    """Write a release unit to ``folder``; what was there is replaced only when the new one is complete.

    The ``release_id`` follows from the model's bytes, its thresholds and its data, so the same candidate built again
    has the same id; measured durations and reports don't change it. What kind of use it is declared for does.

    Args:
        folder: the unit's directory.
        model: the exported network, ONNX.
        details: input, thresholds and provenance.
        model_card: Markdown.
        reports: JSON documents by file name without ending, e.g. ``bias``.
        proposals: the exported part that looks for faces in photos; without it the unit reads crops alone.
        documents: further texts by file name, e.g. ``dataset_sheet.md``.
        evidence_map: writes ``governance.md``, given the sha256 of every other file by name.
    """
    with write_folder_aside(folder) as aside:
        (aside / MODEL_FILE).write_bytes(model)
        if proposals is not None:
            (aside / PROPOSAL_FILE).write_bytes(proposals)
        (aside / MODEL_CARD_FILE).write_text(model_card, encoding="utf-8")
        for name, report in reports.items():
            text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
            (aside / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        for name, text in (documents or {}).items():
            (aside / name).write_text(text, encoding="utf-8")
        if evidence_map is not None:
            (aside / EVIDENCE_MAP_FILE).write_text(evidence_map(_digests(aside)), encoding="utf-8")
        files = _digests(aside)
        identity = _release_id(files[MODEL_FILE], details)
        manifest = ReleaseManifest(
            release_id=identity,
            embedding_space=identity,
            files=files,
            **details.model_dump(),
        )
        (aside / RELEASE_FILE).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def open_release(folder: Path) -> ReleaseManifest:
    """Read ``release.json``, check that its id follows from what it says, and the hash of every file that it lists.

    Raises:
        ModelError: the unit is missing, incomplete or was changed after it was built.
    """
    file = folder / RELEASE_FILE
    if not file.is_file():
        raise ModelError(f"Release unit {folder} has no {RELEASE_FILE}: run the registration pipeline first.")
    try:
        manifest = narrow(ReleaseManifest, json.loads(file.read_text(encoding="utf-8")), where=str(file))
    except (json.JSONDecodeError, ConfigurationError) as error:
        raise ModelError(f"{file} is not a release description: build the release unit again.") from error
    details = ReleaseDetails(**{name: getattr(manifest, name) for name in ReleaseDetails.model_fields})
    if _release_id(manifest.files.get(MODEL_FILE, ""), details) != manifest.release_id:
        raise ModelError(f"{file} was changed after it was released: build the release unit again.")
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != expected:
            raise ModelError(f"{path} is missing or was changed after it was released: build the release unit again.")
    return manifest


def code_sha256(package: Path) -> str:
    """sha256 over every Python file under a package, names included: which code made a release."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: file_sha256(file) for file in sorted(folder.iterdir())}


def _release_id(model_sha256: str, details: ReleaseDetails) -> str:
    identity: dict[str, Any] = {
        "model": model_sha256,
        "candidate": details.candidate,
        "dataset": details.dataset_sha256,
        "thresholds": [threshold.model_dump() for threshold in details.thresholds],
        "operating_threshold": details.operating_threshold,
    }
    if details.intended_use is not None:  # so that nobody turns 1:1 into 1:N in the file, and older units keep their id
        identity["use"] = details.intended_use.model_dump(include={"comparison", "setting"})
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
