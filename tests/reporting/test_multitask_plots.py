import re

from markupsafe import Markup

from countenance.reporting.multitask_plots import forest_plot, interference_plot
from countenance.reporting.plots import INK, PAPER, SERIES

from .samples import ablation, curves


def texts(svg: Markup | None) -> list[str]:
    assert svg is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_forest_has_a_row_a_measured_task_in_its_own_unit() -> None:
    shown = texts(forest_plot(ablation()))
    assert {"Landmarks, points of eye distance", "Gender, points", "Age, years"} <= set(shown)
    assert not any("Identity" in text for text in shown)
    assert "← better alone" in shown and "better together →" in shown


def test_what_is_told_apart_from_zero_is_filled_and_what_is_not_is_open() -> None:
    svg = forest_plot(ablation())
    assert svg is not None
    assert svg.count("fill: var(--paper)") == 1  # gender
    assert not any(colour in svg for colour in (INK, PAPER, *SERIES))


def test_an_interval_that_is_missing_and_a_gain_of_zero_are_drawn_all_the_same() -> None:
    bare = ablation()
    bare["tasks"] = {"gender": bare["tasks"]["gender"] | {"gain": 0.0, "low": None, "high": None}}
    assert "Gender, points" in texts(forest_plot(bare))


def test_without_a_measured_task_there_is_no_forest() -> None:
    assert forest_plot({}) is None
    assert forest_plot(ablation() | {"tasks": {"identity": ablation()["tasks"]["identity"]}}) is None


def test_the_matrix_has_a_number_in_every_cell_and_a_length_for_every_task() -> None:
    svg = interference_plot(curves(False, gradients=True), name="i")
    shown = texts(svg)
    assert {"+0.50", "+0.12", "-0.30", "-0.04", "Proposals", "2.4"} <= set(shown)
    assert "pattern" in str(svg)  # opposed cells are hatched


def test_without_gradients_there_is_no_matrix() -> None:
    assert interference_plot(curves(False), name="i") is None
