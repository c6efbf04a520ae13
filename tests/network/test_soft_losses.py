import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from countenance.network.allinone import FaceOutputs
from countenance.network.losses import landmark_loss, pose_loss
from countenance.network.soft_losses import (
    SOFT_TASKS,
    SoftTargetConfiguration,
    SoftTargets,
    probability_loss,
    soft_age_loss,
    soft_losses,
    with_soft_losses,
)

EVERYTHING = SoftTargetConfiguration(**dict.fromkeys(SOFT_TASKS, 1.0))
NAN = torch.nan


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def outputs_of(count=2, points=5, years=0, **said):
    zeros = {
        "face_logit": (count,), "landmarks": (count, points, 2), "visibility_logit": (count, points),
        "pose_deg": (count, 3), "smile_logit": (count,), "gender_logit": (count,), "age_years": (count,),
        "embedding": (count, 4), "age_logits": (count, years), "proposal_logit": (count, 2, 2),
        "proposal_box": (count, 2, 2, 4),
    }  # fmt: skip
    return FaceOutputs(**{name: torch.zeros(shape) for name, shape in zeros.items()} | said)


def targets_of(count=2, points=5, years=0, **said):
    nothing = {
        "gender_logit": (count,), "smile_logit": (count,), "age_years": (count,), "age_logits": (count, years),
        "pose_deg": (count, 3), "landmarks": (count, points, 2), "visibility_logit": (count, points),
    }  # fmt: skip
    return SoftTargets(**{name: torch.full(shape, NAN) for name, shape in nothing.items()} | said)


def test_a_probability_is_learned_by_cross_entropy_worked_by_hand():
    # The teacher says S(2 / 2) = S(1), the student S(0) = 1/2: -log(1/2), whatever the teacher says; times T^2 = 4.
    found = probability_loss(torch.tensor([0.0, 9.0]), torch.tensor([2.0, NAN]), 2.0)
    assert float(found) == pytest.approx(4 * math.log(2))
    student, teacher = 1.0, -3.0
    p, q = sigmoid(teacher / 2), sigmoid(student / 2)
    by_hand = 4 * -(p * math.log(q) + (1 - p) * math.log(1 - q))
    assert float(probability_loss(torch.tensor([student]), torch.tensor([teacher]), 2.0)) == pytest.approx(by_hand)


@given(teacher=st.floats(-4, 4), temperature=st.floats(0.5, 8))
def test_a_probability_is_learned_best_by_saying_the_same(teacher, temperature):
    logit = torch.tensor([teacher], dtype=torch.float64, requires_grad=True)
    loss = probability_loss(logit, logit.detach(), temperature)
    assert loss is not None
    loss.backward()
    assert float(logit.grad) == pytest.approx(0.0, abs=1e-9)
    other = probability_loss(logit.detach() + 0.5, logit.detach(), temperature)
    assert other is not None and other.item() > loss.item()


def test_the_gradient_keeps_its_order_whatever_the_temperature():
    gradients = []
    for temperature in (5.0, 50.0):
        logit = torch.tensor([0.4], requires_grad=True)
        probability_loss(logit, torch.tensor([-0.2]), temperature).backward()
        gradients.append(float(logit.grad))
    # For high temperatures it is (student - teacher) / 4, with T^2 in front (Hinton et al., equation 4, two classes).
    assert gradients[0] == pytest.approx(0.6 / 4, rel=0.01)
    assert gradients[1] == pytest.approx(0.6 / 4, rel=0.001)


def test_a_distribution_over_years_is_learned_by_its_divergence_worked_by_hand():
    said, wanted = [0.2, 0.3, 0.5], [0.1, 0.1, 0.8]
    outputs = outputs_of(count=2, years=3, age_logits=torch.tensor([said, said]).log())
    targets = targets_of(count=2, years=3, age_years=torch.tensor([1.7, NAN]),
                         age_logits=torch.tensor([wanted, [NAN] * 3]).log())  # fmt: skip
    by_hand = sum(p * math.log(p / q) for p, q in zip(wanted, said, strict=True))
    assert float(soft_age_loss(outputs, targets, 1.0)) == pytest.approx(by_hand, rel=1e-5)
    # At T = 2 both are the normalised square roots, and the divergence is taken four times.
    roots = [[value**0.5 for value in row] for row in (wanted, said)]
    p, q = ([value / sum(row) for value in row] for row in roots)
    by_hand = 4 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert float(soft_age_loss(outputs, targets, 2.0)) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(("of_student", "of_teacher"), [(0, 0), (0, 3), (3, 0), (3, 4)])
