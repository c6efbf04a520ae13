import numpy as np
import pytest
import torch

from countenance.errors import DataError, ModelError
from countenance.learning.augmentation import NO_AUGMENTATION, AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.prefetching import prefetched
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.views import CANONICAL_WARP, MIRRORED_ORDER
from tests.learning.faces import FIVE_POINTS, NETWORK, CropsInMemory, manifest, manifest_row, pattern, small_world

MIX = BatchConfiguration(batch_size=10, identity_share=0.5, attributes_share=0.2, localisation_share=0.3)


def dataset(rows, reader, *, mix=MIX, augmentation=NO_AUGMENTATION, seed=0, teacher=None):
    return FaceDataset(rows, reader, NETWORK, mix, augmentation, seed=seed, teacher=teacher)


def features_for(rows):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(len(rows), 2, 16)).astype(np.float32)
    return TeacherFeatures(tuple(rows["face_id"]), features)


def equal(left, right):
    return torch.equal(left.images, right.images) and all(
        torch.equal(a.nan_to_num(-9), b.nan_to_num(-9)) for a, b in zip(left.targets, right.targets, strict=True)
    )


def test_a_batch_depends_on_its_seed_and_step_alone():
    rows, reader = small_world()
    varied = AugmentationConfiguration()
    first = dataset(rows, reader, augmentation=varied)
    first.batch(0)
    again = dataset(rows, reader, augmentation=varied)
    assert equal(first.batch(7), again.batch(7))
    assert not equal(again.batch(7), again.batch(8))
    assert not equal(again.batch(7), dataset(rows, reader, augmentation=varied, seed=1).batch(7))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_a_batch_out_without_changing_a_row_of_it(world):
    data = dataset(*small_world(), augmentation=AugmentationConfiguration())
    whole = data.batch(3)
    for rank in range(world):
        share = data.batch(3, rank=rank, world=world)
        assert torch.equal(share.images, whole.images[rank::world])
        for own, of_all in zip(share.targets, whole.targets, strict=True):
            assert torch.equal(own.nan_to_num(-9), of_all[rank::world].nan_to_num(-9))


def test_equal_data_have_equal_fingerprints_and_other_data_others():
    rows, reader = small_world()
    own = dataset(rows, reader).fingerprint()
    less_memory = MIX.model_copy(update={"decoded_mebibytes": 1})
    assert own == dataset(*small_world(), mix=less_memory).fingerprint()
    relabelled = rows.assign(age_years=rows["age_years"] + 1.0)
    repainted = small_world()[1]
    repainted.crops["face-0-0"]["aligned"] = pattern(999)
    others = [
        dataset(rows, reader, seed=1),
        dataset(rows, reader, mix=MIX.model_copy(update={"batch_size": 12})),
        dataset(rows, reader, augmentation=AugmentationConfiguration()),
        dataset(rows, reader, teacher=features_for(rows)),
        dataset(relabelled, reader),
        dataset(rows, repainted),
    ]
    assert len({own, *(other.fingerprint() for other in others)}) == 7


@pytest.mark.parametrize("threads", [1, 4])
def test_prefetched_batches_are_the_datasets_in_order(threads):
    data = dataset(*small_world())
    for step, batch in zip(range(2, 9), prefetched(data, 2, 9, ahead=3, threads=threads), strict=True):
        assert equal(batch, data.batch(step))


def test_a_failure_in_the_background_is_raised_in_front():
    rows, reader = small_world()
    data = dataset(rows, reader)
    reader.crops["face-0-0"] = {}
    with pytest.raises(KeyError):
        list(prefetched(data, 0, 20))


def test_leaving_early_leaves_no_thread_behind():
    import threading

    for _ in prefetched(dataset(*small_world()), 0, 1000):
        break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_shares_decide_how_many_crops_of_each_kind_a_batch_has():
    targets = dataset(*small_world()).batch(0).targets
    assert (targets.identity >= 0).sum() == 5
    assert (~targets.is_face.isnan()).sum() == 3
    assert len(targets.identity) == 10


