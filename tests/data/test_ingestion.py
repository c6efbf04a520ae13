from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.data.alignment import apply_affine, box_transform
from countenance.data.crop_store import Crop, CropStore
from countenance.data.cutting import CutFace
from countenance.data.importers.labelled import CorruptRecord
from countenance.data.importers.lfw import LfwImporter
from countenance.data.importers.mtfl import MtflImporter
from countenance.data.importers.utkface import UtkFaceImporter
from countenance.data.ingestion import Ingested, ingest, left_of
from countenance.data.manifest import to_frame
from countenance.data.protected_attributes import group_of_faces, subject_key
from countenance.data.splits import SplitConfiguration, require_disjoint_splits
from countenance.data.tombstones import Tombstones, name_tombstone, photo_tombstone, tombstone
from countenance.errors import DataError
from tests.conftest import picture, write_jpeg

SECRET = b"a secret of the tests"


@pytest.fixture
def folders(lfw_folder: Path, mtfl_folder: Path, utkface_folder: Path) -> list[Path]:
    return [lfw_folder, mtfl_folder, utkface_folder]


def run(folders: list[Path], crops: Path, workers: int = 2, largest_quarantined_share: float = 0.01) -> Ingested:
    kinds = (LfwImporter, MtflImporter, UtkFaceImporter)
    importers = [kind(folder) for kind, folder in zip(kinds, folders, strict=True)]
    return ingest(
        importers,
        crop_folder=crops,
        splits=SplitConfiguration(),
        subject_secret=SECRET,
        non_face_share=1.0,
        largest_quarantined_share=largest_quarantined_share,
        workers=workers,
    )


def test_three_sources_become_one_manifest_and_one_crop_store(folders: list[Path], tmp_path: Path):
    manifest = to_frame(run(folders, tmp_path / "crops").manifest)
    faces = manifest[manifest["is_face"]]
    assert faces.groupby("source").size().to_dict() == {"lfw": 36, "mtfl": 5, "utkface": 4}
    assert manifest["face_id"].is_unique
    require_disjoint_splits(manifest)
    store = CropStore(tmp_path / "crops")
    assert set(store.crop_keys()) == set(manifest["crop"])
    assert store.read(faces.iloc[0]["crop"], "aligned").shape == (112, 112, 3)


def test_background_crops_are_no_faces_and_carry_no_label(folders: list[Path], tmp_path: Path):
    manifest = to_frame(run(folders, tmp_path / "crops").manifest)
    background = manifest[~manifest["is_face"]]
    assert len(background) > 10
    unlabelled = ["subject_id", "landmarks", "gender", "smiling", "age_years", "yaw_range"]
    assert background[unlabelled].isna().all().all()


def test_the_result_does_not_depend_on_the_number_of_workers(folders: list[Path], tmp_path: Path):
    one, two = run(folders, tmp_path / "one", workers=1), run(folders, tmp_path / "two", workers=2)
    assert one.manifest.equals(two.manifest)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_photo_under_two_names_stays_in_one_split(folders: list[Path], tmp_path: Path):
    photos = sorted((folders[2] / "photos").iterdir())
    for photo in photos[1:]:
        photo.write_bytes(photos[0].read_bytes())
    manifest = to_frame(run(folders, tmp_path / "crops").manifest)
    assert manifest.loc[manifest["source"] == "utkface", "split"].nunique() == 1


def truncate_one(folder: Path) -> str:
    victim = next((folder / "photos").rglob("*.jpg"))
    victim.write_bytes(victim.read_bytes()[:1500])
    return victim.relative_to(folder / "photos").as_posix()


def test_in_a_small_set_one_truncated_photo_is_too_many_and_leaves_the_old_store(folders: list[Path], tmp_path: Path):
    run(folders, tmp_path / "crops")
    before = sorted(file.read_bytes() for file in (tmp_path / "crops").iterdir())
    truncate_one(folders[0])
    with pytest.raises(DataError, match=r"1 of 36 photos .*is truncated or damaged"):
        run(folders, tmp_path / "crops")
    assert sorted(file.read_bytes() for file in (tmp_path / "crops").iterdir()) == before
    assert [path.name for path in tmp_path.iterdir() if path.name != "faces"] == ["crops"]


