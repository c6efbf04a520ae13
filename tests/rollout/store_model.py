"""The real store under everything that can happen to it; after each event the whole history is checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, event, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.advance import advance
from countenance.rollout.approvals import Act, Approval, OperatorKey, keyring
from countenance.rollout.connection import reading
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.lease import Lease
from countenance.rollout.moves import IfActive
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import Look, RolloutRecord, aliases_of
from countenance.rollout.registry.reconciling import reconcile
from countenance.rollout.state import BreakerReading, ClockReading, Evidence, Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verdict import judge
from countenance.rollout.verification import verify_store

from .machine_model import BEN
from .scenes import ANNA, NOON, OFFLINE, REGISTRATION, policy
from .store_faults import Clock, DictionaryRegistry, Kill, Killed
from .store_shadow import Shadow

KEYS = (ANNA, BEN)
FORGER = OperatorKey("anna", b"not the secret that anna signs with")
POLICIES = (
    policy(),
    policy(promotion_needs_approval=False),
    policy(approvers=2, canary_needs_approval=True),
    policy(on_inconclusive="roll_back", shadow={"labelled": 400, "dwell": "PT1H"}),
)
TTL = timedelta(minutes=5)


@dataclass
class Controller:
    """A process that takes leases and decides; what it knows may be old."""

    name: str
    lease: Lease | None = None
    record: RolloutRecord | None = None
    program: Iterator[None] | None = None


class World:
    """A store in ``folder``, two controllers, two operators, a registry, a clock, and faults.

    ``template`` is an empty store's file, copied since making its tables takes longer than a history.
    """

    def __init__(self, folder: Path, template: Path) -> None:
        shutil.copy(template, folder / "rollouts.db")
        self.url = f"sqlite:///{folder / 'rollouts.db'}"
        self.kill, self.clock, self.registry = Kill(), Clock(NOON), DictionaryRegistry()
        self.shadow = Shadow(keyring(KEYS))
        self.policies: dict[str, RolloutPolicy] = {}
        self.controllers = [Controller("left"), Controller("right")]
        self.releases = self.kills = self.refusals = 0
        self.sent: Approval | None = None
        self._stack = ExitStack()
        self._stack.enter_context(self.clock.ticking())
        self._open()
        self._bootstrap(self._new_release())
        self.check()

    def close(self) -> None:
        """After any history: the chain is whole, an abort is still honoured, and the registry shows what holds."""
        self.registry.away = False
        self.abort()
        self.check()
        assert verify_store(self.store).events == self.shadow.read
        self.reconcile()
        self.store.close()
        self._stack.close()

    def happen(self, what: Callable[[], object], *, whole: bool = False) -> None:
        """Let one thing happen, or be refused, or be killed in the middle, and check everything.

        ``whole``: it is one transaction, so that what was refused or killed must have changed nothing.
        """
        before, done, self.kill.armed = self.store.epoch(), False, True
        try:
            what()
            done = True
        except RolloutError:
            self.refusals += 1
        except Killed:
            self.kills += 1
            for controller in self.controllers:
                controller.program = None
            self.store.close()
            self._open()
        finally:
            self.kill.armed = False
        assert done or not whole or self.store.epoch() == before, "a whole move or nothing"
        self.check()

    def check(self) -> None:
        self.shadow.follow(self.store, self.policies)

    # What operators do.

    def start(self, policy: RolloutPolicy, if_active: IfActive) -> None:
        release = self._new_release()
        self.policies[release] = policy
        self.store.start(release, policy, evidence_key=f"key of {release}", if_active=if_active)

    def start_next(self) -> None:
        self.store.start_next(key_for=lambda queued, champion: f"key of {queued.release} against {champion}")

    def sign(self, key: OperatorKey, act: Act | None = None, seconds: float = 0) -> None:
        """Sign for what is awaited (or for ``act``), so many seconds from now."""
        active = self.store.active()
        awaited = None if active is None else active.state.awaited
        self.store.approve(self._signed(key, act or awaited or Act.PROMOTE, seconds))

    def command(self, act: Act, key: OperatorKey = ANNA) -> None:
        self.store.command(self._signed(key, act, 0))

    def send_again(self) -> None:
        """Somebody kept the newest signature and sends it once more."""
        if self.sent is not None:
            (self.store.approve if self.sent.act in (Act.PROMOTE, Act.START_CANARY) else self.store.command)(self.sent)

    def abort(self) -> None:
        """An abort is honoured in one move, a second one does nothing, whatever the clock says."""
        active = self.store.active()
        self.command(Act.ABORT)
        assert self.store.active() is None
        if active is not None:
            ended = self.store.rollout_of(active.state.release)
            assert ended is not None
            assert ended.state.stage is (Stage.ROLLED_BACK if active.state.exposed else Stage.ABORTED)
            assert ended.state.share == 0
        head = self.store.head()
        self.command(Act.ABORT)
        assert self.store.head() == head

    def roll_back(self) -> None:
        champion = self.store.champion()
        assert champion is not None
        self.store.roll_back(None, self._signature(ANNA, Act.ROLL_BACK, champion))

    def replace_champion(self) -> None:
        self._bootstrap(self._new_release())

    # What controllers do.

    def work(self, which: int, found: EvidenceState, *, errors: int = 0, calls: int | None = None) -> None:
        """Let a controller make ``calls`` calls to the store (None: finish); it keeps what it knew in between."""
        controller = self.controllers[which]
        program = controller.program or self._decides(controller, found, errors)
        controller.program = program
        try:
            for _ in range(calls if calls is not None else 100):
                next(program)
        except StopIteration:
            controller.program = None
        except RolloutError:
            controller.program = None
            raise

    def work_on_what_it_knew(self, which: int, found: EvidenceState) -> None:
        """A controller that slept: it decides on an old record, under an old lease."""
        controller = self.controllers[which]
        if controller.record is not None and controller.lease is not None:
            for _ in self._moves(controller, controller.record, controller.lease, found, 0):
                pass

    def _decides(self, controller: Controller, found: EvidenceState, errors: int) -> Iterator[None]:
        controller.lease = self.store.lease(controller.name, TTL)
        yield
        controller.record = self.store.active()
        yield
        if controller.record is not None:
            yield from self._moves(controller, controller.record, controller.lease, found, errors)

    def _moves(
        self, controller: Controller, record: RolloutRecord, lease: Lease, found: EvidenceState, errors: int
    ) -> Iterator[None]:
        newest, state = self.store.latest_look(record.id), record.state
        assert record.policy is not None
        measured = replace(found, key=state.evidence_key)
        look = Look(
            number=1 if newest is None else newest.number + 1,
            at=self.store.now(),
            stage=state.stage,
            stage_key=state.stage_key,
            share=state.share,
            measured=measured,
            verdict=judge(measured, record.policy).summary(),
        )
        yield
        evidence_hash = self.store.observe(record, look, token=lease.token)
        self._held(lease)
        yield
        while True:
            shown = Evidence(
                measured=measured,
                registration=REGISTRATION,
                offline=OFFLINE,
                approvals=self.store.approvals(record.id),
                breaker=BreakerReading(requests=100, errors=errors),
                clock=ClockReading(database=self.store.now(), last_event=self.store.events(record.id)[-1].at),
            )
            yield
            after, actions = advance(record.state, shown, record.policy, self.store.now())
            if after == record.state:
                return
            record = self.store.move(
                record, after, actions, measured=measured, evidence_hash=evidence_hash, token=lease.token
            )
            self._held(lease)
            controller.record = record
            yield

    def _held(self, lease: Lease) -> None:
        with reading(self.store._engine) as connection:
            newest = connection.execute(select(schema.lease.c.token)).scalar_one()
        assert newest == lease.token, "who lost the lease writes nothing"

    # What happens to the registry.

    def reconcile(self) -> None:
        report = reconcile(self.store, self.registry)
        assert (report.away is not None) == self.registry.away
        if report.away is None:
            standing = self.store.standing()
            held = {"champion": standing.champion, "previous": standing.previous}
            held |= {} if standing.active is None else aliases_of(standing.active.state)
            belongs = {alias: self.registry.versions[release] for alias, release in held.items() if release}
            assert self.registry.aliases == belongs, "the registry shows what holds, and nothing else"
            assert not self.store.pending_outbox("alias")

    def edit_by_hand(self, alias: str) -> None:
        self.registry.aliases[alias] = "1"

    # How it is made.

    def _open(self) -> None:
        self.store = RolloutStore.open(self.url, keys=KEYS)
        self._fast(self.store._engine)
        self.kill.watch(self.store._engine)

    @staticmethod
    def _fast(engine: Engine) -> None:
        """These kills end a process, not a machine: the disk need not be waited for."""
        engine.dispose()
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))

    def _new_release(self) -> str:
        self.releases += 1
        self.registry.register(f"v{self.releases}")
        return f"v{self.releases}"

    def _bootstrap(self, release: str) -> None:
        self.store.bootstrap(
            release,
            registration=REGISTRATION,
            offline=OFFLINE,
            approval=self._signature(ANNA, Act.BOOTSTRAP, release),
            replaces=self.store.champion(),
        )

    def _signed(self, key: OperatorKey, act: Act, seconds: float) -> Approval:
        active = self.store.active()
        return self._signature(key, act, "v0" if active is None else active.state.release, seconds)

    def _signature(self, key: OperatorKey, act: Act, subject: str, seconds: float = 0) -> Approval:
        at = self.store.now() + timedelta(seconds=seconds)
        self.clock.shift(0.001)  # so that no two signatures are alike
        self.sent = key.sign(act, subject=subject, at=at, reason="It was looked at.")
        return self.sent