def test_where_a_distribution_is_missing_the_ages_are_compared(of_student, of_teacher):
    outputs = outputs_of(count=2, years=of_student, age_years=torch.tensor([30.0, 50.0]))
    targets = targets_of(count=2, years=of_teacher, age_years=torch.tensor([45.0, NAN]))
    assert float(soft_age_loss(outputs, targets, 3.0)) == pytest.approx(0.5 * 1.5**2)


def test_pose_and_points_are_learned_as_labels_are_and_points_by_how_visible_the_teacher_takes_them_to_be():
    torch.manual_seed(0)
    outputs = outputs_of(landmarks=torch.rand(2, 5, 2), pose_deg=30 * torch.randn(2, 3))
    visible = torch.randn(2, 5)
    pose, points = 30 * torch.randn(2, 3), torch.rand(2, 5, 2)
    targets = targets_of(pose_deg=pose, landmarks=points, visibility_logit=visible)
    found = soft_losses(outputs, targets, EVERYTHING)
    torch.testing.assert_close(found["pose"], pose_loss(outputs.pose_deg, pose, torch.full((2, 2), NAN)))
    torch.testing.assert_close(found["landmarks"], landmark_loss(outputs.landmarks, points, visible.sigmoid()))
    torch.testing.assert_close(found["visibility"], probability_loss(outputs.visibility_logit, visible, 1.0))


def test_a_task_takes_part_only_if_it_is_asked_for_and_has_a_target_in_the_batch():
    outputs = outputs_of()
    targets = targets_of(gender_logit=torch.tensor([1.0, NAN]), smile_logit=torch.tensor([NAN, 2.0]))
    assert set(soft_losses(outputs, targets, EVERYTHING)) == {"gender", "smile"}
    assert set(soft_losses(outputs, targets, SoftTargetConfiguration(smile=0.5, pose=1.0))) == {"smile"}
    assert soft_losses(outputs, targets_of(), EVERYTHING) == {}
    assert not SoftTargetConfiguration().asked and SoftTargetConfiguration(age=0.1).asked


def test_a_row_without_a_target_gets_no_gradient():
    logit = torch.zeros(3, requires_grad=True)
    points = torch.zeros(3, 5, 2, requires_grad=True)
    outputs = outputs_of(count=3, gender_logit=logit, landmarks=points)
    targets = targets_of(count=3, gender_logit=torch.tensor([2.0, NAN, NAN]),
                         landmarks=torch.stack([torch.full((5, 2), NAN), torch.ones(5, 2), torch.full((5, 2), NAN)]),
                         visibility_logit=torch.zeros(3, 5))  # fmt: skip
    torch.stack(
        list(soft_losses(outputs, targets, SoftTargetConfiguration(gender=1, landmarks=1)).values())
    ).sum().backward()
    assert (logit.grad != 0).tolist() == [True, False, False]
    assert points.grad.abs().sum(dim=(1, 2)).gt(0).tolist() == [False, True, False]


def test_labels_and_soft_outputs_add_up_and_a_task_without_labels_has_the_soft_part_alone():
    labels = {"gender": torch.tensor(2.0), "face": torch.tensor(3.0)}
    soft = {"gender": torch.tensor(10.0), "smile": torch.tensor(7.0)}
    configuration = SoftTargetConfiguration(gender=0.5, smile=2.0)
    added = with_soft_losses(labels, soft, configuration)
    assert {task: float(loss) for task, loss in added.items()} == {"gender": 7.0, "face": 3.0, "smile": 14.0}
    assert {task: float(loss) for task, loss in labels.items()} == {"gender": 2.0, "face": 3.0}
