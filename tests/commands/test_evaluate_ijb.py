"""``countenance evaluate ijb`` on real files, its errors included."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countenance.commands import main
from countenance.data.protocols.parquet_protocol import write_parquet_protocol
from countenance.data.protocols.template_protocol import TemplateProtocol
from countenance.learning import finished_embeddings
from countenance.learning.embedding_plan import EmbeddingPlan, Failure, part_folder, write_plan
from countenance.learning.shared_embeddings import join_extraction
from tests.data.protocols.published import change_line, small_protocol, write_lines, write_published

Captured = pytest.CaptureFixture[str]

# Templates 10 (two samples of two media), 11 (two of one medium), 12, 20, 21; of subjects 7, 7, 7, 9, 9.
VALUES = np.array([[1, 0, 0], [0, 2, 0], [3, 3, 0], [0, 1, 1], [2, 1, 0], [0, 0, 4], [0, 1, 3]], dtype=np.float32)
PLAN = EmbeddingPlan(
    rows=7,
    dimension=3,
    mirrored=False,
    unit_length=False,
    block=3,
    model="net.onnx (float32)",
    model_identity="m",
    crops_identity="c",
)


def protocol() -> TemplateProtocol:
    """The small one, with a detector score that isn't zero for the only sample of template 21."""
    small = small_protocol()
    scores = np.array([0.5, 1, 0.25, 0.75, 1, 1, 0.5], dtype=np.float32)
    return replace(small, samples=replace(small.samples, detector_scores=scores))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_published(protocol(), tmp_path / "published")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    write_parquet_protocol(protocol(), tmp_path / "tables")
    return tmp_path / "tables"


def plain(folder: Path, values: np.ndarray = VALUES) -> Path:
    np.save(folder / "E.npy", values)
    return folder / "E.npy"


def recorded(folder: Path, failures: Sequence[int], values: np.ndarray = VALUES) -> Path:
    """A finished file with its description; zeros where a sample failed."""
    values = values.copy()
    values[list(failures)] = 0
    path = plain(folder, values)
    write_plan(folder / "E.npy.json", PLAN, [Failure(row, "spoilt") for row in failures])
    return path


def evaluate(embeddings: Path, folder: Path, *more: object) -> int:
    given = ["evaluate", "ijb", "--embeddings", embeddings, "--protocol", folder, *more]
    return main([str(argument) for argument in given])


def report(embeddings: Path, folder: Path, captured: Captured, *more: object) -> dict:
    captured.readouterr()
    assert evaluate(embeddings, folder, "--json", *more) == 0
    return json.loads(captured.readouterr().out)


def said(captured: Captured) -> str:
    return captured.readouterr().err.splitlines()[-1]


def test_it_prints_tables_and_writes_the_report(published: Path, tmp_path: Path, capsys: Captured):
    out = tmp_path / "deep" / "report.json"
    assert evaluate(plain(tmp_path), published, "--out", out, "--name", "net") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "net on ijbx: 7 samples, 5 templates, 5 pairs (3 mated)"
    assert lines[1].endswith("samples as long as given, weighed by detector score.")
    assert lines[2] == "Failures to extract: none."
    assert "1e-06   not measurable: FAR 1e-06 is below 1 in 2 non-mated comparisons" in lines
    assert any(line.startswith("average") for line in lines)
    written = json.loads(out.read_text())
    assert (written["kind"], written["version"], written["model"]) == ("templates", 1, "net")
    assert list(written) == [
        *("kind", "version", "model", "protocol", "options", "failures", "verification", "roc", "identification"),
        "identification_note",
    ]
    assert [path.name for path in out.parent.iterdir()] == ["report.json"]


def test_both_forms_of_a_protocol_give_the_same_report(published: Path, tables: Path, tmp_path: Path, capsys: Captured):
    embeddings = plain(tmp_path)
    assert report(embeddings, published, capsys) == report(embeddings, tables, capsys)


