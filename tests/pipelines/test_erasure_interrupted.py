"""An erasure that is killed while it deals with DVC ends as it would have, with a remote on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from countenance.commands import main
from tests.erasure.killing import changes_of, killed_before
from tests.erasure.looking import places_with, traces_of
from tests.erasure.world import PERSON, World
from tests.pipelines.test_erasure import Repository, prepare

pytestmark = pytest.mark.slow

KILLS = 8


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's own notes, for this test alone."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))


def erase(repository: Repository) -> None:
    assert main(["erase-subject", PERSON, "--project", str(repository.folder)]) == 0


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("interrupted") / "project"
    made = prepare(folder)
    made.dvc("remote", "add", "--default", "store", str(folder.parent / "remote"))
    made.keep("first")
    return made


def copied(original: Repository, folder: Path) -> Repository:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original.folder.parent, folder)
    config = folder / "project" / ".dvc" / "config"
    config.write_text(config.read_text().replace(str(original.folder.parent), str(folder)))
    return Repository(folder / "project")


def contents(repository: Repository) -> dict[str, bytes]:
    """The data, what DVC says of them, cache and remote; without what DVC had begun to write when it was killed."""
    folder = repository.folder.parent
    kept = ("project/data/", "project/dvc.lock", "project/conf/", "project/.dvc/cache/files", "remote/")
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if name.startswith(kept) and "/erasures/" not in name and path.suffix != ".tmp"
    }


def test_killed_while_it_deals_with_dvc_it_ends_as_it_would_have(original: Repository, tmp_path: Path):
    traces = traces_of(original.world)
    whole = copied(original, tmp_path / "whole")
    made = changes_of(lambda: erase(whole), tmp_path / "changes")
    expected = contents(whole)
    assert whole.dvc("status").strip() == "Data and pipelines are up to date."
    assert places_with(tmp_path / "whole", traces) == []
    first = next(number for number, change in enumerate(made, 1) if "unfinished/.plan.json" in change)
    critical = [number for number, change in enumerate(made, 1) if "dvc.lock" in change and number > first]
    spread = range(first, len(made), max(1, (len(made) - first) // KILLS))
    assert critical
    for number in sorted({*critical[:6], *spread}):
        begun = copied(original, tmp_path / "begun")
        assert killed_before(number, lambda repository=begun: erase(repository)), number
        erase(begun)
        after = contents(begun)
        assert after == expected, (number, made[number - 1])
        assert places_with(tmp_path / "begun", traces) == [], number


def test_what_was_not_settled_before_is_not_settled_after(original: Repository, tmp_path: Path):
    begun = copied(original, tmp_path / "begun")
    (begun.folder / "code.py").write_text("changed = True\n")
    shown = World(begun.folder).data / "08_reporting" / "index.html"
    shown.write_text("<p>edited by hand</p>")
    before = begun.dvc("status")
    assert "code.py" in before
    assert "index.html" in before
    erase(begun)
    unsettled = [
        [line.split(":")[1].strip() for line in told.splitlines() if "." in line]
        for told in (before, begun.dvc("status"))
    ]
    assert unsettled[0] == unsettled[1]


def test_other_remotes_are_refused_before_anything_is_touched(
    original: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    begun = copied(original, tmp_path / "begun")
    begun.dvc("remote", "add", "elsewhere", "https://example.org/data")
    before = contents(begun)
    assert main(["erase-subject", PERSON, "--project", str(begun.folder)]) == 1
    assert "The DVC remote 'elsewhere' is at https://" in capsys.readouterr().err
    assert contents(begun) == before


def test_a_remote_that_keeps_versions_by_itself_is_refused(
    original: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    begun = copied(original, tmp_path / "begun")
    begun.dvc("remote", "add", "versions", "s3://bucket/data")
    begun.dvc("remote", "modify", "versions", "version_aware", "true")
    assert main(["erase-subject", PERSON, "--project", str(begun.folder)]) == 1
    assert "keeps versions by itself" in capsys.readouterr().err


def test_data_that_are_in_git_themselves_are_told(
    original: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    begun = copied(original, tmp_path / "begun")
    begun.git("add", "--force", "data/03_primary/faulty_delivery.parquet")
    begun.git("commit", "--quiet", "--message", "by mistake")
    capsys.readouterr()
    erase(begun)
    assert "data/03_primary/faulty_delivery.parquet: git has earlier versions" in capsys.readouterr().out


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_linked_data_are_rewritten_without_touching_the_cache_of_others(
    original: Repository, tmp_path: Path, link: str
):
    begun = copied(original, tmp_path / "begun")
    traces = traces_of(begun.world)
    begun.dvc("config", "cache.type", link)
    begun.dvc("checkout", "--quiet", "--relink")
    erase(begun)
    assert places_with(tmp_path / "begun", traces) == []
    assert begun.dvc("status").strip() == "Data and pipelines are up to date."
