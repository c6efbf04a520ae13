"""Training a network: faces in, a trained network and the record of its training out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from countenance.errors import TrainingError
from countenance.learning.batches import FaceDataset
from countenance.learning.fingerprint import fingerprint
from countenance.learning.global_normalisation import normalised_over_processes
from countenance.learning.identity_header import IdentityHeader
from countenance.learning.launching import in_processes
from countenance.learning.loop import TrainingLoop
from countenance.learning.processes import Processes
from countenance.learning.record import RunningRecord, TrainingRecord
from countenance.learning.schedule import TrainingConfiguration, learning_rate_at
from countenance.learning.session_state import Identity, TrainingSession
from countenance.network.acceleration import accelerated
from countenance.network.allinone import AllInOneNetwork
from countenance.network.costs import count_parameters

__all__ = ["TrainingConfiguration", "TrainingRecord", "TrainingSession", "learning_rate_at", "train_all_in_one"]


def train_all_in_one(
    network: AllInOneNetwork,
    dataset: FaceDataset,
    configuration: TrainingConfiguration,
    *,
    header: IdentityHeader,
    session: TrainingSession | None = None,
    watch: Callable[[int, AllInOneNetwork], None] | None = None,
) -> TrainingRecord:
    """Train a network in place on all the tasks that the data is labelled for.

    The randomness is the data set's seed and the weights that the network and the header come with; so equal seeds
    give equal losses: on a CPU bit for bit with one process and equal threads, within rounding with several.
    The network is left on the CPU, in evaluation mode.

    The configured processes are started here. Under ``torchrun --nproc_per_node 2 script.py``, on one machine or on
    several, those that it started do the work instead, and each of them has the result; ``session`` is then a folder
    that all of them see, and the script lets the process of ``RANK`` 0 alone write what comes out. GPUs talk by NCCL,
    CPUs by gloo.

    Args:
        network: to be trained.
        dataset: the training faces.
        configuration: how.
        header: gives the identity loss; trained, too.
        session: where the state is kept while training goes on. The same call after an interruption goes on from the
            last state, to the same result as without the interruption. The finished state stays there until the caller,
            who has put the network in a safe place, calls :meth:`TrainingSession.remove`.
        watch: called after every step with the number of steps done and the network, which it leaves as it is; what it
            raises ends the training. For one process only.

    Raises:
        TrainingError: a loss or gradient isn't finite (the text names the task, the step and the sources of its batch),
            the session belongs to another run, or the device isn't there.
        ModelError: the header can't use the teacher features of the data set.
    """
    _check_processes(configuration.processes, dataset, watch)
    identity = _identity(network, header, dataset, configuration) if session is not None else {}
    if session is not None:
        session.check(identity)  # so that a foreign state is refused before anything is started
    with TemporaryDirectory() as passing:
        if session is None and configuration.processes > 1:
            session = TrainingSession(Path(passing))
            configuration = configuration.model_copy(update={"checkpoint_every": configuration.steps})
        work = _Work(network, header, dataset, configuration, session, identity, watch)
        if not in_processes(work, configuration):
            # The processes that did it are gone; what they learned lies in the session's last state.
            alone = configuration.model_copy(update={"device": "cpu", "processes": 1})
            work = _Work(network, header, dataset, alone, session, identity)
            in_processes(work, alone)
    return work.record.finished(count_parameters(network))


class _Work:
    """What each process does; it can be sent to another process, which then has a network of its own."""

    def __init__(
        self,
        network: AllInOneNetwork,
        header: IdentityHeader,
        dataset: FaceDataset,
        configuration: TrainingConfiguration,
        session: TrainingSession | None,
        identity: Identity,
        watch: Callable[[int, AllInOneNetwork], None] | None = None,
    ) -> None:
        self.network, self.header, self.dataset = network, header, dataset
        self.configuration, self.session, self.identity = configuration, session, identity
        self.watch = watch
        self.record = RunningRecord()

    def __call__(self, processes: Processes) -> None:
        _check_processes(processes.world, self.dataset, self.watch)  # torchrun may have started any number
        fused = self.configuration.fused_kernels and processes.device.type == "cpu"
        with accelerated(self.network, enabled=fused), normalised_over_processes(self.network, processes.world):
            loop = TrainingLoop(self.network, self.header, self.dataset, self.configuration, processes)
            loop.run(self.session, self.identity, self.watch)
        loop.finish()
        self.record = loop.record

    def __setstate__(self, state: dict[str, Any]) -> None:
        # torch sends tensors as shared memory: without a copy all processes would train one and the same network.
        self.__dict__ = state | {name: copy.deepcopy(state[name]) for name in ("network", "header")}


def _check_processes(count: int, dataset: FaceDataset, watch: Callable[[int, AllInOneNetwork], None] | None) -> None:
    rows = sum(dataset.streams.counts.values())
    if count > rows:
        raise TrainingError(
            f"{count} processes can't share batches of {rows} crops: raise 'batch_size' or start fewer processes."
        )
    if watch is not None and count > 1:
        raise TrainingError("A training that is watched step by step has one process: set 'processes' to 1.")


def _identity(
    network: AllInOneNetwork, header: IdentityHeader, dataset: FaceDataset, configuration: TrainingConfiguration
) -> Identity:
    return {
        "training": configuration.identity(),
        "network": network.configuration.model_dump(mode="json"),
        "first weights": fingerprint(network.state_dict(), header.state_dict()),
        "data": dataset.fingerprint(),
    }
