"""How `kedro run` ends where something was refused."""

import click
import pytest
from click.testing import CliRunner

from countenance.errors import ConfigurationError, DataError
from pipelines.cli import OneSentenceCommand


def run(error: Exception) -> tuple[int, str]:
    def fail() -> None:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("a node failed") from cause

    done = CliRunner().invoke(OneSentenceCommand("run", callback=fail), [])
    return done.exit_code, done.output


@pytest.mark.parametrize(("error", "code"), [(DataError("Bad data."), 1), (ConfigurationError("A broken check."), 2)])
def test_bad_data_and_a_broken_check_end_in_different_exit_codes(error: Exception, code: int):
    assert run(error) == (code, f"Error: {error}\n")


def test_what_was_not_foreseen_keeps_its_traceback():
    done = CliRunner().invoke(OneSentenceCommand("run", callback=lambda: 1 / 0), [])
    assert isinstance(done.exception, ZeroDivisionError) and not isinstance(done.exception, click.ClickException)
