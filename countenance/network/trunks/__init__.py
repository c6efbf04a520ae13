"""The trunks, one file each, and which configuration chooses which."""

from __future__ import annotations

from countenance.network.configuration import NetworkConfiguration
from countenance.network.trunk import Trunk
from countenance.network.trunks.residual import ResidualTrunk


def build_trunk(configuration: NetworkConfiguration) -> Trunk:
    """The trunk that a configuration names, freshly initialised."""
    builders = {"residual": ResidualTrunk}
    return builders[configuration.trunk](configuration)


__all__ = ["build_trunk"]
