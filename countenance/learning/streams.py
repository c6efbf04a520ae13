"""Which face comes when: streams of faces that go through their rows in an order of the seed's, source by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import DataError

Rows = NDArray[np.int64]

STREAMS = ("identity", "attributes", "localisation", "scenes")


class BatchConfiguration(Configuration):
    """What a batch is made of.

    Attributes:
        batch_size: crops a batch.
        identity_share: relative share of aligned crops of named subjects.
        attributes_share: relative share of crops of unnamed faces with gender, smile or age.
        localisation_share: relative share of box crops, faces and others: landmarks, pose, face or not.
        scenes_share: relative share of parts and regions of whole photos: where faces are, face or not.
        scene_regions: share of the scenes' places that hold regions; the others hold parts.
        regions_near_faces: share of the regions without a face that lie at one all the same: a piece of a face, or much
            more than it. Faces overlooked for a piece of themselves ask for more of them.
        source_weights: how often a source's rows come, relative to their number; 1 where none is given.
        unnamed_as_classes: an unnamed face with an aligned crop counts as a person of its own in the identity stream.
            Distillation then learns from what the teacher says of it.
        decoded_mebibytes: how much memory decoded crops may take; they are kept until it is full.

    A stream that the data has no rows for gives its share to the others.
    """

    batch_size: int = Field(default=128, ge=2)
    identity_share: float = Field(default=0.6, ge=0.0)
    attributes_share: float = Field(default=0.15, ge=0.0)
    localisation_share: float = Field(default=0.25, ge=0.0)
    scenes_share: float = Field(default=0.0, ge=0.0)
    scene_regions: float = Field(default=0.4, ge=0.0, le=1.0)
    regions_near_faces: float = Field(default=0.4, ge=0.0, le=1.0)
    source_weights: dict[str, Annotated[float, Field(ge=0.0)]] = Field(default_factory=dict)
    unnamed_as_classes: bool = False
    decoded_mebibytes: int = Field(default=1536, ge=0)


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
        row_weights: how often each row comes, relative to once a round, beside its source's weight; few different
            ones, as of groups; None = 1 for all.

    Raises:
        DataError: no stream has a row and a share, or a weight names a source that isn't there or is no weight.
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
        row_weights: NDArray[np.float64] | None = None,
    ) -> None:
        weights = np.ones(len(sources)) if row_weights is None else row_weights
        if len(weights) != len(sources) or not (np.isfinite(weights) & (weights >= 0.0)).all():
            raise DataError("The rows' weights are not one number of zero or more a row: hand in one for each row.")
        unknown = set(source_weights) - set(sources.tolist())
        if unknown:
            raise DataError(
                f"The source '{min(unknown)}' has a weight but no rows: take it out of 'source_weights' or import it."
            )
        self._numbers = {name: number for number, name in enumerate(streams)}
        self._parts = {
            name: parts
            for name, rows in streams.items()
            if shares[name] > 0 and (parts := _parts(rows, sources, source_weights, weights))
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


def _parts(
    rows: Rows, sources: NDArray[np.str_], weights: Mapping[str, float], row_weights: NDArray[np.float64]
) -> list[tuple[Rows, int]]:
    """The rows of every source of a stream that weigh alike, and how many of them a round holds."""
    parts = []
    for source in np.unique(sources[rows]):
        of_source = rows[sources[rows] == source]
        for weight in np.unique(row_weights[of_source]):
            own = of_source[row_weights[of_source] == weight]
            count = round(len(own) * weights.get(str(source), 1.0) * float(weight))
            if count:
                parts.append((own, count))
    return parts


def _counts(shares: Mapping[str, float], batch_size: int) -> dict[str, int]:
    edges = np.cumsum([0.0, *(share / sum(shares.values()) for share in shares.values())])
    counts = np.diff(np.rint(edges * batch_size).astype(int))
    return dict(zip(shares, counts.tolist(), strict=True))
