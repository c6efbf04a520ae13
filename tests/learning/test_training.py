import itertools
import math

import numpy as np
import pytest
import torch

from countenance.errors import TrainingError
from countenance.learning.augmentation import AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader
from countenance.learning.identity_header import MarginSoftmaxHeader
from countenance.learning.interference import interference_table
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration, learning_rate_at, train_all_in_one
from countenance.network.allinone import AllInOneNetwork
from countenance.network.costs import count_parameters
from countenance.network.losses import MultiTaskWeights
from countenance.network.margin import MarginConfiguration
from tests.learning.faces import NETWORK, small_world

PLAN = TrainingConfiguration(steps=6, warmup_steps=2, threads=1, curve_every=1)


def dataset(*, seed=0, teacher=None, rows_and_reader=None):
    rows, reader = rows_and_reader or small_world()
    return FaceDataset(
        rows,
        reader,
        NETWORK,
        BatchConfiguration(batch_size=16),
        AugmentationConfiguration(),
        seed=seed,
        teacher=teacher,
    )


def fresh_network():
    torch.manual_seed(0)
    return AllInOneNetwork(NETWORK)


def plain_header(data):
    return MarginSoftmaxHeader(
        data.labels.classes, 16, MarginConfiguration(scale=16.0), torch.Generator().manual_seed(1)
    )


def trained(configuration=PLAN, **settings):
    data, network = dataset(**settings), fresh_network()
    return network, train_all_in_one(network, data, configuration, header=plain_header(data))


def test_the_same_seed_gives_the_same_losses_bit_for_bit():
    _, first = trained()
    _, again = trained()
    _, other = trained(seed=1)
    assert str(first.curves) == str(again.curves)  # as text, so that NaN equals NaN
    assert first.curves["loss"] != other.curves["loss"]


def test_the_record_says_what_happened():
    network, record = trained()
    assert record.steps == tuple(range(6))
    assert record.images_seen == 96
    assert record.seconds > 0
    assert record.parameters == count_parameters(network)
    expected = {
        f"loss/{task}" for task in ("identity", "face", "landmarks", "visibility", "pose", "smile", "gender", "age")
    }
    assert expected <= set(record.curves)
    assert all(len(curve) == 6 for curve in record.curves.values())
    assert not network.training


def test_eighty_steps_teach_what_can_be_seen_in_the_crops():
    rows, reader = small_world()
    mix = BatchConfiguration(batch_size=32, identity_share=0.3, attributes_share=0.2, localisation_share=0.5)
    data = FaceDataset(rows, reader, NETWORK, mix, AugmentationConfiguration(), seed=0)
    plan = TrainingConfiguration(steps=80, learning_rate=0.1, warmup_steps=10, threads=1, curve_every=1)
    record = train_all_in_one(fresh_network(), data, plan, header=plain_header(data))
    for task in ("identity", "face", "landmarks", "gender"):
        curve = np.array(record.curves[f"loss/{task}"])
        assert np.nanmean(curve[-10:]) < 0.75 * np.nanmean(curve[:10]), task


def test_adadistill_trains_the_network_and_logs_its_alpha():
    rows, reader = small_world()
    features = np.random.default_rng(0).normal(size=(len(rows), 2, 16)).astype(np.float32)
    data = dataset(teacher=TeacherFeatures(tuple(rows["face_id"]), features), rows_and_reader=(rows, reader))
    header = AdaDistillHeader(4, 16, AdaDistillConfiguration(), torch.Generator().manual_seed(1))
    record = train_all_in_one(fresh_network(), data, PLAN, header=header)
    assert len(record.curves["alpha"]) == 6
    assert all(0 < alpha <= 1 for alpha in record.curves["alpha"])
    assert header.centres.norm(dim=1).min() > 0.5  # every centre was visited


def test_a_loss_that_is_not_finite_stops_with_its_task_step_and_sources():
    rows, reader = small_world()
    rows.loc[rows["source"] == "ages", "age_years"] = math.inf
    with pytest.raises(TrainingError, match=r"The age loss is \w[\w ]+ at step 0 \(sources: ages, made, walls\)"):
        trained(rows_and_reader=(rows, reader))


class FreezingHeader(MarginSoftmaxHeader):
    """A finite loss whose gradient isn't: the square root of nothing."""

    def forward(self, embedding, labels, teacher):
        return super().forward(embedding, labels, teacher) + (0.0 * embedding).sum().abs().sqrt()


