"""A webhook: each message signed and sent by POST, at least once; a key says when it is the same one again."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from countenance.rollout.notifications.message import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Message,
    NotDeliveredError,
    signature,
)


@dataclass(frozen=True)
class Webhook:
    """Where messages are posted to, and the secret that they are signed with (never shown).

    Any answer of 200 to 299 counts as delivered; anything else, a redirection too, does not. ``timeout`` is in seconds.
    """

    url: str
    secret: bytes = field(repr=False)
    timeout: float = 5.0

    @property
    def name(self) -> str:
        """What the store calls this channel; without its path, which may be a secret."""
        return f"webhook {_origin(self.url)}"

    def deliver(self, message: Message, *, now: datetime) -> None:
        """Post the message once.

        Raises:
            NotDeliveredError: when there was no answer in time, or none that says that it was taken.
        """
        timestamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "countenance",
            KEY_HEADER: message.key,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(self.secret, timestamp, message.body),
        }
        request = urllib.request.Request(self.url, data=message.body, headers=headers, method="POST")
        try:
            with urllib.request.build_opener(_NoRedirection).open(request, timeout=self.timeout) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            error.close()
            raise NotDeliveredError(self._sentence(f"answered {error.code}")) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NotDeliveredError(self._sentence(f"did not answer ({type(reason).__name__})")) from error

    def _sentence(self, what: str) -> str:
        return f"The webhook at {_origin(self.url)} {what}: the message is sent again later."


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    # A redirected POST would lose its body, and take the signature to somebody who wasn't named.
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never follow."""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{'' if parts.port is None else f':{parts.port}'}"
