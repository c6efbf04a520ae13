import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.planes.file import FileSource, SnapshotFile, as_text, from_values, to_values
from countenance.rollout.planes.snapshot import RoutingSnapshot

from .places import NOON, snapshot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "routing" / "gate.json"


def test_a_snapshot_comes_back_from_its_file_as_it_was(path: Path) -> None:
    made = snapshot(controller_at=NOON - timedelta(seconds=3))
    assert SnapshotFile(path).write(made)
    assert SnapshotFile(path).read() == made
    assert [found.name for found in path.parent.iterdir()] == ["gate.json"]


@given(
    share=st.integers(0, 10_000).map(lambda count: count / 10_000),
    epoch=st.integers(0, 2**40),
    threshold=st.floats(allow_nan=False, allow_infinity=False),
    at=st.datetimes(timezones=st.just(UTC)),
    ttl=st.integers(1, 10**9),
)
def test_any_snapshot_survives_json(share: float, epoch: int, threshold: float, at: datetime, ttl: int) -> None:
    thresholds = {"v1": threshold, "v2": 0.5}
    made = snapshot(share=share, epoch=epoch, thresholds=thresholds, made_at=at, ttl=timedelta(seconds=ttl))
    assert from_values(json.loads(json.dumps(to_values(made)))) == made


def test_the_same_snapshot_is_not_written_twice(path: Path) -> None:
    assert SnapshotFile(path).write(snapshot())
    before = path.stat().st_mtime_ns
    assert not SnapshotFile(path).write(snapshot())
    assert path.stat().st_mtime_ns == before


def test_an_older_snapshot_does_not_take_a_newer_ones_place(path: Path) -> None:
    SnapshotFile(path).write(snapshot())
    with pytest.raises(RolloutError, match="is of epoch 7 and newer than the one of epoch 6"):
        SnapshotFile(path).write(snapshot(epoch=6, share=1.0))
    assert SnapshotFile(path).read() == snapshot()


def whole() -> str:
    return as_text(snapshot())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (lambda: whole()[:200], "is torn or no snapshot"),
        (lambda: "", "is torn or no snapshot"),
        (lambda: "[1, 2]", "is torn or no snapshot"),
        (lambda: '{"format": 1}', "is torn or no snapshot"),
        (lambda: whole().replace('"share": 0.25', '"share": 0.95'), "not what its sha256 says"),
        (lambda: whole().replace('"format": 1', '"format": 2'), "has format 2, and this release knows 1"),
        (lambda: "\x00\x01\x02", "is torn or no snapshot"),
    ],
)
def test_a_torn_or_garbled_file_is_refused_in_one_sentence(path: Path, text: object, problem: str) -> None:
    path.parent.mkdir()
    path.write_text(text())  # type: ignore[operator]
    with pytest.raises(RolloutError, match=problem) as refused:
        SnapshotFile(path).read()
    assert "\n" not in str(refused.value) and str(refused.value).count(". ") == 0
    with pytest.raises(RolloutError, match="write it anew"):
        SnapshotFile(path).write(snapshot(epoch=8))


def test_every_way_of_cutting_a_file_short_is_found(path: Path) -> None:
    text = whole().rstrip()
    path.parent.mkdir()
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        with pytest.raises(RolloutError):
            SnapshotFile(path).read()


def rehashed(values: dict[str, object]) -> str:
    from countenance.rollout.planes.file import _digest

    return json.dumps({"format": 1, "sha256": _digest(values), "snapshot": values})


@pytest.mark.parametrize("spoil", ["missing", "unknown", "wrong"])
def test_a_file_of_other_keys_is_refused(path: Path, spoil: str) -> None:
    values = to_values(snapshot())
    if spoil == "missing":
        del values["head"]
    elif spoil == "unknown":
        values["colour"] = "green"
    else:
        values["made_at"] = "soon"
    path.parent.mkdir()
    path.write_text(rehashed(values))
    with pytest.raises(RolloutError, match="holds no routing snapshot"):
        SnapshotFile(path).read()


def test_a_contradiction_in_the_file_is_told_as_such(path: Path) -> None:
    values = to_values(snapshot()) | {"share": 2.0}
    path.parent.mkdir()
    path.write_text(rehashed(values))
    with pytest.raises(RolloutError, match="not within 0 and 1"):
        SnapshotFile(path).read()


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(RolloutError, match="cannot be read"):
        SnapshotFile(path).read()
    with pytest.raises(RolloutError, match="cannot be read"):
        FileSource(path).mark()


def test_a_source_tells_a_files_age_and_marks_every_replacement(path: Path) -> None:
    now = datetime.now(UTC)
    SnapshotFile(path).write(snapshot(made_at=now - timedelta(seconds=30)))
    source = FileSource(path)
    mark = source.mark()
    assert source.mark() == mark
    found, age = source.read()
    assert isinstance(found, RoutingSnapshot) and 30 <= age.total_seconds() < 40
    SnapshotFile(path).write(snapshot(epoch=8, made_at=now + timedelta(hours=1)))
    assert source.mark() != mark
    assert source.read()[1] == timedelta(0)