def test_unnamed_faces_join_the_identity_stream_as_classes_of_their_own():
    rows, reader = small_world()
    own = dataset(rows, reader, mix=MIX.model_copy(update={"unnamed_as_classes": True}))
    assert own.labels.classes == 4 + 4
    assert len(own.streams.rows["identity"]) == 12 + 4
    assert "attributes" not in own.streams.rows
    seen = torch.cat([own.batch(step).targets.identity for step in range(8)])
    assert set(range(8)) <= set(seen.tolist())
    nobody = ~rows["is_face"].to_numpy()
    assert (own.labels.identity[nobody] == -1).all()


def test_a_stream_without_faces_gives_its_share_to_the_others():
    rows, reader = small_world()
    named = rows[rows["subject_id"].notna()].reset_index(drop=True)
    targets = dataset(named, reader).batch(0).targets
    assert (targets.identity >= 0).sum() == 6  # 10 x 0.5 / (0.5 + 0.3)
    assert len(targets.identity) == 10


def test_every_face_of_a_stream_is_seen_once_before_any_is_seen_twice():
    rows, reader = small_world()
    only_named = MIX.model_copy(update={"batch_size": 4, "attributes_share": 0.0, "localisation_share": 0.0})
    data = dataset(rows, reader, mix=only_named)
    epochs = [torch.cat([data.batch(step).images.flatten(1) for step in range(s, s + 3)]) for s in (0, 3)]
    for images in epochs:
        assert len({tuple(image.tolist()) for image in images}) == 12
    assert not torch.equal(*epochs)


def test_aligned_crops_carry_identity_and_box_crops_carry_place():
    targets = dataset(*small_world()).batch(0).targets
    box = ~targets.is_face.isnan()
    assert (targets.identity[box] == -1).all()
    for local in (targets.landmarks, targets.visibility, targets.pose_deg):
        assert local[~box].isnan().all()
    faces = box & (targets.is_face == 1)
    assert not targets.landmarks[faces].isnan().any()


def test_crops_of_no_face_are_labelled_as_such_and_as_nothing_else():
    rows, reader = small_world()
    targets = dataset(rows[~rows["is_face"]].reset_index(drop=True), reader).batch(0).targets
    assert (targets.is_face == 0).all()
    for labels in (targets.landmarks, targets.pose_deg, targets.smile, targets.gender, targets.age_years):
        assert labels.isnan().all()
    assert (targets.identity == -1).all()


def mirrored_and_straight():
    rows, reader = small_world(people=2)
    only_box = MIX.model_copy(update={"batch_size": 32, "identity_share": 0.0, "attributes_share": 0.0})
    rows = rows[rows["subject_id"].notna()].reset_index(drop=True)
    mirror = NO_AUGMENTATION.model_copy(update={"mirror": True})
    targets = dataset(rows, reader, mix=only_box, augmentation=mirror).batch(0).targets
    flipped = targets.pose_deg[:, 0] < 0
    assert 4 < flipped.sum() < 28
    return targets, flipped


def test_mirroring_swaps_points_and_visibility_and_turns_yaw_and_roll_round():
    targets, flipped = mirrored_and_straight()
    crop_xy = np.array(FIVE_POINTS).reshape(5, 2)
    straight = CANONICAL_WARP["box"].points(crop_xy, 32) / 32
    reflected = np.column_stack([1.0 - straight[:, 0], straight[:, 1]])[MIRRORED_ORDER["5"]]
    for index, is_flipped in enumerate(flipped):
        np.testing.assert_allclose(targets.landmarks[index], reflected if is_flipped else straight, atol=1e-5)
    assert targets.pose_deg[flipped].unique(dim=0).tolist() == [[-20.0, 5.0, 10.0]]
    assert targets.pose_deg[~flipped].unique(dim=0).tolist() == [[20.0, 5.0, -10.0]]
    assert targets.visibility[flipped].unique(dim=0).tolist() == [[1.0, 1.0, 1.0, 0.0, 1.0]]


