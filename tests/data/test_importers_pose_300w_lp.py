from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from countenance.data.dry_run import dry_run
from countenance.data.head_rasterizer import head_rotation
from countenance.data.importers.pose_300w_lp import Pose300wLpImporter, Pose300wLpSource
from countenance.data.quarantine import require_sound_face
from countenance.errors import DataError
from tests.conftest import picture, write_jpeg
from tests.data.importing import corrupt, labelled


def points_68() -> np.ndarray:
    """[68, 2] pixels of a frontal face, each on a place of its own."""
    generator = np.random.default_rng(0)
    points = generator.uniform(20, 80, (68, 2))
    points[36:42], points[42:48] = (35, 40), (65, 40)
    points[30], points[48], points[54] = (50, 55), (38, 70), (62, 70)
    return points


def write_300w_lp(path: Path, pose_deg: tuple[float, float, float], points: np.ndarray) -> None:
    """A photo and its .mat as 300W-LP has them: pixels from 1, radians, singles, and other things beside."""
    write_jpeg(path.with_suffix(".jpg"), picture(100, 100))
    pose = np.array([[*np.radians(pose_deg), 100.0, 120.0, 0.0, 0.001]], dtype=np.float32)
    content = {"pt2d": (points.T + 1).astype(np.float32), "Pose_Para": pose, "roi": np.array([[1, 1, 99, 99]])}
    savemat(path.with_suffix(".mat"), {**content, "Shape_Para": np.zeros((199, 1)), "Illum_Para": np.zeros((1, 10))})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "300W_LP"
    write_300w_lp(folder / "AFW" / "AFW_134212_1_0", (10.0, 30.0, -5.0), points_68())
    write_300w_lp(folder / "AFW" / "AFW_134212_1_1", (0.0, 60.0, 0.0), points_68())
    write_300w_lp(folder / "AFW_Flip" / "AFW_134212_1_0", (10.0, -30.0, 5.0), points_68())
    write_300w_lp(folder / "HELEN" / "HELEN_1_1_0", (0.0, 120.0, 0.0), points_68())
    landmarks = folder / "landmarks" / "AFW"
    landmarks.mkdir(parents=True)
    savemat(landmarks / "AFW_134212_1_0_pts.mat", {"pts_2d": np.zeros((68, 2))})
    return folder


def importer(folder: Path, **options: object) -> Pose300wLpImporter:
    return Pose300wLpImporter(Pose300wLpSource(folder=str(folder)), **options)  # type: ignore[arg-type]


def test_300w_lp_gives_68_points_from_pixel_0_and_a_box(folder: Path):
    photos = labelled(importer(folder))
    assert [photo.name for photo in photos] == [
        "AFW/AFW_134212_1_0.jpg",
        "AFW/AFW_134212_1_1.jpg",
        "AFW_Flip/AFW_134212_1_0.jpg",
        "HELEN/HELEN_1_1_0.jpg",
    ]
    face = photos[0].faces[0]
    assert face.landmark_scheme == "68" and face.landmarks is not None and face.box_xywh is not None
    assert face.landmarks == pytest.approx(points_68(), abs=1e-4)
    assert face.box_xywh[0] < 35 and face.box_xywh[0] + face.box_xywh[2] > 65
    require_sound_face(face)
    assert photos[0].read()[:2] == b"\xff\xd8"


def test_its_angles_turn_the_head_as_its_own_matrix_does(folder: Path):
    face = labelled(importer(folder))[0].faces[0]
    assert face.yaw_deg is not None and face.pitch_deg is not None and face.roll_deg is not None
    assert face.yaw_deg < 0 < face.pitch_deg  # its yaw of +30 looks to the image's left
    pitch, yaw = np.radians([10.0, 30.0])
    nose = np.array([-np.sin(yaw), np.sin(pitch) * np.cos(yaw), np.cos(pitch) * np.cos(yaw)])
    assert head_rotation(face.yaw_deg, face.pitch_deg, face.roll_deg)[:, 2] == pytest.approx(nose, abs=1e-5)


def test_a_mirrored_photo_has_mirrored_angles(folder: Path):
    photos = labelled(importer(folder))
    face, mirrored = photos[0].faces[0], photos[2].faces[0]
    assert face.yaw_deg is not None and mirrored.yaw_deg == pytest.approx(-face.yaw_deg, abs=1e-3)
    assert face.roll_deg is not None and mirrored.roll_deg == pytest.approx(-face.roll_deg, abs=1e-3)
    assert mirrored.pitch_deg == pytest.approx(face.pitch_deg, abs=1e-3)


def test_every_rendering_of_a_photo_and_its_mirror_image_are_kept_with_each_other(folder: Path):
    ties = [photo.kept_with for photo in labelled(importer(folder))]
    assert ties == ["pose_300w_lp:AFW_134212_1"] * 3 + ["pose_300w_lp:HELEN_1_1"]
    assert all(photo.faces[0].subject_id is None for photo in labelled(importer(folder)))


def test_an_angle_that_the_fit_has_lost_is_no_label(folder: Path):
    face = labelled(importer(folder))[3].faces[0]
    assert (face.yaw_deg, face.pitch_deg, face.roll_deg) == (None, None, None)
    assert face.landmarks is not None


def test_aflw2000_has_its_68_points_in_space(tmp_path: Path):
    write_jpeg(tmp_path / "image00002.jpg", picture(100, 100))
    space = np.vstack([points_68().T + 1, np.zeros(68)]).astype(np.float32)
    unfinished = np.full((2, 21), -1.0)
    content = {"pt3d_68": space, "pt2d": unfinished, "Pose_Para": np.radians([[1.0, 2.0, 3.0, 0, 0, 0, 1]])}
    savemat(tmp_path / "image00002.mat", content)
    photo = labelled(importer(tmp_path, name="aflw2000"))[0]
    assert photo.faces[0].landmarks == pytest.approx(points_68(), abs=1e-4)
    assert photo.faces[0].pitch_deg == pytest.approx(1.0, abs=0.2)
    assert photo.kept_with == "aflw2000:image00002"


def test_a_damaged_mat_is_put_aside_and_the_rest_goes_on(folder: Path):
    victim = folder / "AFW" / "AFW_134212_1_1.mat"
    victim.write_bytes(victim.read_bytes()[:200])
    records = corrupt(importer(folder))
    assert [(record.photo, record.reason) for record in records] == [("AFW/AFW_134212_1_1.jpg", "unreadable record")]


def test_a_mat_without_angles_or_with_an_infinite_one_is_put_aside(folder: Path):
    path = folder / "AFW" / "AFW_134212_1_0.mat"
    savemat(path, {"pt2d": np.zeros((2, 68))})
    assert corrupt(importer(folder))[0].reason == "unreadable record"
    savemat(path, {"pt2d": np.zeros((2, 68)), "Pose_Para": np.full((1, 7), np.inf)})
    assert corrupt(importer(folder))[0].reason == "bad number"


def test_a_folder_without_mats_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no .mat file"):
        importer(tmp_path)


def test_its_faces_are_cut_without_a_problem(folder: Path):
    found = dry_run(importer(folder), None)
    assert not found.reasons and found.faces == found.decoded == 4
    assert (found.coverage["landmarks"], found.coverage["pose"]) == (4, 3)
