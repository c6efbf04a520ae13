"""docs/rollout.md: what it shows runs, and every command on it is one that the verbs understand."""

import ast
import re
import runpy
import shlex
from pathlib import Path

import pytest

from countenance.commands import _parser
from countenance.rollout.approvals import Act
from countenance.rollout.decisions.labels import wanted
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.store import RolloutStore

from ..scenes import ANNA, OFFLINE, REGISTRATION, policy

PAGE = (Path(__file__).parents[3] / "docs" / "rollout.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    typed = "\n".join(blocks("sh")).replace("\\\n", " ")
    typed += "\n" + "\n".join(re.findall(r"^    (countenance rollout .*)$", PAGE, flags=re.MULTILINE))
    typed += "\n" + "\n".join(re.findall(r"`(countenance (?:rollout|bench) [^`]+)`", PAGE))
    found = [line.partition("|")[0].strip() for line in typed.splitlines() if line.startswith("countenance ")]
    return [line for line in found if len(line.split()) > 2]


def test_a_gateway_as_the_page_shows_it_answers_and_is_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with RolloutStore.open("sqlite:///rollout.db", keys=[ANNA]) as store:
        approval = ANNA.sign(Act.BOOTSTRAP, subject="v1", at=store.now(), reason="It is the first.")
        known = Preconditions(threshold=0.5)
        store.bootstrap("v1", registration=REGISTRATION, offline=OFFLINE, approval=approval, preconditions=known)
        store.start("v2", policy(), evidence_key="key", preconditions=known)
        (tmp_path / "page.py").write_text(blocks("python")[0], encoding="utf-8")
        runpy.run_path(str(tmp_path / "page.py"))
        assert store.heartbeat() is not None
        assert wanted(store, 10) == ()


def test_the_gateway_for_ray_serve_is_python() -> None:
    ast.parse(blocks("python")[1])


@pytest.mark.parametrize("command", commands())
def test_every_command_on_the_page_is_understood(command: str) -> None:
    words = [word for word in shlex.split(command, comments=True)[1:] if word != "…"]
    _parser(words).parse_args(words)


def test_the_page_shows_a_first_rollout_in_ten_commands() -> None:
    first = next(block for block in blocks("sh") if "enters=bootstrap" in block)
    assert len(first.strip().splitlines()) == 10
