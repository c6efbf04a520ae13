"""Starting the processes that train, by Lightning Fabric: one of them is simply this one."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed as dist
from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from countenance import errors
from countenance.errors import CountenanceError, TrainingError
from countenance.learning.processes import Processes
from countenance.learning.schedule import TrainingConfiguration

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Work = Callable[[Processes], None]


def in_processes(work: Work, configuration: TrainingConfiguration) -> bool:
    """Do some work in each of the configured processes, and wait until all are done.

    One process is this one. More are started for the purpose: ``work`` is sent to them, and what it changes there isn't
    seen here. Processes that torchrun started do the work themselves, however many are configured.

    Returns:
        Whether the work was done here.

    Raises:
        TrainingError: the device isn't there, or a process was killed.
        CountenanceError: what the work raised, in whichever process.
    """
    accelerator = _accelerator(configuration)
    started_outside = dist.is_torchelastic_launched()
    if configuration.processes > 1 and not started_outside:
        _start(work, accelerator, configuration)
        return False
    fabric = _fabric(configuration, accelerator, started_outside=started_outside)
    fabric.launch()
    with _threads(max(1, configuration.threads // (_started_here() if started_outside else 1))):
        work(Processes(fabric))
    return True


def _accelerator(configuration: TrainingConfiguration) -> str:
    found = torch.cuda.device_count()
    wanted = _started_here() if dist.is_torchelastic_launched() else configuration.processes
    accelerator = configuration.device if configuration.device != "auto" else ("cuda" if found else "cpu")
    if accelerator == "cuda" and found < wanted:
        raise TrainingError(
            f"The training is to use {wanted} GPUs but this machine has {found}: "
            "set 'device' to 'cpu' or lower 'processes'."
        )
    return accelerator


def _started_here() -> int:
    """How many processes torchrun started on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"])


def _fabric(configuration: TrainingConfiguration, accelerator: str, *, started_outside: bool) -> Fabric:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    common: dict[str, Any] = {"accelerator": accelerator, "precision": configuration.precision}
    if started_outside:
        local = _started_here()
        nodes = int(os.environ["WORLD_SIZE"]) // local
        strategy = DDPStrategy(cluster_environment=TorchElasticEnvironment())
        return Fabric(**common, strategy=strategy, devices=local, num_nodes=nodes)
    if configuration.processes == 1:
        return Fabric(**common, devices=1)
    strategy = DDPStrategy(cluster_environment=LightningEnvironment(), start_method="spawn")
    return Fabric(**common, strategy=strategy, devices=configuration.processes)


def _start(work: Work, accelerator: str, configuration: TrainingConfiguration) -> None:
    fabric = _fabric(configuration, accelerator, started_outside=False)
    raised = get_context("spawn").SimpleQueue()
    threads = max(1, configuration.threads // configuration.processes)
    try:
        with _environment_kept():
            fabric.launch(partial(_work_there, work=work, threads=threads, raised=raised))
    except ProcessRaisedException:
        if raised.empty():
            raise
        kind, text = raised.get()
        raise getattr(errors, kind)(text) from None
    except ProcessExitedException as error:
        raise TrainingError(
            f"Process {error.error_index} of the training was ended from outside (exit code {error.exit_code}): "
            "run it again to go on from the last saved state."
        ) from error


def _work_there(fabric: Fabric, work: Work, threads: int, raised: Any) -> None:
    _end_with_parent()
    torch.set_num_threads(threads)
    try:
        work(Processes(fabric))
    except CountenanceError as error:
        raised.put((type(error).__name__, str(error)))
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _end_with_parent() -> None:
    # The same command, given again, would find an orphan at work on its session.
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment_kept() -> Iterator[None]:
    # Fabric leaves the port behind, which the next training would then take for one it was given.
    before = os.environ.copy()
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
