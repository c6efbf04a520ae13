import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from countenance.learning.class_shards import ClassShard
from countenance.learning.launching import in_processes
from tests.learning.test_distillation import ARC, header, loss_in_numpy, moved_in_numpy, twenty_steps
from tests.learning.test_training import PLAN


@given(st.integers(1, 9), st.integers(0, 40))
def test_every_class_is_in_one_share_and_the_shares_are_equal_but_for_one(world, classes):
    shards = [ClassShard(rank, world, classes) for rank in range(world)]
    assert [label for shard in shards for label in range(shard.first, shard.end)] == list(range(classes))
    sizes = [shard.end - shard.first for shard in shards]
    assert max(sizes) - min(sizes) <= 1


def test_a_share_has_its_own_rows_and_knows_which_labels_are_its():
    shard, whole = ClassShard(1, 2, 5), torch.arange(10.0).view(5, 2)
    assert shard.own(whole).tolist() == whole[2:].tolist()
    assert shard.rows(torch.tensor([2, 0, 4, -1, 1, 3])).tolist() == [0, -1, 2, -1, -1, 1]
    shard.own(whole).zero_()
    assert whole[2:].all()  # it was a copy


def forty_steps():
    """Twenty without a repeated class, whose classes are in all shares, and twenty with some, which are in one."""
    yield from twenty_steps(repeated=False)
    yield from twenty_steps(repeated=True)


class FortyStepsTogether:
    """Forty AdaDistill steps, each process having its share of the rows, and of the classes if so wanted."""

    def __init__(self, folder, shard_classes):
        self.folder, self.shard_classes = folder, shard_classes

    def __call__(self, processes):
        ours, losses = header(classes=40), []
        if self.shard_classes:
            ours.share_out(processes.rank, processes.world)
        for student, teacher, labels in forty_steps():
            whole = (torch.tensor(student).float(), torch.tensor(labels), torch.tensor(teacher).float())
            rows = processes.gather([part[processes.rank :: processes.world] for part in whole])
            losses.append(ours(*rows).item())
        ours.join()
        np.savez(self.folder / f"{processes.rank}.npz", losses=losses, centres=ours.centres.numpy())


@pytest.mark.slow
@pytest.mark.parametrize("shard_classes", [False, True])
@pytest.mark.parametrize("world", [2, 4])
def test_every_process_has_the_losses_and_centres_of_the_formulas(tmp_path, world, shard_classes):
    assert not in_processes(FortyStepsTogether(tmp_path, shard_classes), PLAN.model_copy(update={"processes": world}))
    found = [np.load(tmp_path / f"{rank}.npz") for rank in range(world)]
    centres = header(classes=40).centres.double().numpy()
    for step, (student, teacher, labels) in enumerate(forty_steps()):
        centres = moved_in_numpy(centres, student, teacher, labels, "weighted")
        expected = loss_in_numpy(centres, student, labels, ARC)
        assert [each["losses"][step] for each in found] == pytest.approx([expected] * world, rel=1e-5, abs=1e-5)
    for each in found:
        np.testing.assert_allclose(each["centres"], centres, rtol=0, atol=1e-5)
        assert np.array_equal(each["losses"], found[0]["losses"])  # bit for bit
        assert np.array_equal(each["centres"], found[0]["centres"])
