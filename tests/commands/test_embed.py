import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.commands import main
from countenance.data.crop_store import Crop, write_crop_store
from countenance.data.photographs import encode_photo
from countenance.data.protocols.parquet_protocol import read_parquet_protocol
from tests.conftest import picture, write_jpeg
from tests.learning.recognisers import write_recogniser

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="session")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_recogniser(tmp_path_factory.mktemp("recogniser") / "recogniser.onnx"))


def embed(*arguments: object) -> int:
    return main(["embed", "--threads", "1", "--workers", "1", *(str(argument) for argument in arguments)])


def test_a_folder_of_photos_with_points_is_embedded(
    lfw_folder: Path, recogniser: Path, tmp_path: Path, capsys: Captured
):
    out = tmp_path / "E.npy"
    given = [lfw_folder / "photos", "--points", lfw_folder / "faces.csv", "--model", recogniser, "--out", out]
    assert embed(*given) == 0
    assert capsys.readouterr().out == f"{out}: 36 x 2 x 4 float32\n"
    embeddings = np.load(out)
    assert embeddings.shape == (36, 2, 4) and embeddings.dtype == np.float32
    assert np.ptp(np.linalg.norm(embeddings, axis=2)) > 0.01
    assert json.loads(out.with_name("E.npy.json").read_text())["model"] == "recogniser.onnx (openvino, float32)"
    # Given again, it has nothing to do.
    before = out.stat()
    assert embed(*given) == 0
    assert out.stat().st_mtime_ns == before.st_mtime_ns


def test_options_change_what_is_kept(lfw_folder: Path, recogniser: Path, tmp_path: Path):
    given = [lfw_folder / "photos", "--points", lfw_folder / "faces.csv", "--model", recogniser]
    assert embed(*given, "--out", tmp_path / "rgb.npy", "--without-mirror-image", "--unit-length") == 0
    rgb = np.load(tmp_path / "rgb.npy")
    assert rgb.shape == (36, 4)
    np.testing.assert_allclose(np.linalg.norm(rgb, axis=1), 1, rtol=1e-5)
    more = ["--input-mean", 127.5, "--input-scale", 64, "--engine", "onnxruntime", "--input-order", "bgr"]
    assert embed(*given, "--out", tmp_path / "more.npy", "--without-mirror-image", *more) == 0
    assert np.linalg.norm(np.load(tmp_path / "more.npy"), axis=1).mean() < 1.0
    assert "onnxruntime" in (tmp_path / "more.npy.json").read_text()


