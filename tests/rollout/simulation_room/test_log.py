"""Reading a log of decisions, and refusing one that contradicts itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countenance.errors import DataError
from countenance.rollout.simulation.log import DecisionLog, read_log

from ..simulation import everywhere, simulated_log
from .logs import ROWS, table, written


def test_a_log_is_read_as_arrays_in_order_of_arrival(tmp_path: Path) -> None:
    log = read_log(written(tmp_path))
    assert (log.candidate, log.champion, len(log)) == ("new", "old", 4)
    assert log.person.tolist() == [0, 1, 0, 2] and log.keys.tolist() == ["k1", "k2", "k3"]
    assert log.group.tolist() == [0, -1, 0, 1] and log.groups == ("north", "south")
    assert log.sites == ("door", "gate") and log.site.tolist() == [1, 1, 0, 0]
    assert log.mated.tolist() == [1, 0, -1, 1]
    assert log.at[0] == np.datetime64("2026-01-05T06:00:00") and np.isnat(log.label_at[2])
    assert log.hours == pytest.approx(0.05)
    assert log.error_rates() == (pytest.approx(2 / 3), 0.0)
    assert np.isnan(log.candidate_ms).all() and log.audited.all() and log.weight.tolist() == [1, 1, 1, 1]


def test_a_failure_counts_for_the_model_that_was_to_answer(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, failed=[True, True, False, False], by_candidate=[True, False, True, False]))
    assert log.candidate_failed.tolist() == [True, False, False, False]
    assert log.champion_failed.tolist() == [False, True, False, False]


def test_an_audited_request_weighs_as_much_as_those_that_were_not_drawn(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, audit_probability=[0.25, 1.0, 0.5, 1.0], audited=[True, False, False, True]))
    assert log.weight.tolist() == [4, 1, 2, 1]
    # Where all are to be labelled nobody needs to be drawn.
    assert log.audited.tolist() == [True, True, False, True]


def test_a_log_of_traffic_decides_as_the_traffic_does() -> None:
    traffic = simulated_log({"v1": everywhere(0.03), "v2": everywhere(0.01)}, requests=500)
    log = DecisionLog.of_traffic(traffic, candidate="v2", champion="v1")
    assert log.candidate_match.astype(bool).tolist() == traffic.decisions("v2").tolist()
    assert [log.keys[person] for person in log.person] == traffic.frame["routing_key"].tolist()
    assert np.isnat(log.label_at).tolist() == traffic.frame["label_at"].isna().tolist()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"decision_id": ["a", "a", "c", "d"]}, "holds a decision twice"),
        ({"routing_key": ["k1", None, "k1", "k3"]}, "has no 'routing_key' in 1 rows"),
        ({"at": [*ROWS["at"][1::-1], *ROWS["at"][2:]]}, "not in order of arrival"),
        ({"mated": [True, None, None, True]}, "'label_at' in a row without 'mated'"),
        ({"label_at": ["2026-01-05T05:00:00Z", *ROWS["label_at"][1:]]}, "before its request"),
        ({"label_at": [None] * 4}, "holds no label"),
        ({"candidate_match": [True, None, None, None]}, "lacks the candidate's decision in 75% of its rows"),
        ({"audit_probability": [0.0, 1.0, 1.0, 1.0]}, "'audit_probability' beyond 0.001 to 1"),
    ],
)
def test_a_log_that_contradicts_itself_is_refused(tmp_path: Path, changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as refused:
        read_log(written(tmp_path, **changed))
    assert str(tmp_path) in str(refused.value) and str(refused.value).endswith(".")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks the column 'champion_match'"):
        read_log(written(tmp_path, table().drop_columns("champion_match")))


def test_a_column_of_another_kind_is_named(tmp_path: Path) -> None:
    made = table()
    at = made.schema.get_field_index("at")
    no_zone = made.set_column(at, "at", made["at"].cast(pa.timestamp("us")))
    with pytest.raises(DataError, match=r"'at' of timestamp\[us\]: give moments with a time zone"):
        read_log(written(tmp_path, no_zone))
    said = made.schema.get_field_index("candidate_match")
    words = made.set_column(said, "candidate_match", pa.array(["yes"] * 4))
    with pytest.raises(DataError, match="'candidate_match' of string: give it as bool"):
        read_log(written(tmp_path, words))


def test_a_log_without_the_names_of_its_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="doesn't name candidate and champion"):
        read_log(written(tmp_path, table().replace_schema_metadata({})))


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no decision"):
        read_log(written(tmp_path, table().slice(0, 0)))


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "decisions.parquet"
    path.write_text("at,decision_id\n")
    with pytest.raises(DataError, match="is no Parquet file"):
        read_log(path)
    with pytest.raises(DataError, match="can't be read"):
        read_log(tmp_path / "absent.parquet")


def test_a_log_of_nanoseconds_is_read_too(tmp_path: Path) -> None:
    made = table()
    at = made.schema.get_field_index("at")
    path = written(tmp_path, made.set_column(at, "at", made["at"].cast(pa.timestamp("ns", tz="Europe/Berlin"))))
    assert "ns" in str(pq.read_schema(path).field("at").type)
    assert read_log(path).at[0] == np.datetime64("2026-01-05T06:00:00")
