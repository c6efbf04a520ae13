"""Progress bars: live on a terminal, an occasional line in a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track(items: Iterable[Item], *, what: str, total: int | None = None, unit: str = "it") -> Iterable[Item]:
    """Iterate over ``items`` while showing what is being done and how long it still takes.

    A terminal gets a live bar; anything else gets a line every 15 seconds at most.
    """
    live = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        total=total,
        unit=unit,
        file=sys.stderr,
        mininterval=0.2 if live else 15.0,
        dynamic_ncols=live,
        leave=True,
    )
