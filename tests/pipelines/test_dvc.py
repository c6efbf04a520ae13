"""dvc.yaml says what the Kedro catalog says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.pipeline_registry import OPERATOR_COMMANDS, ROOMS, register_pipelines
from pipelines.settings import CONFIG_LOADER_ARGS

PROJECT = Path(__file__).parents[2]
STAGES: dict[str, Any] = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
SIDE_EFFECTS = {"registration", "rehearsal", "monitoring"}
COMMANDS_WRITE = set().union(*(register_pipelines()[command].all_outputs() for command in OPERATOR_COMMANDS))
"""What is there only after a command of a person: DVC knows no dependency that may be missing."""


@pytest.fixture(scope="module")
def paths() -> Any:
    from kedro.config import OmegaConfigLoader
    from kedro.io import DataCatalog

    loader = OmegaConfigLoader(str(PROJECT / "conf"), env="local", **CONFIG_LOADER_ARGS)
    catalog = DataCatalog.from_config(loader["catalog"])
    return lambda name: catalog[name].path.as_posix()


def listed(stage: str, *keys: str) -> set[str]:
    entries = [entry for key in keys for entry in STAGES[stage].get(key, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


@pytest.mark.parametrize("room", ROOMS)
def test_a_stage_depends_on_what_its_room_reads(room: str, paths: Any):
    read = {
        paths(name) for name in register_pipelines()[room].inputs() - COMMANDS_WRITE if not name.startswith("params:")
    }
    assert {path for path in listed(room, "deps") if path.startswith("data/")} == read


@pytest.mark.parametrize("room", ROOMS)
def test_a_stage_puts_out_what_its_room_writes(room: str, paths: Any):
    written = {paths(name) for name in register_pipelines()[room].all_outputs()}
    units = {"data/06_models/releases"} if room == "registration" else set()
    assert listed(room, "outs", "metrics", "plots") == written | units


@pytest.mark.parametrize("room", ROOMS)
def test_a_stage_depends_on_the_parameters_that_its_room_reads(room: str):
    names = {name.removeprefix("params:") for name in register_pipelines()[room].inputs() if name.startswith("params:")}
    own = {
        "balance": "ingestion",
        "consent": "training",
        "data_versions_folder": "validation",
        "incoming_crops": "ingestion",
        "tombstones_file": "ingestion",
        "governance": "registration",
        "release_sources": "registration",
        "releases_folder": "registration",
        "sessions_folder": "training",
        "teacher_cache_folder": "training",
        "photo_search": "evaluation",
        "template_protocol": "evaluation",
    }
    files = {f"conf/base/parameters_{own.get(name, name)}.yml" for name in names}
    assert files <= listed(room, "params")


@pytest.mark.parametrize("room", ROOMS)
def test_a_stage_depends_on_its_own_code_and_on_the_library_rooms_that_it_uses(room: str):
    deps = listed(room, "deps")
    assert f"pipelines/{room}" in deps
    text = "\n".join(file.read_text() for file in (PROJECT / "pipelines" / room).glob("*.py"))
    for library_room in (PROJECT / "countenance").iterdir():
        if library_room.is_dir() and f"from countenance.{library_room.name}" in text:
            assert f"countenance/{library_room.name}" in deps


def test_stages_with_side_effects_always_run_and_the_others_do_not():
    assert {room for room in ROOMS if STAGES[room].get("always_changed")} == SIDE_EFFECTS


def test_a_stage_runs_the_room_of_its_name():
    assert all(STAGES[room]["cmd"] == f"kedro run --pipelines {room}" for room in ROOMS)
    assert set(STAGES) == set(ROOMS)


def test_parameters_are_plain_enough_for_dvc_to_store_them():
    import json

    for file in (PROJECT / "conf" / "base").glob("*.yml"):
        json.dumps(yaml.safe_load(file.read_text()))
