"""No command of ``countenance evaluate`` works for an hour to find that it can't write, nor over what it reads."""

from pathlib import Path

import numpy as np
import pytest

from countenance.commands import main
from countenance.commands.output_paths import check_outputs
from countenance.errors import DataError

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """An embeddings file with its description, and a folder of lists; nothing in them is looked at."""
    np.save(tmp_path / "E.npy", np.ones((2, 2), dtype=np.float32))
    (tmp_path / "E.npy.json").write_text("{}")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "one.txt").write_text("kept")
    return tmp_path


def command(subject: str, folder: Path) -> list[str]:
    embeddings, lists = str(folder / "E.npy"), str(folder / "lists")
    given = {
        "ijb": ["--embeddings", embeddings, "--protocol", lists],
        "pairs": ["--embeddings", embeddings, "--pairs", lists],
        "attributes": ["--predictions", embeddings, "--labels", lists],
        "detection": ["--set", "wider", "--predictions", embeddings, "--truth", lists],
    }
    return ["evaluate", subject, *given[subject]]


@pytest.mark.parametrize("subject", ["ijb", "pairs", "attributes", "detection"])
@pytest.mark.parametrize(
    ("option", "place", "told"),
    [
        ("--out", "lists", "is a folder: name the file that --out is to write"),
        ("--out", "E.npy/report.json", "E.npy is a file, so that nothing can lie under it: name another place"),
        ("--out", "E.npy", "E.npy is read here, and --out would replace it: name another file."),
        ("--out", "lists/../E.npy", "is read here, and --out would replace it"),
        ("--out", "E.npy.json", "is read here, and --out would replace it"),
        ("--out", "lists/one.txt", "is read here, and --out would replace it"),
        ("--plots", "E.npy", "is read or written here already: name another folder with --plots."),
        ("--plots", "lists/one.txt", "is a file: name a folder with --plots."),
        ("--plots", "E.npy/plots", "E.npy is a file, so that nothing can lie under it: name another place"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(
    inputs: Path, capsys: Captured, subject: str, option: str, place: str, told: str
):
    before = {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()}
    assert main([*command(subject, inputs), option, str(inputs / place)]) == 1
    said = capsys.readouterr()
    assert told in said.err and said.err.count("\n") == 1 and said.out == ""
    assert {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()} == before


def test_a_link_to_what_is_read_is_refused_too(inputs: Path, capsys: Captured):
    (inputs / "link.json").symlink_to(inputs / "E.npy")
    assert main([*command("ijb", inputs), "--out", str(inputs / "link.json")]) == 1
    assert "is read here" in capsys.readouterr().err


def test_an_earlier_report_in_a_folder_that_is_read_may_be_replaced(inputs: Path, capsys: Captured):
    (inputs / "lists" / "report.json").write_text('{"kind": "templates"}')
    assert main([*command("ijb", inputs), "--out", str(inputs / "lists" / "report.json")]) == 1
    assert "is read here" not in capsys.readouterr().err


@pytest.mark.parametrize("content", ["5", "[1]", "no json"])
def test_a_file_in_a_folder_that_is_read_and_is_no_report_is_kept(tmp_path: Path, content: str):
    kept = tmp_path / "other.json"
    kept.write_text(content)
    with pytest.raises(DataError, match=r"other\.json"):
        check_outputs(kept, None, [tmp_path])
    assert kept.read_text() == content