def test_a_truncated_photo_within_the_share_is_put_aside_with_its_reason(folders: list[Path], tmp_path: Path):
    clean = to_frame(run(folders, tmp_path / "clean").manifest)
    victim = truncate_one(folders[0])
    ingested = run(folders, tmp_path / "crops", largest_quarantined_share=0.03)
    record = ingested.quarantine.iloc[0]
    assert len(ingested.quarantine) == 1
    assert (record["source"], record["photo"], record["reason"]) == ("lfw", victim, "photo does not decode")
    assert victim not in record["detail"]
    manifest = to_frame(ingested.manifest)
    assert victim not in set(manifest["photo"])
    assert set(manifest["face_id"]) == set(clean.loc[clean["photo"] != victim, "face_id"])
    assert set(CropStore(tmp_path / "crops").crop_keys()) == set(manifest["crop"])


def test_a_missing_photo_is_put_aside_too(folders: list[Path], tmp_path: Path):
    next((folders[1] / "photos").rglob("*.jpg")).unlink()
    with pytest.raises(DataError, match="cannot be read: restore the file"):
        run(folders, tmp_path / "crops")
    quarantine = run(folders, tmp_path / "crops", largest_quarantined_share=0.2).quarantine
    assert quarantine["reason"].tolist() == ["photo missing"]


def test_the_sentence_that_stops_an_import_names_nobody(folders: list[Path], tmp_path: Path):
    truncate_one(folders[0])
    with pytest.raises(DataError) as caught:
        run(folders, tmp_path / "crops")
    assert "Person" not in str(caught.value)
    assert "`countenance inspect SOURCE FOLDER --photos all`" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"w": 0}, "box without size"),
        ({"x": 900}, "box outside the photo"),
        ({"x1": np.inf}, "bad number"),
        ({"y": np.nan}, "bad number"),
        ({f"{axis}{point}": 7 for axis in "xy" for point in range(1, 6)}, "coincident landmarks"),
        ({"gender": "unsure"}, "unknown code"),
    ],
)
def test_a_label_that_cannot_be_true_is_put_aside(
    folders: list[Path], tmp_path: Path, changes: dict[str, object], reason: str
):
    labels = pd.read_csv(folders[0] / "faces.csv").astype(
        {column: "object" if isinstance(value, str) else "float64" for column, value in changes.items()}
    )
    for column, value in changes.items():
        labels.loc[3, column] = value
    labels.to_csv(folders[0] / "faces.csv", index=False)
    quarantine = run(folders, tmp_path / "crops", largest_quarantined_share=0.03).quarantine
    assert quarantine[["photo", "reason"]].to_numpy().tolist() == [["Person_01/Person_01_0000.jpg", reason]]


def test_an_aligned_photo_of_another_size_is_put_aside(folders: list[Path], tmp_path: Path):
    write_jpeg(folders[2] / "photos" / "30_1.jpg", picture(120, 120))
    quarantine = run(folders, tmp_path / "crops", largest_quarantined_share=0.25).quarantine
    assert quarantine["reason"].tolist() == ["wrong size"]


def test_protected_attributes_are_kept_apart_under_a_key_that_does_not_name_the_person(
    folders: list[Path], tmp_path: Path
):
    ingested = run(folders, tmp_path / "crops")
    manifest = to_frame(ingested.manifest)
    assert "race" not in ingested.manifest.column_names
    assert not ingested.groups["subject_key"].str.contains("Person").any()
    race = group_of_faces(manifest, ingested.groups, "race", SECRET)
    assert race[manifest["source"] == "utkface"].tolist() == ["Asian", "Black", "White", "Indian"]
    assert race[manifest["source"] == "lfw"].isna().all()
    assert group_of_faces(manifest, ingested.groups, "race", b"another secret").isna().all()


def test_the_key_of_a_subject_is_an_hmac():
    assert subject_key("a", "f", b"key") == subject_key("a", "g", b"key")
    assert subject_key(None, "f", b"key") != subject_key(None, "g", b"key")
    assert subject_key("a", "f", b"key") != subject_key("a", "f", b"other")


def test_a_face_id_does_not_name_the_person(folders: list[Path], tmp_path: Path):
    manifest = to_frame(run(folders, tmp_path / "crops").manifest)
    assert not manifest["face_id"].str.contains("Person").any()


def test_an_ingestion_without_sources_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="No source is configured"):
        ingest([], crop_folder=tmp_path / "c", splits=SplitConfiguration(), subject_secret=SECRET)


def test_landmarks_lie_inside_the_box_crop(folders: list[Path], tmp_path: Path):
    faces = to_frame(run(folders, tmp_path / "crops").manifest)
    faces = faces[faces["landmarks"].notna() & faces["box_xywh"].notna()]
    for points, box in zip(faces["landmarks"], faces["box_xywh"], strict=True):
        inside = apply_affine(box_transform(box), np.asarray(points, dtype=np.float32).reshape(-1, 2))
        assert ((inside > 0) & (inside < 112)).all()


