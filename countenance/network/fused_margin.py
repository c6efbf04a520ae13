"""The margin softmax over many classes: loss and gradient from one pass over the class centres.

With unit embeddings s, unit centres w, scale k and the margin psi at the own class y, the loss of a row is

    L = log(1 + exp(o - k psi(s.w_y))),    o = log sum_{c != y} exp(k s.w_c),

and its gradients, with p the softmax of the *other* classes and q = 1 - exp(-L) what they get of the probability, are

    dL/ds = k q (sum_{c != y} p_c w_c - psi'(s.w_y) w_y),    dL/dw_c = k q p_c s,    dL/dw_y = -k q psi'(s.w_y) s.

o and the mean of the other centres are gathered block by block with a running maximum (Milakov and Gimelshein, arXiv
1805.02867; Dao et al., arXiv 2205.14135, section 3.1): the logits of a block never leave the cache, the centres are
read from memory once, angles are taken at the own classes only, and nothing is lost where an embedding is all but
certain, since its own class isn't in the sum. [N, C] numbers are kept only where the class weights learn, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from countenance.network.margin import MarginConfiguration, slope_with_margin, with_margin

CLASSES_A_BLOCK: Final = 2048
"""On a CPU: 64 rows of logits and 512 numbers a centre stay in a core's cache."""

CLASSES_A_BLOCK_OF_A_GPU: Final = 32768
"""On a GPU each block must be large enough to keep it busy."""

Gather = Callable[[Tensor], Sequence[Tensor]]
"""A tensor of this process -> the tensors of all processes, in the order of their ranks."""


class MarginLoss(NamedTuple):
    """What :func:`margin_softmax` gives.

    Attributes:
        loss: scalar, the mean over the rows.
        own_cosines: [N] cosine between each row and the centre of its own class; without gradient.
    """

    loss: Tensor
    own_cosines: Tensor


def fused_margin_softmax(
    student: Tensor, unit_centres: Tensor, labels: Tensor, configuration: MarginConfiguration
) -> Tensor:
    """Mean margin softmax loss; the same as cross-entropy over :func:`~countenance.network.margin.margin_logits`.

    Args:
        student: [N, D] unit-norm embeddings, N >= 1.
        unit_centres: [C, D] unit-norm class centres, of the same dtype and device; they get a gradient only if they
            require one.
        labels: [N] int64 class of each row, 0..C-1.
        configuration: margin and scale.
    """
    return margin_softmax(student, unit_centres, labels, configuration).loss


def margin_softmax(
    student: Tensor,
    centres: Tensor,
    labels: Tensor,
    configuration: MarginConfiguration,
    *,
    inverse_lengths: Tensor | None = None,
    gather: Gather | None = None,
) -> MarginLoss:
    """:func:`fused_margin_softmax` for centres of any length, and for classes that are shared out over processes.

    Args:
        student: [N, D] unit-norm embeddings, N >= 1; with shared-out classes the same in every process.
        centres: [C, D] class centres; of shared-out classes those of this process, possibly none.
        labels: [N] int64 row of ``centres`` that is each row's own class, or -1 where another process has it.
        configuration: margin and scale.
        inverse_lengths: [C] what each centre is multiplied by to have unit norm, or None where all have it. Only for
            centres that don't require a gradient, which would have to go through their lengths, too.
        gather: brings together what every process knows of its classes, or None where this one has all of them.

    Returns:
        Loss and cosines over all classes, the same in every process. Backwards, every process gets the whole gradient
        of the embeddings, and of the centres that of its own.

    Raises:
        ValueError: centres that learn come with lengths.
    """
    if inverse_lengths is not None and centres.requires_grad:
        raise ValueError("centres that require a gradient can't come with inverse_lengths: give them unit norm instead")
    return MarginLoss(*_MarginSoftmax.apply(student, centres, labels, configuration, inverse_lengths, gather))  # type: ignore[no-untyped-call]


class _MarginSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        centres: Tensor,
        labels: Tensor,
        configuration: MarginConfiguration,
        inverse_lengths: Tensor | None,
        gather: Gather | None,
    ) -> tuple[Tensor, Tensor]:
        own_centres = _own(centres, labels, inverse_lengths)
        kept: list[_Block] | None = [] if ctx.needs_input_grad[1] else None
        found = _others(configuration.scale * student, centres, labels, inverse_lengths, kept)
        if gather is not None:
            found, own_centres = _over_processes(found, own_centres, gather)
        own = (student * own_centres).sum(dim=1)
        slope = slope_with_margin(own, configuration)
        excess = found.top + found.total.log() - configuration.scale * with_margin(own, configuration)
        pull = (configuration.scale / len(student)) * torch.sigmoid(excess)
        share = pull / found.total.clamp(min=torch.finfo(pull.dtype).tiny)  # where no other class is: 0 / tiny
        to_student = share[:, None] * found.expected - (pull * slope)[:, None] * own_centres
        learning = [] if kept is None else [student, labels, pull * slope, share, found.top]
        ctx.save_for_backward(to_student, *learning, *(tensor for block in kept or () for tensor in block))
        ctx.shape = centres.shape
        ctx.mark_non_differentiable(own)
        ctx.set_materialize_grads(False)
        return torch.logaddexp(excess, torch.zeros_like(excess)).mean(), own

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
        nothing = (None,) * 4
        if upstream is None:
            return None, None, *nothing
        to_student, *learning = ctx.saved_tensors
        to_centres = _to_centres(ctx.shape, upstream, *learning) if ctx.needs_input_grad[1] else None
        return upstream * to_student, to_centres, *nothing


