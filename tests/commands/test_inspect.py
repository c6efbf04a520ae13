import json
from pathlib import Path

import pytest

from countenance.commands import main
from tests.conftest import picture, write_jpeg

Captured = pytest.CaptureFixture[str]


def test_a_sound_set_is_shown_and_the_status_is_nought(lfw_folder: Path, capsys: Captured):
    assert main(["inspect", "lfw", str(lfw_folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("lfw: 36 photos, 36 faces, 12 named subjects")
    assert "36 photos read, 36 of them decoded" in shown


def test_a_set_of_which_too_much_is_corrupt_gives_a_status_of_one(lfw_folder: Path, capsys: Captured):
    next((lfw_folder / "photos").rglob("*.jpg")).unlink()
    assert main(["inspect", "lfw", str(lfw_folder), "--photos", "all"]) == 1
    shown = capsys.readouterr().out
    assert "photo missing 1" in shown and "an import would stop" in shown


def test_json_holds_everything(lfw_folder: Path, capsys: Captured):
    assert main(["inspect", "lfw", str(lfw_folder), "--photos", "3", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["photos"], values["decoded"], values["license"]) == (36, 3, "research-only")


def test_options_of_the_source_are_passed_on(tmp_path: Path, capsys: Captured):
    write_jpeg(tmp_path / "a" / "1.jpg", picture(112, 112))
    options = ["--option", "aligned=true", "--option", "name=staff", "--option", "license=consented"]
    assert main(["inspect", "folder_per_identity", str(tmp_path), *options]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("staff: 1 photo, 1 face, 1 named subject\nlicence: consented")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["celebb", "."], "There is no source 'celebb'"),
        (["lfw", "/nowhere"], "The folder /nowhere of source 'lfw' is not there"),
        (["folder_per_identity", ".", "--option", "alined=true"], "did you mean 'aligned'"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(arguments: list[str], sentence: str, capsys: Captured):
    assert main(["inspect", *arguments]) == 1
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--photos", "some"], ["--photos", "-1"], ["--option", "aligned"]])
def test_wrong_usage_gives_a_status_of_two(arguments: list[str], tmp_path: Path, capsys: Captured):
    with pytest.raises(SystemExit) as caught:
        main(["inspect", "lfw", str(tmp_path), *arguments])
    assert caught.value.code == 2
    capsys.readouterr()
