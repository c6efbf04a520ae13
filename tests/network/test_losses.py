import math

import pytest
import torch

from countenance.network.allinone import LANDMARK_UNIT, FaceOutputs
from countenance.network.losses import (
    LANDMARK_BEND,
    FaceTargets,
    MultiTaskWeights,
    age_distribution_loss,
    age_loss,
    binary_loss,
    interval_loss,
    landmark_loss,
    pose_loss,
    proposal_loss,
    task_losses,
    weighted_sum,
)

NAN = float("nan")


def no_targets(count: int, points: int = 2) -> FaceTargets:
    nothing = torch.full((count,), NAN)
    return FaceTargets(
        is_face=nothing,
        landmarks=torch.full((count, points, 2), NAN),
        visibility=torch.full((count, points), NAN),
        pose_deg=torch.full((count, 3), NAN),
        yaw_range_deg=torch.full((count, 2), NAN),
        smile=nothing,
        gender=nothing,
        age_years=nothing,
        age_std=nothing,
        identity=torch.full((count,), -1),
        proposal=torch.full((count, 1, 1), NAN),
        proposal_box=torch.full((count, 1, 1, 4), NAN),
    )


def some_outputs(count: int, points: int = 2) -> FaceOutputs:
    generator = torch.Generator().manual_seed(0)
    shapes = [(count,), (count, points, 2), (count, points), (count, 3), (count,), (count,), (count,), (count, 4)]
    shapes += [(count, 0), (count, 1, 1), (count, 1, 1, 4)]
    return FaceOutputs(*(torch.randn(shape, generator=generator).requires_grad_() for shape in shapes))


def test_a_batch_without_any_label_has_no_losses():
    assert task_losses(some_outputs(3), no_targets(3), age_annealing=0.5) == {}


def test_one_label_reaches_the_outputs_of_its_own_row_and_head_alone():
    outputs, targets = some_outputs(3), no_targets(3)
    targets = targets._replace(smile=torch.tensor([NAN, 1.0, NAN]))
    losses = task_losses(outputs, targets, age_annealing=0.5)
    assert list(losses) == ["smile"]
    weighted_sum(losses, MultiTaskWeights(smile=2.0)).backward()
    expected = 2.0 * (outputs.smile_logit[1].sigmoid() - 1.0)
    torch.testing.assert_close(outputs.smile_logit.grad, torch.tensor([0.0, expected.item(), 0.0]))
    assert outputs.gender_logit.grad is None


def test_the_sum_weights_every_task():
    losses = {"face": torch.tensor(2.0), "age": torch.tensor(3.0)}
    assert weighted_sum(losses, MultiTaskWeights(face=0.5, age=4.0)).item() == pytest.approx(13.0)


def test_binary_loss_of_hand_worked_values():
    loss = binary_loss(torch.tensor([0.0, 2.0, 5.0]), torch.tensor([1.0, 0.0, NAN]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(1 + math.exp(2))) / 2)


def test_small_landmark_errors_count_squared_and_large_ones_linearly():
    points = torch.tensor([[[0.5 + 0.005, 0.5], [0.5, 0.5 + 0.1]]])
    target = torch.full((1, 2, 2), 0.5)
    visibility = torch.ones(1, 2)
    small = 0.5 * 0.005**2 / LANDMARK_BEND
    large = 0.1 - LANDMARK_BEND / 2
    expected = (small + large) / 2 / LANDMARK_UNIT
    assert landmark_loss(points, target, visibility).item() == pytest.approx(expected, rel=1e-4)


def test_hidden_points_cost_nothing_and_unknown_visibility_counts_as_visible():
    points, target = torch.full((2, 2, 2), 0.9), torch.full((2, 2, 2), 0.5)
    hidden = landmark_loss(points[:1], target[:1], torch.tensor([[0.0, 0.0]]))
    unknown = landmark_loss(points[:1], target[:1], torch.tensor([[NAN, NAN]]))
    seen = landmark_loss(points[:1], target[:1], torch.tensor([[1.0, 1.0]]))
    assert hidden.item() == 0.0
    assert unknown.item() == seen.item() > 0.0


def test_landmarks_are_averaged_over_labelled_rows_only():
    points = torch.rand(3, 2, 2, requires_grad=True)
    target = torch.rand(3, 2, 2)
    target[1:] = NAN
    visibility = torch.ones(3, 2)
    alone = landmark_loss(points[:1], target[:1], visibility[:1])
    loss = landmark_loss(points, target, visibility)
    assert loss.item() == pytest.approx(alone.item())
    loss.backward()
    assert points.grad[1:].abs().sum() == 0
    assert torch.isfinite(points.grad).all()


def test_pose_error_is_squared_in_units_of_30_degrees():
    loss = pose_loss(torch.tensor([[30.0, 15.0, 0.0]]), torch.tensor([[0.0, 0.0, NAN]]), torch.full((1, 2), NAN))
    assert loss.item() == pytest.approx((1.0 + 0.25) / 2)


