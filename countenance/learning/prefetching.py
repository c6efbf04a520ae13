"""Batches made ahead of their use, by threads in the background."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from countenance.learning.batches import FaceBatch, FaceDataset


def prefetched(
    dataset: FaceDataset, start: int, stop: int, *, ahead: int = 4, rank: int = 0, world: int = 1, threads: int = 1
) -> Generator[FaceBatch]:
    """The batches of steps ``start`` to ``stop - 1``, made ahead of their use by background threads, in their order.

    ``rank`` and ``world`` choose a process's share of each, as in :meth:`FaceDataset.batch`. A failure in a thread is
    raised here, at the step it belongs to.
    """
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="batches")
    try:
        make = partial(dataset.batch, rank=rank, world=world)
        pending = deque(pool.submit(make, step) for step in range(start, min(start + ahead, stop)))
        for step in range(start, stop):
            if step + ahead < stop:
                pending.append(pool.submit(make, step + ahead))
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
