"""Reports on templates and pairs by formula: mated scores are normal about ``likeness``, all others about 0."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from countenance.reporting.comparison_reports import GivenReport

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
IJB_C = {
    "name": "ijbc", "samples": 469_375, "templates": 23_124, "pairs": 15_658_489, "mated_pairs": 19_557,
    "galleries": {"G1": 1_772, "G2": 1_759}, "probes": 19_593, "sha256": "c" * 64,
}  # fmt: skip
MADE = {
    "name": "test-people", "samples": 640, "templates": 160, "pairs": 7_000, "mated_pairs": 100,
    "galleries": {"G1": 20, "G2": 20}, "probes": 120, "sha256": "a" * 64,
}  # fmt: skip
LFW = {"name": "lfw", "pairs": 6_000, "mated_pairs": 3_000, "folds": 10, "photos": 7_701, "sha256": "f" * 64}
OPTIONS = {"flip": "sum", "normalise_samples": False, "weigh_by_detector_score": True, "rule": "threshold"}
_NORMAL = NormalDist()


def accepted(likeness: float, allowed: float, non_mated: int, mated: int) -> int:
    threshold = _NORMAL.inv_cdf(min(1 - allowed / non_mated, 1 - 1e-12)) if allowed < non_mated else -math.inf
    return round(mated * (1.0 - _NORMAL.cdf(threshold - likeness)))


def verification(likeness: float, non_mated: int, mated: int, fars: tuple[float, ...] = FARS) -> list[dict[str, Any]]:
    rows = []
    for far in fars:
        allowed = math.floor(far * non_mated + 1e-9)
        row: dict[str, Any] = {"far": far, "mated": mated, "non_mated": non_mated}
        if allowed == 0:
            missing = dict.fromkeys(("tar", "accepted", "threshold", "false_accepts", "realised_far", "low", "high"))
            note = f"not measurable: FAR {far:g} is below 1 in {non_mated:,} non-mated comparisons"
            rows.append(row | missing | {"note": note})
            continue
        count = accepted(likeness, allowed, non_mated, mated)
        tar = count / mated
        reach = 2.0 * math.sqrt(max(tar * (1 - tar), 1e-4) / mated) + 0.1 / math.sqrt(allowed + 1)
        measured = {
            "tar": tar, "accepted": count, "threshold": 0.3, "false_accepts": allowed,
            "realised_far": allowed / non_mated, "low": max(0.0, tar - reach), "high": min(1.0, tar + reach),
            "note": "",
        }  # fmt: skip
        rows.append(row | measured)
    return rows


def roc(likeness: float, non_mated: int, mated: int, points: int = 300) -> dict[str, Any]:
    allowed = sorted({0, *(round(non_mated ** (at / points)) for at in range(points + 1))})
    return {
        "thresholds": [1.0 - at / len(allowed) for at in range(len(allowed))],
        "false_accepts": allowed,
        "true_accepts": [accepted(likeness, count, non_mated, mated) if count else 0 for count in allowed],
        "non_mated": non_mated,
        "mated": mated,
    }


def identification(protocol: dict[str, Any], likeness: float) -> dict[str, Any]:
    share = _NORMAL.cdf(likeness - 2.4)
    probes, half = protocol["probes"], protocol["probes"] // 2
    rates = {rank: 1 - (1 - share) / rank**0.45 for rank in (1, 5, 10)}
    strangers = protocol["probes"] - half
    at = {"far": 0.01, "threshold": 0.4, "realised_far": 0.01, "false_accepts": 1, "non_mated": strangers}
    tpirs = []
    for fpir in (0.01, 0.1):
        measurable = math.floor(fpir * strangers) > 0
        tpir = share * (0.95 if fpir < 0.1 else 0.98) if measurable else None
        threshold = at | {"far": fpir, **({} if measurable else {"threshold": None, "false_accepts": None})}
        hits = None if tpir is None else round(tpir * probes)
        tpirs.append({"fpir": fpir, "tpir": tpir, "identified": hits, "probes": probes, "at": [threshold, threshold]})
    ranks = [
        {"rank": rank, "found": round(rate * probes), "probes": probes, "rate": rate} for rank, rate in rates.items()
    ]
    galleries = [
        {"gallery": name, "templates": count, "mated_probes": half, "non_mated_probes": strangers,
         "ranks": ranks, "tpirs": tpirs}
        for name, count in protocol["galleries"].items()
    ]  # fmt: skip
    return {"galleries": galleries, "ranks": ranks, "tpirs": tpirs}


def template_report(
    model: str | None, likeness: float, protocol: dict[str, Any] = IJB_C, **changes: Any
) -> dict[str, Any]:
    mated = protocol["mated_pairs"]
    non_mated = protocol["pairs"] - mated
    report = {
        "kind": "templates", "version": 1, "model": model, "protocol": protocol, "options": OPTIONS,
        "failures": {"samples": 0, "templates": 0, "pairs": 0},
        "verification": verification(likeness, non_mated, mated), "roc": roc(likeness, non_mated, mated),
        "identification": identification(protocol, likeness),
    }  # fmt: skip
    return report | changes


def pair_report(
    model: str | None, accuracies: list[float], protocol: dict[str, Any] = LFW, **changes: Any
) -> dict[str, Any]:
    mated = protocol["mated_pairs"]
    mean = sum(accuracies) / len(accuracies)
    likeness = 2.0 * _NORMAL.inv_cdf(mean)
    report = {
        "kind": "pairs", "version": 1, "model": model, "protocol": protocol,
        "options": {"flip": "sum", "rule": "threshold", "common_far": None, "level": 0.95, "seed": 0},
        "failures": {"photos": 0, "pairs": 0},
        "accuracy": {"mean": mean, "low": mean - 0.004, "high": min(1.0, mean + 0.003), "by_fold": accuracies,
                     "thresholds": [0.3] * len(accuracies), "note": ""},
        "verification": verification(likeness, protocol["pairs"] - mated, mated),
        "roc": roc(likeness, protocol["pairs"] - mated, mated), "groups": {},
    }  # fmt: skip
    return report | changes


def group(accuracy: float, pairs: int = 3_000) -> dict[str, Any]:
    def rate(errors: int) -> dict[str, Any]:
        return {"value": errors / pairs * 2, "low": 0.0, "high": 0.01, "errors": errors, "comparisons": pairs // 2}

    return {
        "pairs": pairs, "mated_pairs": pairs // 2, "failed_pairs": 0, "fmr": rate(3), "fnmr": rate(60),
        "accuracy": {"mean": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.008, "by_fold": [],
                     "thresholds": [], "note": ""},
    }  # fmt: skip


def given(label: str, values: dict[str, Any]) -> GivenReport:
    return GivenReport(label=label, source=f"{label}.json", values=values)


def three(protocol: dict[str, Any] = IJB_C) -> list[GivenReport]:
    return [
        given("candidate", template_report("v2 AdaDistill", 5.25, protocol)),
        given("champion", template_report("v1 student alone", 4.9, protocol)),
        given("teacher", template_report("IResNet50", 5.6, protocol)),
    ]
