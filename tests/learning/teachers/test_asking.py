import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from countenance.errors import DataError, ModelError
from countenance.learning.teachers.asking import aligned_faces, ask
from tests.learning.faces import CropsInMemory, manifest, manifest_row, pattern, small_world
from tests.learning.recognisers import CountingTeacher, nan_teacher, segments

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def world():
    rows, crops = small_world()
    return aligned_faces(rows[rows["is_face"]], crops), crops


def asked(teacher, world, **settings):
    (face_ids, rows), crops = world
    return ask(teacher, face_ids, rows, crops, **{"cache": None, "batch_size": 4} | settings)


def test_each_crop_and_its_mirror_image_are_told_in_the_order_of_the_faces(world):
    (face_ids, rows), crops = world
    table = asked(CountingTeacher(), world, dtype="float32")
    assert table.face_ids == tuple(face_ids)
    images = np.stack([crops.read_row(int(row), "aligned") for row in rows])
    np.testing.assert_array_equal(table.features[:, 0], CountingTeacher().embed(images))
    np.testing.assert_array_equal(table.features[:, 1], CountingTeacher().embed(images[:, :, ::-1]))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_features_are_the_same_from_the_teacher_and_from_its_cache(world, tmp_path, dtype):
    alone = asked(CountingTeacher(), world, dtype=dtype)
    first = asked(CountingTeacher(), world, dtype=dtype, cache=tmp_path)
    nobody = CountingTeacher(fails_after=0)
    again = asked(nobody, world, dtype=dtype, cache=tmp_path)
    assert alone.features.dtype == dtype
    np.testing.assert_array_equal(alone.features, first.features)
    np.testing.assert_array_equal(alone.features, again.features)
    assert nobody.seen == 0


def test_half_precision_turns_a_feature_by_less_than_a_millionth_of_its_cosine(world):
    half, whole = (asked(CountingTeacher(), world, dtype=dtype).features for dtype in ("float16", "float32"))
    half = half.astype(np.float64) / np.linalg.norm(half.astype(np.float64), axis=2, keepdims=True)
    assert (1.0 - (half * whole).sum(axis=2)).max() < 1e-6


def test_one_line_says_how_much_was_reused(world, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        asked(CountingTeacher(), world, cache=tmp_path)
        asked(CountingTeacher(), world, cache=tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        "teacher counter: 16 crops, 0 from the cache, 16 looked at now",
        "teacher counter: 16 crops, 16 from the cache, 0 looked at now",
    ]


def test_an_interrupted_call_goes_on_where_it_was(world, tmp_path):
    with pytest.raises(InterruptedError):
        asked(CountingTeacher(fails_after=20), world, cache=tmp_path)
    rest = CountingTeacher()
    table = asked(rest, world, cache=tmp_path)
    assert rest.seen == 2 * (16 - 8)  # two batches of four had been kept
    np.testing.assert_array_equal(table.features, asked(CountingTeacher(), world).features)


def test_another_teacher_is_asked_anew_and_a_new_crop_alone(world, tmp_path):
    asked(CountingTeacher(), world, cache=tmp_path)
    other = CountingTeacher(1)
    asked(other, world, cache=tmp_path)
    assert other.seen == 32
    (face_ids, rows), crops = world
    more = CropsInMemory(crops.crops | {"new": {"aligned": pattern(777)}})
    teacher = CountingTeacher()
    ask(teacher, [*face_ids, "new"], np.append(rows, len(more.keys) - 1), more, cache=tmp_path)
    assert teacher.seen == 2


def test_a_crop_is_known_by_its_content_whoever_it_belongs_to(world, tmp_path):
    (face_ids, rows), crops = world
    asked(CountingTeacher(), world, cache=tmp_path)
    renamed = CropsInMemory({f"other/{key}": views for key, views in reversed(crops.crops.items())})
    nobody = CountingTeacher(fails_after=0)
    where = renamed.rows([f"other/{crops.keys[row]}" for row in rows])
    table = ask(nobody, face_ids, where, renamed, cache=tmp_path)
    np.testing.assert_array_equal(table.features, asked(CountingTeacher(), world).features)


def test_faces_with_the_same_crop_are_looked_at_once(tmp_path):
    crops = CropsInMemory({name: {"aligned": pattern(ord(name) % 2)} for name in "abcd"})
    teacher = CountingTeacher()
    table = ask(teacher, list("abcd"), np.arange(4), crops, cache=tmp_path)
    assert teacher.seen == 4
    np.testing.assert_array_equal(table.features[:2], table.features[2:])
    assert not np.array_equal(table.features[0], table.features[1])


def test_a_damaged_row_is_embedded_again(world, tmp_path):
    first = asked(CountingTeacher(), world, cache=tmp_path)
    path = segments(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    teacher = CountingTeacher()
    again = asked(teacher, world, cache=tmp_path)
    assert teacher.seen == 8
    np.testing.assert_array_equal(again.features, first.features)


def test_a_teacher_of_another_dimension_is_refused_before_it_looks_at_a_face(world, tmp_path):
    teacher = CountingTeacher()
    with pytest.raises(ModelError, match="48 dimensions but the embedding to be trained has 16: set 'network"):
        asked(teacher, world, cache=tmp_path, dimension=16)
    assert teacher.seen == 0
    asked(teacher, world, cache=tmp_path)
    with pytest.raises(ModelError, match="48 dimensions"):
        asked(teacher, world, cache=tmp_path, dimension=16)


def test_a_teacher_that_says_nan_leaves_nothing_in_the_cache(world, tmp_path):
    with pytest.raises(ModelError, match="NaN or infinite features for 7 of 8 crops"):
        asked(nan_teacher(), world, cache=tmp_path)
    assert segments(tmp_path) == []


def test_nobody_to_look_at_is_an_error():
    with pytest.raises(DataError, match="no named face with an aligned crop"):
        ask(CountingTeacher(), [], np.zeros(0, dtype=np.int64), CropsInMemory({}), cache=None)


def test_a_face_without_an_aligned_crop_is_not_asked_about():
    crops = CropsInMemory({"a": {"box": pattern(0)}, "b": {"aligned": pattern(1)}})
    face_ids, rows = aligned_faces(manifest(manifest_row("a"), manifest_row("b")), crops)
    assert (face_ids, rows.tolist()) == (["b"], [1])


KILLED = """
import sys, time
from pathlib import Path
from countenance.learning.teachers.asking import aligned_faces, ask
from tests.learning.faces import small_world
from tests.learning.recognisers import CountingTeacher

class Slow(CountingTeacher):
    def embed(self, images):
        time.sleep(0.1)
        return super().embed(images)

rows, crops = small_world()
ask(Slow(), *aligned_faces(rows[rows["is_face"]], crops), crops, cache=Path(sys.argv[1]), batch_size=1)
"""


@pytest.mark.slow
def test_an_embedding_that_is_killed_goes_on(world, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(PROJECT)}
    )
    while not (found := segments(tmp_path)) or found[0].stat().st_size < 1000:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    teacher = CountingTeacher()
    table = asked(teacher, world, cache=tmp_path)
    assert 0 < teacher.seen < 32
    np.testing.assert_array_equal(table.features, asked(CountingTeacher(), world).features)
