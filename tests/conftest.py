"""Fixtures that several rooms use."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from numpy.typing import NDArray

# A busy machine is no reason for a test to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

REAL_FACES = Path(os.environ.get("COUNTENANCE_FACES", Path(__file__).parents[2] / "shared" / "faces"))


@pytest.fixture
def real_faces() -> Path:
    """The folder of real photographs; the test skips, saying so, where there is none."""
    if not REAL_FACES.is_dir():
        pytest.skip("no real photographs here: set COUNTENANCE_FACES to a folder with lfw, mtfl and utkface")
    return REAL_FACES


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth random picture [height, width, 3] RGB that survives JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


FIVE_POINTS_250 = np.array([[100, 110], [150, 110], [125, 135], [105, 155], [145, 155]], dtype=np.float32)


@pytest.fixture
def lfw_folder(tmp_path: Path) -> Path:
    """A small LFW: 12 people with 3 photos each, 250 x 250, frontal points."""
    folder = tmp_path / "faces" / "lfw"
    rows = []
    for person in range(12):
        for number in range(3):
            name = f"Person_{person:02d}/Person_{person:02d}_{number:04d}.jpg"
            write_jpeg(folder / "photos" / name, picture(250, 250, seed=person * 10 + number))
            rows.append(
                {
                    "photo": name,
                    "subject_id": f"Person_{person:02d}",
                    "gender": "male" if person % 2 else "female",
                    **dict(zip("xywh", (80, 70, 90, 110), strict=True)),
                    "score": 0.9,
                    **{f"{axis}{i + 1}": float(FIVE_POINTS_250[i, a]) for i in range(5) for a, axis in enumerate("xy")},
                }
            )
    pd.DataFrame(rows).to_csv(folder / "faces.csv", index=False)
    return folder


@pytest.fixture
def mtfl_folder(tmp_path: Path) -> Path:
    """A small MTFL: five photos, one a head pose."""
    folder = tmp_path / "faces" / "mtfl"
    names = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    rows = []
    for pose in range(1, 6):
        write_jpeg(folder / "photos" / f"net/{pose}.jpg", picture(220, 220, seed=pose))
        points = {
            f"{name}_{axis}": FIVE_POINTS_250[i, a] for i, name in enumerate(names) for a, axis in enumerate("xy")
        }
        rows.append(
            {"photo": f"net/{pose}.jpg", **points, "gender": 1 + pose % 2, "smile": 1, "glasses": 2, "head_pose": pose}
        )
    pd.DataFrame(rows).to_csv(folder / "faces.csv", index=False)
    return folder


@pytest.fixture
def utkface_folder(tmp_path: Path) -> Path:
    """A small UTKFace: four aligned photos."""
    folder = tmp_path / "faces" / "utkface"
    rows = []
    for index, (age, gender, race) in enumerate(
        [(3, "F", "Asian"), (30, "M", "Black"), (61, "F", "White"), (80, "M", "Indian")]
    ):
        name = f"{age}_{index}.jpg"
        write_jpeg(folder / "photos" / name, picture(112, 112, seed=100 + index))
        rows.append({"photo": name, "age": age, "gender": gender, "race": race})
    pd.DataFrame(rows).to_csv(folder / "faces.csv", index=False)
    return folder
