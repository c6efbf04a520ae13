"""``countenance protocol``: check, convert, make."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.commands import main
from countenance.data.protocols.ijb import read_ijb
from countenance.data.protocols.parquet_protocol import read_parquet_protocol
from tests.data.protocols.published import assert_same, change_line, small_protocol, write_lines, write_published

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_published(small_protocol(), tmp_path / "published")


def protocol(*arguments: object) -> int:
    return main(["protocol", *(str(argument) for argument in arguments)])


def said(captured: Captured) -> str:
    return captured.readouterr().err.splitlines()[-1]


def test_check_prints_counts(published: Path, capsys: Captured):
    assert protocol("check", published) == 0
    rows = [line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["protocol", "ijbx"],
        ["samples", "7"],
        ["templates", "5"],
        ["pairs", "5"],
        ["mated pairs", "3"],
        ["gallery G1", "1"],
        ["gallery G2", "1"],
        ["probes", "3"],
    ]
    assert protocol("check", published, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "ijbx",
        **small_protocol().counts(),
        "identification_note": "",
    }


def test_check_says_that_galleries_without_probes_are_searched_for_nobody(published: Path, capsys: Captured):
    probes = published / "meta" / "ijbx_1N_probe_mixed.csv"
    probes.rename(probes.with_name("ijbx_1N_probes_mixed.csv"))
    assert protocol("check", published) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1:N not measured: no probes."


def test_check_names_file_and_line(published: Path, capsys: Captured):
    pairs = published / "meta" / "ijbx_template_pair_label.txt"
    change_line(pairs, 2, "10 12 yes")
    assert protocol("check", published) == 1
    assert said(capsys).startswith(f"{pairs}, line 2, holds a label that is not 0 or 1")


def test_convert_writes_what_is_read_alike(published: Path, tmp_path: Path, capsys: Captured):
    assert protocol("convert", published, tmp_path / "tables") == 0
    assert "samples" in capsys.readouterr().out
    assert_same(read_parquet_protocol(tmp_path / "tables"), read_ijb(published))
    sources = json.loads((tmp_path / "tables" / "protocol.json").read_text())["sources"]
    assert len(sources["ijbx_face_tid_mid.txt"]) == 64
    assert protocol("check", tmp_path / "tables") == 0


def test_convert_leaves_nothing_of_an_unsound_set_and_can_keep_duplicates(
    published: Path, tmp_path: Path, capsys: Captured
):
    pairs = published / "meta" / "ijbx_template_pair_label.txt"
    write_lines(pairs, ["10 11 1", "10 21 0", "11 10 1"])
    assert protocol("convert", published, tmp_path / "tables") == 1
    assert said(capsys).startswith(
        f"In {pairs}, line 3, templates 11 and 10 are compared as in {pairs}, line 1 already"
    )
    assert not (tmp_path / "tables").exists()
    assert protocol("convert", published, tmp_path / "tables", "--duplicated-pairs", "keep") == 0
    assert protocol("check", tmp_path / "tables") == 1
    assert protocol("check", tmp_path / "tables", "--duplicated-pairs", "keep") == 0


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Ten people with four photos each in the test split, and some in another."""
    rows = [
        {
            "face_id": f"face-{person:02d}-{photo}",
            "subject_id": f"Somebody {person}",
            "photo_sha256": f"{person}/{photo}",
        }
        for person in range(12)
        for photo in range(4)
    ]
    table = pd.DataFrame(rows)
    table["split"] = np.where(table.index < 40, "test", "train")
    table["video"] = table["photo_sha256"].str.slice(0, -2) + np.where(table.index % 4 < 2, "a", "b")
    table.to_parquet(tmp_path / "manifest.parquet")
    return tmp_path / "manifest.parquet"


def test_make_writes_a_protocol_of_one_split_that_says_nobodys_name(manifest: Path, tmp_path: Path, capsys: Captured):
    out = tmp_path / "made"
    given = ["make", manifest, out, "--seed", 5, "--name", "small", "--samples-per-template", 2]
    assert protocol(*given, "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["name"], counts["galleries"]) == ("small", {"G1": 5, "G2": 5})
    made = read_parquet_protocol(out)
    assert {str(name)[:7] for name in made.samples.names} == {f"face-{person:02d}" for person in range(10)}
    assert not any(b"Somebody" in path.read_bytes() for path in out.iterdir())
    # The same seed draws the same protocol; another one doesn't.
    assert protocol(*given[:1], manifest, tmp_path / "again", *given[3:]) == 0
    assert_same(read_parquet_protocol(tmp_path / "again"), made)
    assert protocol("make", manifest, tmp_path / "other", "--seed", 6, "--name", "small") == 0
    assert read_parquet_protocol(tmp_path / "other").samples.names.tolist() != made.samples.names.tolist()


def test_make_takes_videos_as_media(manifest: Path, tmp_path: Path):
    out = tmp_path / "made"
    assert protocol("make", manifest, out, "--split", "all", "--medium", "video", "--leave-out-single-media") == 0
    samples = read_parquet_protocol(out).samples
    assert np.unique(samples.media, return_counts=True)[1].tolist() == [2] * 24
    assert len(np.unique(samples.templates)) == 24


def test_what_cannot_be_made_is_told(manifest: Path, tmp_path: Path, capsys: Captured):
    (tmp_path / "text.parquet").write_text("no table")
    for given, told in (
        ([tmp_path / "none.parquet"], "none.parquet is missing"),
        ([tmp_path / "text.parquet"], "is not a readable Parquet file"),
        ([manifest, "--split", "tset"], "has no face in the split 'tset': give one of 'test', 'train', or 'all'."),
        ([manifest, "--medium", "film"], "has no column 'film'"),
        ([manifest, "--medium", "subject_id"], "0 subjects have two media"),
    ):
        assert protocol("make", given[0], tmp_path / "out", *given[1:]) == 1
        assert told in said(capsys)
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit) as stopped:
        protocol("make", manifest, tmp_path / "out", "--samples-per-template", 0)
    assert stopped.value.code == 2
