"""A comparison of ways to distil, as its room writes it."""

from __future__ import annotations

from typing import Any

from countenance.assessment.seeded import SeededMeasurement


def seeded(value: float, spread: float = 0.01, unit: str = "proportion") -> dict[str, Any]:
    by_seed = (value - spread / 4, value + spread / 4)
    return SeededMeasurement(value, value - spread, value + spread, by_seed, unit).to_dict()


def unmeasured(note: str = "no interval: 40 of 40 resamples undefined") -> dict[str, Any]:
    return SeededMeasurement(None, None, None, (None, None), note=note).to_dict()


def comparison() -> dict[str, Any]:
    """Weighted better than alone, relational worse, fixed centres not told apart; adaptive's TAR isn't measurable."""
    accuracy = {"alone": 0.82, "relational": 0.79, "fixed_centres": 0.825, "adaptive": 0.86, "weighted": 0.88}
    rows = {
        row: {
            "accuracy": seeded(value),
            "tar": seeded(value - 0.3),
            "accuracy_gain": seeded(value - 0.82, 0.0 if row == "alone" else 0.012),
            "tar_gain": seeded(value - 0.82, 0.02),
        }
        for row, value in accuracy.items()
    }
    rows["adaptive"]["tar"] = rows["adaptive"]["tar_gain"] = unmeasured()
    runs = [
        {"row": row, "seed": seed, "method": row, "unnamed_as_classes": row != "alone", "learning_rate": 0.2,
         "images_seen": 19_200, "minutes": 0.5}
        for seed in (7, 101) for row in accuracy
    ]  # fmt: skip
    return {
        "seeds": [7, 101],
        "steps": 150,
        "headline_far": 0.01,
        "level": 0.95,
        "reference": "alone",
        "headline": "weighted",
        "folds": 10,
        "pairs": 5_400,
        "subjects": 312,
        "rows": rows,
        "teacher": {"accuracy": seeded(0.95), "tar": seeded(0.8)},
        "contrasts": [
            {"candidate": "weighted", "reference": "fixed_centres", "accuracy_gain": seeded(0.055, 0.02),
             "tar_gain": seeded(0.055, 0.08)}
        ],
        "curves": {
            "alone": {"step": [0.0, 75.0, 149.0], "centre_agreement": [0.0, 0.3, 0.5]},
            "refo": {"step": [0.0, 75.0, 149.0], "teacher_agreement": [0.1, None, 0.6]},
            "weighted": {
                "step": [0.0, 75.0, 149.0],
                "alpha": [0.1, 0.4, 0.5],
                "teacher_agreement": [0.1, 0.5, 0.6],
                "centre_agreement": [0.1, 0.5, 0.65],
            },
        },
        "runs": runs,
    }  # fmt: skip


def groups(verdict: str = "kept") -> dict[str, Any]:
    def of(fnmr: float, change: float) -> dict[str, Any]:
        return {
            "fnmr": seeded(fnmr, 0.02),
            "fmr": seeded(0.01, 0.002),
            "fnmr_difference": seeded(change, 0.01),
            "fmr_difference": seeded(0.0, 0.001),
        }

    worst = {
        "fnmr": seeded(-0.1, 0.02),
        "fmr_ratio": seeded(1.05, 0.1, "ratio"),
        "verdicts": {"fnmr": "kept", "fmr": verdict},
        "verdict": verdict,
    }
    return {
        "attribute": "skin_tone",
        "far": 0.01,
        "reference": "alone",
        "headline": "weighted",
        "limits": {"fnmr_increase": 0.01, "fmr_ratio": 1.25},
        "groups": [
            {"group": "dark", "status": "sufficient", "subjects": 80},
            {"group": "light", "status": "insufficient", "subjects": 40},
            {"group": "rare", "status": "suppressed", "subjects": None},
        ],
        "rows": {
            "alone": {"groups": {"dark": of(0.4, 0.0), "light": of(0.35, 0.0)}, "worst": worst},
            "weighted": {"groups": {"dark": of(0.3, -0.1), "light": of(0.3, -0.05)}, "worst": worst},
        },
    }


def of_one_run() -> dict[str, Any]:
    """The same for a run's two students, of one training each."""
    found = groups()
    names = {"alone": "student_alone", "weighted": "student_distilled"}
    rows = {names[row]: _of_one_training(measured) for row, measured in found["rows"].items()}
    return found | {"reference": "student_alone", "headline": "student_distilled", "rows": rows}


def _of_one_training(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {name: value[:1] if name == "by_seed" else _of_one_training(value) for name, value in found.items()}