class _Block(NamedTuple):
    """Of a block of classes: exp(logit - top) [B, N], 0 at own classes; and the running maximum ``top`` [N]."""

    exponentials: Tensor
    top: Tensor


class _OtherClasses(NamedTuple):
    """The softmax over the classes that aren't a row's own: ``sum_c exp(z_c - top)`` and the same sum of the centres.

    top: [N], total: [N], expected: [N, D].
    """

    top: Tensor
    total: Tensor
    expected: Tensor


def _own(centres: Tensor, labels: Tensor, inverse_lengths: Tensor | None) -> Tensor:
    """[N, D] unit-norm centre of each row's own class; zeros where this process hasn't got it."""
    here = (labels >= 0).nonzero().squeeze(1)
    own = centres[labels[here]]
    if inverse_lengths is not None:
        own = own * inverse_lengths[labels[here], None]
    return centres.new_zeros(len(labels), centres.shape[1]).index_copy_(0, here, own)


def _others(
    scaled: Tensor, centres: Tensor, labels: Tensor, inverse_lengths: Tensor | None, kept: list[_Block] | None
) -> _OtherClasses:
    """One pass over the centres; each block's numbers are put into ``kept``, if there is such a list."""
    size = CLASSES_A_BLOCK if scaled.device.type == "cpu" else CLASSES_A_BLOCK_OF_A_GPU
    buffer = scaled.new_empty(0 if kept is not None else min(size, len(centres)) * len(scaled))
    columns = scaled.T.contiguous()  # classes by rows is the order in which both products are fastest
    # No cosine is below -1: with the maximum starting there, it is finite even where there is no other class.
    top = -scaled.norm(dim=1)
    total, expected = torch.zeros_like(top), torch.zeros_like(scaled)
    for first, rows in _blocks(labels, len(centres), size):
        block = centres[first : first + size]
        room = len(block) * len(scaled)
        logits = (buffer[:room] if kept is None else scaled.new_empty(room)).view(len(block), len(scaled))
        torch.mm(block, columns, out=logits)
        if inverse_lengths is not None:
            logits.mul_(inverse_lengths[first : first + size, None])
        if len(rows):
            logits[labels[rows] - first, rows] = -torch.inf
        before, top = top, torch.maximum(top, logits.amax(dim=0))
        exponentials = logits.sub_(top).exp_()
        shrunk = (before - top).exp_()
        total.mul_(shrunk).add_(exponentials.sum(dim=0))
        if kept is not None:
            kept.append(_Block(exponentials, top))
        elif inverse_lengths is not None:
            exponentials.mul_(inverse_lengths[first : first + size, None])
        expected.mul_(shrunk[:, None]).addmm_(exponentials.T, block)
    return _OtherClasses(top, total, expected)


def _blocks(labels: Tensor, classes: int, size: int) -> Iterator[tuple[int, Tensor]]:
    """The first class of each block, and the rows whose own class is in it."""
    order = labels.argsort(stable=True)
    starts = torch.arange(0, classes + size, size, device=labels.device)
    edges = torch.searchsorted(labels[order], starts).tolist()
    for block, (first, last) in enumerate(itertools.pairwise(edges[: -(-classes // size) + 1])):
        yield block * size, order[first:last]


def _over_processes(here: _OtherClasses, own_centres: Tensor, gather: Gather) -> tuple[_OtherClasses, Tensor]:
    """The same over the classes of all processes, added up in the order of their ranks; and all rows' own centres."""
    packed = torch.cat([here.top[:, None], here.total[:, None], here.expected, own_centres], dim=1)
    widths = [1, 1, here.expected.shape[1], own_centres.shape[1]]
    tops, totals, expected, own = torch.split(torch.stack(list(gather(packed))), widths, dim=2)
    top = tops.amax(dim=0)
    shrunk = (tops - top).exp_()
    sums = _OtherClasses(top[:, 0], (shrunk * totals).sum(dim=0)[:, 0], (shrunk * expected).sum(dim=0))
    return sums, own.sum(dim=0)


def _to_centres(
    shape: torch.Size,
    upstream: Tensor,
    student: Tensor,
    labels: Tensor,
    own_pull: Tensor,
    share: Tensor,
    top: Tensor,
    *blocks: Tensor,
) -> Tensor:
    """[C, D] gradient to the centres; ``blocks`` are the tensors of each :class:`_Block`, one after the other."""
    gradient, first = student.new_empty(shape), 0
    for exponentials, top_then in zip(blocks[::2], blocks[1::2], strict=True):
        end = first + len(exponentials)
        weighted = (upstream * share * (top_then - top).exp())[:, None] * student
        torch.mm(exponentials, weighted, out=gradient[first:end])
        first = end
    here = (labels >= 0).nonzero().squeeze(1)
    return gradient.index_add_(0, labels[here], -(upstream * own_pull)[here, None] * student[here])