def test_the_threshold_by_hand(tmp_path: Path, capsys: Captured):
    # Ten strangers at 0 to 90 degrees of template 0, its mates at 5 and 45: FAR .1 allows one, so tau = cos 10.
    degrees = np.radians([0.0, *range(0, 100, 10), 5.0, 45.0])
    small = protocol()
    samples = replace(
        small.samples,
        names=np.array([f"{number}.jpg" for number in range(13)], dtype=object),
        templates=np.arange(13),
        media=np.arange(13),
        five_points=None,
        detector_scores=None,
    )
    pairs = replace(small.pairs, first=np.zeros(12, int), second=np.arange(1, 13), mated=np.arange(1, 13) > 10)
    write_parquet_protocol(TemplateProtocol("fan", samples, pairs), tmp_path / "fan")
    values = np.column_stack([np.cos(degrees), np.sin(degrees)]).astype(np.float32)
    found = report(plain(tmp_path, values), tmp_path / "fan", capsys)
    row = found["verification"][-1]
    assert (row["accepted"], row["mated"], row["false_accepts"], row["non_mated"]) == (1, 2, 1, 10)
    assert row["threshold"] == pytest.approx(np.cos(np.radians(10)))
    assert found["identification"] is None


def test_galleries_without_probes_are_told_not_passed_over(published: Path, tmp_path: Path, capsys: Captured):
    (published / "meta" / "ijbx_1N_probe_mixed.csv").unlink()
    assert evaluate(plain(tmp_path), published) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1:N not measured: no probes."


def test_options_do_what_their_names_say(published: Path, tmp_path: Path, capsys: Captured):
    both = np.stack([VALUES, VALUES[:, ::-1]], axis=1)
    embeddings = plain(tmp_path, both)

    def thresholds(*more: object) -> list[float]:
        return report(embeddings, published, capsys, *more)["roc"]["thresholds"]

    assert thresholds() == thresholds("--flip", "sum") != thresholds("--flip", "first")
    assert thresholds() != thresholds("--normalise-samples")
    assert thresholds() != thresholds("--no-detector-score")
    first_alone = thresholds("--flip", "first")
    np.save(embeddings, VALUES)
    assert first_alone == thresholds()
    told = report(embeddings, published, capsys, "--no-detector-score", "--normalise-samples", "--level", 0.9)[
        "options"
    ]
    assert (told["weigh_by_detector_score"], told["normalise_samples"], told["level"]) == (False, True, 0.9)
    compat = report(embeddings, published, capsys, "--rule", "insightface_compat")
    assert compat["options"]["rule"] == "insightface_compat"


def test_recorded_failures_are_left_out_counted_and_told(published: Path, tmp_path: Path, capsys: Captured):
    # Of template 11 one of two samples is left; template 21 has none.
    found = report(recorded(tmp_path, [3, 6]), published, capsys)
    assert found["failures"] == {"samples": 2, "templates": 1, "pairs": 2}
    assert found["model"] == "net.onnx (float32)"
    assert [one["found"] for one in found["identification"]["galleries"][1]["ranks"]] == [0, 0, 0]
    assert evaluate(recorded(tmp_path, [3, 6]), published) == 0
    assert "Failures to extract: 2 samples, 1 template, 2 pairs." in capsys.readouterr().out
    # Without the record the zeros are an error.
    (tmp_path / "E.npy.json").unlink()
    assert evaluate(tmp_path / "E.npy", published) == 1
    assert "the embedding is a zero vector" in said(capsys)


