"""The policies of a search: every combination, the margin untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from countenance.errors import ConfigurationError, RolloutError
from countenance.rollout.simulation.grid import default_policies, grid_policies, read_grid

from ..scenes import policy


def test_a_grid_is_every_combination_of_its_values(tmp_path: Path) -> None:
    path = tmp_path / "grid.yml"
    path.write_text("steps: [[0.1], [0.2, 0.5]]\nshadow.labelled: [100, 200, 300]\n")
    found = grid_policies(policy(), read_grid(path), where=str(path))
    assert len(found) == 6 and len({one.policy_hash() for one in found.values()}) == 6
    chosen = found["steps 0.2/0.5, shadow.labelled 200"]
    assert (chosen.steps, chosen.shadow.labelled) == ((0.2, 0.5), 200)
    assert chosen.model_copy(update={"steps": policy().steps, "shadow": policy().shadow}) == policy()


def test_the_default_grid_holds_the_base_policy_and_one_margin() -> None:
    base = policy(non_inferiority_margin=0.013)
    found = default_policies(base)
    assert base in found.values() and {one.non_inferiority_margin for one in found.values()} == {0.013}
    assert len({one.policy_hash() for one in found.values()}) == len(found) <= 60


def test_the_margin_is_never_searched() -> None:
    with pytest.raises(RolloutError, match="changes 'non_inferiority_margin'"):
        grid_policies(policy(), {"non_inferiority_margin": [0.01, 0.1]}, where="grid.yml")


def test_a_key_that_no_policy_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="stepz"):
        grid_policies(policy(), {"stepz": [1]}, where="grid.yml")
    with pytest.raises(ConfigurationError, match=r"shadow\.labeled"):
        grid_policies(policy(), {"shadow.labeled": [1]}, where="grid.yml")
    with pytest.raises(ConfigurationError, match="ghost"):
        grid_policies(policy(), {"ghost.labelled": [1]}, where="grid.yml")


def test_a_grid_that_would_never_end_is_refused() -> None:
    with pytest.raises(RolloutError, match="2,500 combinations"):
        grid_policies(policy(), {"alpha": [0.01] * 50, "group_minimum": [1] * 50}, where="grid.yml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("alpha: 0.05\n", "'alpha' in .* lists no values"),
        ("[]\n", "holds no grid"),
        ("a: [\n", "cannot be read as YAML"),
    ],
)
def test_a_file_that_is_no_grid_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "grid.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=sentence):
        read_grid(path)
