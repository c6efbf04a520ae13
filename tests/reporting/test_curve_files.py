import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

from countenance.reporting.curve_files import CurvePlot, write_curve_plot

PLOT = CurvePlot(
    file="curve",
    title="Found faces",
    x_label="false faces",
    y_label="recall",
    lines={"one": ((0.0, 0.5, 1.0), (0.2, 0.4, 0.9)), "two": ((0.0, 1.0), (0.1, 0.2))},
)


def test_a_plot_is_a_whole_file_that_needs_no_page(tmp_path: Path):
    path, picture = write_curve_plot(PLOT, tmp_path / "plots")
    svg = path.read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for word in ("Found faces", "false faces", "recall", "one", "two"):
        assert word in svg
    # No stand-in for a colour is left.
    assert not re.search(r"#01010[0-9]|#01020[0-9]|var\(", svg)
    assert (path.name, picture.name) == ("curve.svg", "curve.png")


def test_the_same_curves_give_the_same_file(tmp_path: Path):
    first, again = (write_curve_plot(PLOT, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_a_plot_without_lines_is_not_written(tmp_path: Path):
    write_curve_plot(PLOT, tmp_path)
    assert write_curve_plot(replace(PLOT, lines={}), tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
