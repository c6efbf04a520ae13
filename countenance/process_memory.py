"""How much memory this process takes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mebibytes() -> float:
    """Return the most physical memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss: Linux hands that down from the process that started this one.
        return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
