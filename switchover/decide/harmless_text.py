"""Others' words in a message: a changelog or an error must not ring for everybody, nor break what is around it."""

from __future__ import annotations

import re
from html import escape
from typing import Any

_UNSEEN = "\u200b"
# Slack: `<!channel>`, `<@U1>`, `<https://…|a lie>`. Apprise completes `!channel>` and `@U1>` to these itself.
_SLACK = re.compile(r"<(?=\S)|[!@#](?=[^|\s]*(?:>|[ \t]*\|[^\n]*>))")
_EVERYBODY = re.compile(r"@(?=(all|channel|everyone|here)\b)", re.IGNORECASE)
# A block `Custom Webhook` puts its secrets where a text says `{{name}}`.
_TEMPLATE = re.compile(r"\{(?=[{%])")
_ADDRESS = re.compile(r"https?://[^\s<>\"'|]*[^\s<>\"'|.,;:)\]]")


def defuse(text: str) -> str:
    """The same to the eye, and nothing but text to Slack, Mattermost, Discord and to Prefect's templates."""
    for pattern in (_SLACK, _EVERYBODY, _TEMPLATE):
        text = pattern.sub(lambda match: f"{match[0]}{_UNSEEN}", text)
    return text


def write_slack_document(subject: str, text: str) -> dict[str, Any]:
    """The parts `text` and `blocks` of a message for Slack's Web API.

    In a rich text nothing is markup; `text` is what notifications show, and there `<!channel>` would count.
    """
    elements: list[dict[str, Any]] = [{"type": "text", "text": subject, "style": {"bold": True}}]
    elements += _find_links(f"\n{text}") if text else []
    section = {"type": "rich_text_section", "elements": elements}
    return {
        "text": escape(f"{subject}\n{text}".rstrip(), quote=False),
        "blocks": [{"type": "rich_text", "elements": [section]}],
    }


def _find_links(text: str) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    end = 0
    for match in _ADDRESS.finditer(text):
        if match.start() > end:
            parts.append({"type": "text", "text": text[end : match.start()]})
        parts.append({"type": "link", "url": match[0]})
        end = match.end()
    return [*parts, {"type": "text", "text": text[end:]}] if end < len(text) else parts