def test_an_embedder_at_work_can_be_followed(
    published: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finished_embeddings, "_LOOK_EVERY_S", 0.01)
    finished = tmp_path / "finished"
    finished.mkdir()
    expected = report(recorded(finished, [3, 6]), published, capsys)
    out, values = tmp_path / "E.npy", np.where(np.isin(np.arange(7), [3, 6])[:, None], 0, VALUES).astype(np.float32)
    following = {}
    with join_extraction(out, PLAN) as shared:
        assert evaluate(out, published) == 1
        assert "E.npy is not finished: run the extraction to its end, or read along with --follow." in said(capsys)
        reader = threading.Thread(
            target=lambda: following.update(status=evaluate(out, published, "--follow", "--out", tmp_path / "r.json"))
        )
        reader.start()
        # The second block is finished last: sample 3, of the medium of sample 2, fails after that one was added.
        blocks = [shared.claim(0, 1) for _ in range(3)]
        for block in (blocks[0], blocks[2], blocks[1]):
            rows = PLAN.rows_of(block)
            shared.write(rows.start, values[rows.start : rows.stop])
            shared.finish(block, [Failure(row, "spoilt") for row in (3, 6) if row in rows])
        shared.publish()
    reader.join(timeout=60)
    assert following == {"status": 0}
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["roc"].pop("thresholds") == pytest.approx(expected["roc"].pop("thresholds"), abs=1e-6)
    assert found == expected


def test_following_gives_up_where_nobody_is_at_work(published: Path, tmp_path: Path, capsys: Captured):
    with join_extraction(tmp_path / "E.npy", PLAN):
        assert evaluate(tmp_path / "E.npy", published, "--follow", "--give-up-after", 0.01) == 1
    assert "was finished for 0.01 s: see whether the extraction still runs" in said(capsys)
    with pytest.raises(SystemExit) as stopped:
        evaluate(tmp_path / "E.npy", published, "--give-up-after", 1)
    assert stopped.value.code == 2


def test_other_rows_than_samples_are_told_before_a_follower_waits(published: Path, tmp_path: Path, capsys: Captured):
    with join_extraction(tmp_path / "E.npy", replace(PLAN, rows=8)):
        assert part_folder(tmp_path / "E.npy").exists()
        assert evaluate(tmp_path / "E.npy", published, "--follow") == 1
    assert said(capsys).startswith(f"{tmp_path / 'E.npy'} has 8 rows, but ")


def test_plots_are_written_as_svg_and_png(published: Path, tmp_path: Path, capsys: Captured):
    assert evaluate(plain(tmp_path), published, "--plots", tmp_path / "plots") == 0
    # Nobody is missed at any threshold that accepts somebody falsely: there is no DET curve.
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["roc.png", "roc.svg"]
    meta = published / "meta" / "ijbx_template_pair_label.txt"
    write_lines(meta, ["10 11 1"])
    assert str(tmp_path / "plots" / "roc.svg") in capsys.readouterr().out.splitlines()[-1]
    assert evaluate(plain(tmp_path), published, "--plots", tmp_path / "plots") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing to draw: no curve is measurable."
    assert list((tmp_path / "plots").iterdir()) == []


def spoilt(value: float) -> np.ndarray:
    values = VALUES.copy()
    values[4:6, 0 if np.isnan(value) else slice(None)] = value
    return values


AGAIN = ": embed the sample again, or have it recorded as a failure (countenance embed --record-unusable)."


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "the embedding holds a value that is not a finite number"), (0.0, "the embedding is a zero vector")],
)
def test_a_nan_embedding_and_a_zero_vector_name_row_and_line(
    published: Path, tables: Path, tmp_path: Path, capsys: Captured, value: float, problem: str
):
    embeddings = plain(tmp_path, spoilt(value))
    out = tmp_path / "report.json"
    # A blank line counts as a line, but not as a row.
    listed = published / "meta" / "ijbx_face_tid_mid.txt"
    listed.write_text("\n" + listed.read_text())
    for folder, place in (
        (published, f"{listed}, line 6"),
        (tables, f"{tables / 'samples.parquet'}, row 4"),
    ):
        assert evaluate(embeddings, folder, "--out", out) == 1
        assert said(capsys) == f"In {embeddings}, row 4 counted from 0 ({place}), {problem} (and 1 more like it){AGAIN}"
    assert not out.exists()


def test_a_template_that_adds_up_to_nothing_names_where_it_starts(published: Path, tmp_path: Path, capsys: Captured):
    values = VALUES.copy()
    values[1] = -0.5 * values[0]
    embeddings = plain(tmp_path, values)
    assert evaluate(embeddings, published) == 1
    place = f"{embeddings}, row 0 counted from 0 ({published / 'meta' / 'ijbx_face_tid_mid.txt'}, line 1)"
    assert said(capsys).startswith(f"In {place}, the template that starts here adds up to a zero vector")


