import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from countenance.commands import main
from countenance.commands.opened_model import open_model
from countenance.errors import ModelError
from countenance.serving.release import InputSpecification, ReleaseDetails, build_release
from tests.conftest import picture

Captured = pytest.CaptureFixture[str]


def analyze(*arguments: object) -> int:
    return main(["analyze", "--threads", "1", *(str(argument) for argument in arguments)])


def test_a_photo_gives_a_table(model_file: Path, photos: list[Path], capsys: Captured):
    assert analyze(photos[0], "--model", model_file, "--threshold", 0) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{photos[0]}: ")
    assert lines[1].split() == [
        "face",
        "box",
        "x",
        "y",
        "w",
        "h",
        "sure",
        "gender",
        "age",
        "smile",
        "yaw",
        "pitch",
        "roll",
    ]
    assert lines[2].split()[0] == "1"
    assert len(lines) == 2 + int(lines[0].split()[-2])


def test_json_holds_every_photo_and_no_embedding_unless_asked(model_file: Path, photos: list[Path], capsys: Captured):
    assert analyze(*photos, "--model", model_file, "--threshold", 0, "--json") == 0
    said = capsys.readouterr().out
    listed = json.loads(said)
    assert [entry["photo"] for entry in listed] == [str(path) for path in photos]
    assert (listed[0]["width"], listed[0]["height"]) == (90, 70)
    assert len(listed[0]["faces"]) > 0
    assert "embedding" not in said
    assert analyze(*photos, "--model", model_file, "--threshold", 0, "--json", "--with-embeddings") == 0
    embedding = json.loads(capsys.readouterr().out)[0]["faces"][0]["embedding"]
    assert np.linalg.norm(embedding) == pytest.approx(1)


def test_a_photo_without_faces_says_so(model_file: Path, photos: list[Path], capsys: Captured):
    assert analyze(photos[0], "--model", model_file, "--threshold", 1) == 0
    assert capsys.readouterr().out == f"{photos[0]}: no faces\n"


def test_a_bad_photo_among_good_ones_is_told_and_the_others_are_analysed(
    model_file: Path, photos: list[Path], tmp_path: Path, capsys: Captured
):
    text, missing = tmp_path / "text.jpg", tmp_path / "missing.jpg"
    text.write_text("this is no photo")
    given = [photos[0], text, photos[1], missing]
    assert analyze(*given, "--model", model_file, "--json") == 1
    said = capsys.readouterr()
    listed = json.loads(said.out)
    assert [entry["photo"] for entry in listed] == [str(path) for path in given]
    assert ["problem" in entry for entry in listed] == [False, True, False, True]
    assert said.err.splitlines() == [listed[1]["problem"], listed[3]["problem"]]
    assert "text.jpg is not an image" in said.err
    assert "missing.jpg cannot be read" in said.err


