"""What a project's ``pyproject.toml`` names under ``[tool.countenance]``, to be opened by a verb; light to import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def named_opening(folder: Path, key: str, *, purpose: str) -> Callable[..., Any]:
    """The function that a project names under ``key``, imported.

    Args:
        folder: of the project.
        key: in ``[tool.countenance]``.
        purpose: what the project is wanted for, to end "names no project that ..." with.

    Raises:
        ConfigurationError: it names none, or one that can't be imported.
    """
    import importlib
    import tomllib

    from countenance.errors import ConfigurationError

    file = folder / "pyproject.toml"
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
        module, _, name = settings["tool"]["countenance"][key].partition(":")
    except (OSError, tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{file} names no project that {purpose} ('{key}' in [tool.countenance]): run the command in the project's "
            "folder, or give it with --project."
        ) from error
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        opening: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"'{module}', which [tool.countenance] in {file} names, can't be imported ({error.name} is missing): "
            "install the project with its 'pipelines' extra."
        ) from error
    return opening
