import re

from countenance.reporting.method_plots import method_curves_plot, method_plot

from .method_samples import comparison, unmeasured


def texts(svg: str | None) -> list[str]:
    assert svg is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_every_way_and_the_teacher_are_drawn() -> None:
    shown = texts(method_plot(comparison()))
    assert {"student alone", "relational distillation", "AdaDistill, weighted alpha", "teacher"} <= set(shown)
    assert "TAR at FAR 0.01, %" in shown and "not measurable" in shown


def test_without_a_teacher_or_without_numbers_nothing_is_made_up() -> None:
    assert "teacher" not in texts(method_plot(comparison() | {"teacher": None}))
    bare = comparison()
    for row in bare["rows"].values():
        row["accuracy"] = unmeasured()
    assert method_plot(bare) is None
    assert method_plot({}) is None


def test_curves_are_drawn_of_the_ways_that_have_them() -> None:
    shown = texts(method_curves_plot(comparison()))
    assert {"Alpha: weight of the old centre", "Similarity to the teacher", "Similarity to the own centre"} <= set(
        shown
    )
    assert {"student alone", "ReFO-style, features alone", "AdaDistill, weighted alpha"} <= set(shown)
    assert method_curves_plot(comparison() | {"curves": {}}) is None


def test_a_drawing_is_the_same_each_time() -> None:
    assert method_plot(comparison()) == method_plot(comparison())
