"""What several verbs take on the command line; light to import."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

Number = TypeVar("Number", int, float)

DEFAULT_MODEL: Final = Path("data/06_models/all_in_one.safetensors")


def available_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and ``--threads``."""
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE_OR_FOLDER",
        help="a trained network (.safetensors), a release unit, or an exported model (folder or .onnx); "
        f"default: {DEFAULT_MODEL}",
    )
    parser.add_argument(
        "--threads", type=number(int, least=1), metavar="N", help="default: one for each processor there is"
    )


def number(kind: type[Number], *, least: Number | None = None, most: Number | None = None) -> Callable[[str], Number]:
    """An argparse type: a number within bounds."""

    def parse(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number") from error
        # "not within" rather than "beyond": nan is refused, too.
        if not (least is None or value >= least) or not (most is None or value <= most):
            bounds = " and ".join(
                f"{word} {bound:g}" for word, bound in (("at least", least), ("at most", most)) if bound is not None
            )
            raise argparse.ArgumentTypeError(f"{text} must be {bounds}")
        return value

    return parse
