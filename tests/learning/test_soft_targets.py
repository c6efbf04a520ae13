from dataclasses import replace

import numpy as np
import pytest
import torch

from countenance.errors import DataError, ModelError
from countenance.learning.augmentation import NO_AUGMENTATION, AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.readings import read_faces
from countenance.learning.recipe import DistillationConfiguration, train_student_distilled
from countenance.learning.soft_reading import mean_distribution, read_configured, read_softly, soft_frame, soft_table
from countenance.learning.soft_targets import SoftLosses, SoftTeacher
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration
from countenance.learning.views import CANONICAL_WARP, MIRRORED_ORDER, Warp, to_network_input
from countenance.network.allinone import AllInOneNetwork
from countenance.network.soft_losses import SoftTargetConfiguration
from tests.learning.faces import NETWORK, small_world

EVERYTHING = SoftTargetConfiguration(gender=1, smile=1, age=1, pose=1, landmarks=1, visibility=1)
DISTRIBUTION = NETWORK.model_copy(update={"age_head": "distribution"})


@pytest.fixture(scope="module")
def world():
    return small_world(people=3)


def network_of(configuration=DISTRIBUTION, seed=0):
    torch.manual_seed(seed)
    network = AllInOneNetwork(configuration).eval()
    with torch.no_grad():  # an untrained head says next to nothing
        for head in (network.landmarks, network.pose, network.age, network.gender, network.smile):
            head.weight.normal_(std=0.5)
    return network


@pytest.fixture(scope="module")
def table(world):
    rows, crops = world
    return read_softly(network_of(), rows[rows["is_face"]], crops, batch_size=5)


class Crop:
    """A place of a batch, made by hand."""

    def __init__(self, view, warp, mirrored=False):
        self.view, self.warp, self.mirrored = view, warp, mirrored


def test_each_view_is_read_by_itself_and_nan_where_a_face_has_none(world, table):
    rows, crops = world
    faces = rows[rows["is_face"]]
    assert table.face_ids == tuple(faces["face_id"])
    for view, name in enumerate(("aligned", "box")):
        has = np.array([name in crops.crops[key] for key in faces["crop"]])
        for reading in (table.gender_logit, table.smile_logit, table.age_years):
            np.testing.assert_array_equal(np.isnan(reading[:, view]), ~has)
        np.testing.assert_array_equal(np.isnan(table.age_logits[:, view]).all(axis=1), ~has)
    boxed = np.array(["box" in crops.crops[key] for key in faces["crop"]])
    np.testing.assert_array_equal(np.isnan(table.landmarks).any(axis=(1, 2)), ~boxed)
    # The two views of the small world's faces hold the same pixels, but the box is seen more closely.
    assert not np.allclose(table.gender_logit[boxed, 0], table.gender_logit[boxed, 1])


def test_a_reading_is_the_mean_of_the_view_and_its_mirror_image(world, table):
    rows, crops = world
    network, row = network_of(), 0
    view = CANONICAL_WARP["box"].image(crops.crops["face-0-0"]["box"], 32)
    images = to_network_input(np.stack([view, np.ascontiguousarray(view[:, ::-1])]))
    with torch.inference_mode():
        said = network(images)
    assert table.gender_logit[row, 1] == pytest.approx(float(said.gender_logit.mean()), abs=1e-4)
    yaw, pitch, roll = said.pose_deg.numpy().T
    np.testing.assert_allclose(
        table.pose_deg[row], [(yaw[0] - yaw[1]) / 2, pitch.mean(), (roll[0] - roll[1]) / 2], atol=1e-3
    )
    years = said.age_logits.softmax(dim=1).mean(dim=0)
    np.testing.assert_allclose(np.exp(table.age_logits[row, 1]), years.numpy(), atol=1e-5)
    whole = read_faces(network, rows[:1], crops)
    np.testing.assert_allclose(whole.landmarks[0], table.landmarks[0], atol=1e-3)  # its box spans its photo


def test_the_mean_of_two_distributions_is_that_of_their_probabilities():
    both = mean_distribution(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log())
    torch.testing.assert_close(both.exp(), torch.tensor([[0.7, 0.3]]))


