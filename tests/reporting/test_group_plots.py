from countenance.assessment.cost import CostModel
from countenance.assessment.group_curves import group_curves
from countenance.assessment.groups import GroupSizes
from countenance.reporting.cell_sections import cell_section, optimum_section
from countenance.reporting.group_plots import det_plot, disparity_plot, group_cost_plot, matrix_plot
from countenance.reporting.plots import series_of
from tests.assessment.populations import two_groups

from .small_run import NAMES, assessed

SERIES = series_of(NAMES, "student_distilled")
PRICES = CostModel(cost_false_match=500.0, cost_false_non_match=2.0, mated_prior=0.95)


def curves():
    scores, groups = two_groups(20)
    found = group_curves(scores, groups, 0.3, PRICES, GroupSizes(minimum=5, sufficient=6))
    return {"student_alone": found, "student_distilled": found}


def test_every_cell_of_the_heat_map_carries_its_number_and_names_stand_at_both_sides():
    _, bias, _ = assessed()
    plot = str(matrix_plot(bias, SERIES))
    matrix = bias["student_alone"]["cells"]["skin_tone"]["matrix"]
    assert all(f">{name}<" in plot for name in matrix["groups"])
    rate = matrix["rates"][0][0]["value"]
    assert f">{float(f'{rate * 100:.2g}'):g}<" in plot
    assert "var(--ink)" in plot and "#0101" not in plot


def test_suppressed_cells_are_neither_drawn_nor_counted():
    _, bias, _ = assessed()
    assert "unusual" not in str(matrix_plot(bias, SERIES))
    tables = cell_section(bias, NAMES)
    hidden = [
        row for table in tables for model in table["models"] for row in model["cells"] if row["cell"] == "unusual"
    ]
    assert hidden and all(row["status"] == "suppressed" for row in hidden)
    assert all(row["fmr"] is None and row["fnmr"] is None and row["people"] == "" for row in hidden)


def test_a_det_curve_marks_the_common_threshold_on_every_line():
    plot = str(det_plot(curves(), SERIES))
    assert plot.count(">even<") == plot.count(">odd<") == 3  # a name beside each mark, and one in the legend
    assert "at the common threshold" in plot


def test_the_cost_curve_shows_the_common_threshold_and_the_cheapest_one_under_the_cap():
    bias = {"student_alone": {"optimum": {"threshold": 0.4}}}
    plot = str(group_cost_plot(curves(), bias, SERIES))
    assert "common threshold" in plot and "EUR per 1,000 transactions" in plot
    only = {"student_alone": curves()["student_alone"]}
    assert "cheapest under the cap" in str(group_cost_plot(only, bias, SERIES))
    assert "cheapest under the cap" not in str(group_cost_plot(only, {}, SERIES))


def test_a_model_without_a_threshold_under_the_cap_says_why():
    group = {"threshold": None, "note": "too few comparisons", "capped_by": "dark", "groups": [], "cost": None}
    bias = {"student_alone": {"optimum": group, "differential": {"threshold": 0.5}}}
    (row,) = optimum_section(bias, NAMES)
    assert (row["threshold"], row["cost"], row["capped_by"]) == ("none", "too few comparisons", "dark")


def test_disparities_are_drawn_with_gini_and_nothing_is_drawn_of_nothing():
    _, bias, _ = assessed()
    plot = str(disparity_plot(bias, SERIES))
    assert "FMR: worst / geometric mean" in plot and "Gini of FNMR" in plot
    assert matrix_plot({}, SERIES) is None and det_plot({}, SERIES) is None
    assert group_cost_plot({}, {}, SERIES) is None and disparity_plot({}, SERIES) is None
