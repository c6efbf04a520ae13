"""The release unit: one directory that is registered, rolled out and served.

It holds ``model.onnx``, ``proposals.onnx``, ``release.json``, ``model_card.md`` and the reports that it was gated on.
``release.json`` lists the sha256 of every other file, so that whoever opens the unit knows that it is whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from countenance.analysis.model import PROPOSAL_FILE
from countenance.assessment.cost import PriceList
from countenance.assessment.verification import allowed_false_accepts
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
    """A cosine above which two faces are one person, at a false accept rate measured on people held out.

    The counts are those of the people on whom it was chosen; None in units that are older than they are.
    """

    far: float = Field(gt=0, lt=1)
    threshold: FiniteFloat
    false_accepts: int | None = Field(default=None, ge=0)
    non_mated: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _keeps_its_rate(self) -> CalibratedThreshold:
        if (self.false_accepts is None) != (self.non_mated is None):
            raise ValueError(f"of FAR {self.far:g} only one of its two counts is there")
        accepts, made = self.false_accepts or 0, self.non_mated or 0
        if accepts > allowed_false_accepts(self.far, made):
            raise ValueError(f"{accepts} of {made} false accepts are above FAR {self.far:g}")
        return self


class UnmeasurableRate(Configuration):
    """A false accept rate that too few comparisons were made for: there is no threshold for it."""

    far: float = Field(gt=0, lt=1)
    non_mated: int = Field(ge=0)


class ErrorRates(Configuration):
    """False matches and false non-matches at a threshold, of all comparisons of some people."""

    fmr: float = Field(ge=0, le=1)
    fnmr: float = Field(ge=0, le=1)


class CostOptimalThreshold(Configuration):
    """The threshold of least expected cost under the cap of a price list.

    Attributes:
        threshold: accept when score > threshold.
        prices: the price list, with the cap; decides anew where prices differ.
        calibration: rates of the people on whom the threshold was chosen; they keep the cap.
        test: rates of people who had no part in it; they may not.
        cost: expected cost on the calibration people.
        unit: of the cost.
        capped: whether the cap kept a cheaper threshold out.
    """

    threshold: FiniteFloat
    prices: PriceList
    calibration: ErrorRates
    test: ErrorRates
    cost: float = Field(ge=0)
    unit: str
    capped: bool

    @model_validator(mode="after")
    def _follows_from_its_prices(self) -> CostOptimalThreshold:
        cap = self.prices.maximum_fmr
        if cap is not None and self.calibration.fmr > cap:
            raise ValueError(f"an FMR of {self.calibration.fmr:g} is above the cap of {cap:g}")
        if cap is None and self.capped:
            raise ValueError("it is called capped, and there is no cap")
        cost = float(self.prices.expected_cost(np.array(self.calibration.fmr), np.array(self.calibration.fnmr)))
        if self.unit != self.prices.unit or not math.isclose(self.cost, cost, rel_tol=1e-9, abs_tol=1e-9):
            raise ValueError(f"by its prices it costs {cost:g} {self.prices.unit}")
        return self


class ReleaseDetails(Configuration):
    """What a release is told of itself by the rooms that made it.

    Attributes:
        candidate: the model's name.
        input: what it takes.
        embedding_dimension: D.
        thresholds: one a false accept rate, the rates rising.
        not_measurable: false accept rates that have none.
        cost_optimal: the cheapest threshold; None in units that were built before they carried one.
        operating_threshold: the common threshold at which this model decides, chosen on validation people.
        dataset_sha256: of the manifest.
        code_sha256: of the library.
        licenses: of the data.
        intended_use: what it may be used for; None in units that are older than the declaration.
        materials: what the model was made of, each with its licence.
    """

    candidate: str
    input: InputSpecification
    embedding_dimension: int
    thresholds: tuple[CalibratedThreshold, ...]
    not_measurable: tuple[UnmeasurableRate, ...] = ()
    cost_optimal: CostOptimalThreshold | None = None
    operating_threshold: FiniteFloat
    dataset_sha256: str
    code_sha256: str
    licenses: tuple[str, ...]
    intended_use: IntendedUse | None = None
    materials: tuple[Material, ...] = ()

    @model_validator(mode="after")
    def _thresholds_fall_as_rates_rise(self) -> ReleaseDetails:
        for strict, lax in itertools.pairwise(self.thresholds):
            if strict.far >= lax.far or strict.threshold < lax.threshold:
                raise ValueError(f"the thresholds of FAR {strict.far:g} and {lax.far:g} are not in order")
        both = {entry.far for entry in self.thresholds} & {entry.far for entry in self.not_measurable}
        if both:
            raise ValueError(f"FAR {min(both):g} has a threshold and is called not measurable")
        return self


class ReleaseManifest(ReleaseDetails):
    """``release.json``: everything a user of the model must know, and the hash of every file beside it.

    Attributes:
        release_id: follows from the model, its data and its thresholds.
        heads: the model's outputs.
        embedding_space: embeddings may be compared only within one space; unless shown otherwise, a model's own.
        files: sha256 by name.
    """

    release_id: str
    heads: tuple[str, ...] = OUTPUT_NAMES
    embedding_space: str
    files: dict[str, str]

    def cheapest(self) -> CostOptimalThreshold:
        """The threshold of least expected cost.

        Raises:
            ModelError: the unit is older than that.
        """
        if self.cost_optimal is None:
            raise ModelError(
                f"Release {self.release_id} was built before release units carried their cost-optimal threshold: "
                "run the evaluation and registration pipelines, which build it again."
            )
        return self.cost_optimal

    def require_identification(self) -> None:
        """Refuse to search a gallery with this release where it wasn't declared for that.

        Raises:
            ModelError: identification (1:N) isn't declared.
        """
        require_identification(self.intended_use, release=self.release_id)


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

    The ``release_id`` follows from the model's bytes, its thresholds (with their counts and prices) and its data, so
    the same candidate built again has the same id; measured durations and reports don't change it. What kind of use it
    is declared for does.

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
    # What isn't there isn't told, so that units that are older than a field keep their id.
    identity: dict[str, Any] = {
        "model": model_sha256,
        "candidate": details.candidate,
        "dataset": details.dataset_sha256,
        "thresholds": [threshold.model_dump(exclude_none=True) for threshold in details.thresholds],
        "operating_threshold": details.operating_threshold,
    }
    if details.not_measurable:
        identity["not_measurable"] = [rate.model_dump() for rate in details.not_measurable]
    if details.cost_optimal is not None:
        identity["cost_optimal"] = details.cost_optimal.model_dump()
    if details.intended_use is not None:  # so that nobody turns 1:1 into 1:N in the file, and older units keep their id
        identity["use"] = details.intended_use.model_dump(include={"comparison", "setting"})
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
