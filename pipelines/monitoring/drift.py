"""Drift of the replayed traffic, by Evidently: the method and the threshold of every column are fixed in advance."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pydantic import Field

from countenance.configuration import Configuration

_NUMERICAL = ("mated_score", "non_mated_score", "hour")
_CATEGORICAL = ("group", "site", "match")


class MonitoringConfiguration(Configuration):
    """Parameters of the monitoring room: distances at which a column counts as drifted, and rows that are compared."""

    wasserstein_threshold: float = Field(default=0.2, gt=0)
    jensen_shannon_threshold: float = Field(default=0.1, gt=0, lt=1)
    rows: int = Field(default=5000, ge=100)


def compare_traffic(traffic: pd.DataFrame, configuration: MonitoringConfiguration) -> tuple[str, dict[str, Any]]:
    """Compare the latest rollout's traffic with that of the one before; without two there is nothing to compare.

    Returns:
        Evidently's self-contained page, and the findings: rows compared, and for each column the distance, its
        threshold and whether it drifted.
    """
    names = list(dict.fromkeys(traffic["candidate"]))
    if len(names) < 2:
        return "<p>Fewer than two rollouts were replayed: there is no traffic to compare with.</p>", _findings(0, 0, [])
    reference, current = (_features(traffic[traffic["candidate"] == name], configuration) for name in names[-2:])
    columns = [column for column in reference if reference[column].notna().any() and current[column].notna().any()]
    page, values = _evidently(reference[columns], current[columns], configuration)
    return page, _findings(len(reference), len(current), values)


def _features(traffic: pd.DataFrame, configuration: MonitoringConfiguration) -> pd.DataFrame:
    rows = traffic.iloc[:: max(1, len(traffic) // configuration.rows)]
    return pd.DataFrame(
        {
            "mated_score": rows["score"].where(rows["mated"]),
            "non_mated_score": rows["score"].where(~rows["mated"]),
            "hour": rows["at"].dt.hour.astype(float),
            "group": rows["group"].astype("str"),
            "site": rows["site"].astype("str"),
            "match": rows["match"].map({True: "match", False: "non-match"}),
        }
    )


def _evidently(
    reference: pd.DataFrame, current: pd.DataFrame, configuration: MonitoringConfiguration
) -> tuple[str, list[dict[str, Any]]]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    numerical = [column for column in _NUMERICAL if column in reference]
    categorical = [column for column in _CATEGORICAL if column in reference]
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    plans = [(column, "wasserstein", configuration.wasserstein_threshold) for column in numerical]
    plans += [(column, "jensenshannon", configuration.jensen_shannon_threshold) for column in categorical]
    report = Report([ValueDrift(column=column, method=method, threshold=limit) for column, method, limit in plans])
    snapshot = report.run(
        Dataset.from_pandas(current, data_definition=definition),
        Dataset.from_pandas(reference, data_definition=definition),
    )
    values = [float(metric["value"]) for metric in snapshot.dict()["metrics"]]
    found = [
        {"column": column, "method": method, "value": value, "threshold": limit, "drifted": value > limit}
        for (column, method, limit), value in zip(plans, values, strict=True)
    ]
    return snapshot.get_html_str(as_iframe=False), found


def _findings(reference: int, current: int, columns: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "reference_rows": reference,
        "current_rows": current,
        "drifted": [entry["column"] for entry in columns if entry["drifted"]],
        "columns": columns,
        "report": "monitoring.html",
    }
