import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from countenance.learning.teacher_cache import TeacherCache, crop_key, forget_crops
from tests.learning.cache_rows import DIMENSION, TEACHER, features_of, keys_of

PROJECT = Path(__file__).parents[2]
OTHER = "f" * 64


def cache(folder, teacher=TEACHER, dtype="float32"):
    return TeacherCache(folder, teacher, dtype)


def fill(folder, *blocks, teacher=TEACHER, dtype="float32"):
    with cache(folder, teacher, dtype) as kept:
        for numbers in blocks:
            kept.append(keys_of(numbers), features_of(numbers))


def rows(kept, numbers):
    """Which of the numbers are there; those that are must be right."""
    places = kept.find(keys_of(numbers))
    there = [number for number, place in zip(numbers, places, strict=True) if place >= 0]
    if there:
        taken = np.empty((len(there), 2, DIMENSION), dtype=np.float32)
        kept.take(places[places >= 0], taken)
        np.testing.assert_array_equal(taken, features_of(there))
    return there


def files(folder):
    return sorted(folder.glob("*/*.rows"))


def spoil(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_what_is_kept_is_found_in_any_order_and_the_rest_is_missing(tmp_path):
    fill(tmp_path, range(5), range(5, 7))
    with cache(tmp_path) as kept:
        assert rows(kept, [6, 99, 0, 3, 100, 5]) == [6, 0, 3, 5]
        assert len(kept) == 7 and kept.dimension == DIMENSION


def test_an_empty_cache_has_nothing_and_leaves_nothing_behind(tmp_path):
    with cache(tmp_path) as kept:
        assert kept.find(keys_of(range(3))).tolist() == [-1, -1, -1]
        assert kept.dimension is None and len(kept) == 0
    assert files(tmp_path) == []


def test_a_teacher_and_a_type_of_numbers_have_rows_of_their_own(tmp_path):
    fill(tmp_path, range(3))
    fill(tmp_path, range(3, 5), teacher=OTHER)
    fill(tmp_path, range(5, 6), dtype="float16")
    assert rows(cache(tmp_path), range(6)) == [0, 1, 2]
    assert rows(cache(tmp_path, OTHER), range(6)) == [3, 4]
    assert cache(tmp_path, dtype="float16").find(keys_of(range(6))).tolist() == [-1] * 5 + [0]


def test_a_key_that_ends_in_zeros_is_a_key_like_others(tmp_path):
    keys = np.array([b"a" * 8 + b"\0" * 8, b"a" * 8 + b"\0" * 7 + b"b"], dtype="S16")
    with cache(tmp_path) as kept:
        kept.append(keys, features_of(range(2)))
        kept.refresh()
        assert sorted(kept.find(keys).tolist()) == [0, 1]


def test_a_damaged_block_is_as_if_it_were_not_there_and_is_told_once(tmp_path, caplog):
    fill(tmp_path, range(4), range(4, 8), range(8, 9))
    spoil(files(tmp_path)[0], 64 + 16 + 4 * 64 + 16 + 200)  # in the second block
    kept = cache(tmp_path)
    with caplog.at_level("WARNING"):
        assert rows(kept, range(9)) == [0, 1, 2, 3, 8]
        assert rows(kept, range(9)) == [0, 1, 2, 3, 8]
    assert [record.message.count("damaged block") for record in caplog.records] == [1]
    fill(tmp_path, range(4, 8))
    assert rows(cache(tmp_path), range(9)) == list(range(9))


def test_a_damaged_end_costs_what_comes_after_it_and_is_told(tmp_path, caplog):
    fill(tmp_path, range(4), range(4, 8), range(8, 9))
    spoil(files(tmp_path)[0], 64 + 16 + 4 * 64)  # the second block's header
    with caplog.at_level("WARNING"):
        assert rows(cache(tmp_path), range(9)) == [0, 1, 2, 3]
    assert "is damaged" in caplog.text


def test_another_teachers_file_in_the_wrong_place_is_not_used(tmp_path, caplog):
    fill(tmp_path, range(4), teacher=OTHER)
    fill(tmp_path, range(4, 6))
    source = next((tmp_path / OTHER).iterdir())
    (tmp_path / TEACHER / source.name).write_bytes(source.read_bytes())
    (tmp_path / TEACHER / "float32-text.rows").write_bytes(b"text" * 100)
    with caplog.at_level("WARNING"):
        assert rows(cache(tmp_path), range(6)) == [4, 5]
    assert len(caplog.records) == 2


WRITER = """
import sys
from pathlib import Path
from countenance.learning.teacher_cache import TeacherCache
from tests.learning.cache_rows import TEACHER, features_of, keys_of
folder, first, stop, step = Path(sys.argv[1]), *map(int, sys.argv[2:])
with TeacherCache(folder, TEACHER, "float32") as kept:
    for start in range(first, stop, step):
        numbers = range(start, start + step)
        kept.append(keys_of(numbers), features_of(numbers))
        print(start + step, flush=True)
"""


def writer(folder, first, stop, step):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first), str(stop), str(step)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_writer_that_is_killed_leaves_what_it_said_was_kept_and_the_next_goes_on(tmp_path):
    done = 0
    for blocks in (1, 7, 23):
        process = writer(tmp_path, done, 10**6, 20)
        for _ in range(blocks):
            done = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kept = cache(tmp_path)
        assert len(kept) >= done  # there may be more, which it had no time to tell
        done = len(kept)
        assert rows(kept, range(done + 20)) == list(range(done))
    assert len(files(tmp_path)) == 3


