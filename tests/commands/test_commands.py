import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from countenance.commands import COMMANDS, main


def test_the_help_lists_every_verb_with_what_it_does(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for verb, (_, summary) in COMMANDS.items():
        assert f"{verb} {summary}" in said


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in COMMANDS)])
def test_what_only_tells_imports_nothing_heavy(arguments: list[str]):
    heavy = ("torch", "numpy", "pandas", "pydantic", "cv2", "onnxruntime", "PIL", "scipy", "tqdm", "matplotlib")
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [name for name in {heavy} if name in sys.modules]))\n"
        f"from countenance.commands import main\nmain({arguments})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"countenance {version('countenance')}\n"


def test_the_console_script_and_the_module_are_this_command():
    (script,) = entry_points(group="console_scripts", name="countenance")
    assert script.load() is main
    done = subprocess.run(
        [sys.executable, "-m", "countenance", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("countenance ")


@pytest.mark.parametrize("arguments", [[], ["paint"], ["--paint"], ["analyze"], ["analyze", "x.png", "--paint"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: countenance" in capsys.readouterr().err


def test_an_error_is_one_sentence_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["analyze", "x.png", "--model", str(tmp_path / "none.safetensors")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("There is no model at ")


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("countenance.commands.analyze.run", interrupted)
    assert main(["analyze", "x.png"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_reader_that_has_enough_is_no_error(model_file: Path, photos: list[Path]):
    given = " ".join(str(path) for path in photos * 40)
    command = (
        f"{sys.executable} -m countenance analyze {given} --json --with-embeddings --model {model_file} | head -c 9"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
