import copy
from functools import partial

import numpy as np
import pytest

from countenance.errors import ModelError
from countenance.learning.teachers.teacher import OpenedTeacher
from tests.learning.recognisers import nan_engine, nan_teacher

STARTED = []
CROPS = np.zeros((3, 112, 112, 3), dtype=np.uint8)


def start(raw):
    STARTED.append(raw)

    def engine(crops):
        return np.tile(np.asarray(raw, dtype=np.float32), (len(crops), 1))

    return engine


def teacher(raw):
    STARTED.clear()
    return OpenedTeacher("made", "0" * 64, partial(start, raw))


def test_features_have_unit_norm():
    np.testing.assert_allclose(teacher([3.0, 4.0]).embed(CROPS), [[0.6, 0.8]] * 3)


def test_an_engine_is_started_once_and_only_when_it_is_asked():
    asked = teacher([3.0, 4.0])
    assert asked.identity == "0" * 64 and STARTED == []
    assert asked.dimension == 2
    asked.embed(CROPS)
    assert len(STARTED) == 1


def test_a_teacher_can_be_sent_and_starts_its_engine_there():
    asked = teacher([3.0, 4.0])
    asked.embed(CROPS)
    sent = copy.deepcopy(asked)  # as another process gets it
    assert len(STARTED) == 1
    np.testing.assert_array_equal(sent.embed(CROPS), asked.embed(CROPS))
    assert len(STARTED) == 2
    assert sent.identity == asked.identity


def test_a_teacher_that_says_nan_is_refused_at_its_first_look_or_at_the_crop():
    with pytest.raises(ModelError, match="NaN or infinite features for 1 of 1 crops: use an undamaged teacher"):
        _ = teacher([np.inf, 1.0]).dimension
    assert nan_teacher().dimension == 4
    with pytest.raises(ModelError, match="The teacher spoilt gave NaN or infinite features for 2 of 3 crops"):
        nan_teacher().embed(CROPS)
    assert nan_engine()(CROPS[:1]).all()


def test_a_network_that_gives_a_map_and_no_vector_is_refused():
    asked = OpenedTeacher("map", "0" * 64, lambda: lambda crops: np.ones((len(crops), 2, 2), dtype=np.float32))
    with pytest.raises(ModelError, match=r"gives \[2, 2\] numbers a crop, not one vector"):
        asked.embed(CROPS)


@pytest.mark.parametrize("images", [CROPS[:, :64], CROPS.astype(np.float32), CROPS[0]])
def test_what_is_no_batch_of_crops_is_refused(images):
    with pytest.raises(ModelError, match=r"looks at \[n, 112, 112, 3\] uint8 crops"):
        teacher([3.0, 4.0]).embed(images)