def test_another_number_of_rows_names_both_files(published: Path, tables: Path, tmp_path: Path, capsys: Captured):
    embeddings = plain(tmp_path, VALUES[:6])
    for folder, listed in ((published, "meta/ijbx_face_tid_mid.txt"), (tables, "samples.parquet")):
        assert evaluate(embeddings, folder) == 1
        assert said(capsys) == (
            f"{embeddings} has 6 rows, but {folder / listed} lists 7 samples: embed the samples of this protocol, in "
            "its order."
        )


def change_table(path: Path, **columns: object) -> None:
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, path)


def test_a_pair_with_an_unknown_template_names_file_and_line(
    published: Path, tables: Path, tmp_path: Path, capsys: Captured
):
    pairs = published / "meta" / "ijbx_template_pair_label.txt"
    change_line(pairs, 3, "10 99 0")
    assert evaluate(plain(tmp_path), published) == 1
    assert said(capsys).startswith(f"In {pairs}, line 3, a pair names template 99, which has no sample: ")
    change_table(tables / "pairs.parquet", second=[11, 12, 99, 21, 11])
    assert evaluate(plain(tmp_path), tables) == 1
    assert said(capsys).startswith(
        f"In {tables / 'pairs.parquet'}, row 2, a pair names template 99, which has no sample"
    )


def test_a_template_without_media_names_file_and_line(published: Path, tables: Path, tmp_path: Path, capsys: Captured):
    listed = published / "meta" / "ijbx_face_tid_mid.txt"
    change_line(listed, 5, "5.jpg 12 -1")
    assert evaluate(plain(tmp_path), published) == 1
    assert said(capsys).startswith(f"In {listed}, line 5, a sample of template 12 has no medium: ")
    change_table(tables / "samples.parquet", medium=pa.array([1, 2, 3, 3, None, 5, 6], pa.int64()))
    assert evaluate(plain(tmp_path), tables) == 1
    assert said(capsys).startswith(f"In {tables / 'samples.parquet'}, row 4, 'medium' is empty: ")


def test_a_duplicated_pair_names_both_lines_and_can_be_kept(
    published: Path, tables: Path, tmp_path: Path, capsys: Captured
):
    pairs = published / "meta" / "ijbx_template_pair_label.txt"
    pairs.write_text(pairs.read_text() + "12 10 1\n")
    embeddings = plain(tmp_path)
    assert evaluate(embeddings, published) == 1
    told = said(capsys)
    assert told.startswith(f"In {pairs}, line 6, templates 12 and 10 are compared as in {pairs}, line 2 already: ")
    assert report(embeddings, published, capsys, "--duplicated-pairs", "keep")["protocol"]["pairs"] == 6
    change_table(tables / "pairs.parquet", first=[10, 12, 10, 20, 20], second=[12, 10, 21, 21, 11])
    assert evaluate(embeddings, tables) == 1
    assert f"are compared as in {tables / 'pairs.parquet'}, row 0 already" in said(capsys)


def test_a_gallery_template_that_does_not_exist_names_file_and_line(
    published: Path, tables: Path, tmp_path: Path, capsys: Captured
):
    gallery = published / "meta" / "ijbx_1N_gallery_G2.csv"
    change_line(gallery, 2, "77,9")
    assert evaluate(plain(tmp_path), published) == 1
    assert said(capsys).startswith(f"In {gallery}, line 2, the gallery names template 77, which has no sample: ")
    change_table(tables / "galleries.parquet", template=[10, 77])
    assert evaluate(plain(tmp_path), tables) == 1
    told = f"In {tables / 'galleries.parquet'}, row 1, the gallery names template 77, which has no sample: "
    assert said(capsys).startswith(told)


