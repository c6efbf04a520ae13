"""Kills a process before its n-th change on the disk, as an interruption would."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.link", "sqlite3.connect")
"""What counts beside opening a file to write into it."""


def killed_before(change: int, do: Callable[[], Any]) -> bool:
    """Run ``do`` in a process of its own that is killed (SIGKILL) before its n-th change; whether it came so far."""

    def kill_at(count: int, event: str) -> None:
        if count == change:
            os.kill(os.getpid(), signal.SIGKILL)

    status = _run_watched(do, kill_at)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def changes_of(do: Callable[[], Any], notes: Path) -> list[str]:
    """The changes that ``do`` makes in a process of its own, in order."""
    descriptor = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    status = _run_watched(do, lambda _, event: os.write(descriptor, f"{event}\n".encode()))
    os.close(descriptor)
    assert os.WEXITSTATUS(status) == 0
    return notes.read_text().splitlines()


def _run_watched(do: Callable[[], Any], watch: Callable[[int, str], Any]) -> int:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    made = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal made
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES:
            made += 1
            watch(made, f"{event} {arguments[0]}")

    code = 1
    try:
        sys.addaudithook(count)
        do()
        code = 0
    finally:
        os._exit(code)
