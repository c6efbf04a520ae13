"""A PostgreSQL server for one run of the tests: in a temporary folder, on a free port, forgotten after it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

# What is lost when the machine fails doesn't matter here, and waiting for the disk would take most of the time.
_HASTY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=60")
_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """The folder of ``initdb`` and ``postgres``: on the path, or the newest where Debian puts them."""
    found = shutil.which("initdb")
    if found is not None and (Path(found).parent / "postgres").exists():
        return Path(found).parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


@contextmanager
def server() -> Iterator[str]:
    """A running server; yields its URL without a database's name. Skips the test where none is installed.

    In CI, where one is installed first, a missing server fails the test instead.
    """
    folder = binaries()
    if folder is None:
        reason = "PostgreSQL's server is not installed: initdb is neither on the PATH nor under /usr/lib/postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as place:
        data = Path(place) / "data"
        as_whom = _unprivileged(Path(place))
        made = [folder / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, cwd=place, **as_whom)
        port = _free_port()
        control = [folder / "pg_ctl", "-D", data, "-w", "-l", Path(place) / "log"]
        options = " ".join(f"-c {setting}" for setting in _HASTY) + f" -p {port} -k {place} -h 127.0.0.1"
        subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, cwd=place, **as_whom)
        try:
            yield f"postgresql+psycopg://tests@127.0.0.1:{port}"
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, capture_output=True, cwd=place, **as_whom)


@contextmanager
def database(at: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """A database of its own on the server ``at``, a copy of ``template``; yields its URL."""
    engine = create_engine(f"{at}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    try:
        yield f"{at}/{name}"
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def _unprivileged(place: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    if os.geteuid() != 0:
        return {}
    user = next((each for each in pwd.getpwall() if each.pw_name == "postgres"), None) or pwd.getpwnam("nobody")
    os.chown(place, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "env": os.environ | {"HOME": str(place)}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
