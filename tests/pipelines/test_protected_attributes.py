"""Protected attributes lie in a table of their own, keyed by an HMAC, and no training can get at them."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from countenance.data.protected_attributes import subject_key
from countenance.errors import DataError
from pipelines.pipeline_registry import register_pipelines
from pipelines.sampling import as_sampled
from pipelines.weighing import GroupBalance, group_balanced_weights
from tests.pipelines.conftest import PROJECT, Chain

PROTECTED = {"protected_attributes", "held_out_groups"}
SEAL = "validation_seal"
"""A verdict and counts: what every training starts with, and all that it learns of the validation."""
PLANTED = {"faulty_delivery", "rare_delivery"}
"""Faults that are made on purpose from one group, to be found and to be mended; no group is written in them."""
WEIGHTS = {"sampling_weights", "rare_sampling_weights"}
"""How often a face is drawn where a balanced training is asked for: a number a face, made outside of any training."""


def test_every_node_that_trains_is_known_by_the_consent_that_it_checks():
    assert {node.name for node in training_nodes()} == {
        "train_network",
        "train_for_mitigation",
        "train_alone",
        "distil",
        "continue_on_faulty_delivery",
        "run_ablation",
        "search_method_settings",
        "run_comparison",
        "search_students",
    }
    sealed = {node.name for node in all_nodes() if SEAL in node.inputs}
    assert sealed <= {node.name for node in training_nodes()}


def test_nothing_that_a_training_reads_follows_from_a_protected_attribute():
    makers = {output: node for node in all_nodes() for output in node.outputs}
    for node in training_nodes():
        met, waiting = set(), set(node.inputs)
        while waiting:
            name = waiting.pop()
            met.add(name)
            if name in makers and name not in {SEAL} | PLANTED | WEIGHTS:
                waiting |= set(makers[name].inputs) - met
        assert not met & PROTECTED, node.name


def test_a_planted_fault_reaches_no_training_but_its_own():
    trained = {node.name: PLANTED & set(node.inputs) for node in training_nodes() if PLANTED & set(node.inputs)}
    assert trained.pop("continue_on_faulty_delivery") == {"faulty_delivery"}
    assert trained == {"train_for_mitigation": {"rare_delivery"}}


def test_a_training_is_given_a_number_a_face_and_nothing_else_of_anybodys_group():
    manifest = pd.DataFrame(
        {
            "face_id": list("abcdef"),
            "subject_id": ["anna", "bela", "carl", "dora", None, "emil"],
            "is_face": [True, True, True, True, True, False],
            "split": "train",
        }
    )
    secret = b"a secret of the test"
    keys = [subject_key(name, "", secret) for name in ("anna", "bela", "carl", "dora")]
    rows = {"subject_key": [*keys, subject_key(None, "e", secret)], "attribute": "tone"}
    groups = pd.DataFrame(rows | {"group": ["dark", "light", "light", "light", "light"], "group_source": "test"})
    weights = group_balanced_weights(manifest, groups, secret, GroupBalance(attribute="tone"))
    assert weights.columns.tolist() == ["face_id", "weight"]
    assert weights["weight"].dtype == float
    assert dict(weights.itertuples(index=False)) == pytest.approx({"a": 2.5, **dict.fromkeys("bcde", 0.625)})
    assert group_balanced_weights(manifest, groups, secret, GroupBalance()).empty


def test_a_table_of_weights_that_holds_more_than_numbers_is_refused_by_every_training():
    manifest = pd.DataFrame({"face_id": ["a"]})
    with_groups = pd.DataFrame({"face_id": ["a"], "weight": [1.0], "group": ["dark"]})
    with pytest.raises(DataError, match="is given face_id and weight, and nothing else"):
        as_sampled(manifest, with_groups, {"balanced": True})
    assert as_sampled(manifest, with_groups, {"balanced": False}) is manifest
    with pytest.raises(DataError, match="set 'balance' in parameters_ingestion.yml"):
        as_sampled(manifest, None, {"balanced": True})


def test_the_key_of_the_table_is_never_a_parameter_of_a_training():
    for node in training_nodes():
        assert "params:ingestion" not in node.inputs


def test_an_import_contract_keeps_the_code_of_trainings_away_from_the_table():
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if "protected attributes" in each["name"])
    assert "countenance.data.protected_attributes" in contract["forbidden_modules"]
    assert "countenance.learning" in contract["source_modules"]
    assert not contract.get("allow_indirect_imports")
    assert not contract.get("ignore_imports")


def test_the_tables_of_a_finished_chain_keep_people_and_groups_apart(finished_chain: Chain):
    groups = pd.read_parquet(finished_chain.data / "03_primary" / "protected_attributes.parquet")
    manifest = pd.read_parquet(finished_chain.data / "03_primary" / "manifest.parquet")
    assert groups["subject_key"].str.fullmatch("[0-9a-f]{32}").all()
    named = set(manifest["subject_id"].dropna()) | set(manifest["face_id"])
    assert not named & set(groups.astype("str").to_numpy().ravel())
    assert not [column for column in manifest.columns if re.search("group|skin|race|ethnic", column)]
    weights = pd.read_parquet(finished_chain.data / "05_model_input" / "sampling_weights.parquet")
    assert weights.columns.tolist() == ["face_id", "weight"]
    assert set(weights["face_id"]) <= set(manifest.loc[manifest["split"] == "train", "face_id"])
    planted = pd.read_parquet(finished_chain.data / "03_primary" / "faulty_delivery.parquet")
    assert set(planted.columns) == set(manifest.columns)


def test_the_seal_says_a_verdict_and_counts_and_nothing_of_anybody(finished_chain: Chain):
    seal = json.loads((finished_chain.data / "05_model_input" / "validation_seal.json").read_text())
    assert all(isinstance(value, int) for value in seal.values())


@pytest.mark.slow
def test_trainings_run_where_the_protected_tables_are_not_there_at_all(chain: Chain):
    (chain.data / "03_primary" / "protected_attributes.parquet").unlink()
    (chain.data / "07_model_output" / "held_out_groups.parquet").unlink()
    networks = [chain.data / "06_models" / f"{name}.safetensors" for name in ("all_in_one", "student_distilled")]
    for network in networks:
        network.unlink()
    chain.run("training")
    chain.run("distillation")
    assert all(network.is_file() for network in networks)


@pytest.mark.slow
def test_a_training_stops_where_a_consent_has_run_out(chain: Chain):
    path: Path = chain.data / "03_primary" / "manifest.parquet"
    manifest = pd.read_parquet(path)
    past = pd.Timestamp("2020-01-01", tz="UTC")
    manifest["expires_at"] = manifest["expires_at"].where(manifest["split"] != "train", past)
    manifest.to_parquet(path, index=False)
    with pytest.raises(Exception, match="may not be trained on, because their consent has run out"):
        chain.run("training")


def all_nodes() -> list[Any]:
    return list({node.name: node for room in register_pipelines().values() for node in room.nodes}.values())


def training_nodes() -> list[Any]:
    return [node for node in all_nodes() if "params:consent" in node.inputs]
