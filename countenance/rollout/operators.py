"""Operators as configuration names them: who may sign, and the key that they sign with."""

from __future__ import annotations

from pydantic import Field

from countenance.configuration import Configuration
from countenance.rollout.approvals import OperatorKey


class Operator(Configuration):
    """Who signs, and the key to sign with."""

    name: str
    secret: str = Field(min_length=16)

    def key(self) -> OperatorKey:
        """The signing key."""
        return OperatorKey(self.name, self.secret.encode())
