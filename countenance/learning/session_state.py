"""A training that survives being killed: its state on disk, written so that there is always a whole one.

One safetensors file holds all tensors (weights, momentum, class centres, averages, random state), and beside them, as
its metadata, the step, the curves so far and what the run is: which settings, network, weights to start from and data.
Reading it runs no code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from countenance.errors import TrainingError
from countenance.learning.record import RunningRecord
from countenance.storage import write_aside

METADATA_KEY = "countenance_training_session"
FORMAT = 1

Identity = Mapping[str, Any]
"""What a run is: nested names and values of JSON."""


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """A training after a step.

    Attributes:
        step: how many steps are done.
        record: curves and costs so far.
        tensors: everything that changes, by name.
    """

    step: int
    record: RunningRecord
    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class TrainingSession:
    """A folder that holds the state of one training, from its first saved step until :meth:`remove`.

    Attributes:
        folder: where; nothing else belongs into it.
        of_another_run: what to do with a state that belongs to another run, or that is damaged: refuse to train, or
            discard it and start anew.
    """

    folder: Path
    of_another_run: Literal["refuse", "discard"] = "refuse"

    @property
    def file(self) -> Path:
        """Where the state lies."""
        return self.folder / "state.safetensors"

    def save(self, state: TrainingState, identity: Identity) -> None:
        """Put a state in the place of the last one, which stays until the new one is whole and on the disk."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        notes = {"format": FORMAT, "step": state.step, "record": state.record.to_json(), "identity": identity}
        with write_aside(self.file) as aside:
            save_file(tensors, aside, metadata={METADATA_KEY: json.dumps(notes)})
            with aside.open("rb") as written:
                os.fsync(written.fileno())

    def check(self, identity: Identity) -> bool:
        """Whether there is a state of this run to go on from; costs little.

        Raises:
            TrainingError: there is one of another run, or a damaged one, and it isn't to be discarded.
        """
        for left_behind in self.folder.glob(f".{self.file.name}.*.part"):
            left_behind.unlink(missing_ok=True)  # by a process that was killed while it wrote
        if not self.file.is_file():
            return False
        try:
            different = _differences(self._notes()["identity"], json.loads(json.dumps(identity)))
            if different:
                raise TrainingError(
                    f"The training session in {self.folder} belongs to another run ({', '.join(different)} differ): "
                    "set them as they were to finish it, or remove that folder to start anew."
                )
        except TrainingError:
            if self.of_another_run == "refuse":
                raise
            self.remove()
            return False
        return True

    def load(self, identity: Identity) -> TrainingState | None:
        """The saved state of this run, or None where there is none.

        Raises:
            TrainingError: as :meth:`check`.
        """
        if not self.check(identity):
            return None
        notes = self._notes()
        with safe_open(self.file, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        return TrainingState(step=notes["step"], record=RunningRecord.from_json(notes["record"]), tensors=tensors)

    def remove(self) -> None:
        """Forget the training, because what it made is kept elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _notes(self) -> dict[str, Any]:
        try:
            with safe_open(self.file, framework="pt") as file:
                notes = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
        except (SafetensorError, ValueError) as error:
            raise self._damaged() from error
        if not isinstance(notes, dict) or notes.get("format") != FORMAT:
            raise self._damaged()
        return notes

    def _damaged(self) -> TrainingError:
        return TrainingError(
            f"The training session in {self.folder} is damaged or of another version: remove that folder to start anew."
        )


def _differences(saved: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "") -> list[str]:
    names: list[str] = []
    for name in sorted({*saved, *wanted}):
        left, right = saved.get(name), wanted.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            names += _differences(left, right, f"{path}{name}.")
        elif left != right:
            names.append(f"{path}{name}")
    return names
