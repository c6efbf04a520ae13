"""Nodes of the monitoring room."""

from __future__ import annotations

from typing import Any

import pandas as pd


def watch_traffic(traffic: pd.DataFrame, monitoring: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Compare the latest replayed traffic with the earlier one: Evidently's page, and the findings as numbers."""
    from countenance.configuration import narrow
    from pipelines.monitoring.drift import MonitoringConfiguration, compare_traffic

    return compare_traffic(traffic, narrow(MonitoringConfiguration, monitoring, where="parameters_monitoring.yml"))
