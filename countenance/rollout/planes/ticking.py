"""A thread that does one thing again and again, and ends when it is told to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from countenance.errors import RolloutError

_log = logging.getLogger(__name__)
_AFTER_A_FAILURE_S: Final = 0.5


class Ticker:
    """Calls ``act`` every so often until it is stopped.

    A store or file that is away is asked again: what it feeds falls back by itself when no news comes. Any other
    exception is a fault and ends the thread; ``problem`` tells either.

    Args:
        name: of the thread.
        act: what is done; it must not take for ever.
        every: seconds between two times.
    """

    def __init__(self, name: str, act: Callable[[], None], *, every: float):
        self._name = name
        self._act = act
        self._every = every
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._problem: str | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Does nothing when it has begun."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self, *, wait: float = 60.0) -> None:
        """End after what it is doing at the moment.

        Raises:
            RolloutError: when it has not ended after ``wait`` seconds.
        """
        if self._thread is None:
            return
        self._stopping.set()
        self._wake.set()
        self._thread.join(wait)
        if self._thread.is_alive():
            raise RolloutError(
                f"The thread '{self._name}' has not ended after {wait:g} s: see what its store waits for."
            )
        self._thread = None

    def poke(self) -> None:
        """Act now rather than at the next tick."""
        self._wake.set()

    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread is not None and self._thread.is_alive()

    def problem(self) -> str | None:
        """What went wrong the last time, or None when the last time went well."""
        return self._problem

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._every
            try:
                self._act()
                self._problem = None
            except (RolloutError, SQLAlchemyError, OSError) as error:
                pause = max(pause, _AFTER_A_FAILURE_S)
                self._note(error)
            except BaseException as error:
                self._note(error)
                raise
            self._wake.wait(pause)
            self._wake.clear()  # before the loop asks whether it is to stop, so that no stop is missed

    def _note(self, error: BaseException) -> None:
        # The text of a database's error may repeat rows; its class says enough.
        told = str(error) if isinstance(error, RolloutError) else f"{type(error).__name__} in '{self._name}'."
        if told != self._problem:
            _log.warning("%s", told)
        self._problem = told
