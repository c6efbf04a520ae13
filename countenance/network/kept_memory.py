"""Large tensors that come and go at every step take the memory of the last step again."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

TRIM_THRESHOLD: Final = -1
MOST_MAPPINGS: Final = -4
"""Numbers of two settings of glibc's ``mallopt``."""

_KEPT: Final = {MOST_MAPPINGS: 0, TRIM_THRESHOLD: -1}
_DEFAULT: Final = {MOST_MAPPINGS: 65536, TRIM_THRESHOLD: 128 * 1024}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within it, memory that this process frees stays with it; afterwards it goes back to the system.

    By default glibc maps every block of more than 32 MiB anew and unmaps it when it is freed. The system has to give
    it 4 KiB at a time, each zeroed first: for the feature maps of a training step that is as much work as all its
    normalisations. Where the C library isn't glibc nothing changes.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt"):
        yield
        return
    for setting, value in _KEPT.items():
        library.mallopt(setting, value)
    try:
        yield
    finally:
        for setting, value in _DEFAULT.items():
            library.mallopt(setting, value)
        library.malloc_trim(0)
