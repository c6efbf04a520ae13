"""Every data set that a room writes is known to the erasure: as one that may hold people, or as one that doesn't."""

import re
from pathlib import Path

import pytest
import yaml
from sqlalchemy import String, Text

from countenance.erasure.databases import Database
from countenance.erasure.registry import STORES
from countenance.rollout import schema

PROJECT = Path(__file__).parents[2]
CATALOG = yaml.safe_load((PROJECT / "conf" / "base" / "catalog.yml").read_text())
IMPERSONAL = {"model", "release", "champion", "previous", "policy", "policy_hash", "stage", "state", "kind", "payload",
              "previous_hash", "hash", "stage_key", "measured", "verdict", "actor", "act", "subject", "reason",
              "signature", "alias", "evidence_head", "cursor", "decision_id", "group_name", "site", "source", "name",
              "sha256", "error", "channel", "shown", "meant", "holder", "evidence_key", "papers",
              "dropped"}  # fmt: skip
"""Texts of the rollout store: of models, rollouts, requests and operators. ``subject`` of an approval is a release,
``decision_id`` the number of a request, which says nothing once its routing key is gone."""
IN_FOLDERS = {"crops": "/crops-00000.arrow", "template_protocol": "/protocol.json", "template_embeddings": "/some.npy"}
"""A file of each data set that is a folder."""


def matching(path: str) -> set[str]:
    return {store.name for store in STORES for pattern in store.patterns if matches(path, pattern)}


def matches(path: str, pattern: str) -> bool:
    regex = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return not pattern.startswith("**") and re.fullmatch(regex, path) is not None


@pytest.mark.parametrize("name", CATALOG)
def test_every_data_set_of_the_catalog_is_in_exactly_one_store(name: str):
    path = CATALOG[name]["filepath"].removeprefix("${globals:data_root}/")
    path = re.sub(r"\{\w+\}", "some", path) + IN_FOLDERS.get(name, "")
    assert len(matching(path)) == 1, f"{path} is in {sorted(matching(path))}: see countenance/erasure/registry.py"


def test_a_data_set_that_nobody_registered_would_be_noticed():
    assert not matching("07_model_output/somebodys_new_table.parquet")


def test_the_folders_of_the_parameters_are_known_too():
    text = "\n".join(file.read_text() for file in (PROJECT / "conf" / "base").glob("parameters_*.yml"))
    folders = set(re.findall(r"\$\{globals:data_root\}/(\S+)", text))
    known = [pattern for store in STORES for pattern in store.patterns]
    for folder in folders:
        assert matching(folder) or any(pattern.startswith(folder) for pattern in known), folder


def test_no_text_of_the_rollout_store_is_of_a_person_unless_the_registry_says_so():
    (store,) = [store for store in STORES if isinstance(store, Database)]
    for table in schema.metadata.tables.values():
        texts = {column.name for column in table.columns if isinstance(column.type, String | Text)}
        assert texts <= IMPERSONAL | set(store.people.get(table.name, ())), table.name


def test_names_are_given_once():
    names = [store.name for store in STORES]
    assert len(set(names)) == len(names)
