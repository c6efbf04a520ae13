"""``countenance evaluate compare``."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    raise NotImplementedError
