"""Feature maps, in either memory format, as :mod:`countenance.network.normalisation_kernels` takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from countenance.network.kernel_threads import in_threads

CHUNK_VALUES: Final = 32_768
"""Values in a chunk of rows: 128 KiB, so that what is gone through twice comes from the cache the second time."""

LEAST_COLUMNS: Final = 256
"""Values in a row, if the shape allows it."""


class FeatureMap:
    """[N, C, H, W] features, dense in one of the two memory formats, float32 or float64, on the CPU.

    Attributes:
        features: the tensor.
    """

    def __init__(self, features: Tensor) -> None:
        from countenance.network import normalisation_kernels

        self.features = features.detach()
        self._kernels: Any = normalisation_kernels
        images, channels, height, width = features.shape
        # view, not reshape: what is written into a copy would be lost.
        positions = images * height * width
        if _is_channels_last(features):
            self._fold = _fold(positions, channels)
            self._rows, columns = positions // self._fold, self._fold * channels
            matrix = self.features.permute(0, 2, 3, 1).view(self._rows, columns)
            self._layout, self._size = "row", max(1, CHUNK_VALUES // columns)
            self._parts = (-(-self._rows // self._size), columns)
        else:
            matrix = self.features.view(images * channels, height * width)
            self._layout, self._size, self._fold, self._rows = "plane", height * width, 1, positions
            self._parts = (images, channels)
        self._matrix = matrix.numpy()

    def alike(self, features: Tensor) -> FeatureMap:
        """Other features of the same shape, in this memory format."""
        layout = torch.channels_last if self._layout == "row" else torch.contiguous_format
        return FeatureMap(features.contiguous(memory_format=layout))

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and sum of squared differences from it: [C] float64 each."""
        means, squares = self.features.new_empty(2, *self._parts).numpy()
        self._run("moments", [means, squares])
        both = torch.zeros(2, self.features.shape[1], dtype=torch.float64)
        self._kernels.merge_moments(means, squares, self._size, self._rows, *both.numpy())
        return both[0], both[1]

    def outputs(self, scale: Tensor, shift: Tensor, slope: Tensor) -> Tensor:
        """y = z where z = scale x + shift > 0, slope z elsewhere; scale, shift and slope are [C]."""
        outputs = torch.empty_like(self.features)
        self._run("outputs", [*self._of_channels(scale, shift, slope), FeatureMap(outputs)._matrix])
        return outputs

    def sums(self, gradients: FeatureMap, mean: Tensor, scale: Tensor, shift: Tensor, slope: Tensor) -> Tensor:
        """The sums of dz, of dz (x - mean), and of dy z where z isn't positive: [3, C] float64.

        Args:
            gradients: dy, in the same memory format.
            mean: [C].
            scale: [C].
            shift: [C].
            slope: [C].
        """
        chunks, columns = self._parts
        sums = self.features.new_empty(chunks, 3, columns).numpy()
        given = self._of_channels(mean, scale, shift, slope)
        self._run("sums", [*given, sums], gradients)
        total = torch.zeros(3, self.features.shape[1], dtype=torch.float64)
        self._kernels.merge_sums(sums, total.numpy())
        return total

    def gradients(
        self, gradients: FeatureMap, scale: Tensor, shift: Tensor, slope: Tensor, tilt: Tensor, offset: Tensor
    ) -> Tensor:
        """scale dz + tilt x + offset, the gradient of x; all but the gradients dy are [C]."""
        results = torch.empty_like(self.features)
        given = self._of_channels(scale, shift, slope, tilt, offset)
        self._run("gradients", [*given, FeatureMap(results)._matrix], gradients)
        return results

    def _of_channels(self, *values: Tensor) -> list[Any]:
        return [each.detach().to(self.features.dtype).repeat(self._fold).numpy() for each in values]

    def _run(self, what: str, arrays: Sequence[Any], gradients: FeatureMap | None = None) -> None:
        kernel: Callable[..., None] = getattr(self._kernels, f"{self._layout}_{what}")
        given = [self._matrix] if gradients is None else [self._matrix, gradients._matrix]
        in_threads(lambda *part: kernel(*given, self._size, *arrays, *part), self.features.numel())


def _fold(positions: int, channels: int) -> int:
    """How many positions make a row, so that it is long enough for a loop over it to pay."""
    fold = 1
    while fold * channels < LEAST_COLUMNS and positions % (2 * fold) == 0:
        fold *= 2
    return fold


def dense(features: Tensor) -> Tensor:
    """The features themselves, or a copy where they are dense in neither memory format; gradients flow back."""
    if _is_channels_last(features) or features.is_contiguous():
        return features
    return features.contiguous(memory_format=torch.channels_last)


def _is_channels_last(features: Tensor) -> bool:
    return features.is_contiguous(memory_format=torch.channels_last)
