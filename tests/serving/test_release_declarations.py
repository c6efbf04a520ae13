"""What a release unit carries of its declared use, its materials and its documents."""

import json

import pytest

from countenance.errors import ModelError
from countenance.governance.materials import Material
from countenance.serving.release import InputSpecification, ReleaseDetails, build_release, open_release
from countenance.storage import file_sha256

from ..governance.declarations import use

MATERIAL = Material(name="drawn", kind="photographs", role="train", license="Apache-2.0", stated_by="this test")


def details(**changes):
    return ReleaseDetails(
        **{
            "candidate": "student_alone",
            "input": InputSpecification(size=32),
            "embedding_dimension": 8,
            "thresholds": (),
            "operating_threshold": 0.25,
            "dataset_sha256": "d" * 64,
            "code_sha256": "c" * 64,
            "licenses": ("Apache-2.0",),
            "intended_use": use(),
            "materials": (MATERIAL,),
        }
        | changes
    )


def built(folder, *, documents=None, evidence_map=None, **changes):
    return build_release(
        folder, b"a model", details(**changes), model_card="A card.", reports={"bias": {}}, documents=documents,
        evidence_map=evidence_map,
    )  # fmt: skip


def test_the_declared_use_and_the_materials_are_read_back(tmp_path):
    built(tmp_path / "unit")
    release = open_release(tmp_path / "unit")
    assert (release.intended_use, release.materials) == (use(), (MATERIAL,))


def test_documents_lie_in_the_unit_with_their_hash_and_the_map_is_told_all_of_them(tmp_path):
    told = {}

    def evidence_map(files):
        told.update(files)
        return "A map."

    release = built(tmp_path / "unit", documents={"dataset_sheet.md": "A sheet."}, evidence_map=evidence_map)
    assert set(told) == {"model.onnx", "model_card.md", "dataset_sheet.md", "bias.json"}
    assert set(release.files) == {*told, "governance.md"}
    assert all(file_sha256(tmp_path / "unit" / name) == digest for name, digest in release.files.items())
    (tmp_path / "unit" / "dataset_sheet.md").write_text("Another sheet.")
    with pytest.raises(ModelError, match=r"dataset_sheet.md is missing or was changed after it was released"):
        open_release(tmp_path / "unit")


def test_a_release_searches_only_if_it_was_declared_for_that(tmp_path):
    with pytest.raises(ModelError, match="is declared for 1:1 verification only, so it doesn't search"):
        built(tmp_path / "verifies").require_identification()
    built(tmp_path / "searches", intended_use=use(comparison="identification")).require_identification()
    with pytest.raises(ModelError, match="declares no intended use"):
        built(tmp_path / "old", intended_use=None).require_identification()


@pytest.mark.parametrize(
    "edit", [{"comparison": "identification"}, {"setting": "commercial", "data_purposes": ["demonstration"]}]
)
def test_a_use_that_was_widened_by_hand_is_refused(tmp_path, edit):
    built(tmp_path / "unit")
    file = tmp_path / "unit" / "release.json"
    description = json.loads(file.read_text())
    description["intended_use"] |= edit
    file.write_text(json.dumps(description))
    with pytest.raises(ModelError, match=r"release.json was changed after it was released: build the release unit"):
        open_release(tmp_path / "unit")


def test_a_use_that_was_taken_out_by_hand_is_refused(tmp_path):
    built(tmp_path / "unit")
    file = tmp_path / "unit" / "release.json"
    description = json.loads(file.read_text()) | {"intended_use": None}
    file.write_text(json.dumps(description))
    with pytest.raises(ModelError, match=r"release.json was changed after it was released"):
        open_release(tmp_path / "unit")


def test_the_kind_of_use_is_part_of_the_identity_and_its_wording_is_not(tmp_path):
    first = built(tmp_path / "first").release_id
    assert built(tmp_path / "words", intended_use=use(purpose="In other words.")).release_id == first
    assert built(tmp_path / "searches", intended_use=use(comparison="identification")).release_id != first
    assert built(tmp_path / "materials", materials=()).release_id == first


def test_a_unit_from_before_the_declaration_keeps_its_id(tmp_path):
    old = built(tmp_path / "old", intended_use=None, materials=())
    file = tmp_path / "old" / "release.json"
    description = json.loads(file.read_text())
    del description["intended_use"], description["materials"]
    file.write_text(json.dumps(description))
    assert open_release(tmp_path / "old").release_id == old.release_id
