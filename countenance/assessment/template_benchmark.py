"""How fast templates are evaluated beside a plain float64 script: same protocol, same counts.

Each way runs in a process of its own, so that the most memory that either ever held can be told, and is timed in
seconds of processor time, which other work on the machine changes less than it does the time that passes.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from countenance.assessment.embedding_file import embedding_blocks
from countenance.assessment.identification import FPIRS, RANKS, GalleryRows, identify
from countenance.assessment.made_up_protocol import EMBEDDINGS, MadeUpProtocol, ProtocolSize, make_protocol
from countenance.assessment.plain_evaluation import (
    plain_identification,
    plain_scores,
    plain_tars,
    plain_templates,
)
from countenance.assessment.results import Result
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_scores import TemplatePairScores, template_positions
from countenance.assessment.template_sums import TemplateSums
from countenance.assessment.template_verification import FARS, template_tar_at_far
from countenance.assessment.templates import Templates
from countenance.assessment.verification import tar_at_far
from countenance.errors import AssessmentError
from countenance.process_memory import peak_mebibytes

AGGREGATION: Final = "aggregation"
SCORES: Final = "pair scores"
TABLE: Final = "TAR table"
IDENTIFICATION: Final = "1:N"
VERIFICATION_STAGES: Final = (AGGREGATION, SCORES, TABLE)
STAGES: Final = (*VERIFICATION_STAGES, IDENTIFICATION)
GROWTH: Final = (0.25, 0.5, 1.0)

_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Run(Result):
    """What one way took and what it counted.

    Attributes:
        seconds: of processor time, by stage.
        peak_mebibytes: most memory that its process held until the TAR table was done, of which
        idle_mebibytes: it held with its libraries loaded, before it read anything.
        accepted: mated pairs accepted at each FAR; None where it is not measurable.
        false_accepts: non-mated pairs accepted at each; likewise.
        found: by gallery, mated probes that find their mate within each rank.
        identified: by gallery, those identified at each FPIR; None where it is not measurable.
    """

    seconds: Mapping[str, float]
    peak_mebibytes: float
    idle_mebibytes: float
    accepted: tuple[int | None, ...]
    false_accepts: tuple[int | None, ...]
    found: tuple[tuple[int, ...], ...]
    identified: tuple[tuple[int | None, ...], ...]

    @property
    def total(self) -> float:
        """Seconds of all but 1:N."""
        return sum(self.seconds[stage] for stage in VERIFICATION_STAGES)

    @property
    def counts(self) -> tuple[object, ...]:
        """All that was counted."""
        return self.accepted, self.false_accepts, self.found, self.identified


@dataclass(frozen=True)
class TemplateSpeed(Result):
    """What was measured.

    Attributes:
        size: of the protocol.
        threads: of matrix products.
        repeats: how often each way ran; what is told is the run that took least.
        plain: the plain script.
        ours: the fast way.
        growth: the fast way at shares of the size, the last of them all of it; empty where it wasn't asked for.
    """

    size: ProtocolSize
    threads: int
    repeats: int
    plain: Run
    ours: Run
    growth: tuple[tuple[float, Run], ...] = ()

    def ratio(self, stage: str) -> float:
        """How many times as long the plain script took for a stage."""
        return self.plain.seconds[stage] / self.ours.seconds[stage]

    @property
    def total_ratio(self) -> float:
        """How many times as long it took for all stages but 1:N."""
        return self.plain.total / self.ours.total

    @property
    def identical(self) -> bool:
        """Whether both counted the same everywhere."""
        return self.plain.counts == self.ours.counts


def measure_templates(
    size: ProtocolSize,
    *,
    seed: int = 0,
    threads: int = 1,
    repeats: int = 2,
    growth: bool = False,
    folder: Path | None = None,
) -> TemplateSpeed:
    """Make a protocol up and evaluate it both ways, in turns; five minutes at IJB-C's size.

    Whoever runs first on a virtual machine pays for the memory that its host has to lend anew, a tenth of a second and
    more for each 100 MB, which the same run a minute later doesn't: of several runs the one that took least is told.

    Args:
        size: of the protocol.
        seed: of what is made up.
        threads: of matrix products.
        repeats: how often each way runs at each size, 1 or more.
        growth: also measure the fast way at a quarter and at half of the size.
        folder: for temporary files, 1.3 GB at IJB-C's size; None takes the system's.

    Raises:
        AssessmentError: a process ended before its time, as for want of memory.
    """
    grown = []
    for share in GROWTH[:-1] if growth else ():
        with _protocol(size.scaled(share), seed, folder) as files:
            runs = [_in_own_process(run_ours, files, threads) for _ in range(repeats)]
            grown.append((share, _quickest(runs)))
    with _protocol(size, seed, folder) as files:
        turns = [[_in_own_process(way, files, threads) for way in (run_ours, run_plain)] for _ in range(repeats)]
    ours, plain = (_quickest(runs) for runs in zip(*turns, strict=True))
    if growth:
        grown.append((GROWTH[-1], ours))
    return TemplateSpeed(size, threads, repeats, plain, ours, tuple(grown))


def _quickest(runs: Iterable[Run]) -> Run:
    return min(runs, key=lambda run: run.total)


@contextmanager
def _protocol(size: ProtocolSize, seed: int, folder: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="countenance-bench-", dir=folder) as name:
        make_protocol(Path(name), size, seed)
        yield Path(name)


def run_ours(folder: Path) -> Run:
    """Evaluate the protocol in ``folder`` the fast way."""
    idle, watch = peak_mebibytes(), _Stopwatch()
    protocol = MadeUpProtocol.read(folder)
    sums = TemplateSums(protocol.templates, protocol.media, protocol.detector_scores)
    for first_row, block in embedding_blocks(folder / EMBEDDINGS):
        sums.add(first_row, block)
    templates = sums.finish()
    watch.lap(AGGREGATION)
    first = template_positions(templates.ids, protocol.first)
    second = template_positions(templates.ids, protocol.second)
    scores = TemplatePairScores.of(templates, first, second, protocol.mated)
    watch.lap(SCORES)
    points = template_tar_at_far(SortedScores(scores), FARS)
    watch.lap(TABLE)
    peak = peak_mebibytes()
    del scores, first, second
    watch.restart()
    probes = template_positions(templates.ids, protocol.probe_templates)
    made = identify(templates, _galleries(protocol, templates), probes, protocol.probe_subjects)
    watch.lap(IDENTIFICATION)
    return Run(
        seconds=watch.seconds,
        peak_mebibytes=peak,
        idle_mebibytes=idle,
        accepted=tuple(point.accepted for point in points),
        false_accepts=tuple(point.at.false_accepts for point in points),
        found=tuple(tuple(rate.found for rate in gallery.ranks) for gallery in made.galleries),
        identified=tuple(tuple(rate.identified for rate in gallery.tpirs) for gallery in made.galleries),
    )


def _galleries(protocol: MadeUpProtocol, templates: Templates) -> list[GalleryRows]:
    rows = template_positions(templates.ids, protocol.gallery_templates)
    numbers = protocol.gallery_numbers
    return [
        GalleryRows(f"G{number}", rows[numbers == number], protocol.gallery_subjects[numbers == number])
        for number in np.unique(numbers)
    ]


def run_plain(folder: Path) -> Run:
    """Evaluate the protocol in ``folder`` as a plain script does."""
    idle, watch = peak_mebibytes(), _Stopwatch()
    protocol = MadeUpProtocol.read(folder)
    embeddings = np.load(folder / EMBEDDINGS)
    ids, features = plain_templates(embeddings, protocol.templates, protocol.media, protocol.detector_scores)
    watch.lap(AGGREGATION)
    scores = plain_scores(features, ids, protocol.first, protocol.second)
    watch.lap(SCORES)
    mated = np.asarray(protocol.mated)
    plain_tars(mated, scores, FARS)
    watch.lap(TABLE)
    peak = peak_mebibytes()
    # Counted by the rule that never exceeds a target, from the script's own scores; not timed.
    points = tar_at_far(scores[mated], scores[~mated], FARS)
    del scores
    watch.restart()
    probes, found, identified = np.searchsorted(ids, protocol.probe_templates), [], []
    for number in np.unique(protocol.gallery_numbers):
        one = protocol.gallery_numbers == number
        gallery = features[np.searchsorted(ids, protocol.gallery_templates[one])]
        counts = plain_identification(
            gallery, protocol.gallery_subjects[one], features[probes], protocol.probe_subjects, ranks=RANKS, fpirs=FPIRS
        )
        found.append(tuple(counts[0]))
        identified.append(tuple(counts[1]))
    watch.lap(IDENTIFICATION)
    return Run(
        seconds=watch.seconds,
        peak_mebibytes=peak,
        idle_mebibytes=idle,
        accepted=tuple(point.accepted for point in points),
        false_accepts=tuple(point.at.false_accepts for point in points),
        found=tuple(found),
        identified=tuple(identified),
    )


class _Stopwatch:
    """Seconds of processor time by stage, all threads together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        self._begin = time.process_time()

    def lap(self, stage: str) -> None:
        self.seconds[stage] = time.process_time() - self._begin
        self.restart()


def _in_own_process(way: Callable[[Path], Run], folder: Path, threads: int) -> Run:
    with _threads(threads), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(way, folder).result()
        except BrokenProcessPool as error:
            raise AssessmentError(
                "A measuring process was ended from outside: give the measurement more memory or a smaller size."
            ) from error


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
