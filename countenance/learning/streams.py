"""Which face comes when: streams of faces that go through their rows in an order of the seed's, source by weight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError

Rows = NDArray[np.int64]


class Streams:
    """Streams of rows that a batch is mixed from; a pure function of the seed and the position.

    Every stream goes through all its rows in a new random order before it repeats one. A source of weight 2 comes
    twice in each round, one of weight 0.5 with another half of its rows in each.

    Args:
        streams: rows of each stream, in the order that a batch holds them.
        shares: relative share of each stream in a batch.
        batch_size: rows a batch.
        sources: the source of every row.
        source_weights: weights of sources; 1 where none is given.
        seed: of the orders.

    Raises:
        DataError: no stream has a row and a share, or a weight names a source that isn't there.
    """

    def __init__(
        self,
        streams: Mapping[str, Rows],
        shares: Mapping[str, float],
        batch_size: int,
        *,
        sources: NDArray[np.str_],
        source_weights: Mapping[str, float],
        seed: int,
    ) -> None:
        unknown = set(source_weights) - set(sources.tolist())
        if unknown:
            raise DataError(
                f"The source '{min(unknown)}' has a weight but no rows: take it out of 'source_weights' or import it."
            )
        self._numbers = {name: number for number, name in enumerate(streams)}
        self._parts = {
            name: parts
            for name, rows in streams.items()
            if shares[name] > 0 and (parts := _parts(rows, sources, source_weights))
        }
        if not self._parts:
            raise DataError("No face of the manifest can be trained on: it has neither labels nor crops that fit.")
        self.rows = {name: streams[name] for name in self._parts}
        self.counts = _counts({name: shares[name] for name in self._parts}, batch_size)
        self._lengths = {name: sum(count for _, count in parts) for name, parts in self._parts.items()}
        self._seed = seed
        self._orders: dict[tuple[str, int], Rows] = {}

    def batch(self, step: int) -> list[tuple[str, int]]:
        """The stream and the row of every place in the batch of a step, counted from 0."""
        return [
            (name, self._at(name, position))
            for name, count in self.counts.items()
            for position in range(step * count, (step + 1) * count)
        ]

    def _at(self, stream: str, position: int) -> int:
        epoch, place = divmod(position, self._lengths[stream])
        order = self._orders.get((stream, epoch))
        if order is None:
            order = self._order(stream, epoch)
            # Other threads may be at the end of the round before: it is kept beside the new one.
            self._orders = {
                key: value for key, value in self._orders.items() if key[0] != stream or key[1] >= epoch - 1
            }
            self._orders[stream, epoch] = order
        return int(order[place])

    def _order(self, stream: str, epoch: int) -> Rows:
        generator = np.random.default_rng([self._seed, self._numbers[stream], epoch, 1])
        parts = []
        for rows, count in self._parts[stream]:
            whole, rest = divmod(count, len(rows))
            parts.extend([rows] * whole)
            if rest:
                parts.append(generator.choice(rows, rest, replace=False))
        every = np.concatenate(parts)
        return np.asarray(every[generator.permutation(len(every))], dtype=np.int64)


def _parts(rows: Rows, sources: NDArray[np.str_], weights: Mapping[str, float]) -> list[tuple[Rows, int]]:
    """The rows of every source of a stream, and how many of them a round holds."""
    parts = []
    for source in np.unique(sources[rows]):
        own = rows[sources[rows] == source]
        count = round(len(own) * weights.get(str(source), 1.0))
        if count:
            parts.append((own, count))
    return parts


def _counts(shares: Mapping[str, float], batch_size: int) -> dict[str, int]:
    edges = np.cumsum([0.0, *(share / sum(shares.values()) for share in shares.values())])
    counts = np.diff(np.rint(edges * batch_size).astype(int))
    return dict(zip(shares, counts.tolist(), strict=True))