@pytest.mark.parametrize("yaw", [-40.0, 0.0, -75.0, -20.0])
def test_a_yaw_known_as_a_range_costs_minus_the_logarithm_of_its_chance_to_lie_there(yaw):
    pose = torch.tensor([[yaw, 99.0, 99.0]], requires_grad=True)
    loss = pose_loss(pose, torch.full((1, 3), NAN), torch.tensor([[-60.0, -15.0]]))
    chance = 1 / (1 + math.exp(-(-15.0 - yaw) / 5.0)) - 1 / (1 + math.exp(-(-60.0 - yaw) / 5.0))
    assert loss.item() == pytest.approx(-math.log(chance), rel=1e-4)
    loss.backward()
    assert torch.isfinite(pose.grad).all()
    assert pose.grad[0, 1:].abs().sum() == 0


def test_a_range_pulls_towards_its_middle_and_an_open_end_lets_go():
    yaw = torch.tensor([-17.0, -37.5, -89.0, 400.0], requires_grad=True)
    low, high = torch.tensor([-60.0, -60.0, -90.0, -15.0]), torch.tensor([-15.0, -15.0, -45.0, 15.0])
    losses = interval_loss(yaw, low, high)
    losses.sum().backward()
    assert yaw.grad[0] > 0.05  # near the upper border: downwards
    assert abs(yaw.grad[1]) < 1e-5  # in the middle
    assert losses[2] < 0.001  # a full profile costs nothing where the range reaches 90 degrees
    assert losses[3].item() == pytest.approx((400 - 15) / 5, rel=1e-3)  # far outside it grows linearly


def test_the_proposal_loss_worked_by_hand():
    logits = torch.zeros(1, 1, 3, requires_grad=True)
    boxes = torch.zeros(1, 1, 3, 4, requires_grad=True)
    targets = torch.tensor([[[1.0, 0.0, NAN]]])
    wanted = torch.full((1, 1, 3, 4), NAN)
    wanted[0, 0, 0] = torch.tensor([1.05, 0.0, 0.0, 0.0])
    # p = 1/2 in both labelled cells: (1/2)^2 log 2, times .75 + .25; smooth L1 of 1.05 with a bend of .1 is 1.
    loss = proposal_loss(logits, boxes, targets, wanted)
    assert loss.item() == pytest.approx(0.25 * math.log(2) + 1.0)
    loss.backward()
    assert logits.grad[0, 0, 2] == 0
    assert boxes.grad[0, 0, 1:].abs().sum() == 0
    assert proposal_loss(logits, boxes, torch.full((1, 1, 3), NAN), torch.full((1, 1, 3, 4), NAN)) is None


def test_the_age_distribution_loss_is_zero_for_the_gaussian_about_the_label():
    years = torch.arange(101.0)
    right = (-0.5 * ((years - 40.0) / 3.0) ** 2)[None]
    loss = age_distribution_loss(right, torch.tensor([40.0]), torch.tensor([NAN]))
    assert loss.item() == pytest.approx(0.0, abs=1e-5)
    # The same Gaussian about 46: divergence (6^2) / (2 * 3^2) = 2, mean error .6 tens of years.
    wrong = age_distribution_loss(right.repeat(2, 1), torch.tensor([46.0, NAN]), torch.tensor([NAN, NAN]))
    assert wrong is not None
    assert wrong.item() == pytest.approx(2.0 + 0.6, abs=1e-3)


def test_a_labelled_yaw_overrules_its_range():
    loss = pose_loss(torch.zeros(1, 3), torch.tensor([[30.0, NAN, NAN]]), torch.tensor([[-10.0, 10.0]]))
    assert loss.item() == pytest.approx(1.0)


def test_age_loss_is_euclidean_at_first_and_gaussian_at_the_end():
    years, targets = torch.tensor([40.0, 20.0]), torch.tensor([34.0, NAN])
    euclidean, gaussian = 0.5 * 0.6**2, 1 - math.exp(-0.5 * (6 / 3) ** 2)
    unknown = torch.tensor([NAN, NAN])
    assert age_loss(years, targets, unknown, annealing=0.0).item() == pytest.approx(euclidean)
    assert age_loss(years, targets, unknown, annealing=1.0).item() == pytest.approx(gaussian)
    half = age_loss(years, targets, unknown, annealing=0.5).item()
    assert half == pytest.approx((euclidean + gaussian) / 2)


def test_the_annotated_spread_of_an_age_is_used_where_there_is_one():
    loss = age_loss(torch.tensor([40.0]), torch.tensor([34.0]), torch.tensor([6.0]), annealing=1.0)
    assert loss.item() == pytest.approx(1 - math.exp(-0.5))


def test_targets_move_as_one():
    assert no_targets(2).to("meta").identity.device.type == "meta"
