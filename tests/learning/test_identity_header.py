import torch

from countenance.learning.identity_header import MarginSoftmaxHeader
from countenance.network.margin import MarginConfiguration


def test_the_plain_margin_header_learns_its_weights_and_ignores_a_teacher():
    ours = MarginSoftmaxHeader(3, 4, MarginConfiguration(scale=8.0), torch.Generator().manual_seed(0))
    embedding = torch.randn(2, 4, requires_grad=True)
    loss = ours(embedding, torch.tensor([2, -1]), None)
    assert torch.equal(loss, ours(embedding, torch.tensor([2, -1]), torch.randn(2, 4)))
    loss.backward()
    assert ours.weight.grad.abs().sum() > 0
    assert embedding.grad[1].abs().sum() == 0
    assert ours(embedding, torch.tensor([-1, -1]), None) is None
