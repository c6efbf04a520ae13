"""The same file comes out, however many processes make it and however often they are killed."""

import signal

import numpy as np
import pytest

from countenance.errors import ConfigurationError, DataError
from countenance.learning.embedding_extraction import ProcessShare, extract_embeddings, process_share
from countenance.learning.finished_embeddings import finished_blocks, read_embeddings
from tests.learning.embedding_workers import (
    BATCH,
    BLOCK,
    ROWS,
    CellSums,
    NumberedCrops,
    crops_seen,
    start_worker,
    wait_until,
)


def extract(out, recogniser=None, source=None, **options):
    settings = {"batch_size": BATCH, "block": BLOCK, "workers": 2} | options
    source = NumberedCrops() if source is None else source
    return extract_embeddings(source, recogniser or CellSums(), out, **settings)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "E.npy"


@pytest.fixture
def start():
    """Starts workers; whichever still runs at the end is stopped."""
    started = []

    def begin(*arguments, **options):
        started.append(start_worker(*arguments, **options))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def expected(tmp_path):
    """The bytes that one undisturbed process writes."""
    extract(tmp_path / "alone" / "E.npy")
    return (tmp_path / "alone" / "E.npy").read_bytes()


def test_each_row_holds_the_embeddings_of_its_crop_and_of_the_mirror_image(out):
    embeddings = extract(out)
    assert embeddings.values.shape == (ROWS, 2, 5)
    assert embeddings.values.dtype == np.float32
    source, recogniser = NumberedCrops(), CellSums()
    right = np.stack([recogniser.features(source.read(row)) for row in range(ROWS)])
    np.testing.assert_allclose(embeddings.values, right, rtol=1e-5)
    np.testing.assert_array_equal(np.load(out), embeddings.values)
    assert sorted(path.name for path in out.parent.iterdir()) == ["E.npy", "E.npy.json"]


def test_mirror_images_can_be_left_out_and_lengths_made_one(out, tmp_path):
    both = extract(out).values
    alone = extract(tmp_path / "F.npy", mirrored=False).values
    assert alone.shape == (ROWS, 5)
    np.testing.assert_allclose(alone, both[:, 0], rtol=1e-5)
    unit = extract(tmp_path / "G.npy", unit_length=True).values
    np.testing.assert_allclose(unit, both / np.linalg.norm(both, axis=2, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(("batch_size", "block", "workers"), [(1, 1, 1), (64, 8, 3), (7, 1024, 2), (50, 50, 1)])
def test_batches_blocks_and_workers_change_nothing(out, tmp_path, batch_size, block, workers):
    other = extract(tmp_path / "F.npy", batch_size=batch_size, block=block, workers=workers)
    np.testing.assert_allclose(other.values, extract(out).values, rtol=1e-5)


def test_a_file_that_is_there_is_not_made_again(out, expected):
    extract(out)
    again = CellSums()
    extract(out, again)
    assert again.seen == 0
    assert out.read_bytes() == expected


def test_what_was_begun_is_continued_and_not_done_again(out, expected):
    class GivesUp(CellSums):
        def raw_features(self, images):
            if self.seen >= 2 * 20:
                raise KeyboardInterrupt
            return super().raw_features(images)

    with pytest.raises(KeyboardInterrupt):
        extract(out, GivesUp())
    assert not out.exists()
    with pytest.raises(DataError, match=r"E.npy is not finished: run the extraction to its end"):
        read_embeddings(out)
    again = CellSums()
    extract(out, again, block=100)  # those who come later take the block of the first
    assert again.seen == 2 * (ROWS - 2 * BLOCK)
    assert out.read_bytes() == expected


def test_a_killed_process_loses_its_last_block_only_and_the_file_is_the_same_to_the_bit(out, expected, tmp_path, start):
    notes = tmp_path / "notes.txt"
    process = start(out, 0, 1, notes, stalls_after=2 * 30)
    wait_until(notes.with_suffix(".stalled").exists, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert [block.first_row for block in finished_blocks(out, wait=False)] == [0, 8, 16]
    again = CellSums()
    extract(out, again)
    assert again.seen == 2 * (ROWS - 3 * BLOCK)
    assert out.read_bytes() == expected


def test_three_processes_do_each_crop_once_and_all_return_when_it_is_whole(out, expected, tmp_path, start):
    notes = [tmp_path / f"{rank}.txt" for rank in range(3)]
    processes = [start(out, rank, 3, notes[rank]) for rank in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert crops_seen(*notes) == ROWS
    assert out.read_bytes() == expected
    assert sorted(path.name for path in out.parent.iterdir()) == ["E.npy", "E.npy.json"]


def test_others_take_over_the_block_of_one_who_is_killed(out, expected, tmp_path, start):
    notes = [tmp_path / f"{rank}.txt" for rank in range(3)]
    stalled = start(out, 0, 3, notes[0], stalls_after=2 * 10)
    wait_until(notes[0].with_suffix(".stalled").exists, stalled)
    others = [start(out, rank, 3, notes[rank]) for rank in (1, 2)]
    # They do all that they can get; the stalled one is at block 3 and reads block 6 ahead.
    free = [block * BLOCK for block in (0, 1, 2, 4, 5)]
    for process in others:
        wait_until(lambda: [each.first_row for each in finished_blocks(out, wait=False)] == free, process)
    assert not out.exists()
    assert [process.poll() for process in others] == [None, None]
    stalled.send_signal(signal.SIGKILL)
    stalled.wait()
    assert [process.wait() for process in others] == [0, 0]
    assert out.read_bytes() == expected


def test_a_process_that_comes_late_helps_or_finds_it_done(out, expected, tmp_path, start):
    for rank in (1, 0):
        assert start(out, rank, 2, tmp_path / "notes.txt").wait() == 0
    assert crops_seen(tmp_path / "notes.txt") == ROWS
    assert out.read_bytes() == expected


def test_nobody_waits_for_a_block_that_cannot_be_done(out, tmp_path, start):
    processes = [start(out, rank, 2, tmp_path / f"{rank}.txt", fails=True) for rank in range(2)]
    for process in processes:
        _, told = process.communicate()
        assert process.returncode == 1
        assert "Row 49 is spoilt" in told


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"recogniser": CellSums(seed=1)}, "of another model, or of this one run in another way"),
        ({"source": NumberedCrops(ROWS + 1)}, "of another list of crops"),
        ({"mirrored": False}, "with other mirror images"),
        ({"unit_length": True}, "of another length"),
    ],
)
def test_another_extraction_is_refused_and_harms_nothing(out, finished, other, told):
    if finished:
        extract(out)
    else:
        with pytest.raises(DataError):
            extract(out, source=NumberedCrops(unusable=(30,)))
    with pytest.raises(DataError, match=f"holds embeddings {told}: remove it, or name another file"):
        extract(out, **other)
    np.testing.assert_array_equal(extract(out).values, np.load(out))


