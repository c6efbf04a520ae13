import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.learning.class_shards import ClassShard
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader, fold_weights
from countenance.network.margin import MarginConfiguration

ARC = MarginConfiguration()
COS = MarginConfiguration(kind="cosface", margin=0.35)


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def moved_in_numpy(centres, student, teacher, labels, kind):
    """The centres after a step, row after row from the formulas of the method."""
    after = centres.copy()
    for s, t, y in zip(unit(student), unit(teacher), labels, strict=True):
        if y >= 0:
            agreement = s @ t
            if kind == "weighted":
                agreement *= min(max(unit(centres[y]) @ t, 1e-6), 1.0)
            alpha = min(max(agreement, 1e-6), 1.0)
            after[y] = alpha * after[y] + (1.0 - alpha) * t
    return after


def loss_in_numpy(centres, student, labels, margin):
    """Mean margin softmax loss of the rows with a class, from the angles."""
    losses = []
    for s, y in zip(unit(student), labels, strict=True):
        if y >= 0:
            cosines = unit(centres) @ s
            if margin.kind == "cosface":
                cosines[y] -= margin.margin
            else:
                angle = math.acos(max(-1.0, min(1.0, cosines[y])))
                beyond = angle + margin.margin > math.pi
                cosines[y] = (
                    cosines[y] - math.sin(margin.margin) * margin.margin if beyond else math.cos(angle + margin.margin)
                )
            logits = margin.scale * cosines.astype(np.float64)
            losses.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[y])
    return float(np.mean(losses))


def header(classes=7, dimension=12, shard=None, **settings):
    generator = torch.Generator().manual_seed(0)
    return AdaDistillHeader(classes, dimension, AdaDistillConfiguration(**settings), generator, shard=shard)


