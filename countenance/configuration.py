"""Configuration narrows at the door: a plain mapping becomes a frozen model, and an unknown key is an error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from countenance.errors import ConfigurationError


class Configuration(BaseModel):
    """Base of every configuration model: frozen, with unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigurationT = TypeVar("ConfigurationT", bound=BaseModel)


def narrow(model: type[ConfigurationT], values: Mapping[str, Any], *, where: str) -> ConfigurationT:
    """Turn ``values`` into a validated ``model``.

    Args:
        model: the pydantic model to build.
        values: the mapping as read from YAML.
        where: what the user would open to mend it, e.g. ``parameters_training.yml``.

    Raises:
        ConfigurationError: one sentence naming the key, the place and the remedy.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigurationError(_sentence(model, error, where)) from error


def _sentence(model: type[BaseModel], error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"]) or "the top level"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean '{near[0]}'" if near else f"the known keys are {', '.join(sorted(known))}"
        return (
            f"Unknown configuration key '{path}' in {where}: {hint}?"
            if near
            else (f"Unknown configuration key '{path}' in {where}: {hint}.")
        )
    if first["type"] == "missing":
        return f"Configuration key '{path}' is missing in {where}: add it."
    return f"Configuration key '{path}' in {where} has a wrong value: {first['msg']}."


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: type[BaseModel] = model
    for part in location:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part)
        inner = None if field is None else _model_within(field.annotation)
        if inner is None:
            return list(current.model_fields)
        current = inner
    return list(current.model_fields)


def _model_within(annotation: Any) -> type[BaseModel] | None:
    """The model of a field, of an optional field, or of the members of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for argument in get_args(annotation) if (model := _model_within(argument))), None)
