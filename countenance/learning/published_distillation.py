"""AdaDistill as its paper has it, in the PyTorch that comes to mind first: what our own step is measured against.

Written from the formulas (Boutros et al., ECCV 2024; Deng et al., CVPR 2019, equation 3), not from the authors' code,
but with the choices of theirs that cost time: the teacher is asked at every step, the class centres are a parameter,
margins are put on by the arc cosine of all logits, and all gradients are left to autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from countenance.learning.distillation import SMALLEST_ALPHA
from countenance.learning.identity_header import INITIAL_STD
from countenance.network.allinone import AllInOneNetwork
from countenance.network.layers import ParametricReLU
from countenance.network.margin import MarginConfiguration

GRADIENT_CLIP = 5.0


class PublishedHeader(nn.Module):
    """ArcFace over class centres that weighted alpha moves; of several rows of one class the last one moves it."""

    def __init__(
        self, classes: int, dimension: int, configuration: MarginConfiguration, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.centres = nn.Parameter((INITIAL_STD * torch.randn(classes, dimension, generator=generator)).T.contiguous())

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor) -> Tensor:
        """[N, D] raw embeddings, [N] classes and [N, D] teacher features -> mean loss."""
        student, teacher = F.normalize(embedding), F.normalize(teacher)
        with torch.no_grad():
            own = F.normalize(self.centres[:, labels].T)
            to_centre = (own * teacher).sum(dim=1).clamp(SMALLEST_ALPHA, 1.0)
            alpha = ((student * teacher).sum(dim=1) * to_centre).clamp(SMALLEST_ALPHA, 1.0)[:, None]
            self.centres[:, labels] = (alpha * self.centres[:, labels].T + (1.0 - alpha) * teacher).T
        cosines = (student @ F.normalize(self.centres, dim=0)).clamp(-1.0, 1.0)
        margins = torch.zeros_like(cosines).scatter_(1, labels[:, None], self.configuration.margin)
        return F.cross_entropy(self.configuration.scale * torch.cos(torch.acos(cosines) + margins), labels)


class PublishedStep:
    """One step of training after the other, with a teacher that is run in float32 at each of them.

    Args:
        student: trained.
        teacher: asked, and left as it is.
        header: gives the loss; the gradient of its centres is computed and never used.
        learning_rate: of SGD with momentum .9 and weight decay 5e-4.
    """

    def __init__(
        self, student: AllInOneNetwork, teacher: AllInOneNetwork, header: PublishedHeader, learning_rate: float
    ) -> None:
        self.student, self.teacher = _Recogniser(student).train(), _Recogniser(teacher).eval()
        self.header = header
        self._optimiser = torch.optim.SGD(self.student.parameters(), lr=learning_rate, momentum=0.9, weight_decay=5e-4)

    def __call__(self, images: Tensor, labels: Tensor) -> float:
        """Train on [N, 3, S, S] images in [-1, 1] of [N] classes; the loss."""
        with torch.no_grad():
            features = self.teacher(images)
        loss = self.header(self.student(images), labels, features)
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), GRADIENT_CLIP)
        self._optimiser.step()
        self._optimiser.zero_grad()
        self.header.zero_grad()
        return float(loss.detach())


class _Recogniser(nn.Module):
    """The trunk and the identity branch of a network, with PyTorch's own PReLU."""

    def __init__(self, network: AllInOneNetwork) -> None:
        super().__init__()
        self.trunk, self.identity = network.trunk, network.identity
        for parent in list(self.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, ParametricReLU):
                    plain = nn.PReLU(child.slope.numel())
                    plain.weight.data.copy_(child.slope.detach().view(-1))
                    setattr(parent, name, plain)

    def forward(self, images: Tensor) -> Tensor:
        embedding: Tensor = self.identity(self.trunk(images).final)
        return embedding
