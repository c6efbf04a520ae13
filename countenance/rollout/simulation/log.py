"""Logged decisions of two models, read from Parquet, checked, and kept as plain arrays in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError
from countenance.rollout.batch import LARGEST_WEIGHT
from countenance.rollout.tape import Moments

if TYPE_CHECKING:
    import pyarrow as pa

    from countenance.rollout.traffic import TrafficLog

NOT_KNOWN: Final = -1
"""Stands for null in columns of 0 and 1, and for "no group"."""

LARGEST_GAP: Final = 0.2
"""The share of requests that may lack one model's decision; beyond it the log says too little of the two together."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionLog:
    """Requests in order of arrival, shape [N], as both models decided them.

    Attributes:
        candidate, champion: release ids.
        at: arrival, UTC, microseconds.
        label_at: when the truth was known; NaT: never.
        person: who asked, a number below ``len(keys)``; ``keys``: the routing keys (HMACs), shape [P].
        site: where, a number below ``len(sites)``, or -1.
        group: a number below ``len(groups)``, or -1.
        mated: the truth, 1 or 0; -1 where it isn't known. It may be known though no label came (``label_at`` NaT).
        candidate_match, champion_match: the decisions, 1 or 0; -1 where that model made none.
        candidate_ms, champion_ms: latencies in milliseconds; NaN where unknown.
        candidate_score: NaN where unknown.
        candidate_failed, champion_failed: that model was to answer, and erred.
        shadow_dropped: the shadow should have scored it, and didn't.
        audited: the label was wanted (all, or those drawn for an audit); ``weight``: 1 / probability of being drawn.
    """

    candidate: str
    champion: str
    at: Moments
    label_at: Moments
    person: NDArray[np.int64]
    keys: NDArray[np.object_]
    site: NDArray[np.int64]
    sites: tuple[str, ...]
    group: NDArray[np.int64]
    groups: tuple[str, ...]
    mated: NDArray[np.int8]
    candidate_match: NDArray[np.int8]
    champion_match: NDArray[np.int8]
    candidate_ms: NDArray[np.float64]
    champion_ms: NDArray[np.float64]
    candidate_score: NDArray[np.float64]
    candidate_failed: NDArray[np.bool_]
    champion_failed: NDArray[np.bool_]
    shadow_dropped: NDArray[np.bool_]
    audited: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def hours(self) -> float:
        """From the first to the last arrival."""
        return float((self.at[-1] - self.at[0]) / np.timedelta64(1, "h"))

    def error_rates(self) -> tuple[float, float]:
        """Share of wrong decisions of candidate and champion, over requests that both decided and whose truth is known.

        Both are NaN where there is no such request.
        """
        known = (self.mated >= 0) & (self.candidate_match >= 0) & (self.champion_match >= 0)
        if not known.any():
            return float("nan"), float("nan")
        truth = self.mated[known]
        return (
            float((self.candidate_match[known] != truth).mean()),
            float((self.champion_match[known] != truth).mean()),
        )

    @classmethod
    def of_traffic(cls, traffic: TrafficLog, *, candidate: str, champion: str) -> DecisionLog:
        """The log of two releases that scored the same traffic; errors are those of ``TrafficLog.decisions``."""
        import pyarrow as pa

        frame = traffic.frame
        table = pa.table(
            {
                "at": pa.array(frame["at"], pa.timestamp("us", tz="UTC")),
                "decision_id": pa.array(frame["request_id"], pa.string()),
                "routing_key": pa.array(frame["routing_key"], pa.string()),
                "site": pa.array(frame["site"], pa.string()),
                "group": pa.array(frame["group"], pa.string(), from_pandas=True),
                "mated": pa.array(frame["mated"], pa.bool_()),
                "label_at": pa.array(frame["label_at"], pa.timestamp("us", tz="UTC"), from_pandas=True),
                "candidate_match": pa.array(traffic.decisions(candidate)),
                "champion_match": pa.array(traffic.decisions(champion)),
            }
        )
        return of_table(table, candidate=candidate, champion=champion, where="the traffic log")

    def rows(self, chosen: NDArray[np.intp], **changed: Any) -> DecisionLog:
        """The log of the rows ``chosen``, in that order, with some arrays replaced."""
        taken = {
            field.name: getattr(self, field.name)[chosen]
            for field in fields(self)
            if field.name not in ("candidate", "champion", "keys", "sites", "groups")
        }
        kept = {name: getattr(self, name) for name in ("candidate", "champion", "keys", "sites", "groups")}
        return DecisionLog(**kept | taken | changed)


