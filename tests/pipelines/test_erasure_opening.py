"""The project as an erasure sees it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from countenance.commands import main
from countenance.commands.erase_subject import open_project as opened_by_command
from countenance.errors import ConfigurationError, DataError
from pipelines.erasure.lock_files import known_to_git, stage_versions
from pipelines.erasure.opening import open_project
from tests.pipelines.conftest import PROJECT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project without DVC."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_command_finds_the_project_by_its_own_settings(folder: Path):
    assert opened_by_command(PROJECT).folder == PROJECT
    assert opened_by_command(folder).folder == folder


def test_an_environment_without_data_is_not_asked_for_its_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COUNTENANCE_SUBJECT_SECRET", raising=False)
    assert [root.name for root in open_project(folder).roots] == ["base"]
    put(folder / "data" / "production" / "03_primary" / ".gitkeep")
    assert [root.name for root in open_project(folder).roots] == ["base"]
    put(folder / "data" / "production" / "03_primary" / "manifest.parquet")
    with pytest.raises(
        ConfigurationError, match=r"'production' can't be searched without its 'ingestion.subject_secret'"
    ):
        open_project(folder)


def test_every_environment_with_data_is_a_root_with_its_own_keys(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("SUBJECT", "ROUTING", "OPERATOR"):
        monkeypatch.setenv(f"COUNTENANCE_{name}_SECRET", f"production {name.lower()} secret")
    for name in ("small", "production"):
        put(folder / "data" / name / "03_primary" / "manifest.parquet")
    base, production, small = open_project(folder).roots
    assert (base.folder, base.tombstones) == (folder / "data", folder / "conf" / "base" / "tombstones.json")
    assert small.folder == folder / "data" / "small"
    assert small.subject_secret == base.subject_secret
    assert production.subject_secret == b"production subject secret"
    assert production.routing_secret == b"production routing secret"
    assert production.tombstones == folder / "conf" / "production" / "tombstones.json"
    assert "secret" not in repr(production)


def test_a_registry_is_asked_where_there_is_one(folder: Path):
    assert open_project(folder).registries == ()
    file = put(folder / "data" / "small" / "09_registry" / "mlflow.db")
    (registry,) = open_project(folder).registries
    assert registry.tracking_uri == f"sqlite:///{file}"  # type: ignore[attr-defined]


def test_every_folder_is_searched_once(folder: Path):
    put(folder / "data" / "small" / "file")
    assert open_project(folder).scanned == (folder / "data", folder / "conf")


def test_a_folder_that_is_no_project_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["erase-subject", "x:y", "--project", str(tmp_path)]) == 1
    assert "names no project that a person could be erased from" in capsys.readouterr().err
    put(tmp_path / "pyproject.toml", '[tool.countenance]\nerasure = "nowhere.at_all:open_project"\n')
    assert main(["erase-subject", "x:y", "--project", str(tmp_path)]) == 1
    assert "'nowhere.at_all', which [tool.countenance]" in capsys.readouterr().err


def test_the_person_may_be_given_on_the_input_and_is_not_repeated(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("lfw:Nemo_Nobody\n"))
    assert main(["erase-subject", "-", "--project", str(folder)]) == 1
    said = capsys.readouterr()
    assert "Nobody is called so" in said.err
    assert "Nemo" not in said.err + said.out


@pytest.mark.parametrize("arguments", [[], ["x:y", "--resume"]])
def test_a_person_or_the_wish_to_go_on_is_asked_for(arguments: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["erase-subject", *arguments])
    assert stopped.value.code == 2


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def lock(digest: str) -> str:
    outs = [{"path": "data/03_primary/manifest.parquet", "md5": digest}]
    stages = {"ingestion": {"cmd": "x", "outs": outs}, "training": {"deps": outs, "outs": []}}
    return yaml.safe_dump({"schema": "2.0", "stages": stages})


def test_the_history_knows_every_branch_stash_and_dropped_commit(tmp_path: Path):
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    for branch, digest in (("main", "aa"), ("trial", "bb"), ("dropped", "cc")):
        git(tmp_path, "switch", "--quiet", "--create", branch) if branch != "main" else None
        put(tmp_path / "dvc.lock", lock(digest))
        put(tmp_path / "photos.dvc", yaml.safe_dump({"outs": [{"path": "photos", "md5": f"{digest}.dir"}]}))
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", branch)
    git(tmp_path, "switch", "--quiet", "main")
    git(tmp_path, "branch", "--delete", "--force", "dropped")
    put(tmp_path / "dvc.lock", lock("dd"))
    git(tmp_path, "stash")
    put(tmp_path / "dvc.lock", lock("ee"))
    found = stage_versions(tmp_path)
    made = {each.writes["data/03_primary/manifest.parquet"] for each in found if each.stage == "ingestion"}
    assert made == {"aa", "bb", "cc", "dd", "ee"}
    read = {each.reads["data/03_primary/manifest.parquet"] for each in found if each.stage == "training"}
    assert read == made
    assert {each.writes["photos"] for each in found if each.stage == "photos.dvc"} == {"aa.dir", "bb.dir", "cc.dir"}
    assert [each.writes for each in found if each.revision == "working copy" and each.stage == "ingestion"] == [
        {"data/03_primary/manifest.parquet": "ee"}
    ]


def test_a_lock_file_in_a_folder_speaks_of_paths_in_that_folder(tmp_path: Path):
    put(tmp_path / "part" / "dvc.lock", lock("aa"))
    (ingestion, _) = stage_versions(tmp_path)
    assert list(ingestion.writes) == ["part/data/03_primary/manifest.parquet"]


def test_an_unreadable_lock_file_is_named(tmp_path: Path):
    put(tmp_path / "dvc.lock", "stages: [")
    with pytest.raises(DataError, match=r"dvc.lock is no readable lock file"):
        stage_versions(tmp_path)


def test_files_that_are_in_git_are_known_even_when_they_were_removed(tmp_path: Path):
    git(tmp_path, "init", "--quiet")
    kept, removed = put(tmp_path / "data" / "kept.csv"), put(tmp_path / "data" / "removed.csv")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "both")
    git(tmp_path, "rm", "--quiet", "data/removed.csv")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    never = put(tmp_path / "data" / "never.csv")
    assert known_to_git(tmp_path, [kept, removed, never, Path("/elsewhere")]) == ["data/kept.csv", "data/removed.csv"]
