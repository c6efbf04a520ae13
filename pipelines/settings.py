"""Kedro's settings: how configuration is found, which hooks run, and that nothing reports home."""

import os
from datetime import UTC, datetime

from kedro.config import OmegaConfigLoader

from pipelines.hooks import RoomHooks

for _switch in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
    os.environ.setdefault(_switch, "true")
for _switch in ("KEDRO_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS"):
    os.environ.setdefault(_switch, "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
# MLflow prints emoji and links after each run; the run's name and place are in the log already.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

HOOKS = (RoomHooks(),)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*"]},
    # Environments say only what differs, key by key.
    "merge_strategy": {"parameters": "soft"},
    # `${environment:NAME,default}` reads an environment variable; Kedro refuses `oc.env` outside credentials.
    # `${today:}` is the day of the run in UTC, as 2026-01-31.
    "custom_resolvers": {
        "environment": lambda name, default="": os.environ.get(name) or default,
        "today": lambda: datetime.now(UTC).date().isoformat(),
    },
}
