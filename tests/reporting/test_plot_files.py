from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes

from countenance.errors import DataError
from countenance.reporting.plot_files import write_plots


def line(axis: Axes) -> None:
    axis.plot([0, 1], [0, 1])
    axis.set_title("a & b")


def test_a_plot_is_a_drawing_of_its_own_in_both_forms(tmp_path: Path):
    svg, png = write_plots({"one": line}, tmp_path / "plots")
    text = svg.read_text()
    assert "a & b" in "".join(ElementTree.fromstring(text).itertext())
    # No colour is left to a page, and no stand-in of the report's drawings either.
    assert "var(" not in text and "#0101" not in text and "#0102" not in text
    assert png.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["one.png", "one.svg"]


def test_an_earlier_plot_of_which_nothing_is_left_to_draw_is_removed(tmp_path: Path):
    write_plots({"one": line, "two": line}, tmp_path)
    (tmp_path / "other.svg").touch()
    assert [path.name for path in write_plots({"one": line, "two": None}, tmp_path)] == ["one.svg", "one.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "one.svg", "other.svg"]


@pytest.mark.parametrize("draw", [line, None])
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, draw: object):
    (tmp_path / "plots").write_text("a file")
    with pytest.raises(DataError, match="name another folder"):
        write_plots({"one": draw}, tmp_path / "plots")  # type: ignore[dict-item]