def test_the_view_decides_what_holds_for_a_crop(table):
    warp = CANONICAL_WARP["aligned"]
    crops = [Crop("aligned", warp), Crop("box", CANONICAL_WARP["box"]), Crop("scene", None), Crop("box", warp)]
    said = table.seen(np.array([0, 0, 0, -1]), crops, 32)
    np.testing.assert_allclose(said.gender_logit[:2], table.gender_logit[0], atol=1e-6)
    np.testing.assert_allclose(said.age_logits[:2], table.age_logits[0], atol=1e-6)
    for local in (said.pose_deg, said.landmarks, said.visibility_logit):
        assert not local[1].isnan().any()
        assert local[[0, 2, 3]].isnan().all()
    for whole in (said.gender_logit, said.smile_logit, said.age_years, said.age_logits):
        assert whole[2:].isnan().all()


def test_points_and_angles_are_warped_and_mirrored_with_the_crop(table):
    straight, warp = CANONICAL_WARP["box"], Warp(side=80.0, shift_xy=(3.0, -2.0), rotation_deg=10.0)
    mirrored = replace(straight, mirrored=True)
    crops = [Crop("box", straight), Crop("box", warp), Crop("box", mirrored, mirrored=True)]
    said = table.seen(np.zeros(3, dtype=np.int64), crops, 32)
    yaw, pitch, roll = table.pose_deg[0]
    np.testing.assert_allclose(
        said.pose_deg, [[yaw, pitch, roll], [yaw, pitch, roll + 10], [-yaw, pitch, -roll]], atol=1e-4
    )
    np.testing.assert_allclose(said.landmarks[1], warp.points(table.landmarks[0], 32) / 32, atol=1e-5)
    order = MIRRORED_ORDER["5"]
    reflected = np.column_stack([1.0 - said.landmarks[0][:, 0], said.landmarks[0][:, 1]])
    np.testing.assert_allclose(said.landmarks[2], reflected[order], atol=1e-5)
    np.testing.assert_allclose(said.visibility_logit[2], said.visibility_logit[0][order], atol=1e-6)
    assert table.gender_logit[0, 1] == pytest.approx(float(said.gender_logit[2]))


def test_what_is_said_of_a_mirrored_crop_is_what_the_network_says_of_it(world, table):
    _, crops = world
    warp = replace(CANONICAL_WARP["box"], mirrored=True)
    said = table.seen(np.array([0]), [Crop("box", warp, mirrored=True)], 32)
    images = to_network_input(warp.image(crops.crops["face-0-0"]["box"], 32)[None])
    with torch.inference_mode():
        asked = [network_of()(images), network_of()(images.flip(3))]
    order = MIRRORED_ORDER["5"]
    there = asked[1].landmarks[0][order]
    both = (asked[0].landmarks[0] + torch.stack([31 / 32 - there[:, 0], there[:, 1]], dim=1)) / 2
    # A mirrored view is cut half a pixel beside the flipped one.
    torch.testing.assert_close(said.landmarks[0], both, atol=0.04, rtol=0)
    assert float(said.gender_logit[0]) == pytest.approx(
        float((asked[0].gender_logit + asked[1].gender_logit) / 2), abs=0.3
    )


def dataset(rows, crops, *, soft=None, augmentation=NO_AUGMENTATION, network=DISTRIBUTION):
    mix = BatchConfiguration(batch_size=24, identity_share=0.4, attributes_share=0.2, localisation_share=0.4)
    return FaceDataset(rows, crops, network, mix, augmentation, seed=3, soft=soft)