def test_photos_of_every_kind_give_faces_or_none(model_file: Path, tmp_path: Path, capsys: Captured):
    generator = np.random.default_rng(0)
    grey = generator.integers(0, 255, (60, 60), dtype=np.uint8)
    kinds = {
        "grey": Image.fromarray(grey),
        "rgba": Image.fromarray(generator.integers(0, 255, (60, 60, 4), dtype=np.uint8)),
        "sixteen": Image.fromarray(grey.astype(np.uint16) * 257),
        "black": Image.new("RGB", (200, 100)),
        "one": Image.new("RGB", (1, 1)),
    }
    for name, image in kinds.items():
        image.save(tmp_path / f"{name}.png")
    paths = [tmp_path / f"{name}.png" for name in kinds]
    assert analyze(*paths, "--model", model_file, "--json", "--threshold", 0) == 0
    listed = {Path(entry["photo"]).stem: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["one"]["faces"] == []
    assert listed["grey"]["faces"] == listed["sixteen"]["faces"]
    assert len(listed["grey"]["faces"]) > 0


def test_a_turned_photo_is_analysed_upright(model_file: Path, tmp_path: Path, capsys: Captured):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40)).save(tmp_path / "turned.jpg", exif=exif)
    assert analyze(tmp_path / "turned.jpg", "--model", model_file, "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["width"], entry["height"]) == (40, 80)


def test_one_photo_is_drawn_into_a_file(model_file: Path, photos: list[Path], tmp_path: Path):
    assert analyze(photos[0], "--model", model_file, "--threshold", 0, "--draw", tmp_path / "out" / "drawn.png") == 0
    drawn = np.asarray(Image.open(tmp_path / "out" / "drawn.png"))
    assert drawn.shape == (70, 90, 3)
    assert (np.abs(drawn.astype(int) - picture(70, 90)).max(axis=2) > 40).any()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["drawn.png"]


def test_several_photos_are_drawn_into_a_folder_each_under_its_own_name(
    model_file: Path, photos: list[Path], tmp_path: Path
):
    twin = tmp_path / "elsewhere" / photos[0].name
    twin.parent.mkdir()
    shutil.copy(photos[0], twin)
    assert analyze(*photos, twin, "--model", model_file, "--draw", tmp_path / "drawn") == 0
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [
        "one-2.png", "one.png", "three.png", "two.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--with-embeddings"], "--with-embeddings needs --json"),
        (["--threshold", "1.2"], "must be at least 0 and at most 1"),
        (["--threshold", "nan"], "must be at least 0 and at most 1"),
        (["--threshold", "much"], "'much' is not a number"),
        (["--smallest-face", "2"], "must be at least 8"),
        (["--threads", "0"], "must be at least 1"),
        (["--draw", "drawn.xyz"], "end it in .png"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(
    options: list[str], said: str, photos: list[Path], capsys: Captured
):
    with pytest.raises(SystemExit) as stopped:
        analyze(photos[0], *options)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_drawing_never_replaces_the_photo_nor_a_file_a_folder(photos: list[Path], capsys: Captured):
    for given in ([photos[0], "--draw", photos[0]], [*photos, "--draw", photos[1]]):
        with pytest.raises(SystemExit) as stopped:
            analyze(*given)
        assert stopped.value.code == 2
    assert "would replace the photo" in capsys.readouterr().err


def test_without_a_model_it_says_how_to_get_one(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
):
    monkeypatch.chdir(tmp_path)
    assert analyze(photos[0]) == 1
    said = capsys.readouterr().err
    assert said.startswith("There is no model at data/06_models/all_in_one.safetensors: train one with 'kedro run")


def test_a_file_that_is_no_model_is_refused(photos: list[Path], capsys: Captured):
    assert analyze(photos[0], "--model", photos[1]) == 1
    assert "is no model: give a .safetensors file" in capsys.readouterr().err


def test_exported_files_find_what_the_network_finds(
    model_file: Path, exported_folder: Path, photos: list[Path], capsys: Captured
):
    counts = []
    for model in (model_file, exported_folder, exported_folder / "model.onnx"):
        assert analyze(photos[0], "--model", model, "--json", "--threshold", 0) == 0
        counts.append(len(json.loads(capsys.readouterr().out)[0]["faces"]))
    assert counts[0] == counts[1] == counts[2] > 0


def test_a_release_unit_needs_a_proposer_of_its_own(exported_folder: Path, tmp_path: Path):
    unit = tmp_path / "unit"
    details = ReleaseDetails(
        candidate="all_in_one", input=InputSpecification(size=32), embedding_dimension=8, thresholds=(),
        operating_threshold=0.5, dataset_sha256="0", code_sha256="0", licenses=(),
    )  # fmt: skip
    build_release(unit, (exported_folder / "model.onnx").read_bytes(), details, model_card="", reports={})
    with pytest.raises(ModelError, match=r"has no proposals\.onnx, so it reads faces but finds none"):
        open_model(unit, threads=1)
    # A file laid beside it after the release was signed is not trusted.
    shutil.copy(exported_folder / "proposals.onnx", unit)
    with pytest.raises(ModelError, match=r"has no proposals\.onnx"):
        open_model(unit, threads=1)


def test_a_release_unit_finds_faces_with_its_own_proposer(exported_folder: Path, photos: list[Path], tmp_path: Path):
    unit = tmp_path / "unit"
    details = ReleaseDetails(
        candidate="all_in_one", input=InputSpecification(size=32), embedding_dimension=8, thresholds=(),
        operating_threshold=0.5, dataset_sha256="0", code_sha256="0", licenses=(),
    )  # fmt: skip
    model, proposals = ((exported_folder / name).read_bytes() for name in ("model.onnx", "proposals.onnx"))
    build_release(unit, model, details, model_card="", reports={}, proposals=proposals)
    assert open_model(unit, threads=1).input_size == 32


def test_many_photos_show_their_progress_in_a_log(model_file: Path, photos: list[Path], capsys: Captured):
    assert analyze(*photos * 3, "--model", model_file, "--json") == 0
    said = capsys.readouterr()
    assert "analysing" in said.err
    assert len(json.loads(said.out)) == 9
