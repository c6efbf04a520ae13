"""The policies that a search looks at: a base policy with some of its values changed, one grid over all changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

from countenance.configuration import narrow
from countenance.errors import ConfigurationError, RolloutError
from countenance.rollout.policy import RolloutPolicy

Grid = Mapping[str, Sequence[Any]]
"""By key of the policy, ``shadow.labelled`` for one within another: the values to try."""

_MARGIN: Final = "non_inferiority_margin"
_SCALES: Final = (0.5, 1.0, 2.0)
_STEPS: Final = ((0.05, 0.25, 0.5), (0.1, 0.5), (0.25,), (0.5,))
_MINIMA: Final = ("shadow.labelled", "step.labelled", "bake.labelled")
_MOST: Final = 2_000


def default_policies(base: RolloutPolicy) -> dict[str, RolloutPolicy]:
    """The base policy with other steps, its minima halved and doubled together, and other alphas; by name."""
    steps = dict.fromkeys((base.steps, *_STEPS))
    alphas = dict.fromkeys((base.alpha, 0.01, 0.05, 0.1))
    found = {}
    for chosen, scale, alpha in product(steps, _SCALES, alphas):
        minima = {name: max(1, round(scale * _value(base, name))) for name in _MINIMA}
        name = f"steps {'/'.join(f'{share:g}' for share in chosen)}, minima x{scale:g}, alpha {alpha:g}"
        found[name] = _changed(base, {"steps": list(chosen), "alpha": alpha, **minima}, where="the default grid")
    return found


def grid_policies(base: RolloutPolicy, grid: Grid, *, where: str) -> dict[str, RolloutPolicy]:
    """The base policy with every combination of the grid's values; by name.

    Raises:
        ConfigurationError: a key or value is none of a policy's.
        RolloutError: the grid changes the margin, or has too many combinations.
    """
    if _MARGIN in grid:
        raise RolloutError(
            f"{where} changes '{_MARGIN}', which says what is promised and not how to find out: leave it out."
        )
    found = {}
    for changes in _combinations(grid, where):
        name = ", ".join(f"{key} {_word(value)}" for key, value in changes.items()) or "as given"
        found[name] = _changed(base, changes, where=where)
    return found


def read_grid(path: Path) -> Grid:
    """Read a grid from YAML: lines of ``key: [value, value]``.

    Raises:
        ConfigurationError: the file cannot be read, or a line is none of these.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as YAML: write the grid as 'key: [value, value]' lines."
        ) from error
    if not isinstance(values, dict) or not values:
        raise ConfigurationError(f"{path} holds no grid: write it as 'key: [value, value]' lines.")
    empty = next((key for key, tried in values.items() if not isinstance(tried, list) or not tried), None)
    if empty is not None:
        raise ConfigurationError(f"'{empty}' in {path} lists no values: write them as [value, value].")
    return {str(key): tried for key, tried in values.items()}


def _combinations(grid: Grid, where: str) -> Iterator[dict[str, Any]]:
    count = 1
    for values in grid.values():
        count *= len(values)
    if count > _MOST:
        raise RolloutError(f"{where} has {count:,} combinations: leave at most {_MOST:,}.")
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _changed(base: RolloutPolicy, changes: Mapping[str, Any], *, where: str) -> RolloutPolicy:
    values = base.model_dump(mode="json")
    for key, value in changes.items():
        *path, last = key.split(".")
        inner = values
        for part in path:
            # A part that the policy leaves out, such as a budget, begins empty; an unknown one is refused below.
            inner[part] = inner.get(part) or {}
            inner = inner[part]
        inner[last] = value
    return narrow(RolloutPolicy, values, where=where)


def _value(policy: RolloutPolicy, name: str) -> int:
    stage, _, key = name.partition(".")
    value: int = getattr(getattr(policy, stage), key)
    return value


def _word(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
