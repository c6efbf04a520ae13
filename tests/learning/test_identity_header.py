import pytest
import torch
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.learning.identity_header import IdentityHeader, MarginSoftmaxHeader
from countenance.network.margin import MarginConfiguration, margin_logits


def header(classes=3, dimension=4):
    return MarginSoftmaxHeader(classes, dimension, MarginConfiguration(scale=8.0), torch.Generator().manual_seed(0))


def test_the_plain_margin_header_learns_its_weights_and_ignores_a_teacher():
    ours = header()
    embedding = torch.randn(2, 4, requires_grad=True)
    loss = ours(embedding, torch.tensor([2, -1]), None)
    assert torch.equal(loss, ours(embedding, torch.tensor([2, -1]), torch.randn(2, 4)))
    loss.backward()
    assert ours.weight.grad.abs().sum() > 0
    assert embedding.grad[1].abs().sum() == 0
    assert ours(embedding, torch.tensor([-1, -1]), None) is None
    assert ours.curves == {}


def test_it_learns_as_the_readable_margin_softmax_does():
    ours, labels = header(5), torch.tensor([4, 0, 0])
    embedding = torch.randn(3, 4, requires_grad=True)
    loss = ours(embedding, labels, None)
    cosines = F.normalize(embedding) @ F.normalize(ours.weight).T
    plain = F.cross_entropy(margin_logits(cosines, labels, ours.configuration), labels)
    torch.testing.assert_close(loss, plain)
    both = [torch.autograd.grad(each, (embedding, ours.weight)) for each in (loss, plain)]
    for left, right in zip(*both, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
    own = cosines[torch.arange(3), labels].mean().item()
    assert ours.curves == {"centre_agreement": pytest.approx(own, abs=1e-6)}


class OfOnePiece(IdentityHeader):
    """A header that says nothing of classes."""

    def forward(self, embedding, labels, teacher):
        return None


def test_a_header_that_cant_share_its_classes_out_says_so():
    with pytest.raises(ModelError, match="kind OfOnePiece can't share its classes out.*set 'shard_classes' to false"):
        OfOnePiece().share_out(0, 2)
    OfOnePiece().join()  # has nothing to do


def test_a_share_of_learned_weights_is_learned_too():
    ours = header(5)
    whole = ours.weight.detach().clone()
    ours.share_out(1, 2)
    assert (ours.shard.first, ours.shard.end) == (2, 5)
    assert torch.equal(ours.weight, whole[2:])
    assert [name for name, _ in ours.named_parameters()] == ["weight"]
    assert ours.weight.requires_grad
