"""Parameters of the rollout command: where the store is, who signs, the secrets, and the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from countenance.configuration import Configuration
from countenance.rollout.approvals import OperatorKey
from countenance.rollout.notifications.configuration import NotificationConfiguration
from countenance.rollout.operators import Operator
from countenance.rollout.policy import RolloutPolicy, read_policy
from countenance.rollout.store import RolloutStore


class RolloutConfiguration(Configuration):
    """What every step of a rollout needs.

    Attributes:
        store: SQLAlchemy URL of the rollout store: ``sqlite:///PATH`` or ``postgresql+psycopg://…``.
        operator: who signs what is signed here, and with which key.
        operators: others whose signatures count.
        routing_secret: keys the routing keys, and is the model's salt.
        label_secret: authenticates labels.
        policy: what new rollouts run under; or else ``policy_file``, a YAML file.
        notifications: where messages to operators go.
        candidate: which registered candidate is to be started, given at run time.
        enters: how it enters: by a rollout, or, where there is no champion, by a signed bootstrap.
        re_enrolled: candidates for whom everybody in the gallery was enrolled again.
    """

    store: str
    operator: Operator
    operators: tuple[Operator, ...] = ()
    routing_secret: str = Field(min_length=16)
    label_secret: str = Field(min_length=16)
    policy: RolloutPolicy | None = None
    policy_file: str | None = None
    notifications: NotificationConfiguration = NotificationConfiguration()
    candidate: str | None = None
    enters: Literal["rollout", "bootstrap"] = "rollout"
    re_enrolled: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_one_policy(self) -> RolloutConfiguration:
        if (self.policy is None) == (self.policy_file is None):
            raise ValueError("give either 'policy' or 'policy_file', and null for the other")
        return self

    def rules(self) -> RolloutPolicy:
        """The policy, read from its file where it is one.

        Raises:
            RolloutError: the file is missing, or is no policy.
        """
        return self.policy if self.policy is not None else read_policy(Path(self.policy_file or ""))

    def keys(self) -> tuple[OperatorKey, ...]:
        """Of everybody whose signature counts; the first is the one that signs here."""
        return tuple(operator.key() for operator in (self.operator, *self.operators))


def open_store(configuration: RolloutConfiguration, *, model: str) -> RolloutStore:
    """The rollout store of a model, with the operators' keys; an SQLite file's folder is made."""
    if configuration.store.startswith("sqlite:///"):
        Path(configuration.store.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return RolloutStore.open(configuration.store, model=model, keys=configuration.keys())
