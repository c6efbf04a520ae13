import re
from pathlib import Path

import pytest
import yaml

from pipelines.pipeline_registry import OPERATOR_COMMANDS, ROOMS, register_pipelines

PROJECT = Path(__file__).parents[2]


def test_every_room_of_the_house_is_registered_under_its_own_name():
    registered = register_pipelines()
    assert set(registered) == {"__default__", *ROOMS, *OPERATOR_COMMANDS}
    assert all(pipeline.nodes for pipeline in registered.values())


def test_operators_commands_are_of_their_own_and_not_part_of_a_run():
    registered = register_pipelines()
    names = {node.name for node in registered["__default__"].nodes}
    assert set(OPERATOR_COMMANDS) >= {"rollback", "ablation", "method_comparison", "student_search"}
    for command in OPERATOR_COMMANDS:
        assert not names & {node.name for node in registered[command].nodes}
        assert command not in yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]


@pytest.mark.parametrize("room", ROOMS)
def test_one_name_opens_everything(room: str):
    assert (PROJECT / "pipelines" / room / "nodes.py").is_file()
    assert (PROJECT / "conf" / "base" / f"parameters_{room}.yml").is_file()
    assert room in yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]


def test_no_training_node_reads_a_protected_attribute():
    registered = register_pipelines()
    protected = {"protected_attributes", "held_out_groups"}
    for room in ("training", "distillation", "ablation", "student_search"):
        assert not protected & registered[room].inputs()
    nodes = [node for room in registered.values() for node in room.nodes]
    reading = [node for node in nodes if protected & set(node.inputs)]
    assert not [node.name for node in reading if "validation_seal" in node.inputs]
    # Nor does a training read anything that follows from one; the seal is what every training starts with. What is made
    # of groups on purpose, a number a face and fewer rows, is looked at in test_protected_attributes.
    passed_on = {"sampling_weights", "rare_sampling_weights", "rare_delivery"}
    told = {output for node in reading for output in node.outputs} - passed_on
    assert not [node.name for node in nodes if "validation_seal" in node.inputs and told & set(node.inputs)]


def test_training_starts_only_with_the_seal_of_validation():
    registered = register_pipelines()
    for room in ("training", "distillation", "ablation", "method_comparison", "student_search"):
        assert "validation_seal" in registered[room].inputs()


def test_the_library_is_used_by_nodes_and_does_not_use_them():
    for file in (PROJECT / "countenance").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) pipelines", file.read_text(), re.MULTILINE), file


def test_nodes_are_wiring_and_no_longer_than_that():
    import ast

    for file in (PROJECT / "pipelines").glob("*/nodes.py"):
        for function in ast.parse(file.read_text()).body:
            if isinstance(function, ast.FunctionDef):
                lines = sum(len(ast.unparse(statement).splitlines()) for statement in function.body[1:])
                assert lines <= 12, f"{file.parent.name}.{function.name} has {lines} lines"