def test_a_row_without_a_crop_is_refused(out):
    with pytest.raises(DataError, match="Row 30 is spoilt: leave it out"):
        extract(out, source=NumberedCrops(unusable=(30, 31)))
    assert not out.exists()


def test_a_row_without_a_crop_is_recorded_where_that_is_wanted(out, expected, tmp_path):
    spoilt = (0, 24, 25, 26, 49)  # 24 to 26 are a whole batch
    embeddings = extract(out, source=NumberedCrops(unusable=spoilt), unusable="record")
    assert np.flatnonzero(embeddings.failed()).tolist() == list(spoilt)
    assert [failure.problem for failure in embeddings.failures][1] == "Row 24 is spoilt: leave it out."
    assert not embeddings.values[embeddings.failed()].any()
    whole = np.load(tmp_path / "alone" / "E.npy")
    np.testing.assert_allclose(embeddings.values[~embeddings.failed()], whole[~embeddings.failed()], rtol=1e-5)
    with pytest.raises(DataError, match="Row 0 and 4 more could not be embedded before"):
        extract(out)


def test_failures_outlast_an_interruption_and_are_not_taken_for_faces(out):
    spoilt = NumberedCrops(unusable=(3, 40))

    class GivesUp(CellSums):
        def raw_features(self, images):
            if self.seen >= 2 * 20:
                raise KeyboardInterrupt
            return super().raw_features(images)

    with pytest.raises(KeyboardInterrupt):
        extract(out, GivesUp(), spoilt, unusable="record")
    with pytest.raises(DataError, match="Row 3 could not be embedded before"):
        extract(out)
    embeddings = extract(out, source=spoilt, unusable="record")
    assert np.flatnonzero(embeddings.failed()).tolist() == [3, 40]


def test_a_refused_source_is_refused_before_the_recogniser_is_started(out):
    class Refused(NumberedCrops):
        def check(self):
            raise DataError("Row 7 has no face: leave it out.")

    class NeverStarted(CellSums):
        @property
        def dimension(self):
            raise AssertionError

    with pytest.raises(DataError, match="Row 7 has no face"):
        extract(out, NeverStarted(), Refused())


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"block": 0}, {"workers": 0}])
def test_numbers_below_one_are_refused(out, options):
    with pytest.raises(DataError, match="must be 1 or more"):
        extract(out, **options)


def test_no_crops_and_a_file_of_another_kind_are_refused(out):
    with pytest.raises(DataError, match="There are no crops to embed"):
        extract(out, source=NumberedCrops(0))
    with pytest.raises(DataError, match=r"must end in \.npy"):
        extract(out.with_suffix(".parquet"))


def test_a_share_is_as_given_or_as_torchrun_says_or_all(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert process_share() == ProcessShare(0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert process_share() == ProcessShare(2, 4)
    assert process_share(1, 3) == ProcessShare(1, 3)
    with pytest.raises(ConfigurationError, match="belong together"):
        process_share(rank=1)
    with pytest.raises(ConfigurationError, match="There is no process 3 among 3"):
        process_share(3, 3)
    monkeypatch.setenv("RANK", "two")
    with pytest.raises(ConfigurationError, match="RANK or WORLD_SIZE is not a whole number"):
        process_share()


def test_memory_holds_a_few_batches_only(out):
    class Counting(NumberedCrops):
        """Counts the rows that were read."""

        reads = 0

        def read(self, row):
            self.reads += 1
            return super().read(row)

    class Watching(CellSums):
        most = 0

        def raw_features(self, images):
            self.most = max(self.most, source.reads - self.seen // 2)
            return super().raw_features(images)

    source, recogniser = Counting(), Watching()
    extract(out, recogniser, source, batch_size=2, block=10, workers=1)
    assert recogniser.most <= 2 * 4  # the batch itself and three ahead
