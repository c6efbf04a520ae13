import json

import pytest
from pydantic import ValidationError

from countenance.assessment.cost import PriceList
from countenance.errors import ModelError
from countenance.serving.release import (
    CalibratedThreshold,
    CostOptimalThreshold,
    ErrorRates,
    InputSpecification,
    ReleaseDetails,
    ReleaseManifest,
    UnmeasurableRate,
    build_release,
    code_sha256,
    open_release,
)
from countenance.storage import file_sha256

# 1,000 * (0.9 * 2 * 0.05 + 0.1 * 100 * 0.01) = 190.
CHEAPEST = CostOptimalThreshold(
    threshold=0.42,
    prices=PriceList(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.9, maximum_fmr=0.01),
    calibration=ErrorRates(fmr=0.01, fnmr=0.05),
    test=ErrorRates(fmr=0.013, fnmr=0.04),
    cost=190.0,
    unit="EUR per 1,000 transactions",
    capped=True,
)
DETAILS = ReleaseDetails(
    candidate="student_alone",
    input=InputSpecification(size=32),
    embedding_dimension=8,
    thresholds=(
        CalibratedThreshold(far=1e-3, threshold=0.5, false_accepts=2, non_mated=2000),
        CalibratedThreshold(far=1e-2, threshold=1 / 3, false_accepts=20, non_mated=2000),
    ),
    not_measurable=(UnmeasurableRate(far=1e-4, non_mated=2000),),
    cost_optimal=CHEAPEST,
    operating_threshold=0.1 + 0.2,
    dataset_sha256="d" * 64,
    code_sha256="c" * 64,
    licenses=("CC-BY-4.0",),
)
CARD = "---\nlicense: Apache-2.0\n---\nA tiny model.\n"


def built(folder, model=b"a model", *, card=CARD, reports=None, **changes) -> ReleaseManifest:
    details = DETAILS.model_copy(update=changes)
    return build_release(folder, model, details, model_card=card, reports=reports or {"bias": {"index": 1.25}})


@pytest.fixture
def unit(tmp_path):
    built(tmp_path / "unit")
    return tmp_path / "unit"


def test_a_unit_holds_the_model_its_card_its_reports_and_a_hash_of_each(unit):
    release = open_release(unit)
    assert set(release.files) == {"model.onnx", "model_card.md", "bias.json"}
    assert {file.name for file in unit.iterdir()} == {*release.files, "release.json"}
    assert all(file_sha256(unit / name) == digest for name, digest in release.files.items())
    assert json.loads((unit / "bias.json").read_text()) == {"index": 1.25}
    assert release.embedding_space == release.release_id
    assert release.operating_threshold == DETAILS.operating_threshold
    assert release.thresholds == DETAILS.thresholds
    assert release.not_measurable == DETAILS.not_measurable
    assert release.cheapest() == CHEAPEST


def test_the_same_candidate_built_again_has_the_same_id_and_the_same_bytes(unit, tmp_path):
    built(tmp_path / "again")
    assert {file.name: file.read_bytes() for file in (tmp_path / "again").iterdir()} == {
        file.name: file.read_bytes() for file in unit.iterdir()
    }


def test_what_is_measured_or_written_about_a_model_does_not_change_its_id(unit, tmp_path):
    release = open_release(unit)
    other = built(
        tmp_path / "other",
        card="Other words.",
        reports={"bias": {"index": 2.0}, "measurements": {"median_ms": 3.5}},
        code_sha256="e" * 64,
    )
    assert other.release_id == release.release_id
    assert other.files != release.files


@pytest.mark.parametrize(
    "changes",
    [
        {"model": b"another model"},
        {"operating_threshold": 0.30000000000000001},
        {"thresholds": DETAILS.thresholds[:1]},
        {"dataset_sha256": "0" * 64},
        {"candidate": "student_distilled"},
        {"not_measurable": ()},
        {"cost_optimal": CHEAPEST.model_copy(update={"threshold": 0.43})},
        {"cost_optimal": CHEAPEST.model_copy(update={"test": ErrorRates(fmr=0.0, fnmr=0.04)})},
        {"cost_optimal": None},
    ],
)
def test_another_model_threshold_or_data_is_another_release(unit, tmp_path, changes):
    assert built(tmp_path / "other", **changes).release_id != open_release(unit).release_id


