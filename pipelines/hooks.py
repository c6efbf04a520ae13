"""What happens around every run: what is missing is said first, and MLflow gets the measured numbers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any, Final

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from countenance.errors import DataError, TrainingError
from pipelines.parameters import check_parameters

TRACKING_PLUGIN: Final = "kedro_mlflow"
"""As its distribution is named."""


class RoomHooks:
    """Checks a run's inputs before it starts, and logs every `*_metrics` data set to the MLflow run."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: Any) -> None:
        """Keep the terminal readable; some libraries raise their own log level when they are imported."""
        for name in ("kedro_mlflow", "mlflow", "alembic", "great_expectations"):
            logging.getLogger(name).setLevel(logging.WARNING)
        from kedro.framework.project import settings

        if TRACKING_PLUGIN in settings.DISABLE_HOOKS_FOR_PLUGINS:
            import mlflow

            # Only said, not asked: it may be away.
            mlflow.set_tracking_uri(context.config_loader["mlflow"]["server"]["mlflow_tracking_uri"])

    @hook_impl
    def after_catalog_created(self, parameters: dict[str, Any]) -> None:
        """Remember the parameters, to be narrowed when it is known what will run."""
        self._parameters = parameters["parameters"]

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Refuse to start on wrong parameters or missing data; of data, say which room writes them."""
        if "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
            raise TrainingError(  # every process would write every data set
                "A Kedro run starts the processes of its trainings itself: "
                "run it without torchrun, with 'processes' among the room's training parameters."
            )
        read = {name.removeprefix("params:") for name in pipeline.inputs() if name.startswith("params:")}
        check_parameters(self._parameters, read)
        missing = [
            name for name in sorted(pipeline.inputs()) if not name.startswith("params:") and not catalog.exists(name)
        ]
        if missing:
            raise DataError(_what_is_missing(missing, catalog))

    @hook_impl
    def before_node_run(self, node: Any, catalog: Any, inputs: dict[str, Any]) -> None:
        """Say what is being done."""
        logging.getLogger("pipelines").info("%s", node.name.replace("_", " "))

    @hook_impl
    def after_node_run(self, node: Any, catalog: Any, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Log the numbers of a metrics data set as soon as it is measured."""
        for name, value in outputs.items():
            if name.endswith("_metrics"):
                import mlflow

                if mlflow.active_run() is not None:
                    mlflow.log_metrics(dict(_numbers(value, name.removesuffix("_metrics"))))

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> None:
        """Take the machine's folder out of the MLflow run: it says nothing that helps and much that does not."""
        import mlflow

        run = mlflow.active_run()
        if run is not None and "project_path" in mlflow.get_run(run.info.run_id).data.tags:
            mlflow.delete_tag("project_path")


def _what_is_missing(missing: list[str], catalog: Any) -> str:
    from kedro.framework.project import pipelines

    name = missing[0]
    rooms = [room for room, pipeline in pipelines.items() if room != "__default__" and name in pipeline.all_outputs()]
    if not rooms:
        return f"'{name}' is missing and no pipeline writes it: check the catalog."
    path = getattr(catalog[name], "path", None)
    where = f" ({path.name})" if path is not None else ""
    others = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
    return f"'{name}'{where}{others} missing on disk: run `kedro run --pipelines {rooms[0]}` first."


def _numbers(value: Any, prefix: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{prefix}.{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)
