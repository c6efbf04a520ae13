"""What the registration says of a release: its gates, its embedding space, its threshold and its evidence files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from countenance.errors import ModelError, RolloutError
from countenance.governance.legal_gates import LEGAL_GATES, LICENSE_GATE, PURPOSE_GATE
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.state import Gate
from countenance.serving.release import RELEASE_FILE, ReleaseManifest, open_release

_GATES_FILE: Final = "gates.json"
_PASSED: Final = {"PASS": True, "WAIVED": True, "FAIL": False, "INCONCLUSIVE": None}
_EVIDENCE: Final = (".json", ".md")


@dataclass(frozen=True, kw_only=True)
class RegisteredRelease:
    """One candidate of the registration record, with what its release unit holds.

    Attributes:
        candidate: its name among the candidates.
        release_id: of the unit.
        registered: whether it has a version in the registry.
        reason: why, or why not.
        threshold: the score above which it accepts.
        embedding_space: of its templates; None where the unit cannot be read.
        registration: whether the unit is whole and says where it comes from; six gates.
        offline: what was measured before, gate by gate.
        files: the unit's reports, card and description by name, ``<candidate>/<file>``.
    """

    candidate: str
    release_id: str
    registered: bool
    reason: str
    threshold: float
    embedding_space: str | None
    registration: tuple[Gate, ...]
    offline: tuple[Gate, ...]
    files: Mapping[str, Path]


def registered_releases(record: Mapping[str, Any]) -> dict[str, RegisteredRelease]:
    """All candidates of the registration record, by name."""
    return {name: _read(name, entry) for name, entry in record.items()}


def release_of(releases: Mapping[str, RegisteredRelease], release_id: str | None) -> RegisteredRelease | None:
    """The candidate that carries a release id, or None."""
    return next((release for release in releases.values() if release.release_id == release_id), None)


def preconditions_of(
    release: RegisteredRelease,
    champion: RegisteredRelease | None,
    evaluation: Mapping[str, Any] | None,
    *,
    margin: float,
    re_enrolled: bool,
) -> Preconditions:
    """What is known of the embedding spaces and the threshold before anybody is answered.

    Args:
        release: the candidate.
        champion: whose gallery it meets; None where there is none.
        evaluation: the evaluation report, which holds the TAR of one model's probes on another's templates.
        margin: how far that TAR may lie under the champion's own.
        re_enrolled: whether the whole gallery was enrolled again with the candidate.
    """
    cross, own = (None, None) if champion is None else _cross_model(release.candidate, champion.candidate, evaluation)
    return Preconditions(
        embedding_space=release.embedding_space,
        champion_space=None if champion is None else champion.embedding_space,
        cross_model_tar=cross,
        required_tar=None if own is None else max(0.0, own - margin),
        # Without a champion there is no gallery that somebody else has made.
        re_enrolled=re_enrolled or champion is None,
        threshold=release.threshold,
    )


def _read(name: str, entry: Mapping[str, Any]) -> RegisteredRelease:
    folder = Path(entry["folder"])
    try:
        unit = open_release(folder)
    except ModelError as error:
        gates, offline, space, files = (_broken(str(error)),), (), None, {}
    else:
        if unit.release_id != entry["release_id"]:
            raise RolloutError(
                f"The release unit of '{name}' is {unit.release_id}, and {entry['release_id']} was registered: run "
                "the registration pipeline again."
            )
        decided = _decided(folder)
        gates, offline = tuple(_registration(unit, decided)), tuple(_offline(decided))
        space, files = unit.embedding_space, _evidence_files(name, folder, unit)
    return RegisteredRelease(
        candidate=name,
        release_id=entry["release_id"],
        registered=entry["registered"],
        reason=entry["reason"],
        threshold=entry["operating_threshold"],
        embedding_space=space,
        registration=gates,
        offline=offline,
        files=files,
    )


def _broken(sentence: str) -> Gate:
    return Gate(name="every file has its hash", passed=False, detail=sentence.rstrip("."))


def _registration(unit: ReleaseManifest, decided: Mapping[str, Mapping[str, Any]]) -> Iterator[Gate]:
    """The six that a release must pass to be looked at: files, signature, data, code, licences, consent."""
    signed = bool(unit.input.name and unit.heads)
    yield Gate(name="every file has its hash", passed=True, detail=f"{len(unit.files)} files are as they were built")
    yield Gate(
        name="signature",
        passed=signed,
        detail=f"takes '{unit.input.name}' of {unit.input.size} pixels, gives {len(unit.heads)} outputs",
    )
    for name, digest in (("data", unit.dataset_sha256), ("code", unit.code_sha256)):
        yield Gate(
            name=f"hash of the {name}",
            passed=re.fullmatch(r"[0-9a-f]{64}", digest) is not None,
            detail=digest or "the release names none",
        )
    yield _legal("licences", LICENSE_GATE, decided)
    yield _legal("consent", PURPOSE_GATE, decided)


def _legal(name: str, gate: str, decided: Mapping[str, Mapping[str, Any]]) -> Gate:
    if gate not in decided:
        return Gate(name=name, passed=None, detail="the release unit was built before it was asked for")
    return Gate(name=name, passed=_PASSED[decided[gate]["verdict"]], detail=_told(decided[gate]))


def _offline(decided: Mapping[str, Mapping[str, Any]]) -> Iterator[Gate]:
    for name, gate in decided.items():
        if name not in LEGAL_GATES:
            yield Gate(name=name, passed=_PASSED[gate["verdict"]], detail=_told(gate))


def _told(gate: Mapping[str, Any]) -> str:
    waived = "waived: " if gate["verdict"] == "WAIVED" else ""
    return waived + str(gate["reason"]).rstrip(".")


def _decided(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The gates by name, as the unit keeps them; ``open_release`` has compared the file with its hash."""
    file = folder / _GATES_FILE
    if not file.is_file():
        return {}
    return {gate["name"]: gate for gate in json.loads(file.read_text(encoding="utf-8"))["gates"]}


def _evidence_files(name: str, folder: Path, unit: ReleaseManifest) -> dict[str, Path]:
    kept = (file for file in (RELEASE_FILE, *sorted(unit.files)) if file.endswith(_EVIDENCE))
    return {f"{name}/{file}": folder / file for file in kept}


def _cross_model(
    candidate: str, champion: str, evaluation: Mapping[str, Any] | None
) -> tuple[float | None, float | None]:
    """TAR of the candidate's probes on the champion's templates, and of the champion's own; None where not measured."""
    for found in (evaluation or {}).get("compatibility", ()):
        if (found["model"], found["other"]) == (candidate, champion):
            tar = {(each["probes"], each["references"]): each["headline"]["value"] for each in found["comparisons"]}
            return tar.get((candidate, champion)), tar.get((champion, champion))
    return None, None
