import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial
from pydantic import ValidationError

from countenance.learning.augmentation import NO_AUGMENTATION
from countenance.learning.batches import BatchConfiguration
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.student_search import (
    SearchSpace,
    StudentBudget,
    StudentCost,
    StudentSearchConfiguration,
    cost_of_student,
    pareto_front,
    proposed_network,
    search_digest,
    searched_values,
    steps_of_looks,
    try_student,
)
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import cost_of
from tests.learning.faces import NETWORK, CropsInMemory, small_world

SPACE = SearchSpace()
SEARCH = StudentSearchConfiguration(seed=1, trials=3, steps=6, looks=2, repetitions=0)
DISTILLATION = DistillationConfiguration(
    seed=3,
    network=NETWORK,
    batches=BatchConfiguration(batch_size=12),
    augmentation=NO_AUGMENTATION,
    training=TrainingConfiguration(steps=60, warmup_steps=20, threads=1, processes=2, curve_every=1),
)


def proposed(base=NETWORK, **values):
    return proposed_network(FixedTrial({"width": 1.0, "depth": 1.0, "input_size": 64} | values), SPACE, base)


@pytest.fixture(scope="module")
def world():
    rows, crops = small_world(people=3)
    rows = rows.assign(split="train")
    faces = rows[rows["subject_id"].notna()]
    features = np.random.default_rng(0).standard_normal((len(faces), 2, NETWORK.embedding_dimension))
    features /= np.linalg.norm(features, axis=2, keepdims=True)
    return rows, crops, TeacherFeatures(tuple(faces["face_id"]), features.astype(np.float32))


def test_a_residual_student_has_multiples_of_the_base_networks_channels_and_blocks():
    base = NetworkConfiguration(widths=(16, 32, 64, 128), depths=(0, 1, 1, 2), identity_width=256)
    found = proposed(base, trunk="residual", width=0.75, depth=1.5, input_size=80)
    assert (found.widths, found.depths, found.identity_width) == ((12, 24, 48, 96), (0, 2, 2, 3), 192)
    assert (found.input_size, found.embedding_dimension) == (80, base.embedding_dimension)


def test_a_mobilefacenet_student_has_multiples_of_the_published_layout():
    found = proposed(trunk="mobilefacenet", width=0.5, depth=0.5)
    assert (found.trunk, found.width_multiplier, found.blocks) == ("mobilefacenet", 0.5, (2, 3, 1))
    assert found.local_width == NETWORK.local_width
    base = NETWORK.model_copy(update={"trunk": "mobilefacenet", "width_multiplier": 2.0, "blocks": (2, 2, 1)})
    again = proposed(base, trunk="mobilefacenet", width=0.5, depth=1.5)
    assert (again.width_multiplier, again.blocks) == (1.0, (3, 3, 2))


def test_the_base_network_itself_is_in_the_space_whatever_its_channels_are_multiples_of():
    assert proposed(NETWORK, trunk="residual", input_size=64) == NETWORK.model_copy(update={"input_size": 64})
    shallow = NETWORK.model_copy(update={"trunk": "mobilefacenet", "width_multiplier": 0.3, "blocks": (2, 0, 1)})
    assert proposed(shallow, trunk="mobilefacenet", input_size=32) == shallow


def test_other_widths_are_multiples_of_four_channels_and_no_fewer():
    found = proposed(NETWORK, trunk="residual", width=0.5)
    assert (found.widths, found.identity_width) == ((4, 4, 4, 8), 8)
    assert proposed(NETWORK, trunk="residual", width=1.5).widths == (8, 8, 12, 20)


@pytest.mark.parametrize("trunk", ["residual", "mobilefacenet"])
def test_what_was_chosen_can_be_written_down_and_read_again(trunk):
    found = proposed(trunk=trunk, width=1.25, depth=0.5)
    assert NetworkConfiguration.model_validate(NETWORK.model_dump() | searched_values(found)) == found


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"space": {"width": {"low": 2, "high": 1, "step": 1}}}, "put the smaller one first"),
        ({"space": {"input_size": {"low": 50, "high": 80}}}, "multiple of 16"),
        ({"space": {"trunks": []}}, "at least 1 item"),
        ({"budget": {"milliseconds": 2.0}, "repetitions": 0}, "needs students to be timed"),
    ],
)
def test_a_search_that_cannot_be_is_refused(wrong, words):
    with pytest.raises(ValidationError, match=words):
        StudentSearchConfiguration.model_validate({"seed": 1, "trials": 1, "steps": 1} | wrong)


def test_the_excess_is_a_share_of_each_limit_that_there_is():
    budget = StudentBudget(parameters=100, milliseconds=2.0)
    assert StudentCost(150, 7, 1.0).excess(budget) == {"parameters": 0.5, "milliseconds": -0.5}
    assert StudentCost(100, 7, None).excess(budget) == {"parameters": 0.0}