def test_mirroring_turns_a_coarse_yaw_round():
    reader = CropsInMemory({"a": {"box": pattern(0)}})
    mirror = NO_AUGMENTATION.model_copy(update={"mirror": True})
    data = dataset(manifest(manifest_row("a", yaw_range=[15.0, 60.0])), reader, augmentation=mirror)
    assert data.batch(0).targets.yaw_range_deg.unique(dim=0).tolist() == [[-60.0, -15.0], [15.0, 60.0]]


def test_turning_a_box_crop_turns_its_roll_with_it():
    reader = CropsInMemory({"a": {"box": pattern(0)}})
    turn = NO_AUGMENTATION.model_copy(update={"box_rotation_deg": 10.0})
    row = manifest_row("a", roll_deg=0.0, landmarks=[36.0, 56.0, 76.0, 56.0, *[56.0] * 6], landmark_scheme="5")
    targets = dataset(manifest(row), reader, augmentation=turn).batch(0).targets
    across = targets.landmarks[:, 1] - targets.landmarks[:, 0]
    angle = torch.atan2(across[:, 1], across[:, 0]).rad2deg()
    torch.testing.assert_close(targets.pose_deg[:, 2], angle, atol=1e-3, rtol=0)
    assert angle.abs().max() > 2.0


def test_the_teacher_feature_of_the_mirror_image_goes_with_the_mirrored_crop():
    rows, reader = small_world(people=2)
    mirror = NO_AUGMENTATION.model_copy(update={"mirror": True})
    teacher = features_for(rows)
    named = MIX.model_copy(update={"attributes_share": 0.0, "localisation_share": 0.0})
    data = dataset(rows, reader, mix=named, augmentation=mirror, teacher=teacher)
    plain = dataset(rows, reader, mix=named)  # the same order of faces, none mirrored
    batch, unmirrored = data.batch(0), plain.batch(0)
    flips = [not torch.equal(a, b) for a, b in zip(batch.images, unmirrored.images, strict=True)]
    assert 0 < sum(flips) < len(flips)
    for index, is_flipped in enumerate(flips):
        found = [
            row
            for row in range(len(rows))
            if np.array_equal(teacher.features[row, int(is_flipped)], batch.teacher[index])
        ]
        assert len(found) == 1
        assert rows["subject_id"][found[0]] == f"person-{int(batch.targets.identity[index])}"


def test_a_named_face_that_the_teacher_never_saw_is_refused():
    rows, reader = small_world()
    table = features_for(rows)
    short = TeacherFeatures(table.face_ids[1:], table.features[1:])
    with pytest.raises(ModelError, match="no feature for 1 of the identity stream's faces"):
        dataset(rows, reader, teacher=short)


def test_faces_without_any_usable_crop_are_refused():
    with pytest.raises(DataError, match="No face of the manifest can be trained on"):
        dataset(manifest(manifest_row("a")), CropsInMemory({"a": {}}))


def test_decoded_crops_are_kept_while_there_is_room():
    rows, reader = small_world()
    data = dataset(rows, reader)
    for step in range(30):
        data.batch(step)
    kept = reader.reads
    data.batch(31)
    assert reader.reads == kept
    roomless = dataset(rows, reader, mix=MIX.model_copy(update={"decoded_mebibytes": 0}))
    roomless.batch(0)
    roomless.batch(0)
    assert reader.reads == kept + 20


def test_a_batch_names_its_sources():
    assert dataset(*small_world()).batch(0).sources == ("ages", "made", "walls")


def test_all_pixels_stay_in_range_however_they_are_varied():
    images = dataset(*small_world(), augmentation=AugmentationConfiguration(grey=0.5, blur=0.5)).batch(0).images
    assert images.dtype == torch.float32
    assert images.min() >= -1.0
    assert images.max() <= 1.0
    assert images.is_contiguous(memory_format=torch.channels_last)
