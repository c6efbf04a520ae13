import hashlib

import pytest

from countenance.errors import ConfigurationError, ModelError
from countenance.governance.materials import license_ids, network_materials, photograph_materials

from .declarations import governance, manifest

STATED = {
    "title": "a recogniser", "license": "MIT", "stated_by": "its package", "training_data": "unknown; nobody says",
}  # fmt: skip


def statements(**changes):
    return governance(pretrained={"teacher.onnx": STATED | changes}).pretrained


def test_each_source_and_licence_is_a_material_with_what_it_is_used_for():
    rows = manifest(
        {},
        {"split": "test"},
        {"source": "photographed", "license": "research-only"},
        {"license": "MIT", "split": "test"},
    )
    found = photograph_materials(rows, {"drawn": "this test"})
    assert [(item.name, item.license, item.role, item.stated_by) for item in found] == [
        ("drawn", "Apache-2.0", "train, test", "this test"),
        ("drawn", "MIT", "test", "this test"),
        ("photographed", "research-only", "train", "its importer"),
    ]
    assert license_ids(found) == ("Apache-2.0", "MIT", "research-only")


def test_a_network_is_two_materials_its_file_and_what_it_was_trained_on(tmp_path):
    file = tmp_path / "teacher.onnx"
    file.write_bytes(b"weights")
    network, data = network_materials(file, ["teacher"], statements())
    assert (network.license, network.kind, network.stated_by) == ("MIT", "network", "its package")
    assert network.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (data.license, data.kind, data.stated_by) == ("unknown", "training data of a network", "nobody")


def test_a_network_that_nobody_stated_anything_of_is_unknown_twice(tmp_path):
    found = network_materials(tmp_path / "found somewhere.onnx", ["initial network", "teacher"], statements())
    assert [(item.license, item.stated_by, item.role, item.sha256) for item in found] == [
        ("unknown", "nobody", "initial network and teacher", None)
    ] * 2


def test_a_statement_about_another_file_of_the_same_name_is_refused(tmp_path):
    file = tmp_path / "teacher.onnx"
    file.write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    assert network_materials(file, ["teacher"], statements(sha256=right))
    with pytest.raises(ModelError, match=r"The statement on the network teacher.onnx .* is about another file: say"):
        network_materials(file, ["teacher"], statements(sha256="0" * 64))
    file.unlink()
    assert network_materials(file, ["teacher"], statements(sha256="0" * 64))[0].license == "MIT"


def test_a_statement_with_a_blank_is_refused():
    with pytest.raises(ConfigurationError, match=r"'pretrained.teacher.onnx.training_data' in a test .*blank"):
        statements(training_data=" ")