def test_a_batch_holds_what_the_teacher_says_beside_the_labels_and_the_images_do_not_change(world, table):
    rows, crops = world
    varied = AugmentationConfiguration()
    plain = dataset(rows, crops, augmentation=varied).batch(2)
    taught = dataset(rows, crops, augmentation=varied, soft=SoftTeacher(table, EVERYTHING)).batch(2)
    assert plain.soft is None and taught.soft is not None
    torch.testing.assert_close(plain.images, taught.images)
    soft, labels = taught.soft, taught.targets
    is_face = labels.is_face == 1
    torch.testing.assert_close(soft.landmarks.isnan().any(dim=(1, 2)), ~is_face)  # box views of faces, and no others
    # A crop of no face has none at all; a face without a label for its gender has the teacher's word for it.
    assert soft.gender_logit[labels.is_face == 0].isnan().all()
    unlabelled = labels.gender.isnan() & ~(labels.is_face == 0)
    assert unlabelled.any() and not soft.gender_logit[unlabelled].isnan().any()


def test_another_table_or_other_weights_make_another_data_set(world, table):
    rows, crops = world
    prints = [
        dataset(rows, crops, soft=soft).fingerprint()
        for soft in (
            None,
            SoftTeacher(table, EVERYTHING),
            SoftTeacher(table, SoftTargetConfiguration(gender=1)),
            SoftTeacher(replace(table, gender_logit=table.gender_logit + 1), EVERYTHING),
        )
    ]
    assert len(set(prints)) == 4


def test_the_soft_part_is_added_to_each_loss_and_shown_by_itself(world, table):
    rows, crops = world
    batch = dataset(rows, crops, soft=SoftTeacher(table, EVERYTHING)).batch(0)
    losses = SoftLosses(SoftTargetConfiguration(gender=0.5, pose=2.0))
    outputs = network_of(seed=5)(batch.images)
    labels = {"gender": torch.tensor(1.0)}
    added = losses.added_to(labels, outputs, batch.soft)
    curves = losses.curves()
    assert set(curves) == {"soft/gender", "soft/pose"}
    assert added["gender"].item() == pytest.approx(1.0 + 0.5 * curves["soft/gender"], rel=1e-5)
    assert added["pose"].item() == pytest.approx(2.0 * curves["soft/pose"], rel=1e-5)


def test_a_teacher_of_more_points_teaches_five_and_one_of_five_cannot_teach_more(world):
    rows, crops = world
    of_68 = network_of(NETWORK.model_copy(update={"landmark_scheme": "68"}))
    many = SoftTeacher(read_softly(of_68, rows[rows["is_face"]][:2], crops), EVERYTHING)
    five = many.fitted(NETWORK).table
    assert five.scheme == "5" and five.landmarks.shape == (2, 5, 2)
    np.testing.assert_allclose(five.landmarks[0, 0], many.table.landmarks[0, 36:42].mean(axis=0), atol=1e-4)
    visible = 1 / (1 + np.exp(-many.table.visibility_logit[0, 36:42]))
    assert 1 / (1 + np.exp(-five.visibility_logit[0, 0])) == pytest.approx(visible.mean(), abs=1e-5)
    wants_68 = NETWORK.model_copy(update={"landmark_scheme": "68"})
    few = SoftTeacher(five, EVERYTHING)
    with pytest.raises(ModelError, match="tells 5 landmarks and the student is to tell 68: set 'soft.landmarks'"):
        few.fitted(wants_68)
    rest = replace(few, configuration=SoftTargetConfiguration(gender=1)).fitted(wants_68)
    assert np.isnan(rest.table.landmarks).all() and rest.table.landmarks.shape == (2, 68, 2)
    np.testing.assert_array_equal(rest.table.gender_logit, five.gender_logit)


@pytest.mark.parametrize("configuration", [NETWORK, DISTRIBUTION])
def test_a_table_survives_being_written(world, tmp_path, configuration):
    import pandas as pd

    rows, crops = world
    table = read_softly(network_of(configuration), rows[rows["is_face"]], crops)
    soft_frame(table).to_parquet(tmp_path / "soft.parquet", index=False)
    again = soft_table(pd.read_parquet(tmp_path / "soft.parquet"))
    for name, values in vars(table).items():
        np.testing.assert_array_equal(values, getattr(again, name))


def test_without_a_teacher_there_is_an_empty_table(world, tmp_path):
    import pandas as pd

    rows, crops = world
    off = DistillationConfiguration(seed=1, training=TrainingConfiguration(steps=1))
    assert read_configured(network_of(), rows.assign(split="train"), crops, off) is None
    soft_frame(None).to_parquet(tmp_path / "soft.parquet", index=False)
    assert soft_table(pd.read_parquet(tmp_path / "soft.parquet")) is None


