"""Crops and a recogniser for tests of extraction, and a process that works on them until it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.learning.aligned_crops import UnusableCropError
from countenance.learning.embedding_extraction import ProcessShare, extract_embeddings

ROOT = Path(__file__).parents[2]
ROWS, BLOCK, BATCH = 50, 8, 3


class NumberedCrops:
    """Crops that differ; some of them can't be had."""

    def __init__(self, rows: int = ROWS, *, unusable: tuple[int, ...] = ()) -> None:
        self.rows, self.unusable = rows, unusable
        self.identity = f"numbered {rows}"

    def __len__(self) -> int:
        return self.rows

    def read(self, row: int) -> NDArray[np.uint8]:
        if row in self.unusable:
            raise UnusableCropError(f"Row {row} is spoilt: leave it out.")
        coarse = np.random.default_rng(row).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        return np.asarray(cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)

    def check(self) -> None:
        pass


class CellSums:
    """Sums up the cells of a crop with weights; stalls, saying so, or notes what it was shown, where it is asked to."""

    name = "cells"
    dimension = 5

    def __init__(self, *, seed: int = 0, notes: Path | None = None, stalls_after: int | None = None) -> None:
        self.identity = f"cells {seed}"
        self.notes, self.stalls_after, self.seen = notes, stalls_after, 0
        self._weights = np.random.default_rng(seed).normal(size=(48, 5)).astype(np.float32)

    def raw_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.stalls_after is not None and self.seen + len(images) > self.stalls_after:
            assert self.notes is not None
            self.notes.with_suffix(".stalled").touch()
            time.sleep(3600)
        self.seen += len(images)
        if self.notes is not None:
            with self.notes.open("a") as notes:
                notes.write(f"{len(images)}\n")
        cells = images[:, 14::28, 14::28].reshape(len(images), 48)
        return np.asarray(cells.astype(np.float32) @ self._weights, dtype=np.float32)

    def features(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What a row is to hold: of the crop and of its mirror image."""
        pair = np.stack([crop, crop[:, ::-1]])
        return np.asarray(pair[:, 14::28, 14::28].reshape(2, 48).astype(np.float32) @ self._weights)


def work(out: str, rank: int, world_size: int, notes: str, stalls_after: int | None, fails: bool) -> None:
    """Embed the numbered crops with others, in a process of its own."""
    recogniser = CellSums(notes=Path(notes), stalls_after=stalls_after)
    source = NumberedCrops(unusable=(ROWS - 1,) if fails else ())
    share = ProcessShare(rank, world_size)
    extract_embeddings(source, recogniser, Path(out), batch_size=BATCH, block=BLOCK, workers=1, share=share)


def start_worker(out: Path, rank: int, world_size: int, notes: Path, *, stalls_after: int | None = None, fails=False):
    """Start :func:`work`."""
    call = f"work({str(out)!r}, {rank}, {world_size}, {str(notes)!r}, {stalls_after}, {fails})"
    code = f"from tests.learning.embedding_workers import work; {call}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process is to do; it must not end before."""
    while not condition():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)


def crops_seen(*notes: Path) -> int:
    """How many crops the recognisers of some processes were shown, mirror images not counted."""
    return sum(int(line) for note in notes if note.exists() for line in note.read_text().split()) // 2
