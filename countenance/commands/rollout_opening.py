"""What the verbs of ``countenance rollout`` share: which store, of which model, and who signs; light to import."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from countenance.commands.named_opening import named_opening

if TYPE_CHECKING:
    from countenance.rollout.approvals import OperatorKey
    from countenance.rollout.project import RolloutProject
    from countenance.rollout.store import RolloutStore

SECRET_VARIABLE: Final = "COUNTENANCE_OPERATOR_SECRET"
_DEFAULT_MODEL: Final = "countenance"


@dataclass(frozen=True)
class Opened:
    """An open store, and the project that named it; None where it was given by its address.

    ``keys`` is what the store verifies signatures with; a key put into it counts from then on.
    """

    store: RolloutStore
    keys: dict[str, OperatorKey]
    project: RolloutProject | None


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which store is meant, and ``--json``."""
    parser.add_argument(
        "--store",
        metavar="URL",
        help="of the rollout store, sqlite:///PATH or postgresql+psycopg://…; default: the project's",
    )
    parser.add_argument("--model", metavar="NAME", help=f"whose rollouts; default: the project's, or {_DEFAULT_MODEL}")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="FOLDER", help="the project's folder; default: this one"
    )
    parser.add_argument(
        "--env", metavar="NAME", help="the project's environment, a folder of conf/; default: as kedro run"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_signing_options(parser: argparse.ArgumentParser) -> None:
    """Add who signs and why. A secret is never taken from the command line, where other users can read it."""
    parser.add_argument("--as", dest="signer", required=True, metavar="NAME", help="the operator who signs")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, in a sentence; it is kept for ever")
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=f"holds the operator's secret; default: the environment variable {SECRET_VARIABLE}, or the project's own "
        "operator where it has that name",
    )


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Opened]:
    """The store that the options name, closed afterwards.

    Raises:
        RolloutError: there is no such store.
        ConfigurationError: no store is given, and the folder is no project that names one.
    """
    from countenance.rollout.approvals import keyring
    from countenance.rollout.connection import connect
    from countenance.rollout.store import RolloutStore

    project: RolloutProject | None = None
    if arguments.store is None:
        folder = arguments.project.resolve()
        project = named_opening(folder, "rollout", purpose="has a rollout store")(folder, arguments.env)
    url = arguments.store if project is None else project.store
    model = arguments.model or (_DEFAULT_MODEL if project is None else project.model)
    _refuse_missing(url)
    keys = keyring(() if project is None else project.keys)
    with RolloutStore(connect(url), model, keys) as store:
        yield Opened(store, keys, project)


def signing_key(arguments: argparse.Namespace, project: RolloutProject | None) -> OperatorKey:
    """The key of ``--as``, from a file, the environment, or the project's own operator.

    Raises:
        RolloutError: there is none, or it is too short.
    """
    from countenance.errors import RolloutError
    from countenance.rollout.approvals import OperatorKey

    if arguments.key_file is not None:
        try:
            return OperatorKey(arguments.signer, arguments.key_file.read_bytes().strip())
        except OSError as error:
            raise RolloutError(
                f"The key file {arguments.key_file} can't be read ({error.strerror}): name one that can."
            ) from error
    secret = os.environ.get(SECRET_VARIABLE)
    if secret:
        return OperatorKey(arguments.signer, secret.strip().encode())
    for key in () if project is None else project.keys[:1]:
        if key.name == arguments.signer:
            return key
    raise RolloutError(
        f"There is no key to sign with as '{arguments.signer}': put its secret into {SECRET_VARIABLE}, or into a file "
        "that --key-file names."
    )


def print_json(value: object) -> None:
    """Print one JSON value."""
    import json

    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _refuse_missing(url: str) -> None:
    """Opening makes a store where there is none; a verb that asks for one must not."""
    from countenance.errors import RolloutError

    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.is_file():
        raise RolloutError(f"There is no rollout store at {path}: check --store, or start a rollout first.")
