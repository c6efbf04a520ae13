"""The engine: runs an exported model with ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from countenance.errors import ModelError
from countenance.network.costs import repeated_milliseconds
from countenance.network.export import INPUT_NAME, OUTPUT_NAMES
from countenance.serving.release import INPUT_MEAN, INPUT_SCALE, MODEL_FILE, ReleaseManifest, open_release


@dataclass(frozen=True, kw_only=True)
class InferenceTime:
    """Milliseconds an image at one batch size: median, the middle 95 % and the 99th percentile of repetitions."""

    batch_size: int
    threads: int
    median_ms: float
    low_ms: float
    high_ms: float
    p99_ms: float
    repetitions: int


class Engine:
    """An exported model, loaded.

    Args:
        model: ONNX bytes.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the model does not load, or takes another input than a release's.
    """

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        self.threads = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                model, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises classes of its own that share no base but Exception
            raise ModelError("The exported model does not load: export it again.") from error
        given = self._session.get_inputs()[0]
        size = given.shape[-1]
        if given.name != INPUT_NAME or not isinstance(size, int) or given.shape[1:] != [3, size, size]:
            raise ModelError(
                f"The exported model takes '{given.name}' {given.shape}, not {INPUT_NAME} [n, 3, size, size]: "
                "export it again."
            )
        self.input_size: int = size

    def run(self, views: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Analyse [N, S, S, 3] RGB views; one array a head, rows as given (embeddings have unit norm).

        Raises:
            ModelError: the views do not have the size that the model takes.
        """
        size = self.input_size
        if views.ndim != 4 or views.shape[1:] != (size, size, 3):
            raise ModelError(f"The model takes views of {size} x {size} x 3, not {views.shape[1:]}: resize them.")
        images = (views.astype(np.float32).transpose(0, 3, 1, 2) - INPUT_MEAN) / INPUT_SCALE
        outputs: list[Any] = self._session.run(list(OUTPUT_NAMES), {INPUT_NAME: images})
        return dict(zip(OUTPUT_NAMES, outputs, strict=True))

    def measure_inference_time(self, *, batch_size: int = 1, repetitions: int = 100) -> InferenceTime:
        """Time the model on grey views after ten unmeasured runs."""
        views = np.full((batch_size, self.input_size, self.input_size, 3), 127, dtype=np.uint8)
        durations = repeated_milliseconds(lambda: self.run(views), repetitions=repetitions, warm_up=10) / batch_size
        low, median, high, p99 = np.percentile(durations, [2.5, 50, 97.5, 99])
        return InferenceTime(
            batch_size=batch_size,
            threads=self.threads,
            median_ms=float(median),
            low_ms=float(low),
            high_ms=float(high),
            p99_ms=float(p99),
            repetitions=repetitions,
        )


def open_engine(folder: Path, *, threads: int = 1) -> tuple[ReleaseManifest, Engine]:
    """Check a release unit and load its model.

    Raises:
        ModelError: the unit is damaged, or its model does not load.
    """
    release = open_release(folder)
    return release, Engine((folder / MODEL_FILE).read_bytes(), threads=threads)
