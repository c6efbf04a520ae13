"""What the README says exists, and its commands are ones that work."""

import re
import subprocess
from pathlib import Path

import pytest

from pipelines.pipeline_registry import OPERATOR_COMMANDS, ROOMS

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MAKE_VERBS = sorted(set(re.findall(r"\bmake ([a-z]+)", README)))


@pytest.mark.parametrize("verb", MAKE_VERBS)
def test_every_verb_of_the_readme_is_one_that_make_knows(verb: str):
    done = subprocess.run(["make", "--dry-run", verb], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_make_help_lists_the_verbs_and_no_verb_that_is_not_there():
    shown = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^([a-z]+) {2,}", shown, re.MULTILINE)
    assert {"demo", "test", "lint", "ui", "repro", "rollback", "clean"} <= set(listed)
    assert not {"serve", "retrain"} & set(listed)


def test_every_room_that_the_readme_runs_is_registered():
    rooms = set(re.findall(r"--pipelines ([a-z_]+)", README))
    assert set(ROOMS) <= rooms <= {*ROOMS, *OPERATOR_COMMANDS}


def test_every_file_that_the_readme_points_at_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_every_environment_that_the_readme_names_has_a_folder():
    for name in set(re.findall(r"--env ([a-z]+)", README)):
        assert (PROJECT / "conf" / name).is_dir()


def test_the_notebook_is_committed_without_outputs():
    import json

    for notebook in (PROJECT / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text())["cells"]
        assert not any(cell.get("outputs") for cell in cells)