@pytest.mark.parametrize("name", ["model.onnx", "model_card.md", "bias.json"])
def test_a_file_that_was_changed_or_taken_away_is_named(unit, name):
    (unit / name).write_bytes((unit / name).read_bytes() + b" ")
    with pytest.raises(ModelError, match=f"{name} is missing or was changed after it was released"):
        open_release(unit)
    (unit / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing or was changed after it was released"):
        open_release(unit)


@pytest.mark.parametrize(
    "edit",
    [
        {"operating_threshold": 0.05},
        {"thresholds": []},
        {"release_id": "0" * 16},
        {"candidate": "student_distilled"},
        {"not_measurable": []},
        {"cost_optimal": CHEAPEST.model_dump() | {"threshold": 0.1}},
        {"cost_optimal": None},
    ],
)
def test_a_description_that_was_edited_by_hand_is_refused(unit, edit):
    file = unit / "release.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | edit))
    with pytest.raises(ModelError, match=r"release.json was changed after it was released: build the release unit"):
        open_release(unit)


PLAIN = {
    "thresholds": (CalibratedThreshold(far=1e-3, threshold=0.5), CalibratedThreshold(far=1e-2, threshold=1 / 3)),
    "not_measurable": (),
    "cost_optimal": None,
}


def test_a_unit_that_is_older_than_its_prices_keeps_its_id_and_says_what_it_lacks(tmp_path):
    built(tmp_path / "old", **PLAIN)
    file = tmp_path / "old" / "release.json"
    described = json.loads(file.read_text())
    # As units were written before: without the fields, rather than with nothing in them.
    for name in ("not_measurable", "cost_optimal"):
        del described[name]
    described["thresholds"] = [{"far": 1e-3, "threshold": 0.5}, {"far": 1e-2, "threshold": 1 / 3}]
    file.write_text(json.dumps(described))
    release = open_release(tmp_path / "old")
    # This very id was given by the version of the project that knew neither counts nor prices.
    assert release.release_id == "5436a9e0feb2172e"
    with pytest.raises(ModelError, match="built before release units carried their cost-optimal threshold: run the"):
        release.cheapest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"calibration": ErrorRates(fmr=0.02, fnmr=0.05)}, "an FMR of 0.02 is above the cap of 0.01"),
        ({"cost": 191.0}, "by its prices it costs 190 EUR per 1,000 transactions"),
        ({"unit": "USD per 1,000 transactions"}, "by its prices it costs 190 EUR per 1,000 transactions"),
        ({"prices": CHEAPEST.prices.model_copy(update={"maximum_fmr": None})}, "called capped, and there is no cap"),
        ({"threshold": float("nan")}, "finite number"),
    ],
)
def test_a_cost_optimal_threshold_that_contradicts_its_prices_is_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        CostOptimalThreshold(**dict(CHEAPEST) | change)


def test_on_people_who_had_no_part_in_it_the_cap_may_be_exceeded():
    assert CHEAPEST.test.fmr > CHEAPEST.prices.maximum_fmr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"thresholds": DETAILS.thresholds[::-1]}, "the thresholds of FAR 0.01 and 0.001 are not in order"),
        (
            {
                "thresholds": (
                    CalibratedThreshold(far=1e-3, threshold=0.3),
                    CalibratedThreshold(far=1e-2, threshold=0.4),
                )
            },
            "the thresholds of FAR 0.001 and 0.01 are not in order",
        ),
        ({"not_measurable": (UnmeasurableRate(far=1e-2, non_mated=50),)}, "FAR 0.01 has a threshold and is called not"),
    ],
)
def test_thresholds_that_contradict_one_another_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        ReleaseDetails(**dict(DETAILS) | change)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"false_accepts": 3, "non_mated": 2000}, "3 of 2000 false accepts are above FAR 0.001"),
        ({"false_accepts": 2}, "only one of its two counts"),
    ],
)
def test_a_threshold_that_exceeds_its_rate_is_refused(counts, words):
    with pytest.raises(ValidationError, match=words):
        CalibratedThreshold(far=1e-3, threshold=0.5, **counts)


def test_a_description_that_no_longer_lists_the_model_is_refused(unit):
    file = unit / "release.json"
    description = json.loads(file.read_text())
    del description["files"]["model.onnx"]
    file.write_text(json.dumps(description))
    with pytest.raises(ModelError, match="release.json was changed after it was released"):
        open_release(unit)


def test_a_folder_without_a_description_says_what_to_run(unit, tmp_path):
    with pytest.raises(ModelError, match="has no release.json: run the registration pipeline first"):
        open_release(tmp_path / "nowhere")
    (unit / "release.json").unlink()
    with pytest.raises(ModelError, match="has no release.json"):
        open_release(unit)


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"release_id": 3}', "[]"])
def test_a_description_that_is_none_is_refused(unit, text):
    (unit / "release.json").write_text(text)
    with pytest.raises(ModelError, match=r"release.json is not a release description: build the release unit again"):
        open_release(unit)


def test_a_unit_that_cannot_be_built_leaves_the_one_before_it_whole(unit):
    before = open_release(unit)
    with pytest.raises(ValueError, match="not JSON compliant"):
        built(unit, b"another model", reports={"bias": {"index": float("nan")}})
    assert open_release(unit) == before
    assert [path.name for path in unit.parent.iterdir()] == ["unit"]


def test_a_unit_built_anew_keeps_no_file_of_the_one_before_it(unit):
    built(unit, reports={"gates": {"verdict": "PASS"}})
    assert set(open_release(unit).files) == {"model.onnx", "model_card.md", "gates.json"}
    assert not (unit / "bias.json").exists()


def package(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_hash_of_the_code_depends_on_names_and_content_and_on_nothing_else(tmp_path):
    files = {"a.py": "x = 1\n", "inner/b.py": "y = 2\n"}
    digest = code_sha256(package(tmp_path / "one", files))
    assert len(digest) == 64
    backwards = dict(reversed(files.items())) | {"notes.md": "no code", "a.pyc": "compiled"}
    assert code_sha256(package(tmp_path / "another place", backwards)) == digest
    for number, changed in enumerate(
        (
            files | {"a.py": "x = 2\n"},
            {"c.py": "x = 1\n", "inner/b.py": "y = 2\n"},
            {"a.py": "x = 1\n", "b.py": "y = 2\n"},
            {"a.py": "y = 2\n", "inner/b.py": "x = 1\n"},
            files | {"empty.py": ""},
        )
    ):
        assert code_sha256(package(tmp_path / f"changed {number}", changed)) != digest