def test_a_student_is_counted_and_is_not_timed_if_that_settles_it():
    counted = StudentCost(*cost_of(NETWORK), None)
    assert cost_of_student(NETWORK, SEARCH) == counted
    small = SEARCH.model_copy(update={"repetitions": 2, "budget": StudentBudget(parameters=10)})
    assert cost_of_student(NETWORK, small) == counted


@pytest.mark.slow
def test_a_student_within_the_counts_is_timed():
    timed = cost_of_student(NETWORK, SEARCH.model_copy(update={"repetitions": 3}))
    assert timed.milliseconds > 0


def test_looks_are_evenly_spaced_between_start_and_end():
    assert steps_of_looks(120, 3) == [30, 60, 90]
    assert steps_of_looks(10, 2) == [3, 7]
    assert steps_of_looks(2, 3) == [1]
    assert steps_of_looks(100, 0) == steps_of_looks(1, 5) == []


def test_the_front_worked_by_hand():
    costs, scores = [1, 2, 3, 3, 4], [0.5, 0.4, 0.9, 0.8, 0.9]
    # The second costs more than the first and is worse; the last costs more than the third and is as good.
    assert pareto_front(costs, scores) == [True, False, True, False, False]
    assert pareto_front([1, 1], [0.5, 0.5]) == [True, True]
    assert pareto_front([], []) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_whoever_is_beaten_is_beaten_by_somebody_on_the_front(students):
    costs, scores = zip(*students, strict=True)
    front = pareto_front(costs, scores)
    on = [student for student, is_on in zip(students, front, strict=True) if is_on]
    assert on
    for (cost, score), is_on in zip(students, front, strict=True):
        beaten = any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in on)
        assert beaten != is_on


def test_a_trial_is_the_recipe_with_its_own_network_and_fewer_steps(world):
    rows, crops, teacher = world
    seen = []
    network, record = try_student(
        NETWORK, rows, crops, teacher, DISTILLATION, SEARCH, soft=None, look=lambda *told: seen.append(told)
    )
    assert network.configuration == NETWORK
    assert record.images_seen == 6 * 12
    # A third of the steps is warm-up, as in the recipe.
    rates = record.curves["learning_rate"]
    assert rates[1] == pytest.approx(DISTILLATION.distilled.learning_rate) and rates[0] == pytest.approx(rates[1] / 2)
    assert [step for step, _ in seen] == [2, 4]
    copies = [looked for _, looked in seen]
    assert not any(looked.training or looked is network for looked in copies)
    first, second = (looked.state_dict() for looked in copies)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_looking_changes_nothing(world):
    rows, crops, teacher = world
    blind = SEARCH.model_copy(update={"looks": 0})

    def disturb(step, looked):
        looked.train()
        looked(torch.randn(4, 3, 32, 32))

    def weights(configuration, look):
        network, _ = try_student(NETWORK, rows, crops, teacher, DISTILLATION, configuration, soft=None, look=look)
        return network.state_dict()

    watched, alone = weights(SEARCH, disturb), weights(blind, disturb)
    assert all(torch.equal(tensor, alone[name]) for name, tensor in watched.items())


def test_what_the_look_raises_gives_the_trial_up(world):
    rows, crops, teacher = world

    def give_up(step, looked):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_student(NETWORK, rows, crops, teacher, DISTILLATION, SEARCH, soft=None, look=give_up)


def test_more_trials_belong_to_the_same_search_and_other_steps_data_or_budgets_to_another(world):
    rows, crops, teacher = world

    def digest(manifest=rows, distillation=DISTILLATION, seen=crops, **changes):
        return search_digest(manifest, seen, teacher, None, distillation, SEARCH.model_copy(update=changes))

    usual = digest()
    assert digest(trials=50, proposals=500) == usual
    busier = DISTILLATION.training.model_copy(update={"threads": 2, "fused_kernels": False})
    assert digest(distillation=DISTILLATION.model_copy(update={"training": busier})) == usual
    asked_otherwise = DISTILLATION.teacher.model_copy(update={"batch_size": 3})
    assert digest(distillation=DISTILLATION.model_copy(update={"teacher": asked_otherwise})) == usual
    brighter = {
        key: {view: picture // 2 + 100 for view, picture in views.items()} for key, views in crops.crops.items()
    }
    others = [
        digest(steps=7),
        digest(budget=StudentBudget(parameters=5)),
        digest(rows.assign(split="test")),
        digest(seen=CropsInMemory(brighter)),
        digest(distillation=DISTILLATION.model_copy(update={"seed": 4})),
    ]
    assert len({usual, *others}) == 6
