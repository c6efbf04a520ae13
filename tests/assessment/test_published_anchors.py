import json
from collections import Counter

import pytest

from countenance.assessment.published_anchors import PUBLISHED_FIGURES, benchmarks, published_figures


def test_every_figure_has_a_source_a_mark_and_a_value_that_its_unit_allows():
    limits = {"percent": 100.0, "proportion": 1.0, "epsilon error": 1.0, "years": 100.0, "degrees": 180.0}
    for figure in PUBLISHED_FIGURES:
        assert figure.source and figure.method and figure.metric
        assert figure.mark in ("p", "m")
        assert 0 < figure.value < limits[figure.unit]
    json.dumps([figure.to_dict() for figure in PUBLISHED_FIGURES], allow_nan=False)


def test_no_figure_is_there_twice():
    seen = Counter(
        (figure.method, figure.benchmark, figure.metric, figure.training_data) for figure in PUBLISHED_FIGURES
    )
    assert [key for key, count in seen.items() if count > 1] == []


def test_the_method_to_beat_by_hand():
    tars = {
        (figure.method, figure.metric): figure
        for figure in published_figures(benchmark="IJB-C")
        if figure.training_data == "MS1MV2"
    }
    best = tars["AdaDistill, weighted alpha, ArcFace m 0.45", "TAR@FAR=1e-4"]
    assert (best.value, best.unit, best.comparable, best.mark) == (93.27, "percent", 0.9327, "p")
    assert (best.parameters_millions, best.mega_operations) == (1.199, 221.0)
    assert "Boutros" in best.source


def test_figures_are_chosen_by_benchmark_and_metric():
    assert {"AFLW", "CelebA", "CLAP2015", "IJB-C", "LFW"} <= set(benchmarks())
    assert published_figures() == PUBLISHED_FIGURES
    ages = published_figures(benchmark="CLAP2015")
    assert {(figure.method, figure.comparable, figure.higher_is_better) for figure in ages} == {
        ("All-In-One CNN", 0.293, False),
        ("SwinFace", 2.47, False),
    }
    assert {figure.benchmark for figure in published_figures(metric="accuracy")} >= {"LFW", "AgeDB"}
    assert published_figures(benchmark="nothing of that name") == ()


@pytest.mark.parametrize(("method", "mark"), [("All-In-One CNN", "m"), ("EdgeFace-S", "p"), ("FitNet", "p")])
def test_what_is_only_remembered_is_marked(method: str, mark: str):
    marks = {figure.mark for figure in PUBLISHED_FIGURES if figure.method == method}
    assert marks == {mark}