def test_a_probe_that_is_enrolled_names_file_and_line(published: Path, tmp_path: Path, capsys: Captured):
    probes = published / "meta" / "ijbx_1N_probe_mixed.csv"
    change_line(probes, 4, "20,9")
    assert evaluate(plain(tmp_path), published) == 1
    assert said(capsys).startswith(f"In {probes}, line 4, template 20 is searched for, but it is enrolled itself: ")


def test_what_is_no_embeddings_file_or_no_protocol_is_told(published: Path, tmp_path: Path, capsys: Captured):
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "flat.npy", np.ones(7, dtype=np.float32))
    np.save(tmp_path / "whole.npy", np.ones((7, 3), dtype=np.int64))
    for name, told in (
        ("none.npy", "none.npy is not there"),
        ("text.npy", "text.npy is no .npy file"),
        ("flat.npy", "flat.npy holds (7,) float32 where [photos, D] or [photos, 2, D] float32 belong"),
        ("whole.npy", "whole.npy holds (7, 3) int64 where"),
    ):
        assert evaluate(tmp_path / name, published) == 1
        assert told in said(capsys)
    assert evaluate(plain(tmp_path), tmp_path / "nowhere") == 1
    assert "holds no template protocol" in said(capsys)
    assert evaluate(tmp_path / "E.npy", published, "--follow") == 1
    assert "E.npy.json, which tells what E.npy holds, is not there" in said(capsys)


def test_a_file_that_is_no_array_is_told_for_what_it_is(published: Path, tmp_path: Path, capsys: Captured):
    whole = plain(tmp_path).read_bytes()
    np.savez(tmp_path / "archive.npz", VALUES)
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04 and no archive")
    (tmp_path / "empty.npy").touch()
    (tmp_path / "cut.npy").write_bytes(whole[:-4])
    np.save(tmp_path / "things.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, told in (
        ("archive.npz", "is an archive of arrays (.npz): write the one of the embeddings with numpy.save."),
        ("zip.npy", "is no .npy file: "),
        ("empty.npy", "is an empty file: write the embeddings again."),
        ("cut.npy", "is cut short, damaged or holds no numbers: "),
        ("things.npy", "is cut short, damaged or holds no numbers: "),
        ("published", "is a folder: give the .npy file that holds the embeddings."),
    ):
        assert evaluate(tmp_path / name, published) == 1
        assert said(capsys).startswith(f"{tmp_path / name} {told}")


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04"])
def test_a_described_file_that_is_no_array_is_told(published: Path, tmp_path: Path, capsys: Captured, broken: bytes):
    recorded(tmp_path, [3]).write_bytes(broken)
    assert evaluate(tmp_path / "E.npy", published) == 1
    assert said(capsys).startswith(f"{tmp_path / 'E.npy'} is ")


@pytest.mark.parametrize("row", [7, -1])
def test_a_recorded_failure_of_a_row_that_is_not_there_is_refused(
    published: Path, tmp_path: Path, capsys: Captured, row: int
):
    recorded(tmp_path, [])
    write_plan(tmp_path / "E.npy.json", PLAN, [Failure(row, "spoilt")])
    assert evaluate(tmp_path / "E.npy", published) == 1
    assert said(capsys) == (
        f"{tmp_path / 'E.npy.json'} records row {row} as a failure, and there are rows 0 to 6 only: restore it, or "
        "embed again."
    )


def test_a_description_that_describes_nothing_is_refused(published: Path, tmp_path: Path, capsys: Captured):
    path = recorded(tmp_path, [])
    description = tmp_path / "E.npy.json"
    content = json.loads(description.read_text())
    for damaged in ({**content, "block": 0}, {**content, "rows": "7"}, {**content, "failures": [{"row": 1e999}]}, []):
        description.write_text(json.dumps(damaged))
        assert evaluate(path, published) == 1
        assert said(capsys).startswith(f"{description} describes no embeddings: ")
    description.unlink()
    description.mkdir()
    assert evaluate(path, published) == 1
    assert said(capsys).startswith(f"{description} describes no embeddings: ")
