"""What every comparison of a large set costs: processor time and memory of the matrix of FMR between groups.

Runs in a process of its own, so that the most memory it ever held can be told. At a smaller size the same counts are
made by a plain float64 computation, pair by pair.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.exhaustive_errors import CrossGroupFmr, ExhaustiveErrorCounts, cross_group_fmr
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.groups import DEFAULT_GROUP_SIZES
from countenance.assessment.results import Result
from countenance.assessment.score_grid import on_grid
from countenance.errors import AssessmentError
from countenance.process_memory import peak_mebibytes

LEAST_SUBJECTS: Final = DEFAULT_GROUP_SIZES.minimum
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class CrowdSize(Result):
    """How large a made-up set is.

    Attributes:
        images: how many.
        subjects: of whom, with equally many images each.
        groups: with equally many subjects each.
        dimension: numbers of an embedding.
        rate: FMR at which the common threshold is set.
    """

    images: int = 20_000
    subjects: int = 1_000
    groups: int = 8
    dimension: int = 512
    rate: float = 1e-3


@dataclass(frozen=True)
class BiasSpeed(Result):
    """What was measured.

    Attributes:
        size: of the set.
        threads: of matrix products.
        pairs: non-mated comparisons.
        seconds: of processor time: comparing, choosing the threshold, and the matrix with its intervals.
        passed: seconds that passed meanwhile.
        peak_mebibytes: most memory that the process held, of which
        idle_mebibytes: it held with its libraries loaded, the embeddings made up.
        matrix: FMR between groups.
        checked: images at which the counts were also made pair by pair in float64.
        identical: whether those counts were the same.
    """

    size: CrowdSize
    threads: int
    pairs: int
    seconds: float
    passed: float
    peak_mebibytes: float
    idle_mebibytes: float
    matrix: CrossGroupFmr
    checked: int
    identical: bool


def measure_bias(size: CrowdSize, *, seed: int = 0, threads: int = 1, checked: int = 1_500) -> BiasSpeed:
    """Make embeddings up, and measure the matrix of FMR between groups over every comparison.

    Args:
        size: of the set.
        seed: of what is made up.
        threads: of matrix products.
        checked: images of the smaller set that is also counted pair by pair.

    Raises:
        AssessmentError: the sizes don't fit one another, or the process ended before its time.
    """
    if size.images % size.subjects or size.subjects % size.groups or size.subjects < LEAST_SUBJECTS * size.groups:
        raise AssessmentError(
            f"{size.images} images of {size.subjects} subjects in {size.groups} groups: give sizes that "
            f"divide evenly, and {LEAST_SUBJECTS} subjects a group or more."
        )
    photos = size.images // size.subjects
    smaller_subjects = max(size.groups * LEAST_SUBJECTS, checked // photos // size.groups * size.groups)
    smaller = replace(size, subjects=smaller_subjects, images=smaller_subjects * photos, rate=0.01)
    with _threads(threads), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            pairs, seconds, passed, peak, idle, matrix = pool.submit(_measured, size, seed).result()
            identical = pool.submit(counts_agree, smaller, seed).result()
        except BrokenProcessPool as error:
            raise AssessmentError(
                "The measuring process was ended from outside: give the measurement more memory or a smaller size."
            ) from error
    return BiasSpeed(size, threads, pairs, seconds, passed, peak, idle, matrix, smaller.images, identical)


def made_up_crowd(size: CrowdSize, seed: int) -> tuple[FloatArray, IntArray, dict[str, str]]:
    """Embeddings [N, D] float32, the subject of each, and the group of each subject; later groups are more alike."""
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(size.subjects), size.images // size.subjects)
    group = np.arange(size.subjects) % size.groups
    directions = generator.standard_normal((size.groups, size.dimension), dtype=np.float32)
    centres = generator.standard_normal((size.subjects, size.dimension), dtype=np.float32)
    centres += 0.03 * group[:, None] * directions[group]
    rows = generator.standard_normal((size.images, size.dimension), dtype=np.float32)
    rows += centres[subject]
    return rows, subject, {str(number): f"group {code + 1}" for number, code in enumerate(group.tolist())}


def _measured(size: CrowdSize, seed: int) -> tuple[int, float, float, float, float, CrossGroupFmr]:
    rows, subject, groups = made_up_crowd(size, seed)
    names = subject.astype(str)
    idle, began, clock = peak_mebibytes(), time.process_time(), time.perf_counter()
    samples = Samples.of(rows, names)
    high = HighScores.for_rate(samples, size.rate)
    matrix = cross_group_fmr(ExhaustiveErrorCounts(high, groups, high.threshold_at(size.rate)))
    seconds, passed = time.process_time() - began, time.perf_counter() - clock
    return samples.non_mated, seconds, passed, peak_mebibytes(), idle, matrix


def counts_agree(size: CrowdSize, seed: int) -> bool:
    """Whether threshold and errors of every cell are those of a float64 computation, pair by pair."""
    rows, subject, groups = made_up_crowd(size, seed)
    high = HighScores.for_rate(Samples.of(rows, subject.astype(str)), size.rate)
    found = cross_group_fmr(ExhaustiveErrorCounts(high, groups, high.threshold_at(size.rate)))
    unit = rows.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    group = np.array([groups[str(number)] for number in subject])
    first, second = np.triu_indices(len(subject), 1)
    strangers = subject[first] != subject[second]
    first, second = first[strangers], second[strangers]
    scores = on_grid(np.einsum("pd,pd->p", unit[first], unit[second]))
    allowed = int(size.rate * len(scores))
    threshold = np.sort(scores)[len(scores) - 1 - allowed]
    wrong = scores > threshold
    if abs(found.threshold - threshold) > 1e-12:
        return False
    for row, one in enumerate(found.groups):
        for column, other in enumerate(found.groups):
            cell = (group[first] == one) & (group[second] == other)
            cell |= (group[first] == other) & (group[second] == one)
            rate = found.rates[row][column]
            if (rate.errors, rate.comparisons) != (int((wrong & cell).sum()), int(cell.sum())):
                return False
    return True


@contextmanager
def _threads(count: int) -> Iterator[None]:
    # Read by the matrix library as it is loaded, which is why it is set before the process starts.
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
