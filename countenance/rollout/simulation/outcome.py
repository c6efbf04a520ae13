"""What became of one simulated rollout, and what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from countenance.configuration import Configuration
from countenance.rollout.policy_guards import Duration
from countenance.rollout.story import ErrorCosts, OperatingLoad

Ending = Literal["promoted", "stopped", "undecided"]


class Conditions(Configuration):
    """What surrounds a simulated rollout.

    ``look_every``: requests between two looks. ``answers_after``: how long an operator takes to sign. ``costs``: of
    wrong answers; ``load``: an operator's minutes.
    """

    look_every: int = Field(default=200, ge=1)
    answers_after: Duration = timedelta(minutes=15)
    costs: ErrorCosts = ErrorCosts(false_match=1.0, false_non_match=1.0)
    load: OperatingLoad = OperatingLoad()


@dataclass(frozen=True, kw_only=True)
class Move:
    """One move: hours after the start, the stage and step entered, and the share from then on."""

    hours: float
    stage: str
    step: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One rollout from its first request to its verdict, or to the end of the log.

    Attributes:
        ending: ``promoted``; ``stopped`` (ROLLED_BACK, or ABORTED in shadow); ``undecided`` (neither by the deadline).
        stage: the last one. ``by_harm``: it was stopped because harm was shown.
        hours: from the start to the verdict; to the last look where there is none. ``requests``: arrivals until then.
        exposed_requests: answered by the candidate; ``exposed_people``: of how many subjects (or sites).
        wrong, champion_wrong: of the exposed, how many the candidate got wrong, and the champion would have.
        money: the price of ``wrong``; ``money_beyond``: less the price of ``champion_wrong``. Only requests whose truth
            is known count.
        approvals: signatures; ``discordant``: labelled requests that one model got right and the other wrong;
            ``minutes``: an operator's time for both.
        moves: all of them, the start first.
    """

    ending: Ending
    stage: str
    by_harm: bool
    hours: float
    requests: int
    exposed_requests: int
    exposed_people: int
    wrong: int
    champion_wrong: int
    money: float
    money_beyond: float
    approvals: int
    discordant: int
    minutes: float
    moves: tuple[Move, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; ``from_dict`` gives an equal outcome back."""
        return asdict(self) | {"moves": [[m.hours, m.stage, m.step, m.share] for m in self.moves]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Outcome:
        """Read what ``to_dict`` wrote."""
        moves = tuple(Move(hours=at, stage=stage, step=step, share=share) for at, stage, step, share in values["moves"])
        return cls(**values | {"moves": moves})