def test_a_gradient_that_is_not_finite_stops_with_its_task_too():
    data = dataset()
    header = FreezingHeader(data.labels.classes, 16, MarginConfiguration(), torch.Generator().manual_seed(1))
    with pytest.raises(TrainingError, match=r"The gradient of the identity loss is not finite at step 0 \(sources: "):
        train_all_in_one(fresh_network(), data, PLAN, header=header)


def test_weights_that_overflow_are_found_in_the_sum():
    plan = PLAN.model_copy(update={"weights": MultiTaskWeights(face=3e38, landmarks=3e38)})
    with pytest.raises(TrainingError, match=r"The gradient of the \w+ loss is not finite at step 0"):
        trained(plan)


def test_learned_weights_move_from_where_they_started_and_are_logged():
    _, record = trained(PLAN.model_copy(update={"balance": "uncertainty"}))
    weights = record.curves["weight/landmarks"]
    assert weights[0] == pytest.approx(MultiTaskWeights().landmarks)
    assert len(set(weights)) == 6
    assert all(math.isfinite(loss) for loss in record.curves["loss"])


def test_averaged_weights_take_the_place_of_the_last_ones():
    last, plain = trained(PLAN)
    averaged, record = trained(PLAN.model_copy(update={"average_decay": 0.5}))
    assert record.curves["loss"] == plain.curves["loss"]  # training itself doesn't notice
    for name, value in averaged.state_dict().items():
        assert torch.isfinite(value).all()
        assert not value.is_floating_point() or not torch.equal(value, last.state_dict()[name]) or "proposals" in name
    images = dataset().batch(0).images
    with torch.inference_mode():
        assert (averaged(images).landmarks - last(images).landmarks).abs().max() < 0.2


def test_gradient_statistics_are_logged_now_and_then_and_change_nothing():
    _, plain = trained()
    _, record = trained(PLAN.model_copy(update={"gradient_statistics_every": 3, "curve_every": 4}))
    assert record.steps == (0, 3, 4, 5)
    assert [not math.isnan(value) for value in record.curves["gradient/landmarks"]] == [True, True, False, False]
    assert record.curves["loss"] == tuple(plain.curves["loss"][step] for step in record.steps)
    table = interference_table(record.curves)
    assert {"face", "landmarks", "identity", "gender"} <= set(table["task"]) | set(table["other"])
    assert table["cosine"].abs().max() <= 1.0 + 1e-6


def test_bfloat16_trains_nearly_as_float32_does():
    _, single = trained()
    _, mixed = trained(PLAN.model_copy(update={"precision": "bf16-mixed"}))
    assert mixed.curves["loss"] != single.curves["loss"]
    assert mixed.curves["loss"][0] == pytest.approx(single.curves["loss"][0], rel=0.05)


def test_waiting_for_data_is_measured():
    _, record = trained()
    assert 0.0 <= record.data_wait_share < 1.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a GPU")
def test_a_gpu_that_is_not_there_is_said_so():
    with pytest.raises(TrainingError, match="is to use 1 GPUs but this machine has 0: set 'device' to 'cpu'"):
        trained(PLAN.model_copy(update={"device": "cuda"}))


def test_more_processes_than_crops_are_refused():
    with pytest.raises(TrainingError, match="17 processes can't share batches of 16 crops"):
        trained(PLAN.model_copy(update={"processes": 17}))


def test_the_learning_rate_rises_in_a_line_and_falls_in_half_a_cosine():
    plan = TrainingConfiguration(steps=12, learning_rate=0.4, warmup_steps=4)
    rates = [learning_rate_at(step, plan) for step in range(12)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert rates[8] == pytest.approx(0.2)
    assert 0 < rates[11] < 0.02
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[4:]))


def test_training_leaves_torchs_threads_as_they_were():
    before = torch.get_num_threads()
    trained(PLAN.model_copy(update={"threads": before + 1, "steps": 1}))
    assert torch.get_num_threads() == before


def test_fused_kernels_give_the_losses_of_the_ordinary_layers():
    network, fused = trained(PLAN.model_copy(update={"learning_rate": 0.02}))
    plain, ordinary = trained(PLAN.model_copy(update={"learning_rate": 0.02, "fused_kernels": False}))
    np.testing.assert_allclose(fused.curves["loss"], ordinary.curves["loss"], rtol=1e-4)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, atol=1e-4, rtol=1e-3, msg=name)
