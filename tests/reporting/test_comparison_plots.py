import itertools
import re
from typing import Any

import numpy as np
from markupsafe import Markup

from countenance.reporting.comparison_anchors import anchors_of
from countenance.reporting.comparison_plots import comparison_plots
from countenance.reporting.comparison_reports import GivenReport, compared
from countenance.reporting.line_labels import Line, label_lines, label_marks
from countenance.reporting.plots import drawing, panels

from .comparison_samples import MADE, given, template_report, three


def plots_of(reports: list[GivenReport], benchmark: str | None = None) -> dict[str, Markup | None]:
    (table,) = compared(reports)
    return comparison_plots(table, anchors_of(table, benchmark), name="t")


def texts(svg: Markup | None) -> list[str]:
    assert svg is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", str(svg))


def test_every_line_has_its_name_on_it_and_its_role_in_the_legend():
    for kind, plot in plots_of(three()).items():
        shown = texts(plot)
        for name, role in (("v2 AdaDistill", "candidate"), ("v1 student alone", "champion"), ("IResNet50", "teacher")):
            assert f"{name} ({role})" in shown
            assert (name in shown) == (kind != "cmc"), "names would cover one another on so few ranks"


def test_lines_differ_in_their_dashes_so_that_they_read_without_colour():
    drawn = str(plots_of(three())["det"])
    assert len(set(re.findall(r"stroke-dasharray: [^;\"]*", drawn))) >= 2


def test_the_plots_say_in_words_what_they_show():
    drawn = plots_of(three())
    assert 'aria-label="DET curves on IJB-C: share of mated comparisons missed' in str(drawn["det"])
    assert "a line each for v2 AdaDistill, v1 student alone, IResNet50" in str(drawn["roc"])
    assert "CMC curves on IJB-C" in str(drawn["cmc"])


def test_published_figures_are_marked_on_the_same_protocol_alone():
    assert "published, by number" in texts(plots_of(three())["det"])
    assert "published, by number" not in texts(plots_of(three(MADE))["roc"])
    assert "published, by number" not in texts(plots_of(three(MADE), "IJB-C")["roc"])


def test_the_axes_are_read_in_the_fields_words():
    shown = texts(plots_of(three())["det"])
    assert {"1e-6", "1e-4", "1", "false accept rate (FAR)", "mated comparisons missed (1 - TAR), %"} <= set(shown)


def test_what_was_not_measured_is_not_drawn():
    report = template_report("a", 5.0, MADE, roc=None, identification=None)
    assert plots_of([given("candidate", report)]) == {"det": None, "roc": None, "cmc": None}


def test_a_model_that_misses_nothing_has_a_roc_curve_and_no_det_curve():
    roc: dict[str, Any] = {
        "thresholds": [0.9, 0.1], "false_accepts": [0, 50], "true_accepts": [100, 100], "non_mated": 50, "mated": 100,
    }  # fmt: skip
    drawn = plots_of([given("candidate", template_report("a", 5.0, MADE, roc=roc))])
    assert drawn["det"] is None and "a" in texts(drawn["roc"])


def test_the_same_reports_give_the_same_drawings():
    assert plots_of(three(MADE)) == plots_of(three(MADE))


def test_names_on_lines_do_not_cover_each_other():
    with drawing():
        _, (axis,) = panels(8.0, 4.0)
        xs = np.linspace(0.0, 10.0, 50)
        lines = [Line(f"model {at}", "#000000", xs, xs + at * 0.05) for at in range(4)]
        for line in lines:
            axis.plot(line.xs, line.ys)
        label_lines(axis, lines)
    places = sorted(text.get_position() for text in axis.texts)
    assert len(places) == 4
    for (x, y), (other_x, other_y) in itertools.pairwise(places):
        assert other_x - x > 0.08 or abs(other_y - y) > 0.07


def test_numbers_beside_marks_are_left_out_where_there_is_no_room():
    with drawing():
        _, (axis,) = panels(8.0, 4.0)
        axis.set(xlim=(0, 1), ylim=(0, 100))
        label_marks(axis, [(0.5, 90.0, "1"), (0.5, 89.9, "2"), (0.5, 50.0, "3"), (0.7, 89.9, "4")])
    assert [text.get_text() for text in axis.texts] == ["1", "4", "3"]
