import re

import matplotlib
import pytest
from markupsafe import Markup

from countenance.reporting.measured_plots import curves_plot, group_plot, identity_plot, task_plot
from countenance.reporting.plots import BAND, GRID, INK, LIMIT, MUTED, SERIES, drawing, finished, panels, series_of
from countenance.reporting.rollout_plot import rollout_plot

from .samples import curves, rollout
from .small_run import NAMES, assessed


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def drawn(svg: Markup | None) -> Markup:
    assert svg is not None
    return svg


def test_a_drawing_is_the_same_each_time_and_colours_itself_by_the_page() -> None:
    story = rollout()["entries"][2]["story"]
    first = rollout_plot(story, name="one", heading="v3")
    assert first is not None and first == rollout_plot(story, name="one", heading="v3")
    assert "var(--series-1)" in first and "var(--limit)" in first
    assert not any(colour in first for colour in (INK, MUTED, GRID, LIMIT, BAND, *SERIES))


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(matplotlib.rcParams)
    curves_plot({"teacher": curves(False)}, series_of(NAMES, None))
    assert dict(matplotlib.rcParams) == before


def test_texts_and_words_for_readers_without_sight_are_escaped() -> None:
    with drawing():
        figure, axes = panels(2, 2)
        axes[0].set_title("$x$ <b>&")
        svg = finished(figure, name="t", alt='a "plot" <of>')
    assert 'aria-label="a &quot;plot&quot; &lt;of&gt;"' in svg and "<b>" not in svg
    assert "$x$ &lt;b&gt;&amp;" in texts(svg)


def test_a_rollout_shows_its_stages_its_limits_and_its_groups() -> None:
    shown = texts(drawn(rollout_plot(rollout()["entries"][2]["story"], name="r", heading="v3")))
    limits = {"stop: whole traffic 35, any group: 47", "shown: 20"}
    assert limits | {"shadow", "canary", "5 %", "whole traffic", "group south"} <= set(shown)


def test_a_bootstrap_and_a_rollout_without_looks_have_no_timeline() -> None:
    entries = rollout()["entries"]
    assert rollout_plot(entries[0]["story"], name="r", heading="v1") is None
    assert rollout_plot({**entries[1]["story"], "looks": []}, name="r", heading="v2") is None


def test_identity_shows_every_model_and_marks_the_champion() -> None:
    shown = texts(drawn(identity_plot(assessed()[0], series_of(NAMES, "student_distilled"))))
    assert {"teacher", "v1 student alone", "v2 AdaDistill (champion)", "0.01"} <= set(shown)


def test_an_identity_that_cannot_be_measured_is_not_drawn() -> None:
    evaluation, _, _ = assessed()
    model = dict(evaluation["models"]["teacher"])
    model["tar"] = [{**entry, "tar": None} for entry in model["tar"]]
    unmeasured = {**evaluation, "models": {"teacher": model}}
    assert identity_plot(unmeasured, series_of(NAMES, None)) is None


def test_a_task_that_a_model_does_not_do_says_so_and_one_without_labels_has_no_panel() -> None:
    shown = texts(drawn(task_plot(assessed()[0], series_of(NAMES, None))))
    assert "not measured" in shown and "Landmarks" in shown and "Smile expression" not in shown


def test_a_group_that_is_too_small_is_not_drawn() -> None:
    shown = texts(drawn(group_plot(assessed()[1], series_of(NAMES, None))))
    assert {"dark", "light"} <= set(shown) and "unusual" not in shown
    assert group_plot({}, series_of(NAMES, None)) is None


@pytest.mark.parametrize("distilled", [False, True])
def test_alpha_and_similarities_are_drawn_only_where_there_was_distillation(distilled: bool) -> None:
    shown = texts(drawn(curves_plot({"student_alone": curves(distilled)}, series_of(NAMES, None))))
    for words in ("Alpha: weight of the old centre", "to the teacher", "to the own class centre"):
        assert (words in shown) is distilled
