"""A channel of Slack in which one message about a release is brought up to date, instead of many being written.

Needs a bot's token with the right `chat:write`. An incoming webhook cannot change what it wrote: for those there is
Prefect's own block `Slack Webhook`.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import httpx
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from switchover.decide.harmless_text import write_slack_document
from switchover.errors import TargetError

_SECONDS = 10.0
_LARGEST_ANSWER = 256 * 1024
# The earlier message is gone, or may not be changed any more; any other refusal holds for a new message too.
_BEGIN_ANEW = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class SlackThread(Block):
    """A bot's place in a channel."""

    _block_type_name: ClassVar[str | None] = "Switchover Slack Thread"
    _block_type_slug: ClassVar[str | None] = "switchover-slack-thread"
    _description: ClassVar[str | None] = "A Slack channel in which one message about a release is kept up to date."

    token: SecretStr = Field(title="Bot token", description="Begins with xoxb-; needs the right chat:write.")
    channel: str = Field(title="Channel", description="Its id, like C0123456789: a name cannot be updated.")
    api: str = Field(
        default="https://slack.com/api",
        title="API",
        description="Slack's own, or a proxy before it.",
        pattern=r"^(https://[^\s@?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/[^\s@?#]*)?)$",
    )

    def tell(self, subject: str, text: str, earlier: str = "") -> str:
        """Write a message, over the message `earlier` where there is one; return which message it is.

        An earlier message that is gone is no matter: a new one is written. Raises `TargetError`.
        """
        document = {"channel": self.channel, **write_slack_document(subject, text)}
        if earlier:
            answer = self._call("chat.update", {**document, "ts": earlier})
            if answer.get("ok") is True:
                return earlier
            if answer.get("error") not in _BEGIN_ANEW:
                raise self._refused(answer)
        answer = self._call("chat.postMessage", {**document, "unfurl_links": False})
        written = answer.get("ts")
        if answer.get("ok") is not True or not isinstance(written, str):
            raise self._refused(answer)
        return written

    def _call(self, method: str, document: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        try:
            with httpx.stream(
                "POST", f"{self.api}/{method}", json=document, headers=headers, timeout=_SECONDS
            ) as answer:
                said = b""
                for chunk in answer.iter_bytes():
                    said += chunk
                    if len(said) > _LARGEST_ANSWER:
                        return {"error": "an answer that is too large"}
                value = json.loads(said)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return {"error": type(error).__name__}
        return value if isinstance(value, dict) else {}

    def _refused(self, answer: dict[str, Any]) -> TargetError:
        return TargetError(
            "Slack did not take a message",
            expected=f"the channel {self.channel} to be open for this bot",
            found=str(answer.get("error", "no reason"))[:100],
            next_step="invite the bot to the channel, or correct the block",
        )
