import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.commands import main
from countenance.data.photographs import encode_photo
from countenance.data.protocols.face_pairs import FacePairs
from tests.conftest import picture
from tests.data.protocols.published import write_parquet_pairs
from tests.learning.recognisers import write_recogniser

Captured = pytest.CaptureFixture[str]

# Directions in a plane, in degrees: photos of one person are 10 apart, of two people 60 and more.
LFW_PHOTOS = {"Ann/Ann_0001": 0, "Ann/Ann_0002": 10, "Bob/Bob_0001": 60, "Bob/Bob_0002": 70, "Cem/Cem_0001": 150}
LFW_PAIRS = "2\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\nBob\t1\t2\nBob\t2\tCem\t1\n"


def evaluate(*arguments: object) -> int:
    return main(["evaluate", "pairs", *(str(argument) for argument in arguments)])


def write_embeddings(path: Path, *degrees: float) -> Path:
    radians = np.deg2rad(degrees)
    np.save(path, np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32))
    return path


@pytest.fixture
def lfw(tmp_path: Path) -> list[object]:
    """A list as LFW's, its embeddings, and the names of their rows; as the command takes them."""
    folder = tmp_path / "lfw"
    folder.mkdir()
    (folder / "pairs.txt").write_text(LFW_PAIRS)
    (folder / "names.txt").write_text("".join(f"{name}.jpg\n" for name in LFW_PHOTOS))
    embeddings = write_embeddings(folder / "E.npy", *LFW_PHOTOS.values())
    return ["--embeddings", embeddings, "--pairs", folder / "pairs.txt", "--rows", folder / "names.txt"]


def describe(embeddings: Path, *failed_rows: int) -> None:
    """What ``countenance embed`` writes beside its file."""
    rows, dimension = np.load(embeddings).shape
    content = {
        "format": "countenance embeddings", "version": 1, "rows": rows, "dimension": dimension, "mirrored": False,
        "unit_length": False, "block": 1024, "model": "told.onnx", "model_identity": "m", "crops_identity": "c",
        "failures": [{"row": row, "problem": "not an image"} for row in failed_rows],
    }  # fmt: skip
    embeddings.with_name(f"{embeddings.name}.json").write_text(json.dumps(content))


def test_lfws_list_is_evaluated_printed_written_and_drawn(lfw: list[object], tmp_path: Path, capsys: Captured):
    out, plots = tmp_path / "reports" / "report.json", tmp_path / "plots"
    assert evaluate(*lfw, "--name", "mine", "--out", out, "--plots", plots) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "lfw: 4 pairs (2 mated) of 5 photos in 2 folds; mirror images: none given"
    assert printed[1:3] == ["Model: mine", "Failures to extract: none."]
    assert printed[4].startswith("Accuracy over folds: 100.00 % (95 % interval ")
    # Of the other fold: half-way from cos 80 to cos 10, and from cos 60 to cos 10.
    assert [line.split() for line in printed[6:8]] == [
        ["fold", "1", "100.00", "%", "0.5792"],
        ["fold", "2", "100.00", "%", "0.7424"],
    ]
    assert "0.001   not measurable: FAR 0.001 is below 1 in 2 non-mated comparisons" in printed
    report = json.loads(out.read_text())
    assert (report["kind"], report["model"], report["groups"]) == ("pairs", "mine", {})
    assert len(report["protocol"].pop("sha256")) == 64
    assert report["protocol"] == {
        "name": "lfw", "photos": 5, "pairs": 4, "mated_pairs": 2, "folds": 2, "subjects": 3,
    }  # fmt: skip
    # All is told apart, so that there is no DET curve.
    assert printed[-1] == f"Drawn: {plots / 'roc.svg'}, {plots / 'roc.png'}"
    assert "</svg>" in (plots / "roc.svg").read_text()
    # Given as JSON, it is the same report.
    assert evaluate(*lfw, "--name", "mine", "--json", "--set", "other") == 0
    report["protocol"]["name"] = "other"
    again = json.loads(capsys.readouterr().out)
    del again["protocol"]["sha256"]
    assert again == report


