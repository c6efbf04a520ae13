"""Kernels of batch normalisation with PReLU behind it, compiled by Numba.

A feature map comes in one of two layouts. *Rows*: [positions, channels], which is what channels-last memory is; where
channels are few, [positions / r, r * channels], which the kernels take for more channels. *Planes*: [images * channels,
positions], which is what contiguous memory is. Each is cut into chunks whose size depends on the shape only: some rows
that fit into a core's cache, or an image. Sums are taken within a chunk in float32 and over the chunks, in their order,
in float64. So the bits don't depend on the number of threads.

Every kernel does the chunks of part ``part`` of ``parts``. With z = scale x + shift the output is y = z where z > 0,
slope z elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float32]
Kernel = TypeVar("Kernel", bound=Callable[..., None])


def _kernel(function: Kernel) -> Kernel:
    """Compiled when it is first called and kept on disk; runs without the interpreter's lock."""
    return cast(Kernel, njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})(function))


def _plane_kernel(function: Kernel) -> Kernel:
    """Likewise, for sums along a plane: the compiler may take several partial sums, a fixed number of them."""
    flags = {"contract", "reassoc", "nsz"}
    return cast(Kernel, njit(nogil=True, cache=True, error_model="numpy", fastmath=flags)(function))


@_kernel
def row_moments(values: Values, size: int, means: Values, squares: Values, part: int, parts: int) -> None:
    """Mean and sum of squared differences from it, of every chunk and channel.

    Args:
        values: [P, C].
        size: rows of a chunk.
        means: [K, C], written.
        squares: [K, C], written.
        part: which part of the chunks.
        parts: how many there are.
    """
    chunks, channels = means.shape
    for chunk in range(part * chunks // parts, (part + 1) * chunks // parts):
        first, last = chunk * size, min((chunk + 1) * size, len(values))
        share = np.float32(1.0) / np.float32(last - first)
        mean, square = means[chunk], squares[chunk]
        for channel in range(channels):
            mean[channel] = np.float32(0.0)
            square[channel] = np.float32(0.0)
        for row in range(first, last):
            for channel in range(channels):
                mean[channel] += values[row, channel]
        for channel in range(channels):
            mean[channel] *= share
        for row in range(first, last):
            for channel in range(channels):
                difference = values[row, channel] - mean[channel]
                square[channel] += difference * difference


@_kernel
def row_outputs(
    values: Values, size: int, scale: Values, shift: Values, slope: Values, outputs: Values, part: int, parts: int
) -> None:
    """The outputs [P, C] of values [P, C]; scale, shift and slope are [C]."""
    positions, channels = values.shape
    chunks = (positions + size - 1) // size
    first, last = part * chunks // parts * size, min((part + 1) * chunks // parts * size, positions)
    for row in range(first, last):
        for channel in range(channels):
            normal = values[row, channel] * scale[channel] + shift[channel]
            outputs[row, channel] = normal if normal > np.float32(0.0) else normal * slope[channel]


@_kernel
def row_sums(
    values: Values,
    gradients: Values,
    size: int,
    mean: Values,
    scale: Values,
    shift: Values,
    slope: Values,
    sums: Values,
    part: int,
    parts: int,
) -> None:
    """What the gradients of bias, weight and slope are made of, of every chunk and channel.

    Args:
        values: [P, C].
        gradients: [P, C] of the outputs.
        size: rows of a chunk.
        mean: [C].
        scale: [C].
        shift: [C].
        slope: [C].
        sums: [K, 3, C], written: the sums of dz, of dz (x - mean), and of dy z where z isn't positive.
        part: which part of the chunks.
        parts: how many there are.
    """
    chunks, _, channels = sums.shape
    for chunk in range(part * chunks // parts, (part + 1) * chunks // parts):
        straight, along, below = sums[chunk, 0], sums[chunk, 1], sums[chunk, 2]
        for channel in range(channels):
            straight[channel] = np.float32(0.0)
            along[channel] = np.float32(0.0)
            below[channel] = np.float32(0.0)
        for row in range(chunk * size, min((chunk + 1) * size, len(values))):
            for channel in range(channels):
                value, gradient = values[row, channel], gradients[row, channel]
                normal = value * scale[channel] + shift[channel]
                inside = gradient if normal > np.float32(0.0) else gradient * slope[channel]
                straight[channel] += inside
                along[channel] += inside * (value - mean[channel])
                below[channel] += np.float32(0.0) if normal > np.float32(0.0) else gradient * normal


@_kernel
def row_gradients(
    values: Values,
    gradients: Values,
    size: int,
    scale: Values,
    shift: Values,
    slope: Values,
    tilt: Values,
    offset: Values,
    results: Values,
    part: int,
    parts: int,
) -> None:
    """The gradient of the values [P, C]: scale dz + tilt x + offset; the per-channel arrays are [C]."""
    positions, channels = values.shape
    chunks = (positions + size - 1) // size
    first, last = part * chunks // parts * size, min((part + 1) * chunks // parts * size, positions)
    for row in range(first, last):
        for channel in range(channels):
            value, gradient = values[row, channel], gradients[row, channel]
            inside = (
                gradient if value * scale[channel] + shift[channel] > np.float32(0.0) else gradient * slope[channel]
            )
            results[row, channel] = inside * scale[channel] + (value * tilt[channel] + offset[channel])


@_plane_kernel
def plane_moments(values: Values, size: int, means: Values, squares: Values, part: int, parts: int) -> None:
    """As :func:`row_moments`, for planes [N C, S]; a chunk is an image of size S, means and squares are [N, C]."""
    planes = len(values)
    channels = means.shape[1]
    for plane in range(part * planes // parts, (part + 1) * planes // parts):
        image, channel = plane // channels, plane % channels
        total = np.float32(0.0)
        for position in range(size):
            total += values[plane, position]
        mean = total / np.float32(size)
        square = np.float32(0.0)
        for position in range(size):
            difference = values[plane, position] - mean
            square += difference * difference
        means[image, channel], squares[image, channel] = mean, square


@_plane_kernel
def plane_outputs(
    values: Values, size: int, scale: Values, shift: Values, slope: Values, outputs: Values, part: int, parts: int
) -> None:
    """As :func:`row_outputs`, for planes [N C, S]."""
    planes = len(values)
    for plane in range(part * planes // parts, (part + 1) * planes // parts):
        channel = plane % len(scale)
        factor, term, low = scale[channel], shift[channel], slope[channel]
        for position in range(size):
            normal = values[plane, position] * factor + term
            outputs[plane, position] = normal if normal > np.float32(0.0) else normal * low


@_plane_kernel
def plane_sums(
    values: Values,
    gradients: Values,
    size: int,
    mean: Values,
    scale: Values,
    shift: Values,
    slope: Values,
    sums: Values,
    part: int,
    parts: int,
) -> None:
    """As :func:`row_sums`, for planes [N C, S]; a chunk is an image, sums are [N, 3, C]."""
    planes = len(values)
    for plane in range(part * planes // parts, (part + 1) * planes // parts):
        image, channel = plane // len(scale), plane % len(scale)
        centre, factor, term, low = mean[channel], scale[channel], shift[channel], slope[channel]
        straight, along, below = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for position in range(size):
            value, gradient = values[plane, position], gradients[plane, position]
            normal = value * factor + term
            inside = gradient if normal > np.float32(0.0) else gradient * low
            straight += inside
            along += inside * (value - centre)
            below += np.float32(0.0) if normal > np.float32(0.0) else gradient * normal
        sums[image, 0, channel], sums[image, 1, channel], sums[image, 2, channel] = straight, along, below


@_plane_kernel
def plane_gradients(
    values: Values,
    gradients: Values,
    size: int,
    scale: Values,
    shift: Values,
    slope: Values,
    tilt: Values,
    offset: Values,
    results: Values,
    part: int,
    parts: int,
) -> None:
    """As :func:`row_gradients`, for planes [N C, S]."""
    planes = len(values)
    for plane in range(part * planes // parts, (part + 1) * planes // parts):
        channel = plane % len(scale)
        factor, term, low, steep, rest = scale[channel], shift[channel], slope[channel], tilt[channel], offset[channel]
        for position in range(size):
            value, gradient = values[plane, position], gradients[plane, position]
            inside = gradient if value * factor + term > np.float32(0.0) else gradient * low
            results[plane, position] = inside * factor + (value * steep + rest)


@_kernel
def merge_moments(
    means: Values, squares: Values, size: int, rows: int, mean: NDArray[np.float64], square: NDArray[np.float64]
) -> None:
    """Mean [C] and sum of squared differences [C] of all chunks [K, r C] (Chan et al., 1979).

    Args:
        means: [K, r C] of the chunks.
        squares: [K, r C] of the chunks.
        size: rows of a chunk, but for the last, which may be shorter.
        rows: in all.
        mean: [C], zeros; written.
        square: [C], zeros; written.
    """
    chunks, columns = means.shape
    channels = len(mean)
    count = rows * (columns // channels)
    for chunk in range(chunks):
        share = min(size, rows - chunk * size) / count
        for column in range(columns):
            mean[column % channels] += share * means[chunk, column]
    for chunk in range(chunks):
        weight = float(min(size, rows - chunk * size))
        for column in range(columns):
            difference = means[chunk, column] - mean[column % channels]
            square[column % channels] += squares[chunk, column] + weight * difference * difference


@_kernel
def merge_sums(sums: Values, total: NDArray[np.float64]) -> None:
    """The sums of all chunks [K, 3, r C], in their order, into zeros [3, C]."""
    chunks, kinds, columns = sums.shape
    channels = total.shape[1]
    for chunk in range(chunks):
        for kind in range(kinds):
            for column in range(columns):
                total[kind, column % channels] += sums[chunk, kind, column]
