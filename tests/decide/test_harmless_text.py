from __future__ import annotations

import re

import pytest
from apprise.plugins.slack import NotifySlack
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.types import SecretDict

from switchover.decide.harmless_text import defuse, write_slack_document

RINGING = [
    "<!channel>",
    "<!here|here>",
    "!everyone>",
    "!channel | a b>",
    "<@U1>",
    "x @U1> y",
    "<#C1>",
    "<https://evil.example|log in>",
]


@pytest.mark.parametrize("text", RINGING)
def test_what_slack_would_act_on_is_only_text(text: str) -> None:
    assert not re.search(r"<[!@#h]", defuse(text))


@pytest.mark.parametrize("text", RINGING[:6])
def test_what_apprise_would_complete_to_a_call_names_nobody(text: str) -> None:
    ids = {"token_a": "T1JJ3T3L2", "token_b": "A1BRTD4JD", "token_c": "TIiajkdnlazkcOXrIdevi7FQ"}
    plugin = NotifySlack(**ids)  # type: ignore[no-untyped-call]
    escaped = defuse(text).replace("<", "&lt;").replace(">", "&gt;")
    named = [match[1] for match in plugin._re_channel_support.findall(escaped)]
    named += [match[1] for match in plugin._re_user_id_support.findall(escaped)]
    assert not [name for name in named if re.match(r"\w", name)]


@pytest.mark.parametrize("word", ["@channel", "@here", "@all", "@Everyone"])
def test_what_mattermost_and_discord_ring_for_is_broken(word: str) -> None:
    assert word not in defuse(f"thanks {word}!")


@pytest.mark.parametrize(
    "text", ["@acme/core 1.2.3", "shop@1.5.0", "a -> b", "x < y", "## Minor", "{json}", "allow@alliance.example"]
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert defuse(text) == text


@pytest.mark.parametrize("text", ["{{token}}", "{{ token }}", "{{{token}}}"])
def test_words_of_others_cannot_ask_a_custom_webhook_for_its_secrets(text: str) -> None:
    block = CustomWebhookNotificationBlock(
        name="hook",
        url="http://127.0.0.1/",
        form_data="t={{token}}&b={{body}}",
        secrets=SecretDict({"token": "s3cr3t"}),
    )
    assert block._build_request_args(defuse(text), None)["content"].count("s3cr3t") == 1


def test_addresses_become_links_without_the_full_stop_behind_them() -> None:
    (block,) = write_slack_document("out", "at https://a.example/x (https://b.example).")["blocks"]
    assert block["elements"][0]["elements"] == [
        {"type": "text", "text": "out", "style": {"bold": True}},
        {"type": "text", "text": "\nat "},
        {"type": "link", "url": "https://a.example/x"},
        {"type": "text", "text": " ("},
        {"type": "link", "url": "https://b.example"},
        {"type": "text", "text": ")."},
    ]