def test_packs_stores_and_aligned_pictures_need_no_points(recogniser: Path, tmp_path: Path, model_file: Path):
    encoded = [encode_photo(picture(112, 112, seed=seed)) for seed in range(4)]
    (tmp_path / "pack.bin").write_bytes(pickle.dumps((encoded, [True, False])))
    with write_crop_store(tmp_path / "store", files=1) as store:
        for number, content in enumerate(encoded):
            store.add(Crop(crop=f"{number}", owner="somebody", aligned=content, box=None))
            write_jpeg(tmp_path / "photos" / f"{number}.jpg", picture(112, 112, seed=number))
    (tmp_path / "names.txt").write_text("".join(f"{number}.jpg\n" for number in range(4)))
    for name, given in {
        "a": [tmp_path / "pack.bin"],
        "b": [tmp_path / "store"],
        "c": [tmp_path / "photos", "--aligned", tmp_path / "names.txt"],
    }.items():
        assert embed(*given, "--model", recogniser, "--out", tmp_path / f"{name}.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), np.load(tmp_path / "c.npy"), atol=0.02)
    # A network of our own, by its default engine and by torch.
    for engine in ("openvino", "torch"):
        out = tmp_path / f"{engine}.npy"
        assert embed(tmp_path / "pack.bin", "--model", model_file, "--engine", engine, "--out", out) == 0
    np.testing.assert_allclose(np.load(tmp_path / "openvino.npy"), np.load(tmp_path / "torch.npy"), atol=1e-4)


def test_a_crop_store_gives_the_samples_of_a_protocol_in_the_protocols_order(recogniser: Path, tmp_path: Path):
    with write_crop_store(tmp_path / "store", files=1) as store:
        for number in range(8):
            content = encode_photo(picture(112, 112, seed=number))
            store.add(Crop(crop=f"face-{number}", owner=f"{number // 2}", aligned=content, box=None))
    faces = [{"face_id": f"face-{n}", "subject_id": f"{n // 2}", "photo_sha256": f"{n}"} for n in range(8)]
    pd.DataFrame(faces).to_parquet(tmp_path / "manifest.parquet")
    made, out = tmp_path / "protocol", tmp_path / "E.npy"
    assert main(["protocol", "make", str(tmp_path / "manifest.parquet"), str(made), "--split", "all"]) == 0
    assert embed(tmp_path / "store", "--model", recogniser, "--out", tmp_path / "all.npy") == 0
    assert embed(tmp_path / "store", "--points", made, "--model", recogniser, "--out", out) == 0
    rows = [int(name.removeprefix("face-")) for name in read_parquet_protocol(made).samples.names]
    assert rows != sorted(rows)
    np.testing.assert_allclose(np.load(out), np.load(tmp_path / "all.npy")[rows], atol=1e-5)
    assert main(["evaluate", "ijb", "--embeddings", str(out), "--protocol", str(made)]) == 0


def test_a_spoilt_photo_stops_it_or_is_recorded(lfw_folder: Path, recogniser: Path, tmp_path: Path, capsys: Captured):
    (lfw_folder / "photos" / "Person_00" / "Person_00_0001.jpg").write_bytes(b"spoilt")
    out = tmp_path / "E.npy"
    given = [lfw_folder / "photos", "--points", lfw_folder / "faces.csv", "--model", recogniser, "--out", out]
    assert embed(*given) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    # By its place in the list: the photo's name is the person's.
    place = f"1 ({lfw_folder / 'faces.csv'}, line 3)"
    assert said == f"Photo {place} is not an image: restore the file or leave it out."
    assert not out.exists()
    assert embed(*given, "--record-unusable") == 0
    assert capsys.readouterr().out == f"{out}: 36 x 2 x 4 float32, failures: 1\n"
    assert [failure["row"] for failure in json.loads(out.with_name("E.npy.json").read_text())["failures"]] == [1]


def test_what_cannot_be_embedded_is_told_in_one_sentence(
    lfw_folder: Path, recogniser: Path, tmp_path: Path, capsys: Captured
):
    photos, points, out = lfw_folder / "photos", lfw_folder / "faces.csv", tmp_path / "E.npy"
    for given, told in [
        ([photos, "--model", recogniser], "Nothing tells where the faces in"),
        ([tmp_path / "none", "--model", recogniser], "is no folder of photos and no .bin pack"),
        ([photos, "--points", tmp_path / "none.csv", "--model", recogniser], "none.csv cannot be read"),
        ([photos, "--points", points, "--model", tmp_path / "none.onnx"], "none.onnx is not there"),
        ([photos, "--points", points, "--model", tmp_path / "none.gif"], "the ending of"),
        ([photos, "--points", points, "--model", recogniser, "--engine", "torch"], "can't run a teacher of the kind"),
        ([photos / "Person_00", "--points", points, "--model", recogniser], "faces.csv, line 2) cannot be read"),
    ]:
        assert embed(*given, "--out", out) == 1
        said = capsys.readouterr()
        assert told in said.err.splitlines()[-1] and said.out == ""
    assert not out.exists()


def test_wrong_usage_ends_with_2(tmp_path: Path, capsys: Captured):
    for wrong, told in [
        (["--out", "E.parquet"], "end it in .npy"),
        (["--out", "E.npy", "--rank", 1], "need each other"),
        (["--out", "E.npy", "--points", "p.csv"], "leave --points and --aligned away"),
        (["--out", "E.npy", "--points", "p.csv", "--aligned", "n.txt"], "not allowed with"),
        ([], "--out"),
    ]:
        with pytest.raises(SystemExit) as stopped:
            embed("pack.bin", *wrong)
        assert stopped.value.code == 2
        assert told in capsys.readouterr().err


@pytest.mark.slow
def test_torchrun_shares_the_work(lfw_folder: Path, recogniser: Path, tmp_path: Path):
    given = [lfw_folder / "photos", "--points", lfw_folder / "faces.csv", "--model", recogniser]
    assert embed(*given, "--out", tmp_path / "one.npy") == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "countenance", "embed"]
    more = [*given, "--out", tmp_path / "two.npy", "--threads", 1, "--workers", 1]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, *(str(argument) for argument in more)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("36 x 2 x 4 float32") == 1
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()