def twenty_steps(*, repeated, seed=5, classes=40, rows=16, dimension=12):
    """Students that come nearer to a noisy teacher: [N, D] student, [N, D] teacher and [N] labels a step."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=(classes, dimension))
    for step in range(20):
        if repeated:
            labels = generator.integers(-1, 7, rows)
            assert len(set(labels[labels >= 0])) < (labels >= 0).sum()
        else:
            labels = generator.permutation(classes)[:rows]
        teacher = truth[labels] + 0.5 * generator.normal(size=(rows, dimension))
        yield teacher + (2.0 - step / 10) * generator.normal(size=(rows, dimension)), teacher, labels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize(("alpha", "margin"), [("weighted", ARC), ("weighted", COS), ("plain", ARC)])
def test_twenty_steps_equal_the_formulas_in_plain_numpy(dtype, repeated, alpha, margin):
    ours = header(classes=40, alpha=alpha, margin=margin).to(dtype)
    centres = ours.centres.double().numpy()
    for student, teacher, labels in twenty_steps(repeated=repeated):
        centres = moved_in_numpy(centres, student, teacher, labels, alpha)
        expected = loss_in_numpy(centres, student, labels, margin)
        loss = ours(torch.tensor(student, dtype=dtype), torch.tensor(labels), torch.tensor(teacher, dtype=dtype))
        np.testing.assert_allclose(ours.centres.numpy(), centres, rtol=0, atol=1e-5)
        assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_at_the_first_visit_a_centre_becomes_the_teachers_feature():
    ours = header(classes=3, dimension=512)
    teacher = F.normalize(torch.randn(1, 512, generator=torch.Generator().manual_seed(1)))
    student = -teacher  # disagrees, so alpha is at its floor
    ours(student, torch.tensor([1]), teacher)
    torch.testing.assert_close(ours.centres[1:2], teacher, atol=1e-5, rtol=0)


def test_a_student_that_agrees_with_teacher_and_centre_leaves_the_centre_where_it_is():
    ours = header(classes=2, dimension=4)
    ours.centres.copy_(torch.eye(4)[:2])
    one = torch.eye(4)[:1]
    ours(3.0 * one, torch.tensor([0]), 5.0 * one)
    torch.testing.assert_close(ours.centres, torch.eye(4)[:2])
    assert ours.curves == {name: pytest.approx(1.0) for name in ("alpha", "teacher_agreement", "centre_agreement")}


def test_the_weighted_alpha_is_the_product_of_both_agreements_and_the_plain_one_only_the_students():
    student = torch.tensor([[0.8, 0.6]])
    teacher = torch.tensor([[1.0, 0.0]])
    for alpha, expected in (("weighted", 0.8 * 0.6), ("plain", 0.8)):
        ours = header(classes=1, dimension=2, alpha=alpha)
        ours.centres.copy_(torch.tensor([[0.6, 0.8]]))
        ours(student, torch.tensor([0]), teacher)
        moved = expected * torch.tensor([0.6, 0.8]) + (1 - expected) * teacher[0]
        torch.testing.assert_close(ours.centres[0], moved)
        assert ours.curves["alpha"] == pytest.approx(expected)
        assert ours.curves["teacher_agreement"] == pytest.approx(0.8)
        assert ours.curves["centre_agreement"] == pytest.approx(float(student[0] @ F.normalize(moved, dim=0)))


def test_fixed_centres_are_the_teachers_class_means_and_never_move():
    ours = header(classes=2, dimension=3, alpha="fixed")
    features, labels = torch.randn(6, 3), torch.tensor([0, 1, 0, 1, 1, 1])
    with pytest.raises(ModelError, match="call fix_centres first"):
        ours(features, labels, features)
    ours.fix_centres(features, labels)
    mean = F.normalize(F.normalize(features[[0, 2]]).mean(0), dim=0)
    torch.testing.assert_close(F.normalize(ours.centres[0], dim=0), mean)
    before = ours.centres.clone()
    ours.fix_centres(torch.cat([torch.randn(1, 3), features]), torch.cat([torch.tensor([-1]), labels]))
    assert torch.equal(ours.centres, before)  # a row without a class says nothing
    ours(torch.randn(2, 3), torch.tensor([0, 1]), torch.randn(2, 3))
    assert torch.equal(ours.centres, before)
    assert ours.curves.keys() == {"teacher_agreement", "centre_agreement"}
    with pytest.raises(ModelError, match="1 of 2 classes have no teacher feature"):
        ours.fix_centres(features, torch.zeros(6, dtype=torch.int64))


def test_fixed_centres_may_be_the_teachers_own_header_and_then_need_no_features():
    ours, matrix = header(classes=4, dimension=3, alpha="fixed"), 5.0 * torch.randn(4, 3)
    ours.fix_centres_at(matrix)
    student, labels = torch.randn(5, 3), torch.tensor([0, 3, 3, -1, 2])
    loss = ours(student, labels, None)
    assert loss.item() == pytest.approx(loss_in_numpy(matrix.numpy(), student.numpy(), labels.numpy(), ARC), rel=1e-5)
    assert ours.curves.keys() == {"centre_agreement"}


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (torch.ones(3, 3), r"are \[3, 3\] numbers, but there are 4 classes and embeddings of 3"),
        (torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, math.nan, 0], [0, 0, 1]]), "2 of 4 class centres .* zero or not"),
    ],
)
def test_a_header_that_doesnt_fit_is_refused_and_nothing_is_set(matrix, sentence):
    ours = header(classes=4, dimension=3, alpha="fixed")
    before = ours.centres.clone()
    with pytest.raises(ModelError, match=sentence):
        ours.fix_centres_at(matrix)
    assert torch.equal(ours.centres, before)


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_fold_weights_are_those_of_one_row_after_the_other(rows):
    alpha = torch.tensor([value for value, _ in rows], dtype=torch.float64)
    labels = torch.tensor([label for _, label in rows])
    keep, take = fold_weights(alpha, labels)
    for label in set(labels.tolist()):
        mine = (labels == label).nonzero().squeeze(1).tolist()
        weights = []  # of the centre, and of each row so far
        for row in mine:
            weights = [float(alpha[row]) * weight for weight in weights or [1.0]] + [1.0 - float(alpha[row])]
        assert keep[mine].tolist() == pytest.approx([weights[0]] * len(mine), rel=1e-9)
        assert take[mine].tolist() == pytest.approx(weights[1:], rel=1e-9)
        assert (keep[mine][0] + take[mine].sum()).item() == pytest.approx(1.0)


def test_the_last_of_several_rows_weighs_what_it_would_weigh_alone():
    keep, take = fold_weights(torch.tensor([0.5, 0.25, 0.9]), torch.tensor([1, 1, 0]))
    torch.testing.assert_close(keep, torch.tensor([0.125, 0.125, 0.9]))
    torch.testing.assert_close(take, torch.tensor([0.5 * 0.25, 0.75, 0.1]))


def test_rows_without_a_class_touch_neither_centres_nor_loss():
    ours, alone = header(), header()
    embedding, teacher = torch.randn(4, 12), torch.randn(4, 12)
    teacher[1] = math.nan  # there may be no teacher for them
    loss = ours(embedding, torch.tensor([2, -1, 5, -1]), teacher)
    expected = alone(embedding[[0, 2]], torch.tensor([2, 5]), teacher[[0, 2]])
    assert torch.equal(loss, expected)
    assert torch.equal(ours.centres, alone.centres)
    before = ours.centres.clone()
    assert ours(embedding, torch.full((4,), -1), teacher) is None
    assert torch.equal(ours.centres, before)
    assert ours.curves == {}


def test_the_centres_are_no_parameter_and_only_the_student_gets_a_gradient():
    ours = header()
    embedding = torch.randn(3, 12, requires_grad=True)
    teacher = torch.randn(3, 12, requires_grad=True)
    ours(embedding, torch.tensor([0, 1, 1]), teacher).backward()
    assert list(ours.parameters()) == []
    assert list(ours.state_dict()) == ["centres"]
    assert embedding.grad.abs().sum() > 0
    assert teacher.grad is None


def test_a_teacher_that_is_missing_or_of_another_length_is_refused():
    with pytest.raises(ModelError, match="no teacher features"):
        header()(torch.randn(1, 12), torch.tensor([0]), None)
    with pytest.raises(ModelError, match="set the student's embedding_dimension to 8"):
        header()(torch.randn(1, 12), torch.tensor([0]), torch.randn(1, 8))


@pytest.mark.parametrize("spoilt", [math.nan, math.inf, 0.0, 1e-20])
def test_a_teacher_without_direction_is_refused_before_any_centre_is_touched(spoilt):
    ours, teacher = header(), torch.randn(3, 12)
    teacher[1] = spoilt
    before = ours.centres.clone()
    with pytest.raises(ModelError, match="features of 1 of 3 faces of a batch are zero or not finite: check the tea"):
        ours(torch.randn(3, 12), torch.tensor([0, 1, 2]), teacher)
    assert torch.equal(ours.centres, before)


def test_a_student_that_isnt_finite_moves_no_centre_and_has_no_loss():
    ours, student = header(), torch.randn(2, 12)
    student[0, 3] = math.nan
    before = ours.centres.clone()
    assert ours(student, torch.tensor([4, 5]), torch.randn(2, 12)).isnan()
    assert torch.equal(ours.centres[4], before[4])
    assert torch.isfinite(ours.centres).all()


def test_a_class_that_no_row_shows_keeps_its_random_direction_and_stays_a_wrong_answer():
    ours = header(classes=3)
    empty = ours.centres[2].clone()
    student, teacher, labels = torch.randn(4, 12), torch.randn(4, 12), torch.tensor([0, 1, 0, 1])
    for _ in range(3):
        loss = ours(student, labels, teacher)
    assert torch.equal(ours.centres[2], empty)
    without = loss_in_numpy(ours.centres[:2].numpy(), student.numpy(), labels.numpy(), ARC)
    assert without < loss.item()
    assert loss.item() == pytest.approx(
        loss_in_numpy(ours.centres.numpy(), student.numpy(), labels.numpy(), ARC), rel=1e-5
    )


def test_one_image_a_class_makes_the_teachers_feature_of_it_the_centre_and_keeps_it():
    ours, teacher = header(classes=4, dimension=512), F.normalize(torch.randn(4, 512))
    for step in range(5):
        ours(teacher + 0.01 * step * torch.randn(4, 512), torch.arange(4), 7.0 * teacher)
        assert F.cosine_similarity(ours.centres, teacher).min() > 0.95 - 0.9 * (step == 0)
    assert F.cosine_similarity(ours.centres, teacher).min() > 0.99


def test_a_batch_of_one_row_is_a_batch():
    ours = header()
    student, teacher = torch.randn(1, 12, requires_grad=True), torch.randn(1, 12)
    centres = moved_in_numpy(ours.centres.numpy(), student.detach().numpy(), teacher.numpy(), [3], "weighted")
    loss = ours(student, torch.tensor([3]), teacher)
    loss.backward()
    assert loss.item() == pytest.approx(loss_in_numpy(centres, student.detach().numpy(), [3], ARC), rel=1e-5)
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("how", ["written to", "loaded", "copied", "of another precision"])
def test_centres_that_come_from_elsewhere_are_measured_anew(how):
    ours, rows = header(), (torch.randn(2, 12), torch.tensor([0, 6]), torch.randn(2, 12))
    ours(*rows)
    fresh = header()
    fresh.load_state_dict({"centres": 3.0 * torch.randn(7, 12)})
    if how == "written to":
        ours.centres.copy_(fresh.centres)
    elif how == "loaded":
        ours.load_state_dict(fresh.state_dict())
    elif how == "copied":
        ours.load_state_dict(fresh.state_dict())
        ours = copy.deepcopy(ours)
    else:
        ours = ours.double()
        ours.centres.copy_(fresh.centres)
        rows = (rows[0].double(), rows[1], rows[2].double())
        fresh = fresh.double()
    assert torch.equal(ours(*rows), fresh(*rows))
    assert torch.equal(ours.centres, fresh.centres)


def test_steps_that_go_on_from_a_saved_state_are_the_same_bit_for_bit():
    steps = [
        (torch.tensor(student).float(), torch.tensor(labels), torch.tensor(teacher).float())
        for student, teacher, labels in twenty_steps(repeated=True)
    ]
    whole, first, second = header(), header(), header()
    losses = [whole(*step).item() for step in steps]
    broken = [first(*step).item() for step in steps[:11]]
    second.load_state_dict(first.state_dict())
    assert broken + [second(*step).item() for step in steps[11:]] == losses
    assert torch.equal(second.centres, whole.centres)


@pytest.mark.parametrize("world", [1, 2, 3, 9])
def test_the_first_centres_are_the_same_however_they_are_shared_out(world):
    shares = [header(shard=ClassShard(rank, world, 7)).centres for rank in range(world)]
    assert torch.equal(torch.cat(shares), header().centres)


@pytest.mark.parametrize("margin", [ARC, COS])
@pytest.mark.parametrize("towards", [1.0, -1.0])
def test_a_student_in_line_with_its_centre_has_the_loss_of_the_formula_and_a_finite_gradient(margin, towards):
    ours = header(classes=3, dimension=3, alpha="fixed", margin=margin).double()
    matrix = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.43, 0.0], [0.0, 0.0, -2.0]], dtype=torch.float64)
    ours.fix_centres_at(matrix)
    student = towards * torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    loss = ours(student.requires_grad_(), torch.tensor([0]), None)
    loss.backward()
    expected = loss_in_numpy(matrix.numpy(), student.detach().numpy(), [0], margin)
    assert loss.item() == pytest.approx(expected, rel=1e-9)
    assert torch.isfinite(student.grad).all()
