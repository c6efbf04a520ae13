"""What a decision asks the world to do: plain data, carried out by whoever applies it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from countenance.rollout.approvals import Act


@dataclass(frozen=True)
class StartShadow:
    """Let ``release`` score the traffic without answering anybody."""

    release: str


@dataclass(frozen=True)
class SetShare:
    """Let ``release`` answer this share of the traffic, 0 to 1."""

    release: str
    share: float


@dataclass(frozen=True)
class Promote:
    """Make ``release`` the champion in place of ``over`` (None: there was none)."""

    release: str
    over: str | None


@dataclass(frozen=True)
class RollBack:
    """Stop ``release``, to whom people were exposed, and answer everybody with ``to``."""

    release: str
    to: str


@dataclass(frozen=True)
class Abort:
    """Stop ``release``, to whom nobody is exposed; the champion is untouched."""

    release: str


@dataclass(frozen=True)
class Reject:
    """Refuse ``release`` on an offline gate."""

    release: str


@dataclass(frozen=True)
class RequestApproval:
    """Ask an operator to sign for ``act`` on ``release``."""

    release: str
    act: Act


@dataclass(frozen=True)
class Notify:
    """Tell the operators."""

    release: str
    message: str


Action = StartShadow | SetShare | Promote | RollBack | Abort | Reject | RequestApproval | Notify


def described(action: Action) -> dict[str, Any]:
    """An action as JSON values, with its name under ``do``."""
    return {"do": type(action).__name__, **asdict(action)}
