"""Published figures to hold our own against, each with its source and how sure we are of it.

A figure marked ``p`` was read from the paper's or the repository's own material; one marked ``m`` is remembered and
must be checked before anything is gated on it. A figure belongs to its own training data, parameters and protocol:
compare at equal ones, or say that they differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from countenance.assessment.results import Result

Mark = Literal["p", "m"]


@dataclass(frozen=True)
class PublishedFigure(Result):
    """One number that somebody published.

    Attributes:
        method: what was measured.
        benchmark: on what, e.g. "IJB-C".
        metric: e.g. "TAR@FAR=1e-4".
        value: as published, in ``unit``.
        unit: "percent", "proportion", "years", "degrees" or "epsilon error".
        source: where it was published.
        mark: ``p`` read from the source, ``m`` remembered.
        higher_is_better: whether more is better.
        parameters_millions: of the model, where published.
        mega_operations: multiply-adds or FLOPs of a forward pass in millions, as the source counts them.
        training_data: what the model was trained on, where published.
        note: what a reader must know; empty where there is nothing to say.
    """

    method: str
    benchmark: str
    metric: str
    value: float
    unit: str
    source: str
    mark: Mark
    higher_is_better: bool = True
    parameters_millions: float | None = None
    mega_operations: float | None = None
    training_data: str | None = None
    note: str = ""

    @property
    def comparable(self) -> float:
        """The value in the unit of our own measurements: percents become proportions."""
        # Rounded, so that 93.27 percent is 0.9327 and not one bit beside it.
        return round(self.value / 100.0, 10) if self.unit == "percent" else self.value


_ADADISTILL: Final = "AdaDistill (Boutros et al., ECCV 2024)"
_ALL_IN_ONE: Final = "All-In-One CNN (Ranjan et al., arXiv 1611.00851; FG 2017)"
_OWN: Final = "the method's own paper or repository"
_TAR_4, _TAR_5 = "TAR@FAR=1e-4", "TAR@FAR=1e-5"
_VERIFICATION: Final = ("LFW", "CFP-FP", "AgeDB", "CALFW", "CPLFW")


def _percent(method: str, benchmark: str, metric: str, value: float, source: str, mark: Mark) -> PublishedFigure:
    return PublishedFigure(method, benchmark, metric, value, "percent", source, mark)


def _ijbc(method: str, tars: tuple[float, float], **known: str) -> list[PublishedFigure]:
    """Both TARs of a MobileFaceNet student, or of a teacher, as AdaDistill reports them."""
    figures = (
        _percent(method, "IJB-C", metric, tar, _ADADISTILL, "p")
        for metric, tar in zip((_TAR_4, _TAR_5), tars, strict=True)
    )
    return [replace(figure, **known) for figure in figures]  # type: ignore[arg-type]


def _student(figures: Iterable[PublishedFigure]) -> list[PublishedFigure]:
    return [replace(figure, parameters_millions=1.199, mega_operations=221.0) for figure in figures]


_FROM_IR50: Final[dict[str, tuple[float, ...]]] = {
    "IResNet50 (teacher)": (99.80, 97.63, 97.92, 96.10, 92.43, 96.05, 93.96),
    "MobileFaceNet alone": (99.52, 91.66, 95.82, 95.12, 87.93, 89.13, 81.65),
    "mean squared feature distance": (99.57, 93.77, 96.97, 95.70, 89.01, 91.29, 79.79),
    "fixed centres (frozen teacher header)": (99.63, 93.83, 96.82, 95.48, 89.20, 91.70, 84.57),
    "AdaDistill, adaptive alpha, ArcFace m 0.5": (99.60, 94.00, 96.88, 95.65, 89.63, 92.56, 88.23),
    "AdaDistill, weighted alpha, ArcFace m 0.5": (99.60, 95.04, 96.78, 95.58, 90.08, 92.97, 89.13),
    "AdaDistill, weighted alpha, ArcFace m 0.45": (99.58, 95.24, 96.78, 95.55, 90.02, 93.27, 89.32),
    "AdaDistill, weighted alpha, CosFace m 0.35": (99.50, 95.07, 96.60, 95.33, 90.02, 93.05, 89.21),
}
"""LFW, CFP-FP, AgeDB, CALFW, CPLFW, IJB-C at 1e-4 and at 1e-5; students are MobileFaceNets taught by IResNet50."""

_SAME_STUDENT: Final[dict[str, tuple[float, float]]] = {
    "FitNet": (87.76, 73.71),
    "KD": (88.37, 80.39),
    "SP": (88.43, 78.13),
    "DarkRank": (89.28, 81.62),
    "CCKD": (87.99, 78.75),
    "RKD": (89.65, 83.21),
    "ShrinkTeaNet": (87.80, 79.78),
    "TripletDistillation": (84.57, 76.65),
    "MarginDistillation": (85.71, 75.00),
    "EKD": (90.48, 84.00),
    "SFTN": (90.96, 82.67),
    "SH-KD": (91.75, 85.76),
    "ReFO": (92.23, 87.55),
    "ReFO+": (92.41, 87.80),
}
"""Other ways to distil into the same student, IJB-C at 1e-4 and at 1e-5."""


def _adadistill() -> list[PublishedFigure]:
    figures: list[PublishedFigure] = []
    for method, values in _FROM_IR50.items():
        accuracies = [
            _percent(method, benchmark, "accuracy", value, _ADADISTILL, "p")
            for benchmark, value in zip(_VERIFICATION, values[:5], strict=True)
        ]
        rows = accuracies + _ijbc(method, (values[5], values[6]))
        if method.endswith("(teacher)"):
            figures += [replace(row, parameters_millions=43.6) for row in rows]
        else:
            figures += [replace(row, training_data="MS1MV2") for row in _student(rows)]
    quoted = {"note": "as AdaDistill quotes it, on the same student"}
    for method, tars in _SAME_STUDENT.items():
        figures += _student(_ijbc(method, tars, **quoted))
    figures += _student(_ijbc("AdaDistill, IResNet100 as teacher", (92.54, 87.48)))
    figures += _student(_ijbc("MobileFaceNet alone", (77.46, 57.75), training_data="CASIA"))
    figures += _student(_ijbc("AdaDistill", (91.49, 86.25), training_data="CASIA"))
    figures += _student(_ijbc("MobileFaceNet alone", (22.19, 3.43), training_data="IDiff-Face (synthetic)"))
    return figures + _student(_ijbc("AdaDistill", (71.33, 24.83), training_data="IDiff-Face (synthetic)"))


_SMALL_STUDENTS: Final[tuple[tuple[str, float, float, float | None, float, str], ...]] = (
    ("MobileFaceNet, wide, not distilled", 2.06, 438.0, None, 93.61, "MS1MV2"),
    ("GhostFaceNetV1-1", 4.1, 216.0, 99.73, 94.94, "MS1MV3"),
    ("EdgeFace-XS", 1.77, 154.0, 99.73, 94.85, "WebFace12M"),
    ("EdgeFace-S", 3.65, 306.0, 99.78, 95.63, "WebFace12M"),
    ("FaceLiVTv2-S", 4.62, 179.0, 99.78, 95.99, "Glint360K"),
)
"""Method, million parameters, million operations, LFW, IJB-C TAR at 1e-4, training data."""


def _small_students() -> list[PublishedFigure]:
    figures: list[PublishedFigure] = []
    for method, parameters, operations, lfw, ijbc, data in _SMALL_STUDENTS:
        rows = [] if lfw is None else [_percent(method, "LFW", "accuracy", lfw, _OWN, "p")]
        rows.append(_percent(method, "IJB-C", _TAR_4, ijbc, _OWN, "p"))
        figures += [
            replace(row, parameters_millions=parameters, mega_operations=operations, training_data=data) for row in rows
        ]
    return figures


def _all_in_one() -> list[PublishedFigure]:
    method, source = "All-In-One CNN", _ALL_IN_ONE

    def percent(benchmark: str, metric: str, value: float) -> PublishedFigure:
        return _percent(method, benchmark, metric, value, source, "m")

    bands = zip(("0-30", "30-60", "60-90"), (2.84, 2.94, 3.09), strict=True)
    landmarks = [percent("AFLW", f"landmark NME, |yaw| {band} degrees", value) for band, value in bands]
    return [
        percent("AFW", "detection AP", 98.5),
        percent("PASCAL faces", "detection AP", 95.0),
        *(replace(figure, higher_is_better=False) for figure in landmarks),
        percent("AFW", "pose within 15 degrees", 99.1),
        percent("CelebA", "gender accuracy", 99.0),
        percent("CelebA", "smile accuracy", 93.0),
        PublishedFigure(method, "CLAP2015", "age epsilon error", 0.293, "epsilon error", source, "m", False),
        PublishedFigure(method, "FG-NET", "age MAE", 2.0, "years", source, "m", False),
        PublishedFigure(method, "IJB-A", "TAR@FAR=1e-2", 0.922, "proportion", source, "m"),
        PublishedFigure(method, "IJB-A", "rank-1", 0.947, "proportion", source, "m"),
    ]


def _multi_task() -> list[PublishedFigure]:
    def percent(method: str, benchmark: str, metric: str, value: float) -> PublishedFigure:
        return _percent(method, benchmark, metric, value, _OWN, "p")

    swinface = [
        percent("SwinFace", "LFW", "accuracy", 99.87),
        percent("SwinFace", "IJB-C", _TAR_4, 96.73),
        PublishedFigure("SwinFace", "CLAP2015", "age MAE", 2.47, "years", _OWN, "p", False),
        percent("SwinFace", "CelebA", "smile accuracy", 93.18),
        percent("SwinFace", "CelebA", "gender accuracy", 98.96),
    ]
    landmarks = [
        percent("Faceptor", "WFLW", "landmark NME", 4.03),
        percent("Faceptor", "300W", "landmark NME", 2.86),
    ]
    return [
        *(replace(figure, parameters_millions=28.5) for figure in swinface),
        *(replace(figure, higher_is_better=False) for figure in landmarks),
        PublishedFigure("Faceptor", "UTKFace", "age MAE", 4.10, "years", _OWN, "p", False),
        PublishedFigure("FaceXFormer", "BIWI", "pose MAE", 3.52, "degrees", _OWN, "p", False),
    ]


PUBLISHED_FIGURES: Final[tuple[PublishedFigure, ...]] = (
    *_adadistill(),
    *_small_students(),
    *_all_in_one(),
    *_multi_task(),
)


def published_figures(*, benchmark: str | None = None, metric: str | None = None) -> tuple[PublishedFigure, ...]:
    """Return the figures on a benchmark, of a metric, or of both, in the table's order; None takes all."""
    return tuple(
        figure
        for figure in PUBLISHED_FIGURES
        if benchmark in (None, figure.benchmark) and metric in (None, figure.metric)
    )


def benchmarks() -> tuple[str, ...]:
    """Return the benchmarks that have a figure, sorted."""
    return tuple(sorted({figure.benchmark for figure in PUBLISHED_FIGURES}))
