"""A log of messages: one JSON line each, exactly once, however often the writer is killed."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from countenance.rollout.notifications.message import Message, NotDeliveredError


@dataclass(frozen=True)
class LogFile:
    """Appends to a file; several processes may do so at once.

    A kill between the line and the note that it was delivered would write it twice; so the file itself is asked first
    whether it holds the message. A line that a kill cut off is taken away before the next one is written.
    """

    path: Path

    @property
    def name(self) -> str:
        """What the store calls this channel."""
        return "log"

    def deliver(self, message: Message, *, now: datetime) -> None:
        """Append the message unless the file holds it.

        Raises:
            NotDeliveredError: when the file can't be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not _holds(file, message.key):
                    file.write(message.body + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise NotDeliveredError(
                f"The log of messages {self.path} can't be written ({error.strerror}): see to it that it can."
            ) from error


def _holds(file: IO[bytes], key: str) -> bool:
    """Whether the key is in the file; afterwards the file ends with a whole line."""
    file.seek(0)
    whole, found = 0, False
    for line in file:
        if not line.endswith(b"\n"):
            file.truncate(whole)
            break
        whole += len(line)
        found = found or (key.encode() in line and json.loads(line).get("id") == key)
    file.seek(0, os.SEEK_END)
    return found
