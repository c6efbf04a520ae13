"""Our own kernels run on torch's threads.

A second pool of threads beside torch's would fight with it: an OpenMP thread that has done its part spins for some
milliseconds, in case there is more to do, and keeps a core busy that a thread of the other pool needs. So where torch
has brought GNU OpenMP along, its pool is asked directly; elsewhere (macOS, Windows) a call starts threads of its own.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch

Work = Callable[[int, int], None]
"""Does part ``part`` of ``parts``: called as ``work(part, parts)``."""

SMALLEST_SHARED: Final = 16_384
"""Fewer values than this are done sooner by one thread than they are handed out."""


PROMPT_SECONDS: Final = 1e-4


def in_threads(work: Work, values: int) -> None:
    """Do all parts of some work, on as many threads as torch is set to use, and wait until all are done.

    Args:
        work: mustn't hold the interpreter's lock while it computes. What it computes mustn't depend on the number of
            parts, so that any number of threads gives the same bits.
        values: numbers that it goes through, which says whether several threads are worth the while.

    Raises:
        Whatever the work raises.
    """
    threads = torch.get_num_threads()
    if threads == 1 or values < SMALLEST_SHARED:
        work(0, 1)
        return
    failures: list[BaseException] = []

    def guarded(part: int, parts: int) -> None:
        # An error can't pass through the frames of OpenMP or of another thread: it waits here for the caller.
        try:
            work(part, parts)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    openmp = _openmp()
    if openmp is None:
        _on_threads_of_their_own(guarded, threads)
    else:
        _on_the_threads_of_torch(guarded, threads, *openmp)
    if failures:
        raise failures[0]


@contextmanager
def lock_handed_over_promptly() -> Iterator[None]:
    """Within it, a thread that runs Python gives the interpreter's lock to those that wait for it after .1 ms, not 5.

    A thread takes the lock for a moment before and after every kernel. Beside another that prepares batches in Python
    each of these moments would otherwise be waited for 5 ms long.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(PROMPT_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _on_the_threads_of_torch(work: Work, threads: int, pool: ctypes.CDLL, inside: ctypes.PyDLL) -> None:
    def member(_: int | None) -> None:
        work(inside.omp_get_thread_num(), inside.omp_get_num_threads())

    pool.GOMP_parallel(_MEMBER(member), None, ctypes.c_uint(threads), ctypes.c_uint(0))


def _on_threads_of_their_own(work: Work, threads: int) -> None:
    others = [threading.Thread(target=work, args=(part, threads)) for part in range(1, threads)]
    for other in others:
        other.start()
    work(0, threads)
    for other in others:
        other.join()


_MEMBER: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@cache
def _openmp() -> tuple[ctypes.CDLL, ctypes.PyDLL] | None:
    """The OpenMP library that torch runs on: to enter it, without the interpreter's lock, and to ask it from inside.

    Its entry point is the one that GCC compiles ``#pragma omp parallel`` to: ``GOMP_parallel(function, data, threads,
    flags)``, a part of its binary interface since GCC 4.9.
    """
    already_loaded: Any = getattr(os, "RTLD_NOLOAD", None)
    if already_loaded is None:
        return None
    package = Path(torch.__file__).parent
    for path in [*(package / "lib").glob("libgomp*.so*"), *(package.parent / "torch.libs").glob("libgomp*.so*")]:
        try:
            pool = ctypes.CDLL(str(path), mode=already_loaded | os.RTLD_NOW)
        except OSError:  # it lies there, but torch runs on another one
            continue
        return pool, ctypes.PyDLL(str(path), mode=already_loaded | os.RTLD_NOW)
    return None