def test_only_training_faces_are_read(world):
    rows, crops = world
    held_out = rows["subject_id"] == "person-0"
    asked = DistillationConfiguration(seed=1, training=TrainingConfiguration(steps=1), soft=EVERYTHING)
    split = rows.assign(split=np.where(held_out, "test", "train"))
    table = read_configured(network_of(), split, crops, asked)
    assert set(table.face_ids) == set(rows.loc[rows["is_face"] & ~held_out, "face_id"])


def test_a_damaged_or_unfit_teacher_is_refused(world, table):
    rows, crops = world
    faces = rows[rows["is_face"]]
    broken = network_of()
    with torch.no_grad():
        broken.gender.bias.fill_(torch.nan)
    with pytest.raises(ModelError, match="'gender_logit' is not finite for some face"):
        read_softly(broken, faces, crops)
    alone = AllInOneNetwork(NETWORK.model_copy(update={"tasks": "identity"}))
    with pytest.raises(ModelError, match="does identity alone"):
        read_softly(alone, faces, crops)
    with pytest.raises(DataError, match="no training face"):
        read_softly(network_of(), faces[:0], crops)
    with pytest.raises(ModelError, match=r"'pose_deg' has shape \(\d+, 2\), not"):
        replace(table, pose_deg=table.pose_deg[:, :2])
    with pytest.raises(ModelError, match="'smile_logit' holds an infinite number"):
        replace(table, smile_logit=np.full_like(table.smile_logit, np.inf))
    frame = soft_frame(table)
    frame.loc[0, "pose_deg"] = None
    with pytest.raises(ModelError, match="isn't what was written: run the distillation pipeline again"):
        soft_table(frame)
    for damaged in (
        soft_frame(table).drop(columns="pose_deg"),
        soft_frame(table).assign(age_logits=[[0.0]] * len(frame)),
    ):
        with pytest.raises(ModelError, match="isn't what was written"):
            soft_table(damaged)


def test_a_student_learns_a_task_that_nobody_labelled_from_the_teacher_alone(world):
    rows, crops = world
    unlabelled = rows.assign(split="train", gender=None, smiling=None).astype({"smiling": "boolean"})
    teacher = network_of(NETWORK)
    faces = unlabelled[unlabelled["is_face"] & unlabelled["subject_id"].notna()]
    table = read_softly(teacher, faces, crops)
    generator = np.random.default_rng(0)
    features = generator.standard_normal((len(faces), 2, NETWORK.embedding_dimension)).astype(np.float32)
    features /= np.linalg.norm(features, axis=2, keepdims=True)
    identity = TeacherFeatures(tuple(faces["face_id"]), features)
    configuration = DistillationConfiguration(
        seed=3,
        network=NETWORK,
        batches=BatchConfiguration(batch_size=16),
        augmentation=NO_AUGMENTATION,
        training=TrainingConfiguration(steps=40, warmup_steps=4, threads=1, curve_every=1),
        soft=SoftTargetConfiguration(gender=1.0, pose=1.0),
    )
    seen = []
    network, record = train_student_distilled(
        unlabelled, crops, identity, configuration, soft=table, watch=lambda step, trained: seen.append((step, trained))
    )
    assert [step for step, _ in seen] == list(range(1, 41)) and seen[0][1] is network
    gender = np.array(record.curves["soft/gender"])
    np.testing.assert_allclose(gender, record.curves["loss/gender"], rtol=1e-5)
    assert "loss/smile" not in record.curves and "soft/smile" not in record.curves
    # The best that can be reached is the teacher's own entropy.
    p = torch.from_numpy(table.gender_logit[:, 0]).sigmoid()
    least = float(torch.nn.functional.binary_cross_entropy(p, p))
    assert gender[-5:].mean() - least < 0.5 * (gender[:5].mean() - least)
    assert (np.array(record.curves["loss/pose"]) > np.array(record.curves["soft/pose"])).all()
