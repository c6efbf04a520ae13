"""The training loop, as every process runs it: one step after another, from wherever the last sitting ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Final

import torch
from torch import Tensor, nn

from countenance.errors import DivergenceError, TrainingError
from countenance.learning.averaging import WeightAverage
from countenance.learning.batches import FaceBatch, FaceDataset
from countenance.learning.identity_header import IdentityHeader
from countenance.learning.interference import GradientStatistics
from countenance.learning.objective import losses_of, what_is_not_finite
from countenance.learning.prefetching import prefetched
from countenance.learning.processes import Processes
from countenance.learning.record import RunningRecord
from countenance.learning.schedule import TrainingConfiguration, learning_rate_at
from countenance.learning.session_state import Identity, TrainingSession, TrainingState
from countenance.learning.soft_targets import SoftLosses
from countenance.learning.task_balance import TaskBalance
from countenance.network.allinone import AllInOneNetwork
from countenance.progress import track

DATA_THREADS_OF_A_GPU: Final = 4
"""A CPU that trains makes batches far faster than it uses them; more threads would only take its time."""


class TrainingLoop:
    """Everything that changes while a network is trained.

    Args:
        network: trained in place; it is put on the processes' device.
        header: likewise.
        dataset: gives the batches.
        configuration: how.
        processes: that share the work, this one among them.

    Attributes:
        done: steps done so far.
        record: what they showed and cost.
    """

    def __init__(
        self,
        network: AllInOneNetwork,
        header: IdentityHeader,
        dataset: FaceDataset,
        configuration: TrainingConfiguration,
        processes: Processes,
    ) -> None:
        self.done = 0
        self.record = RunningRecord()
        self._network, self._header, self._dataset = network, header, dataset
        self._configuration, self._processes = configuration, processes
        network.to(processes.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        if configuration.shard_classes and processes.world > 1:
            header.share_out(processes.rank, processes.world)
        header.to(processes.device).train()
        self._soft = None if dataset.soft is None else SoftLosses(dataset.soft.configuration)
        self._balance = TaskBalance(configuration.weights, configuration.balance).to(processes.device)
        self._parts: dict[str, nn.Module] = {"network": network, "header": header, "balance": self._balance}
        self._weights = {
            f"{part}/{name}": weight
            for part, module in self._parts.items()
            for name, weight in module.named_parameters()
            if weight.requires_grad
        }
        self._beside = [weight for name, weight in self._weights.items() if not name.startswith("network/")]
        self._optimiser = self._make_optimiser()
        self._average = WeightAverage(network, configuration.average_decay) if configuration.average_decay else None
        self._statistics = GradientStatistics(network.trunk)
        self._crops_a_batch = sum(dataset.streams.counts.values())

    def run(
        self,
        session: TrainingSession | None = None,
        identity: Identity | None = None,
        watch: Callable[[int, AllInOneNetwork], None] | None = None,
    ) -> None:
        """Train to the end, going on from the session's state if it has one, and keeping it up to date.

        ``watch`` is called after each step with the number of steps done and the network, which it leaves as it is;
        what it raises ends the training.

        Raises:
            TrainingError: something isn't finite, or the session's state is refused.
        """
        identity = identity or {}
        if session is not None and (state := session.load(identity)) is not None:
            self.restore(state)
        if len(begun := self._processes.union([str(self.done)])) > 1:
            raise TrainingError(
                f"The training's processes found states after {' and '.join(begun)} steps: "
                "keep the training session in a folder that all of them see."
            )
        left = self._configuration.steps - self.done
        with closing(self.steps()) as steps:
            shown = self._processes.rank == 0 and left > 0
            try:
                for step in track(steps, what="training", total=left, unit="step") if shown else steps:
                    last = step + 1 == self._configuration.steps
                    if session is not None and (last or (step + 1) % self._configuration.checkpoint_every == 0):
                        self._save(session, identity)
                    if watch is not None:
                        watch(step + 1, self._network)
            except TrainingError as error:
                if session is not None and session.file.is_file():
                    raise type(error)(f"{error} The last good state is kept in {session.file}.") from error
                raise

    def steps(self) -> Generator[int]:
        """Do the steps that are left, and yield the number of each when it is done."""
        stop, processes = self._configuration.steps, self._processes
        batches = prefetched(
            self._dataset,
            self.done,
            stop,
            ahead=2 * DATA_THREADS_OF_A_GPU,
            rank=processes.rank,
            world=processes.world,
            threads=1 if processes.device.type == "cpu" else DATA_THREADS_OF_A_GPU,
        )
        with closing(batches):
            for step in range(self.done, stop):
                begin = time.perf_counter()
                batch = next(batches)
                self.record.waited += time.perf_counter() - begin
                self._step(step, self._dataset.taught(batch))
                self.done = step + 1
                self.record.seconds += time.perf_counter() - begin
                yield step

    def finish(self) -> None:
        """Give the network its averaged weights, if there are any, and leave it on the CPU in evaluation mode."""
        if self._average is not None:
            self._average.put_into_network()
        self._network.cpu().eval()
        self._header.join()
        self._header.cpu()

    def state(self) -> TrainingState:
        """All that the next step depends on, and the record; every process must ask, and the first one has it all."""
        tensors = {f"{part}/{name}": tensor for part, module in self._parts.items()
                   for name, tensor in module.state_dict().items()}  # fmt: skip
        for name, weight in self._weights.items():
            momentum = self._optimiser.state[weight].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum/{name}"] = momentum
        if (shard := self._header.shard) is not None:
            shared_out = self._shared_out()
            tensors |= {name: shard.whole(tensors[name], everywhere=False) for name in tensors if name in shared_out}
        if self._average is not None:
            tensors |= {f"average/{name}": tensor for name, tensor in self._average.state_dict().items()}
        tensors["random/cpu"] = torch.get_rng_state()
        if self._processes.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self._processes.device)
        return TrainingState(step=self.done, record=self.record, tensors=tensors)

    def restore(self, state: TrainingState) -> None:
        """Go on from a state that a loop of the same kind gave, with however many processes."""
        self.done, self.record = state.step, state.record
        tensors = state.tensors
        if (shard := self._header.shard) is not None:
            tensors = tensors | {name: shard.own(tensors[name]) for name in self._shared_out() if name in tensors}
        for part, module in self._parts.items():
            module.load_state_dict(_part(tensors, part))
        for name, momentum in _part(tensors, "momentum").items():
            weight = self._weights[name]
            # empty_like keeps the weight's memory format, in which its gradients come, too.
            self._optimiser.state[weight]["momentum_buffer"] = torch.empty_like(weight.detach()).copy_(momentum)
        if self._average is not None:
            self._average.load_state_dict(_part(state.tensors, "average"), updates=state.step)
        torch.set_rng_state(state.tensors["random/cpu"])
        if self._processes.device.type == "cuda" and "random/cuda" in state.tensors:
            torch.cuda.set_rng_state(state.tensors["random/cuda"], self._processes.device)

    def _save(self, session: TrainingSession, identity: Identity) -> None:
        # Sums on a GPU may differ in their last digits from one run to the next; what isn't added up over the
        # processes would drift apart, slowly.
        beside = {f"header/{name}": tensor for name, tensor in self._header.state_dict().items()}
        beside |= self._balance.state_dict()
        own = self._shared_out() if self._header.shard is not None else set()
        self._processes.take_from_first(tensor for name, tensor in beside.items() if name not in own)
        state = self.state()
        if self._processes.rank == 0:
            session.save(state, identity)

    def _shared_out(self) -> set[str]:
        """The names, in a state, of what has one row a class."""
        names = [f"header/{name}" for name in self._header.of_classes]
        return {*names, *(f"momentum/{name}" for name in names)}

    def _step(self, step: int, batch: FaceBatch) -> None:
        rate = learning_rate_at(step, self._configuration)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        losses = self._losses(step, batch)
        weighted = self._balance.weighted(losses)
        total = self._balance(weighted)
        every = self._configuration.gradient_statistics_every
        statistics = self._statistics(weighted, self._processes.add_up) if every and step % every == 0 else {}
        self._optimiser.zero_grad(set_to_none=True)
        self._processes.backward(total)
        self._bound_gradients(step, batch, losses, total)
        due = step % self._configuration.curve_every == 0 or step == self._configuration.steps - 1
        if due or statistics:
            names = ["loss", *(f"loss/{task}" for task in losses)]
            point = dict(zip(names, torch.stack([total, *losses.values()]).tolist(), strict=True))
            logged = point | {"learning_rate": rate} | self._header.curves | self._balance.curves() | statistics
            if self._soft is not None:
                logged |= self._soft.curves()
            self.record.points.append((step, logged))
        self._optimiser.step()
        if self._average is not None:
            self._average.update()
        self.record.images_seen += self._crops_a_batch

    def _losses(self, step: int, batch: FaceBatch) -> dict[str, Tensor]:
        annealing = step / max(1, self._configuration.steps - 1)
        losses = losses_of(
            self._network, self._header, batch, self._processes, age_annealing=annealing, soft=self._soft
        )
        if not losses:
            raise TrainingError(
                f"Step {step} has no labelled face (sources: {', '.join(self._processes.union(batch.sources))}): "
                "raise the batch size or label more faces."
            )
        return losses

    def _bound_gradients(self, step: int, batch: FaceBatch, losses: dict[str, Tensor], total: Tensor) -> None:
        network_weights = list(self._network.parameters())
        self._processes.add_up([weight.grad for weight in network_weights if weight.grad is not None])
        length = nn.utils.clip_grad_norm_(network_weights, self._configuration.gradient_clip)
        # Of no gradients at all the sum would be on the CPU, where NCCL can't add it up.
        beside = nn.utils.get_total_norm([weight.grad for weight in self._beside if weight.grad is not None]).to(length)
        if self._header.shard is not None:
            self._processes.add_up([beside])  # who sees what isn't finite in its own classes alone mustn't stop alone
        # Looked at once a step: on a GPU every look waits for all that was asked of it.
        if bool(torch.isfinite(torch.stack([total.detach(), length, beside])).all()):
            return
        what = what_is_not_finite(
            losses,
            lambda: self._balance.weighted(self._losses(step, batch)),
            list(self._weights.values()),
            self._processes,
        )
        raise DivergenceError(
            f"{what} at step {step} (sources: {', '.join(self._processes.union(batch.sources))}): "
            "lower the learning rate or check these sources' labels."
        )

    def _make_optimiser(self) -> torch.optim.Optimizer:
        # Slopes, biases and normalisation don't decay, nor do learned task weights; class weights do.
        kernels = {
            id(module.weight) for module in self._network.modules() if isinstance(module, nn.Conv2d | nn.Linear)
        } | {id(weight) for weight in self._header.parameters()}
        decayed = [weight for weight in self._weights.values() if id(weight) in kernels]
        free = [weight for weight in self._weights.values() if id(weight) not in kernels]
        decay, momentum = self._configuration.weight_decay, self._configuration.momentum
        groups = [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]
        rate = self._configuration.learning_rate
        return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0)


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}/"): tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}