def read_log(path: Path) -> DecisionLog:
    """Read what ``countenance rollout export`` wrote.

    Raises:
        DataError: it can't be read, lacks a column or the models' names, or its rows contradict themselves.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from countenance.rollout.simulation.columns import CANDIDATE_KEY, CHAMPION_KEY, OPTIONAL, REQUIRED

    try:
        file = pq.ParquetFile(path)
        known = {name: kind for name, kind in (REQUIRED | OPTIONAL).items() if name in file.schema_arrow.names}
        missing = [name for name in REQUIRED if name not in known]
        if missing:
            _refuse(path, f"lacks the column '{missing[0]}'", "write it with countenance rollout export")
        table = file.read(columns=list(known))
    except OSError as error:
        raise DataError(f"{path} can't be read as Parquet: give the file that rollout export wrote.") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is no Parquet file: give the file that rollout export wrote.") from error
    table = _cast(path, table, known)
    named = file.schema_arrow.metadata or {}
    ids = [named.get(key, b"").decode() for key in (CANDIDATE_KEY, CHAMPION_KEY)]
    if not all(ids):
        _refuse(path, "doesn't name candidate and champion in its metadata", "write it with countenance rollout export")
    return of_table(table, candidate=ids[0], champion=ids[1], where=str(path))


def of_table(table: pa.Table, *, candidate: str, champion: str, where: str) -> DecisionLog:
    """The log in an Arrow table with the columns of ``columns.REQUIRED`` and any of ``columns.OPTIONAL``.

    Raises:
        DataError: there is no row, a row without a moment or person, a decision twice, another order than that of
            arrival, a label before its request or without a truth, or too many requests without both decisions.
    """
    _check(table, where)
    people, keys = _coded(table, "routing_key")
    site, sites = _coded(table, "site")
    group, groups = _coded(table, "group")
    by_candidate, failed = _flags(table, "by_candidate", False), _flags(table, "failed", False)
    probability = _numbers(table, "audit_probability", 1.0)
    if not ((probability >= 1 / LARGEST_WEIGHT) & (probability <= 1)).all():
        _refuse(
            where,
            f"has an 'audit_probability' beyond {1 / LARGEST_WEIGHT:g} to 1",
            "give the chance at which each label was asked for",
        )
    log = DecisionLog(
        candidate=candidate,
        champion=champion,
        at=_moments(table, "at"),
        label_at=_moments(table, "label_at"),
        person=people,
        keys=np.array(keys, dtype=object),
        site=site,
        sites=sites,
        group=group,
        groups=groups,
        mated=_bits(table, "mated"),
        candidate_match=_bits(table, "candidate_match"),
        champion_match=_bits(table, "champion_match"),
        candidate_ms=_numbers(table, "candidate_ms", np.nan),
        champion_ms=_numbers(table, "champion_ms", np.nan),
        candidate_score=_numbers(table, "candidate_score", np.nan),
        candidate_failed=failed & by_candidate,
        champion_failed=failed & ~by_candidate,
        shadow_dropped=_flags(table, "shadow_dropped", False),
        audited=_flags(table, "audited", True) | (probability >= 1),
        weight=1 / probability,
    )
    _check_rows(log, where)
    return log


def _check(table: pa.Table, where: str) -> None:
    import pyarrow.compute as pc

    if table.num_rows == 0:
        _refuse(where, "holds no decision", "export some traffic first")
    for name in ("at", "decision_id", "routing_key"):
        if table[name].null_count:
            _refuse(where, f"has no '{name}' in {table[name].null_count:,} rows", "give it in every row")
    if pc.count_distinct(table["decision_id"]).as_py() != table.num_rows:
        _refuse(where, "holds a decision twice", "keep every 'decision_id' once")


def _check_rows(log: DecisionLog, where: str) -> None:
    if (np.diff(log.at) < np.timedelta64(0)).any():
        _refuse(where, "is not in order of arrival", "sort its rows by 'at'")
    labelled = ~np.isnat(log.label_at)
    if (labelled & (log.mated < 0)).any():
        _refuse(where, "has a 'label_at' in a row without 'mated'", "give the truth with its moment, or neither")
    if (log.label_at[labelled] < log.at[labelled]).any():
        _refuse(where, "holds a label that came before its request", "give both moments in UTC")
    if not labelled.any():
        _refuse(where, "holds no label", "export after labels came, since nothing is judged without them")
    for name, said in (("candidate", log.candidate_match), ("champion", log.champion_match)):
        share = float((said < 0).mean())
        if share > LARGEST_GAP:
            _refuse(
                where,
                f"lacks the {name}'s decision in {share:.0%} of its rows, where at most {LARGEST_GAP:.0%} may",
                "export traffic that both models scored, such as that of a shadow",
            )


def _cast(path: Path, table: pa.Table, kinds: dict[str, pa.DataType]) -> pa.Table:
    import pyarrow as pa

    columns = {}
    for name, kind in kinds.items():
        column = table[name]
        if pa.types.is_timestamp(kind) and not (pa.types.is_timestamp(column.type) and column.type.tz):
            _refuse(path, f"has a column '{name}' of {column.type}", "give moments with a time zone, in UTC")
        try:
            columns[name] = column.cast(kind, safe=not pa.types.is_timestamp(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"{path} has a column '{name}' of {column.type}: give it as {kind}.") from error
    return pa.table(columns)


def _coded(table: pa.Table, name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """A column of words as numbers from 0 in alphabetical order of the words, -1 for null."""
    if name not in table.column_names:
        return np.full(table.num_rows, NOT_KNOWN, dtype=np.int64), ()
    encoded = table[name].combine_chunks().dictionary_encode()
    words = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=lambda at: words[at])
    places = np.empty(len(words) + 1, dtype=np.int64)
    places[order] = np.arange(len(words))
    places[-1] = NOT_KNOWN
    codes = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).astype(np.int64)
    return places[codes], tuple(words[at] for at in order)


def _moments(table: pa.Table, name: str) -> Moments:
    values = table[name].combine_chunks().to_numpy(zero_copy_only=False)
    return np.asarray(values.astype("datetime64[us]"))


def _bits(table: pa.Table, name: str) -> NDArray[np.int8]:
    import pyarrow as pa

    codes = table[name].combine_chunks().cast(pa.int8()).fill_null(NOT_KNOWN)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int8)


def _flags(table: pa.Table, name: str, absent: bool) -> NDArray[np.bool_]:
    if name not in table.column_names:
        return np.full(table.num_rows, absent)
    return np.asarray(table[name].combine_chunks().fill_null(absent).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _numbers(table: pa.Table, name: str, absent: float) -> NDArray[np.float64]:
    if name not in table.column_names:
        return np.full(table.num_rows, absent)
    filled = table[name].combine_chunks().fill_null(absent)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.float64)


def _refuse(where: object, problem: str, remedy: str) -> NoReturn:
    raise DataError(f"{where} {problem}: {remedy}.")
