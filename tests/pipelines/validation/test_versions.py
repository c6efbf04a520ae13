"""Coverage, and drift of a version of the data against the last."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.data.protected_attributes import GROUP_COLUMNS, subject_key
from countenance.errors import DataError
from pipelines.validation.assembly import checked_data, checked_groups, keep_passed
from pipelines.validation.versions import keep_version, last_version, version_of
from tests.pipelines.validation.deliveries import Delivery, base_parameters

SECRET = "a secret of the tests"


def finding(report: dict, name: str) -> dict:
    return next(each for each in report["findings"] if each["name"] == name)


def test_the_first_version_has_nothing_to_be_compared_with_and_the_report_says_so(delivery: Delivery):
    report = delivery.report()
    assert finding(report, "no_drift")["status"] == "not checked"
    assert "there is no last version" in report["drift"]["reason"]
    assert report["drift"]["last"] is None


def test_a_version_is_compared_with_the_last_that_passed(delivery: Delivery):
    facts, versions = delivery.facts(), str(delivery.folder / "versions")
    first = checked_data(facts, delivery.manifest, delivery.parameters, versions)
    keep_passed(facts, first, delivery.parameters, versions)
    older = facts.assign(age_years=facts["age_years"] + 30, gender=facts["gender"].mask(facts["gender"] == "male"))
    report = checked_data(older, delivery.manifest, delivery.parameters, versions)
    drift = finding(report, "no_drift")
    assert drift["status"] == "bad data" and drift["severity"] == "warning"
    assert {row["id"] for row in drift["first_rows"]} == {"age_years", "gender"}
    assert report["drift"]["last"] == first["drift"]["version"] and report["drift"]["last_faces"] == len(facts)


def test_the_same_version_again_is_not_its_own_last_version(delivery: Delivery):
    facts, versions = delivery.facts(), str(delivery.folder / "versions")
    for _ in range(2):
        report = checked_data(facts, delivery.manifest, delivery.parameters, versions)
        keep_passed(facts, report, delivery.parameters, versions)
        assert report["drift"]["last"] is None
    assert len(list(Path(versions).iterdir())) == 1


def test_a_version_that_failed_is_not_kept(delivery: Delivery):
    delivery.spoil([3], "age_years", -1.0)
    facts, versions = delivery.facts(), delivery.folder / "versions"
    report = checked_data(facts, delivery.manifest, delivery.parameters, str(versions))
    keep_passed(facts, report, delivery.parameters, str(versions))
    assert not report["passed"] and not versions.exists()


def test_a_kept_version_names_no_face(delivery: Delivery):
    facts, versions = delivery.facts(), delivery.folder / "versions"
    keep_passed(facts, {"passed": True}, delivery.parameters, str(versions))
    kept = pd.read_parquet(next(versions.iterdir()))
    text = kept.to_csv()
    assert "face-" not in text and "subject-" not in text
    assert not {"face_id", "photo_sha256", "near_copy_in_other_split"} & set(kept.columns)


def test_another_version_can_be_named(delivery: Delivery):
    facts = delivery.facts()
    path = delivery.folder / "of_last_month.parquet"
    facts.assign(luminance=facts["luminance"] + 60).to_parquet(path)
    delivery.parameters["drift"]["against"] = str(path)
    report = checked_data(facts, delivery.manifest, delivery.parameters, str(delivery.folder / "versions"))
    assert [row["id"] for row in finding(report, "no_drift")["first_rows"]] == ["luminance"]
    delivery.parameters["drift"]["against"] = str(delivery.folder / "nowhere.parquet")
    with pytest.raises(DataError, match="are not there"):
        checked_data(facts, delivery.manifest, delivery.parameters, str(delivery.folder / "versions"))


def test_the_oldest_versions_make_room(tmp_path: Path):
    for number in range(4):
        facts = pd.DataFrame({"face_id": ["a", "b"], "x": [number, 1]})
        keep_version(tmp_path, version_of(facts, ["x"], rows=10), kept=2)
    assert [path.name[:6] for path in sorted(tmp_path.iterdir())] == ["000003", "000004"]
    last = last_version(tmp_path, other_than="")
    assert last is not None and last.sample["x"].tolist() == [3, 1] and last.faces == 2


def test_a_damaged_version_is_refused(tmp_path: Path):
    (tmp_path / "000001-abc.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="000001-abc.parquet of the data is damaged"):
        last_version(tmp_path, other_than="")


def test_a_group_that_is_missing_in_a_split_is_named(delivery: Delivery):
    report = delivery.report()
    rows = {row["id"]: row["value"] for row in finding(report, "groups_to_test_on")["first_rows"]}
    assert rows["test, age_years 0 to 18"] == 0
    cells = {cell["cell"]: cell["subjects"] for cell in report["coverage"]}
    test = delivery.manifest[delivery.manifest["is_face"] & (delivery.manifest["split"] == "test")]
    assert cells["test, gender male"] == test.loc[test["gender"] == "male", "subject_id"].nunique()


def test_a_protected_group_that_is_missing_is_named_and_a_small_one_is_not_counted(delivery: Delivery):
    people = delivery.manifest["subject_id"].dropna().unique()
    rows = [(subject_key(person, "", SECRET.encode()), "skin_tone", "lighter", "made") for person in people]
    groups = pd.DataFrame(rows, columns=list(GROUP_COLUMNS))
    ingestion = base_parameters()["ingestion"] | {"subject_secret": SECRET}
    report = checked_groups(delivery.manifest, groups, delivery.parameters, ingestion)
    named = {row["id"]: row["value"] for row in finding(report, "protected_groups_to_test_on")["first_rows"]}
    assert named == {"test, skin_tone lighter": None, "test, skin_tone darker": 0}
    small = next(cell for cell in report["coverage"] if cell["cell"] == "test, skin_tone lighter")
    assert small["subjects"] is None and small["faces"] is None
    assert np.isin(["cell", "group"], list(small)).all()


@pytest.mark.parametrize("environment", ["base", "real", "production"])
def test_one_list_of_purposes_holds_for_validation_training_and_release(environment: str):
    parameters = base_parameters(environment)
    permitted = parameters["validation"]["expectations"]["purpose_permitted"]["arguments"]["value_set"]
    assert permitted == parameters["consent"]["purposes"]
    assert permitted == parameters["governance"]["intended_use"]["data_purposes"]
