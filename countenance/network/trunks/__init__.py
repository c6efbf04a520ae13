"""The trunks, one file each, and which configuration chooses which."""

from __future__ import annotations

from collections.abc import Callable

from countenance.network.configuration import NetworkConfiguration, TrunkName
from countenance.network.trunk import Trunk
from countenance.network.trunks.allinone import AllInOneTrunk
from countenance.network.trunks.iresnet import IResNetTrunk
from countenance.network.trunks.mobilefacenet import MobileFaceNetTrunk
from countenance.network.trunks.residual import ResidualTrunk


def build_trunk(configuration: NetworkConfiguration) -> Trunk:
    """The trunk that a configuration names, freshly initialised."""
    builders: dict[TrunkName, Callable[[NetworkConfiguration], Trunk]] = {
        "residual": ResidualTrunk,
        "allinone": AllInOneTrunk,
        "iresnet18": IResNetTrunk,
        "iresnet50": IResNetTrunk,
        "iresnet100": IResNetTrunk,
        "mobilefacenet": MobileFaceNetTrunk,
    }
    return builders[configuration.trunk](configuration)


__all__ = ["build_trunk"]
