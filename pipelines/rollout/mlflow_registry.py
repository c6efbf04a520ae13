"""MLflow's registry as the reconciler sees it: two calls to read it, one for each value that is written."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from countenance.rollout.registry.shown import RegistryAwayError, Shown, ShownVersion

_T = TypeVar("_T")

# MLflow would ask a server that is away for minutes; whoever waits for a rollback doesn't have them.
_BOUNDS: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_TRIES: Final = 8
_FIRST_WAIT: Final = 0.02
_LONGEST_WAIT: Final = 0.5


class MlflowRegistry:
    """One registered model; implements ``countenance.rollout.registry.shown.Registry``.

    Args:
        model: its name.
        tracking_uri: of the registry; None takes the one that MLflow is set to.
    """

    def __init__(self, model: str, tracking_uri: str | None = None) -> None:
        self.model = model
        self._uri = tracking_uri
        self._opened: Any = None

    def read(self) -> Shown:
        """All that it shows now; a model that was never registered shows nothing."""
        model = self._asked(self._registered_model)
        if model is None:
            return Shown(exists=False)
        versions = self._asked(self._versions)
        aliases = {alias: str(version) for alias, version in model.aliases.items()}
        return Shown(
            aliases=aliases, versions=versions, tags=dict(model.tags), description=str(model.description or "")
        )

    def set_alias(self, alias: str, version: str) -> None:
        """Let ``alias`` point at ``version``; tried again where another first insert was in the way."""
        self._told(lambda client: client.set_registered_model_alias(self.model, alias, version))

    def delete_alias(self, alias: str) -> None:
        """Let ``alias`` point at nothing."""
        self._told(lambda client: client.delete_registered_model_alias(self.model, alias))

    def set_tag(self, version: str | None, key: str, value: str) -> None:
        """Write a tag of a version, or of the model (None)."""
        if version is None:
            self._told(lambda client: client.set_registered_model_tag(self.model, key, value))
        else:
            self._told(lambda client: client.set_model_version_tag(self.model, version, key, value))

    def delete_tag(self, version: str | None, key: str) -> None:
        """Remove a tag of a version, or of the model (None)."""
        if version is None:
            self._told(lambda client: client.delete_registered_model_tag(self.model, key))
        else:
            self._told(lambda client: client.delete_model_version_tag(self.model, version, key))

    def describe(self, text: str) -> None:
        """Replace the model's description."""
        self._told(lambda client: client.update_registered_model(self.model, text))

    def _registered_model(self, client: Any) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return client.get_registered_model(self.model)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _versions(self, client: Any) -> dict[str, ShownVersion]:
        found: dict[str, ShownVersion] = {}
        for version in sorted(_pages(client, self.model), key=lambda each: int(each.version), reverse=True):
            release = version.tags.get("release_id")
            if release is not None:
                # The lowest version of a release wins: a release is registered once, and a copied tag is later.
                found[release] = ShownVersion(
                    version=str(version.version), tags=dict(version.tags), run=version.run_id or None
                )
        return found

    def _told(self, call: Callable[[Any], object]) -> None:
        self._asked(call, tries=_TRIES)

    def _asked(self, call: Callable[[Any], _T], *, tries: int = 1) -> _T:
        from mlflow.exceptions import MlflowException

        for attempt in range(1, tries + 1):
            try:
                with _bounded():
                    return call(self._client())
            except MlflowException as error:
                # The first insert of an alias or tag races in MLflow: whoever comes second is answered BAD_REQUEST.
                if error.error_code != "BAD_REQUEST" or attempt == tries:
                    raise self._away(error) from error
            except OSError as error:
                raise self._away(error) from error
            time.sleep(min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    def _client(self) -> Any:
        if self._opened is None:
            from mlflow import MlflowClient

            # MLflow's database announces every migration that it looks at.
            for name in ("alembic", "mlflow"):
                logging.getLogger(name).setLevel(logging.WARNING)
            self._opened = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._opened

    def _away(self, error: Exception) -> RegistryAwayError:
        code = getattr(error, "error_code", None) or type(error).__name__
        return RegistryAwayError(
            f"MLflow's registry of '{self.model}' doesn't answer ({code}): routing doesn't depend on it; it is told "
            "when it is back."
        )


def _pages(client: Any, model: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def _bounded() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _BOUNDS}
    os.environ.update(_BOUNDS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
