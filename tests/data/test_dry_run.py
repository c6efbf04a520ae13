import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.data.dry_run import DryRun, dry_run
from countenance.data.dry_run_text import as_text, as_values
from countenance.data.importers.labelled import Importer, LabelledFace, LabelledPhoto, Record
from countenance.data.importers.lfw import LfwImporter
from countenance.data.importers.mtfl import MtflImporter
from countenance.data.importers.utkface import UtkFaceImporter
from countenance.data.photographs import encode_photo
from tests.conftest import FIVE_POINTS_250, picture


def spoil_labels(folder: Path, column: str, value: object, rows: int = 1) -> None:
    labels = pd.read_csv(folder / "faces.csv")
    labels = labels.astype({column: "object" if isinstance(value, str) else "float64"})
    labels.loc[: rows - 1, column] = value
    labels.to_csv(folder / "faces.csv", index=False)


class Tilted:
    """Frontal faces whose labels say that they are turned and tilted."""

    name, license, purpose, group_source = "tilted", "Apache-2.0", "test", "none"

    def __init__(self, yaw: float, roll: float, count: int = 24) -> None:
        self._yaw, self._roll, self._count = yaw, roll, count

    def __len__(self) -> int:
        return self._count

    def photos(self) -> Iterator[Record]:
        points = FIVE_POINTS_250.copy()
        points[2, 0] += 15  # the nose to the image's right
        points[1, 1] += 15  # the right eye lower: clockwise
        encoded = encode_photo(picture(250, 250))
        face = LabelledFace(landmarks=points, landmark_scheme="5", yaw_deg=self._yaw, roll_deg=self._roll)
        for index in range(self._count):
            yield LabelledPhoto(name=str(index), read=lambda: encoded, faces=(face,))


def test_counts_coverage_and_licence_of_a_source(lfw_folder: Path):
    found = dry_run(LfwImporter(lfw_folder))
    assert (found.source, found.license, found.purpose) == ("lfw", "research-only", "research")
    assert (found.photos, found.faces, found.subjects, found.decoded) == (36, 36, 12, 36)
    assert found.coverage == {
        "detection": 36,
        "landmarks": 0,
        "visibility": 0,
        "pose": 0,
        "gender": 36,
        "smile": 0,
        "age": 0,
        "identity": 36,
    }
    assert found.groups == {"gender": {"female": 18, "male": 18}}
    assert not found.reasons and not found.would_stop and found.seconds > 0


@pytest.mark.parametrize(("limit", "decoded"), [(0, 0), (1, 1), (7, 7), (36, 36), (99, 36), (None, 36)])
def test_as_many_photos_are_decoded_as_asked_for(lfw_folder: Path, limit: int | None, decoded: int):
    assert dry_run(LfwImporter(lfw_folder), limit).decoded == decoded


def test_a_truncated_photo_is_found_where_it_is_decoded_and_only_there(lfw_folder: Path):
    victim = lfw_folder / "photos" / "Person_00" / "Person_00_0001.jpg"
    victim.write_bytes(victim.read_bytes()[:1000])
    everything = dry_run(LfwImporter(lfw_folder), None)
    assert everything.reasons == {"photo does not decode": 1}
    assert everything.problems[0].photo == "Person_00/Person_00_0001.jpg"
    assert everything.would_stop and everything.corrupt_share == pytest.approx(1 / 36)
    assert not dry_run(LfwImporter(lfw_folder), 1).reasons


def test_labels_are_checked_of_photos_that_are_not_decoded_and_no_problem_counts_twice(lfw_folder: Path):
    spoil_labels(lfw_folder, "w", 0, rows=3)
    for limit in (0, None):
        found = dry_run(LfwImporter(lfw_folder), limit, problems=2)
        assert found.reasons == {"box without size": 3}
        assert (found.corrupt_labels, found.corrupt_photos, len(found.problems)) == (3, 0, 2)
        assert found.faces == 33


def test_a_code_that_is_unknown_is_a_problem_of_the_labels(mtfl_folder: Path):
    spoil_labels(mtfl_folder, "gender", 7)
    assert dry_run(MtflImporter(mtfl_folder), 0).reasons == {"unknown code": 1}


def test_what_a_dry_run_finds_is_what_an_import_puts_aside(lfw_folder: Path, tmp_path: Path):
    from countenance.data.ingestion import ingest
    from countenance.data.splits import SplitConfiguration

    spoil_labels(lfw_folder, "x", 900)
    (lfw_folder / "photos" / "Person_05" / "Person_05_0002.jpg").unlink()
    found = dry_run(LfwImporter(lfw_folder), None)
    ingested = ingest(
        [LfwImporter(lfw_folder)],
        crop_folder=tmp_path / "crops",
        splits=SplitConfiguration(),
        subject_secret=b"a secret",
        largest_quarantined_share=0.1,
    )
    put_aside = ingested.quarantine[["photo", "reason", "detail"]].to_numpy().tolist()
    assert [[problem.photo, problem.reason, problem.detail] for problem in found.problems] == put_aside
    assert len(put_aside) == 2


@pytest.mark.parametrize(("yaw", "roll", "agrees"), [(30.0, 25.0, (24, 24)), (-30.0, -25.0, (0, 24))])
def test_the_signs_of_angles_are_compared_with_the_landmarks(yaw: float, roll: float, agrees: tuple[int, int]):
    importer: Importer = Tilted(yaw, roll)
    found = dry_run(importer, 0)
    assert found.yaw_agreement == found.roll_agreement == agrees
    assert ("CHECK ITS SIGN" in as_text(found)) == (agrees[0] == 0)


def test_faces_that_hardly_turn_say_nothing_of_signs():
    assert dry_run(Tilted(5.0, 5.0), 0).yaw_agreement == (0, 0)


def test_the_text_tells_counts_labels_and_the_verdict(utkface_folder: Path):
    text = as_text(dry_run(UtkFaceImporter(utkface_folder)))
    assert text.startswith("utkface: 4 photos, 4 faces, 0 named subjects\nlicence: research-only; purpose: research\n")
    lines = [line.split() for line in text.splitlines()]
    assert ["age", "4", "100.0%"] in lines and ["smile", "0", "not", "labelled"] in lines
    assert "race: Asian 1, Black 1, Indian 1, White 1" in text or "race: Asian 1, Black 1, White 1, Indian 1" in text
    assert "no problem found (4 photos read, 4 of them decoded)" in text
    assert "an import would go through: 0.00% of the photos are corrupt (at most 1.00% may be)" in text


def test_the_text_lists_the_first_problems_with_their_photos(lfw_folder: Path):
    spoil_labels(lfw_folder, "gender", "unsure", rows=2)
    text = as_text(dry_run(LfwImporter(lfw_folder), 5, problems=1))
    assert "problems (36 photos read, 5 of them decoded): unknown code 2" in text
    assert text.count("Person_00/") == 1
    assert "an import would stop: 5.56% of the photos are corrupt, estimated from the decoded photos" in text


def test_the_values_are_plain(lfw_folder: Path):
    found: DryRun = dry_run(LfwImporter(lfw_folder))
    values = json.loads(json.dumps(as_values(found)))
    assert values["coverage"]["gender"] == {"faces": 36, "share": 1.0}
    assert values["would_stop"] is False and values["problems"] == []


def test_the_real_sets_have_poses_with_the_right_sign(real_faces: Path):
    found = dry_run(MtflImporter(real_faces / "mtfl"), 0)
    agreeing, considered = found.yaw_agreement
    assert considered > 1000 and agreeing / considered > 0.98
    assert not found.reasons
    assert np.isclose(found.coverage["pose"], found.faces)
