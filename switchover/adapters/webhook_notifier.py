"""Messages to a Slack-compatible webhook. Its address is a secret: it is never logged or shown."""

from __future__ import annotations

import http.client
import json
import logging
import urllib.request
from html import escape

from switchover.model import HistoryEntry

_log = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 5.0


class WebhookNotifier:
    """Port `Notifier`. Tells about the outcomes in `outcomes` and is silent about others."""

    def __init__(self, address: str, outcomes: tuple[str, ...]) -> None:
        self._address = address
        self._outcomes = outcomes

    def tell(self, environment: str, entry: HistoryEntry) -> None:
        """Post one message; a failure is logged without the address and never raised."""
        if entry.outcome in self._outcomes:
            self._post(_text(environment, entry))

    def _post(self, text: str) -> None:
        try:
            request = urllib.request.Request(  # noqa: S310 the scheme was checked when the notifier was built
                self._address,
                data=json.dumps({"text": text}).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
                pass
        # `InvalidURL` and a garbage answer are `HTTPException`s; the words of the former hold the address.
        except (OSError, ValueError, http.client.HTTPException) as error:
            _log.warning("the notification was not delivered: %s", type(error).__name__)


class SilentNotifier:
    """Port `Notifier` for those who asked for no notifications."""

    def tell(self, environment: str, entry: HistoryEntry) -> None:
        """Say nothing."""


def _text(environment: str, entry: HistoryEntry) -> str:
    head = f"*{entry.service} {entry.to_version} in {environment}: {entry.outcome}*"
    took = f"{entry.kind} from {entry.from_version or 'nothing'}, {entry.ended_at - entry.started_at:.0f} s"
    text = "\n".join([head, took, *(f"• {reason.message}" for reason in entry.reasons)])
    # A reason may quote a service's log: unescaped, `<!channel>` in it would ring for everybody.
    return escape(text, quote=False)