def test_two_writers_at_once_lose_nothing(tmp_path):
    # They overlap by half: a crop that both embedded is there twice, and found once.
    processes = [writer(tmp_path, 0, 300, 10), writer(tmp_path, 150, 450, 10)]
    outputs = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [len(output) for output in outputs] == [30, 30]
    assert rows(cache(tmp_path), range(451)) == list(range(450))
    assert len(cache(tmp_path)) == 600


def test_one_writer_sees_what_another_has_kept_meanwhile(tmp_path):
    with cache(tmp_path) as one, cache(tmp_path) as other:
        one.append(keys_of(range(3)), features_of(range(3)))
        assert rows(other, range(3)) == []
        other.refresh()
        assert rows(other, range(3)) == [0, 1, 2]


def test_a_crop_can_be_forgotten_of_every_teacher(tmp_path):
    fill(tmp_path, range(4), range(4, 8))
    fill(tmp_path, range(2, 6), teacher=OTHER, dtype="float16")
    assert forget_crops(tmp_path, keys_of([3, 5, 77])) == 4
    assert rows(cache(tmp_path), range(8)) == [0, 1, 2, 4, 6, 7]
    assert (cache(tmp_path, OTHER, "float16").find(keys_of(range(8))) >= 0).tolist() == [
        number in (2, 4) for number in range(8)
    ]
    for number in (3, 5):
        key = keys_of([number]).tobytes()
        assert not any(key in file.read_bytes() for file in files(tmp_path))


def test_a_key_is_of_a_crops_bytes(tmp_path):
    assert len(crop_key(b"jpeg")) == 16
    assert crop_key(b"jpeg") == crop_key(memoryview(b"jpeg")) != crop_key(b"jpeh")


@pytest.mark.slow
def test_a_million_rows_are_found_without_a_list_of_them(tmp_path):
    generator = np.random.default_rng(0)
    keys = np.frombuffer(generator.bytes(16 * 10**6), dtype="S16")
    features = generator.normal(size=(10**6, 2, 4)).astype(np.float16)
    with TeacherCache(tmp_path, TEACHER, "float16") as kept:
        for start in range(0, 10**6, 5000):
            kept.append(keys[start : start + 5000], features[start : start + 5000])
    order = generator.permutation(10**6)
    kept = TeacherCache(tmp_path, TEACHER, "float16")
    places, taken = kept.find(keys[order]), np.empty((10**6, 2, 4), dtype=np.float16)
    kept.take(places, taken)
    np.testing.assert_array_equal(taken, features[order])
