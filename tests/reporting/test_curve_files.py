import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from countenance.errors import DataError
from countenance.reporting.curve_files import CurvePlot, write_curve_plot

PLOT = CurvePlot(
    file="curve",
    title="Found faces",
    x_label="false faces",
    y_label="recall",
    lines={"one": ((0.0, 0.5, 1.0), (0.2, 0.4, 0.9)), "two": ((0.0, 1.0), (0.1, 0.2))},
)


def test_a_plot_is_a_whole_svg_file_that_needs_no_page(tmp_path: Path):
    path = write_curve_plot(PLOT, tmp_path / "plots")
    svg = path.read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for word in ("Found faces", "false faces", "recall", "one", "two"):
        assert word in svg
    # No stand-in for a colour is left.
    assert not re.search(r"#01010[0-9]|#01020[0-9]|var\(", svg)
    assert [child.name for child in path.parent.iterdir()] == ["curve.svg"]


def test_the_same_curves_give_the_same_file(tmp_path: Path):
    first, again = (write_curve_plot(PLOT, tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == again.read_bytes()


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path):
    (tmp_path / "plots").write_text("a file")
    with pytest.raises(DataError, match="choose another folder"):
        write_curve_plot(PLOT, tmp_path / "plots")
