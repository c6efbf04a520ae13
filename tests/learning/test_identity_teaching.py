"""What a teacher sees of the crops that a student is shown."""

import numpy as np
import pytest
import torch

from countenance.learning.augmentation import NO_AUGMENTATION, AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.teachers.asking import aligned_faces, ask
from tests.learning.faces import NETWORK, small_world
from tests.learning.recognisers import CountingTeacher

MIX = BatchConfiguration(batch_size=10, identity_share=0.5, attributes_share=0.2, localisation_share=0.3)
WHOLE = NETWORK.model_copy(update={"input_size": 112})
VARIED = AugmentationConfiguration(grey=0.5, blur=0.5)


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture(scope="module")
def table(world):
    rows, crops = world
    faces = rows[rows["subject_id"].notna()]
    return ask(CountingTeacher(), *aligned_faces(faces, crops), crops, cache=None, dtype="float32")


def dataset(world, table, augmentation=VARIED, network=WHOLE):
    return FaceDataset(*world, network, MIX, augmentation, seed=0, teacher=table)


def test_a_teacher_that_looks_itself_sees_what_the_student_sees_at_its_own_size(world, table):
    data = dataset(world, table.with_live(CountingTeacher()))
    batch = data.batch(3)
    taught = (batch.targets.identity >= 0).numpy()
    assert taught.sum() == 5 and batch.teacher is None
    shown = np.rint((batch.images.permute(0, 2, 3, 1).numpy()[taught] + 1.0) * 127.5).astype(np.uint8)
    np.testing.assert_array_equal(batch.teacher_views, shown)
    features = data.taught(batch).teacher.numpy()
    np.testing.assert_array_equal(features[taught], CountingTeacher().embed(shown))
    assert not features[~taught].any()


def test_a_smaller_student_sees_the_same_variation(world, table):
    live = table.with_live(CountingTeacher())
    large, small = (dataset(world, live, network=network).batch(3) for network in (WHOLE, NETWORK))
    np.testing.assert_array_equal(large.teacher_views, small.teacher_views)
    assert small.images.shape[2] == 32


def test_where_nothing_varies_live_and_cached_features_are_the_same(world, table):
    cached = dataset(world, table, NO_AUGMENTATION)
    live = dataset(world, table.with_live(CountingTeacher()), NO_AUGMENTATION)
    for step in range(3):
        batch = live.batch(step)
        taught = batch.targets.identity >= 0
        features = cached.taught(cached.batch(step)).teacher
        torch.testing.assert_close(live.taught(batch).teacher[taught], features[taught])


def test_a_batch_with_features_is_left_as_it_is(world, table):
    data = dataset(world, table)
    batch = data.batch(0)
    assert data.taught(batch) is batch and batch.teacher_views is None


@pytest.mark.parametrize("ranks", [2, 3])
def test_each_process_embeds_its_share(world, table, ranks):
    data = dataset(world, table.with_live(CountingTeacher()))
    whole = data.taught(data.batch(2)).teacher
    teacher = CountingTeacher()
    shared = dataset(world, table.with_live(teacher))
    for rank in range(ranks):
        share = shared.taught(shared.batch(2, rank=rank, world=ranks)).teacher
        torch.testing.assert_close(share, whole[rank::ranks])
    assert teacher.seen == 5


def test_a_share_without_an_identity_is_all_zeros_and_asks_nobody(world, table):
    teacher = CountingTeacher(fails_after=0)
    data = dataset(world, table.with_live(teacher))
    last = data.batch(0, rank=9, world=10)
    assert (last.targets.identity < 0).all()
    assert not data.taught(last).teacher.any()


def test_a_data_set_with_a_teacher_that_looks_itself_is_another(world, table):
    assert dataset(world, table).fingerprint() != dataset(world, table.with_live(CountingTeacher())).fingerprint()
