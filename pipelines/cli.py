"""The project's `kedro run`: like Kedro's own, but a failure that a user can mend ends in one sentence."""

from typing import Any, Final

import click
from kedro.framework.cli.project import run as kedro_run

from countenance.errors import ConfigurationError, CountenanceError
from pipelines.hooks import TRACKING_PLUGIN

_WRONG_CONFIGURATION = 2
"""As click says it of a wrong option: it is not the data, nor a model, that has to be mended."""


WITHOUT_TRACKING: Final = frozenset({"rollback", "rollout"})
"""Operators' commands that must also work while MLflow is away, and so are no runs of its tracking server."""


class OneSentenceCommand(click.Command):
    """Runs a command and shows a :class:`CountenanceError` as one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; one sentence where the error is one that we raised on purpose.

        The exit code is then 2 where the configuration has to be mended (a broken check, an unknown key), else 1.
        """
        named = {ctx.params.get("pipeline"), *(ctx.params.get("pipelines") or ())} - {None}
        if named and named <= WITHOUT_TRACKING:
            _leave_mlflow_alone()
        try:
            return super().invoke(ctx)
        except Exception as error:
            cause = cause_of(error)
            if cause is None:
                raise
            shown = click.ClickException(str(cause))
            shown.exit_code = _WRONG_CONFIGURATION if isinstance(cause, ConfigurationError) else 1
            raise shown from error


def _leave_mlflow_alone() -> None:
    """Let this process's run start without kedro-mlflow, which asks the tracking server before anything else is done.

    The registry is told by the run's own nodes, which can wait for it; ``RoomHooks`` says where it is.
    """
    from kedro.framework.project import settings

    settings.set("DISABLE_HOOKS_FOR_PLUGINS", (*settings.DISABLE_HOOKS_FOR_PLUGINS, TRACKING_PLUGIN))


def cause_of(error: BaseException) -> CountenanceError | None:
    """The :class:`CountenanceError` in an exception's chain of causes, if there is one."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, CountenanceError):
            return current
        current = current.__cause__ or current.__context__
    return None


def sentence_of(error: BaseException) -> str | None:
    """The sentence of that error, if there is one."""
    cause = cause_of(error)
    return None if cause is None else str(cause)


@click.group(name="countenance")
def cli() -> None:
    """Commands of this project."""


cli.add_command(
    OneSentenceCommand(
        name="run",
        params=kedro_run.params,
        callback=kedro_run.callback,
        help=kedro_run.help or kedro_run.callback.__doc__,
    )
)
