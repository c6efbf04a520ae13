import os
import subprocess
import sys

import pytest
import yaml

from countenance.errors import DataError
from countenance.governance.tracked_files import dvc_hash, dvc_hashes


def test_the_hash_of_a_file_is_the_md5_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"hello\n")
    assert dvc_hash(tmp_path / "file") == "b1946ac92492d2347c6235b4d2611184"


def test_a_folder_depends_on_names_and_bytes_and_not_on_its_own_name(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "a").write_text("a")
        (tmp_path / name / "b").write_text("b")
    assert dvc_hash(tmp_path / "one") == dvc_hash(tmp_path / "two")
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert dvc_hash(tmp_path / "one") != dvc_hash(tmp_path / "two")
    assert dvc_hash(tmp_path / "one").endswith(".dir")


def test_what_is_missing_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="nowhere is missing, so its DVC hash can't be told: run the pipeline"):
        dvc_hashes({"it": tmp_path / "nowhere"})


@pytest.mark.slow
def test_it_is_the_hash_that_dvc_itself_writes(tmp_path):
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    project = tmp_path / "project"
    folder = project / "crops"
    for name in ("index.json", "a/one.bin", "a-b/two.bin", "ä/drei.bin", "B/four.bin", "a.b"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (project / "manifest.parquet").write_bytes(b"rows")

    def dvc(*arguments):
        subprocess.run(
            [sys.executable, "-m", "dvc", *arguments], cwd=project, env=environment, check=True, capture_output=True
        )

    dvc("init", "--no-scm")
    dvc("add", "crops", "manifest.parquet")
    for name in ("crops", "manifest.parquet"):
        written = yaml.safe_load((project / f"{name}.dvc").read_text())["outs"][0]["md5"]
        assert dvc_hash(project / name) == written
