"""Drift of this version of the data against the last, by Evidently: methods and thresholds are fixed in advance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from countenance.errors import DataError
from pipelines.validation.checking import Absent
from pipelines.validation.configuration import DriftConfiguration
from pipelines.validation.versions import Version, last_version, version_of

_NO_LAST = "there is no last version: this is the first that is validated here"


def compare_with_last(
    facts: pd.DataFrame, configuration: DriftConfiguration, folder: Path
) -> tuple[pd.DataFrame | Absent, dict[str, Any]]:
    """Compare the facts with those of the last version.

    Returns:
        One row a column that both versions have values of: ``column``, ``method``, ``distance``, ``threshold``,
        ``drifted``; or why there is none. And the same as plain data for the report, with both versions' names.

    Raises:
        DataError: the version that the configuration names can't be read.
    """
    columns = [*configuration.numerical, *configuration.categorical]
    unknown = next((column for column in columns if column not in facts), None)
    if unknown is not None:
        raise DataError(f"There is no fact '{unknown}' to compare: mend 'drift' in parameters_validation.yml.")
    this = version_of(facts, columns, rows=configuration.rows)
    last = _named_version(configuration, columns) or last_version(folder, other_than=this.name)
    told: dict[str, Any] = {"version": this.name, "last": None, "faces": this.faces, "last_faces": None, "columns": []}
    if last is None:
        return Absent(_NO_LAST), {**told, "reason": _NO_LAST}
    table = _distances(this.sample, last.sample, configuration)
    named = {"last": last.name, "last_faces": last.faces, "columns": table.to_dict("records"), "reason": None}
    return table, {**told, **named}


def _named_version(configuration: DriftConfiguration, columns: list[str]) -> Version | None:
    if configuration.against is None:
        return None
    path = Path(configuration.against)
    if not path.is_file():
        raise DataError(f"The facts {path} of another version are not there: mend 'drift.against'.")
    facts = pd.read_parquet(path)
    shared = [column for column in columns if column in facts]
    return version_of(facts, shared, rows=configuration.rows)


def _distances(this: pd.DataFrame, last: pd.DataFrame, configuration: DriftConfiguration) -> pd.DataFrame:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    # Evidently refuses a column without values.
    both = [column for column in this if column in last and this[column].notna().any() and last[column].notna().any()]
    numerical = [column for column in configuration.numerical if column in both]
    categorical = [column for column in configuration.categorical if column in both]
    plans = [(column, "wasserstein", configuration.wasserstein_threshold) for column in numerical]
    plans += [(column, "jensenshannon", configuration.jensen_shannon_threshold) for column in categorical]
    if not plans:
        return pd.DataFrame(columns=["column", "method", "distance", "threshold", "drifted"])
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    frames = [_plain(frame, numerical, categorical) for frame in (this, last)]
    report = Report([ValueDrift(column=column, method=method, threshold=limit) for column, method, limit in plans])
    snapshot = report.run(*(Dataset.from_pandas(frame, data_definition=definition) for frame in frames))
    distances = [float(metric["value"]) for metric in snapshot.dict()["metrics"]]
    return pd.DataFrame(
        [
            {"column": column, "method": method, "distance": distance, "threshold": limit, "drifted": distance > limit}
            for (column, method, limit), distance in zip(plans, distances, strict=True)
        ]
    )


def _plain(frame: pd.DataFrame, numerical: list[str], categorical: list[str]) -> pd.DataFrame:
    """Columns of one kind each; a null is a value of its own among categories, since it may become more frequent."""
    columns: dict[str, Any] = {name: frame[name].astype("float64") for name in numerical}
    for name in categorical:
        columns[name] = frame[name].astype("object").where(frame[name].notna(), "none").astype("str")
    return pd.DataFrame(columns)
