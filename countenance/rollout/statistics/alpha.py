"""How alpha is divided over the guardrails of harm."""

from __future__ import annotations

from dataclasses import dataclass

from countenance.rollout.policy import RolloutPolicy


@dataclass(frozen=True, kw_only=True)
class AlphaSplit:
    """How alpha is divided over the guardrails (union bound).

    ``overall_harm`` + ``group_harm`` + ``latency`` + ``drift`` = alpha bounds the chance of stopping a candidate that
    harms nobody. ``non_inferiority`` = alpha bounds, by itself, the chance of promoting one that is worse by the
    margin: no candidate can be both "not worse" and "worse by the margin", so the two need not share.
    """

    overall_harm: float
    group_harm: float
    latency: float
    drift: float
    non_inferiority: float

    @classmethod
    def of(cls, policy: RolloutPolicy) -> AlphaSplit:
        """The policy's ``alpha_split``; the shares of guards it does not have go to the others, in proportion."""
        shares = policy.alpha_split
        groups = shares.groups if policy.guarded_groups else 0.0
        latency = shares.latency if policy.latency else 0.0
        drift = shares.drift if policy.drift else 0.0
        each = policy.alpha / (shares.overall + groups + latency + drift)
        return cls(
            overall_harm=shares.overall * each,
            group_harm=groups * each,
            latency=latency * each,
            drift=drift * each,
            non_inferiority=policy.alpha,
        )