def test_the_most_frequent_label_stands_for_a_person_who_is_labelled_differently_by_photo():
    manifest = pd.DataFrame({"subject_id": ["a", "a"], "face_id": ["1", "2"]})
    groups = pd.DataFrame(
        {
            "subject_key": [subject_key("a", "1", SECRET)] * 3,
            "attribute": ["gender"] * 3,
            "group": ["male", "female", "male"],
            "group_source": ["x"] * 3,
        }
    )
    assert group_of_faces(manifest, groups, "gender", SECRET).tolist() == ["male", "male"]


def tombstones_of(manifest: pd.DataFrame, subject: str) -> Tombstones:
    theirs = manifest[manifest["subject_id"] == subject]
    return Tombstones(
        subjects=frozenset([tombstone(subject, SECRET)]),
        photos=frozenset(photo_tombstone(digest, SECRET) for digest in theirs["photo_sha256"]),
        secret=SECRET,
    )


def import_all(folders: list[Path], crops: Path, tombstones: Tombstones | None = None, **options: float) -> Ingested:
    kinds = (LfwImporter, MtflImporter, UtkFaceImporter)
    return ingest(
        [kind(folder) for kind, folder in zip(kinds, folders, strict=True)],
        crop_folder=crops,
        splits=SplitConfiguration(),
        subject_secret=SECRET,
        non_face_share=1.0,
        tombstones=tombstones,
        **options,  # type: ignore[arg-type]
    )


def test_an_erased_person_is_not_imported_again_and_everybody_else_is_as_before(folders: list[Path], tmp_path: Path):
    before = import_all(folders, tmp_path / "before")
    whole = to_frame(before.manifest)
    person = "lfw:Person_03"
    after = import_all(folders, tmp_path / "after", tombstones_of(whole, person))
    left = to_frame(after.manifest)
    photos = set(whole.loc[whole["subject_id"] == person, "photo"])
    # Their background went, too; nobody else moved to another split.
    pd.testing.assert_frame_equal(left, whole[~whole["photo"].isin(photos)].reset_index(drop=True))
    assert set(CropStore(tmp_path / "after").crop_keys()) == set(left["crop"])
    assert subject_key(person, "", SECRET) not in set(after.groups["subject_key"])


def test_an_erased_photo_does_not_come_back_under_another_name(folders: list[Path], tmp_path: Path):
    whole = to_frame(import_all(folders, tmp_path / "before").manifest)
    erased = tombstones_of(whole, "lfw:Person_03")
    copy = folders[0] / "photos" / "Person_05" / "Person_05_0000.jpg"
    copy.write_bytes((folders[0] / "photos" / "Person_03" / "Person_03_0000.jpg").read_bytes())
    left = to_frame(import_all(folders, tmp_path / "after", erased).manifest)
    assert "Person_05/Person_05_0000.jpg" not in set(left["photo"])
    assert (left["subject_id"] == "lfw:Person_05").sum() == 2


def test_a_damaged_photo_of_an_erased_person_is_not_even_put_aside(folders: list[Path], tmp_path: Path):
    whole = to_frame(import_all(folders, tmp_path / "before").manifest)
    for number, person in enumerate(("Person_03", "Person_05")):
        victim = folders[0] / "photos" / person / f"{person}_000{number}.jpg"
        victim.write_bytes(victim.read_bytes()[:1500])
    erased = tombstones_of(whole, "lfw:Person_03")
    found = import_all(folders, tmp_path / "after", erased, largest_quarantined_share=0.2).quarantine
    assert found["photo"].tolist() == ["Person_05/Person_05_0001.jpg"]


def test_of_a_photo_with_others_only_their_faces_are_left():
    def face(subject: str | None, face_id: str) -> CutFace:
        row = {"subject_id": subject, "face_id": face_id, "photo": "scene", "photo_sha256": "ff"}
        crop = Crop(crop=face_id, owner=subject or face_id, aligned=b"", box=None)
        return CutFace(row=row, crop=crop, groups={}, kept_with=None)

    corrupt = CorruptRecord(photo="scene#3", reason="bad number", detail="x", subject_ids=("c",))
    photo = [face("a", "1"), face("b", "2"), face(None, "3"), corrupt]
    barred = Tombstones(subjects=frozenset([tombstone("a", SECRET)]), secret=SECRET)
    kept, erased = left_of(photo, barred, "s")
    assert kept == [photo[1], corrupt]
    assert erased == [photo[0], photo[2]]
    assert left_of(photo, Tombstones(), "s") == (photo, [])
    by_name = Tombstones(photos=frozenset([name_tombstone("s", "scene", SECRET)]), secret=SECRET)
    assert left_of([corrupt], by_name, "s") == ([], [])