def test_failures_beside_the_embeddings_are_counted_and_never_match(lfw: list[object], capsys: Captured):
    embeddings = lfw[1]
    assert isinstance(embeddings, Path)
    values = np.load(embeddings)
    values[0] = 0
    np.save(embeddings, values)
    describe(embeddings, 0)
    assert evaluate(*lfw, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"] == "told.onnx" and report["failures"] == {"photos": 1, "pairs": 2}
    assert report["accuracy"]["note"].startswith("not measurable: a fold has no scores beside it")
    assert evaluate(*lfw) == 0
    assert "Failures to extract: 1 photo, 2 pairs." in capsys.readouterr().out


def test_folds_are_chosen_by_their_numbers(lfw: list[object], tmp_path: Path, capsys: Captured):
    more = [line for fold in range(3) for line in LFW_PAIRS.splitlines()[1:3]]
    (tmp_path / "lfw" / "pairs.txt").write_text("\n".join(["3\t1", *more]))
    assert evaluate(*lfw, "--folds", "1,3-3", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"]["folds"] == [0, 2] and report["protocol"]["pairs"] == 4
    assert evaluate(*lfw, "--folds", "2-4") == 1
    assert "pairs.txt was asked for, and it has 3: give folds 1 to 3." in capsys.readouterr().err


def test_a_pack_needs_no_names_and_mirror_images_may_be_left_away(tmp_path: Path, capsys: Captured):
    encoded = [encode_photo(picture(112, 112, seed=seed // 2 if seed % 4 < 2 else seed)) for seed in range(40)]
    pack = tmp_path / "agedb_30.bin"
    pack.write_bytes(pickle.dumps((encoded, [True, False] * 10)))
    recogniser, out = write_recogniser(tmp_path / "recogniser.onnx"), tmp_path / "E.npy"
    embed = ["embed", pack, "--model", recogniser, "--out", out, "--threads", 1, "--workers", 1]
    assert main([str(word) for word in embed]) == 0
    capsys.readouterr()
    told = {}
    for flip in ("sum", "first"):
        assert evaluate("--embeddings", out, "--pairs", pack, "--flip", flip, "--json") == 0
        told[flip] = json.loads(capsys.readouterr().out)
    assert told["sum"]["protocol"]["name"] == "agedb_30" and told["sum"]["protocol"]["folds"] == 10
    assert told["sum"]["accuracy"]["mean"] == 1.0 and told["sum"]["model"] == "recogniser.onnx (openvino, float32)"
    assert [told[flip]["options"]["flip"] for flip in told] == ["sum", "first"]
    assert told["sum"]["roc"]["thresholds"] != told["first"]["roc"]["thresholds"]


def test_groups_are_told_by_their_own_accuracy_and_at_one_threshold(tmp_path: Path, capsys: Captured):
    # Race "A" is told apart well; in race "B" everybody looks alike, so that it has the false matches.
    people, degrees = {"A": (0, 40), "B": (0, 1)}, []
    names = []
    for race, (low, high) in people.items():
        lines = []
        for fold in range(10):
            for person, angle in ((f"x{fold}", low), (f"y{fold}", high)):
                names += [f"{race}/{person}/{person}_{number:04d}.jpg" for number in (1, 2)]
                degrees += [angle, angle + 0.1 * (fold + 1)]
            lines += [f"x{fold}\t1\t2", f"x{fold}\t1\ty{fold}\t1"]
        (tmp_path / "txts" / race).mkdir(parents=True)
        (tmp_path / "txts" / race / f"{race}_pairs.txt").write_text("\n".join(lines))
    (tmp_path / "names.txt").write_text("\n".join(names))
    embeddings = write_embeddings(tmp_path / "E.npy", *degrees)
    given = ["--embeddings", embeddings, "--pairs", tmp_path / "txts", "--rows", tmp_path / "names.txt"]
    assert evaluate(*given, "--common-far", 0.5, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    groups = report["groups"]
    assert {name: group["pairs"] for name, group in groups.items()} == {"A": 20, "B": 20}
    assert groups["A"]["accuracy"]["mean"] == 1.0 and groups["A"]["fmr"]["errors"] == 0
    assert report["common_threshold"]["non_mated"] == 20
    assert evaluate(*given, "--common-far", 0.5) == 0
    printed = capsys.readouterr().out
    assert "By group: accuracy at thresholds of its own; errors at the threshold of FAR 0.5 of all pairs" in printed
    assert evaluate(*given, "--common-far", 0.01) == 0
    assert "no common threshold, since FAR 0.01 of all pairs is not measurable" in capsys.readouterr().out


def test_bfw_and_parquet_are_recognised(tmp_path: Path, capsys: Captured):
    first, second = ["a/1", "a/1", "b/1", "b/1"], ["a/2", "b/1", "b/2", "a/2"]
    table = pd.DataFrame({"p1": first, "p2": second, "label": [1, 0, 1, 0], "fold": [1, 1, 2, 2]})
    table.assign(att1="g", att2="g").to_csv(tmp_path / "bfw.csv", index=False)
    names = [np.array(side, dtype=object) for side in (first, second)]
    write_parquet_pairs(
        FacePairs(*names, np.array([1, 0, 1, 0]) == 1, np.array([1, 1, 2, 2])), tmp_path / "own" / "pairs.parquet"
    )
    pd.DataFrame({"photo": ["a/1", "a/2", "b/1", "b/2"]}).to_csv(tmp_path / "rows.csv", index=False)
    embeddings = write_embeddings(tmp_path / "E.npy", 0, 10, 60, 70)
    for name, groups in (("bfw.csv", ["g"]), ("own/pairs.parquet", []), ("own", [])):
        given = ["--embeddings", embeddings, "--pairs", tmp_path / name, "--rows", tmp_path / "rows.csv"]
        assert evaluate(*given, "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert report["accuracy"]["mean"] == 1.0 and sorted(report["groups"]) == groups
        # The folder tells BFW's people; of other lists only mated pairs tell who is who.
        assert ("known of mated pairs only" in report["note"]) == (name != "bfw.csv")
        assert report["protocol"]["subjects"] == 2


def test_what_cannot_be_evaluated_is_told_with_file_and_line(lfw: list[object], tmp_path: Path, capsys: Captured):
    folder = tmp_path / "lfw"
    names, embeddings = folder / "names.txt", folder / "E.npy"
    good_names, good = names.read_text(), np.load(embeddings)

    def told(*arguments: object) -> str:
        assert evaluate(*lfw, *arguments) == 1
        said = capsys.readouterr()
        assert said.out == "" and "Ann" not in said.err and "Bob" not in said.err
        return said.err.strip()

    names.write_text("\n" + good_names.replace("Bob_0002", "Bob_0003"))
    assert told() == (
        f"In {folder}/pairs.txt, line 4, a photo is not among those listed (and 1 more like it): "
        "embed every photo of the pairs."
    )
    names.write_text(good_names.replace("Bob_0002", "Bob_0001"))
    assert told().startswith(f"In {names}, line 4, the photo is listed a second time: list each photo once")
    names.write_text(good_names + "Dan/Dan_0001.jpg\n")
    assert told().startswith(f"{embeddings} holds 5 rows where {names} lists 6 photos: ")
    names.write_text(good_names)
    for value, problem in (
        (np.nan, "the embedding holds a value that is not a finite"),
        (0, "the embedding is a zero"),
    ):
        np.save(embeddings, np.where(np.arange(5)[:, None] == 2, value, good).astype(np.float32))
        assert told().startswith(f"In {embeddings}, row 2 counted from 0 ({names}, line 3), {problem}")
    np.save(embeddings, good[:, 0])
    assert told().startswith(f"{embeddings} holds (5,) float32 where [photos, D]")
    embeddings.write_bytes(b"nothing")
    assert told().startswith(f"{embeddings} is no .npy file")
    embeddings.unlink()
    assert told() == f"{embeddings} is not there: give the .npy file that countenance embed wrote."
    (folder / "E.npy.part").mkdir()
    assert told() == f"{embeddings} is not finished: run the extraction to its end."
    assert "doesn't tell which form" in told("--pairs", tmp_path / "pairs.lst")
    (folder / "pairs.txt").write_text(LFW_PAIRS.replace("Bob\t1\t2", "Bob\t1"))
    assert f"{folder}/pairs.txt, line 4, is no pair" in told()


def test_wrong_usage_ends_with_2(lfw: list[object], capsys: Captured):
    for arguments, told in [
        (lfw[:4], "--rows FILE must tell"),
        ([*lfw[:2], "--pairs", "lfw.bin", *lfw[4:]], "leave --rows away"),
        ([*lfw, "--folds", "3-1"], "no list of folds"),
        ([*lfw, "--folds", "0"], "no list of folds"),
        ([*lfw, "--format", "parquet", "--ending", ".png"], "leave --ending away"),
        (lfw[:2], "--pairs"),
    ]:
        with pytest.raises(SystemExit) as stopped:
            evaluate(*arguments)
        assert stopped.value.code == 2
        assert told in capsys.readouterr().err


def test_photos_of_an_lfw_list_may_end_otherwise(lfw: list[object], tmp_path: Path, capsys: Captured):
    names = tmp_path / "lfw" / "names.txt"
    names.write_text(names.read_text().replace(".jpg", ".png"))
    assert evaluate(*lfw) == 1
    assert evaluate(*lfw, "--ending", ".png") == 0
    assert "100.00 %" in capsys.readouterr().out


POINTS = [f"{axis}{point}" for point in range(1, 6) for axis in "xy"]


@pytest.mark.slow
def test_lfws_first_folds_are_as_accurate_as_an_independent_measurement_says(
    real_faces: Path, tmp_path: Path, capsys: Captured
):
    lfw, model = real_faces / "lfw", real_faces / "teacher" / "fr_feature.onnx"

    def embed(points: Path, out: Path) -> None:
        given = ["embed", lfw / "photos", "--points", points, "--model", model, "--out", out]
        assert main([str(word) for word in given]) == 0

    def accuracy(embeddings: Path) -> float:
        given = ["--embeddings", embeddings, "--pairs", lfw / "pairs.txt", "--rows", lfw / "faces.csv"]
        capsys.readouterr()
        assert evaluate(*given, "--folds", "1-5", "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["protocol"]["pairs"], report["protocol"]["folds"]) == (3000, 5)
        assert report["accuracy"]["low"] < report["accuracy"]["mean"] < report["accuracy"]["high"]
        return float(report["accuracy"]["mean"])

    embed(lfw / "faces.csv", tmp_path / "shipped.npy")
    # LFW names the person in the middle. In 95 photos the shipped box doesn't hold the middle: its five points are
    # somebody else's, and 54 of the 1,500 mated pairs compare two people with them.
    assert accuracy(tmp_path / "shipped.npy") == pytest.approx(0.971, abs=0.003)

    # There, take the points that the faces in the middle usually have. No pair is left out.
    faces = pd.read_csv(lfw / "faces.csv")
    is_central = faces["x"].le(125) & (faces["x"] + faces["w"]).ge(125)
    is_central &= faces["y"].le(125) & (faces["y"] + faces["h"]).ge(125)
    mended = faces[~is_central].copy()
    assert len(mended) == 95
    mended[POINTS] = faces.loc[is_central, POINTS].median().to_numpy()
    mended.to_csv(tmp_path / "mended.csv", index=False)
    embed(tmp_path / "mended.csv", tmp_path / "central.npy")
    values = np.load(tmp_path / "shipped.npy")
    values[~is_central.to_numpy()] = np.load(tmp_path / "central.npy")
    np.save(tmp_path / "mended.npy", values)
    assert accuracy(tmp_path / "mended.npy") == pytest.approx(0.988, abs=0.003)


def test_an_empty_file_and_an_archive_are_no_embeddings(lfw: list[object], tmp_path: Path, capsys: Captured):
    embeddings = tmp_path / "lfw" / "E.npy"
    with embeddings.open("wb") as stream:
        np.savez(stream, np.ones((5, 2), dtype=np.float32))
    assert evaluate(*lfw) == 1
    assert capsys.readouterr().err.startswith(f"{embeddings} is an archive of arrays (.npz): ")
    embeddings.write_bytes(b"")
    assert evaluate(*lfw) == 1
    assert capsys.readouterr().err.startswith(f"{embeddings} is an empty file: ")


def test_lists_of_equal_counts_and_name_are_told_apart(lfw: list[object], tmp_path: Path, capsys: Captured):
    def reported(name: str, *more: object) -> str:
        path = tmp_path / f"{name}.json"
        assert evaluate(*lfw, "--name", name, "--out", path, *more) == 0
        return f"{name}={path}"

    one, same = reported("one"), reported("same", "--level", 0.95)
    wider = reported("wider", "--level", 0.9)
    assert main(["evaluate", "compare", one, same]) == 0
    pairs = tmp_path / "lfw" / "pairs.txt"
    pairs.write_text(LFW_PAIRS.replace("Bob\t2\tCem\t1", "Bob\t1\tCem\t1").replace("Ann\t1\tBob", "Ann\t2\tBob"))
    other = reported("other")
    capsys.readouterr()
    assert main(["evaluate", "compare", one, other]) == 1
    assert "are not of the same protocol (their lists differ, though not in a count): " in capsys.readouterr().err
    assert main(["evaluate", "compare", one, wider]) == 1
    assert "has intervals of level 0.95 and" in capsys.readouterr().err
