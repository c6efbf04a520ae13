"""Where messages go, as configuration names it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from countenance.configuration import Configuration

if TYPE_CHECKING:
    from countenance.rollout.notifications.delivering import Channel


def _http(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError("a webhook's address begins with https:// or http://")
    return value


class WebhookConfiguration(Configuration):
    """Address and secret of a webhook; ``timeout`` in seconds."""

    url: Annotated[str, AfterValidator(_http)]
    secret: str = Field(min_length=16, repr=False)
    timeout: float = Field(default=5.0, gt=0, le=60)


class NotificationConfiguration(Configuration):
    """Where messages to operators go: a log file (a path, relative to the project), a webhook, both, or nowhere."""

    log: str | None = None
    webhook: WebhookConfiguration | None = None


def channels_of(configuration: NotificationConfiguration, folder: Path) -> tuple[Channel, ...]:
    """The channels that ``configuration`` names; paths are relative to ``folder``."""
    from countenance.rollout.notifications.log_file import LogFile
    from countenance.rollout.notifications.webhook import Webhook

    channels: list[Channel] = []
    if configuration.log is not None:
        channels.append(LogFile(folder / configuration.log))
    if configuration.webhook is not None:
        named = configuration.webhook
        channels.append(Webhook(named.url, named.secret.encode(), named.timeout))
    return tuple(channels)
