"""The project's `kedro run`: like Kedro's own, but a failure that a user can mend ends in one sentence."""

from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from countenance.errors import CountenanceError


class OneSentenceCommand(click.Command):
    """Runs a command and shows a :class:`CountenanceError` as one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit code 1 and one sentence where the error is one that we raised on purpose."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


def sentence_of(error: BaseException) -> str | None:
    """The sentence of the :class:`CountenanceError` in an exception's chain of causes, if there is one."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, CountenanceError):
            return str(current)
        current = current.__cause__ or current.__context__
    return None


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
