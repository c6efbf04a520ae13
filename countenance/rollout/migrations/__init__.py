"""How the rollout store's tables came to be, release by release; ``upgrade`` brings any store to the newest.

Alembic reads this folder from inside the package: there is no alembic.ini, and nothing is configured but the
connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from countenance.errors import RolloutError
from countenance.rollout import schema

VERSION_TABLE: Final = "alembic_version"
_AS_FIRST_RELEASED: Final = "0001"


def upgrade(connection: Connection) -> None:
    """Bring the store on ``connection`` to the newest tables, within the caller's transaction.

    A store of the first release, which knew no migrations, is taken for what it is: migration 0001.

    Args:
        connection: in a transaction that holds the write lock, so that two processes don't do it twice.

    Raises:
        RolloutError: when a newer release made the store.
    """
    version = _version(connection)
    if version == schema.HEAD:
        return
    _refuse_newer(version)
    from alembic import command  # takes a tenth of a second, which most openings need not pay
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    if version is None and inspect(connection).has_table("rollout"):
        command.stamp(config, _AS_FIRST_RELEASED)
    command.upgrade(config, schema.HEAD)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()


def _refuse_newer(version: str | None) -> None:
    if version is not None and version > schema.HEAD:
        raise RolloutError(
            f"The rollout store has the tables of migration {version}, and this release knows them up to "
            f"{schema.HEAD}: open it with the newer release that made it."
        )
