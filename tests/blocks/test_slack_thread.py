"""One message of Slack that is kept up to date, and a token that is shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from blocks.slack_thread import SlackThread
from switchover.errors import TargetError
from tests.real_parts.slack import TOKEN, Slack, receiving


@pytest.fixture
def slack() -> Iterator[Slack]:
    with receiving() as receiver:
        yield receiver


def thread(slack: Slack, *, channel: str = "C1", token: str = TOKEN) -> SlackThread:
    return SlackThread(token=SecretStr(token), channel=channel, api=slack.api)


def test_a_first_message_is_written_and_a_second_one_takes_its_place(slack: Slack) -> None:
    first = thread(slack).tell("it stopped", "see https://prefect.example/run.")
    assert slack.read(first) == "*it stopped*\nsee https://prefect.example/run."
    assert thread(slack).tell("it is out", "", first) == first
    assert slack.read(first) == "*it is out*"
    assert slack.calls == ["chat.postMessage", "chat.update"]


def test_a_message_that_was_deleted_is_written_anew(slack: Slack) -> None:
    written = thread(slack).tell("it is out", "", "1600000000.000001")
    assert slack.read(written) == "*it is out*"
    assert slack.calls == ["chat.update", "chat.postMessage"]


def test_words_of_others_are_text_and_ring_for_nobody(slack: Slack) -> None:
    written = thread(slack).tell("a *bold* <!channel>", "<!here> & <@U1> _x_ ```")
    (block,) = slack.messages[written]["blocks"]
    kinds = {element["type"] for element in block["elements"][0]["elements"]}
    assert kinds == {"text"}
    assert slack.messages[written]["text"] == "a *bold* &lt;!channel&gt;\n&lt;!here&gt; &amp; &lt;@U1&gt; _x_ ```"


@pytest.mark.parametrize(
    ("status", "answer", "found"),
    [
        (200, b'{"ok": false, "error": "ratelimited"}', "ratelimited"),
        (200, b'{"ok": true}', "no reason"),
        (200, b'{"ok": true, "ts": 7}', "no reason"),
        (200, b"[]", "no reason"),
        (502, b"<html>bad gateway", "JSONDecodeError"),
        (200, b'"' + b"x" * 300_000 + b'"', "too large"),
    ],
)
def test_an_answer_that_is_no_yes_is_an_error_of_four_lines(
    slack: Slack, status: int, answer: bytes, found: str
) -> None:
    slack.answers.append((status, answer))
    with pytest.raises(TargetError) as caught:
        thread(slack).tell("it is out", "")
    assert found in caught.value.problem.found
    assert TOKEN not in str(caught.value)


def test_a_refused_update_is_not_followed_by_a_second_message(slack: Slack) -> None:
    first = thread(slack).tell("it stopped", "")
    slack.answers.append((200, json.dumps({"ok": False, "error": "ratelimited"}).encode()))
    with pytest.raises(TargetError):
        thread(slack).tell("it is out", "", first)
    assert slack.read(first) == "*it stopped*"
    assert slack.calls == ["chat.postMessage"]


def test_a_wrong_token_and_a_channel_without_the_bot_say_so(slack: Slack) -> None:
    with pytest.raises(TargetError, match="invalid_auth"):
        thread(slack, token="other").tell("it is out", "")  # noqa: S106 - a token for a test
    with pytest.raises(TargetError, match="C2 to be open"):
        thread(slack, channel="C2").tell("it is out", "")


def test_a_slack_that_is_away_is_an_error_too() -> None:
    with receiving() as gone:
        pass
    with pytest.raises(TargetError, match="ConnectError"):
        thread(gone).tell("it is out", "")


@pytest.mark.parametrize(
    "api",
    ["http://slack.example/api", "https://user@slack.example/api", "http://127.0.0.1.evil.example", "file:///etc"],
)
def test_a_token_is_sent_over_tls_or_to_this_machine_only(api: str) -> None:
    with pytest.raises(ValidationError):
        SlackThread(token=SecretStr(TOKEN), channel="C1", api=api)


def test_the_token_is_in_no_repr() -> None:
    assert TOKEN not in repr(SlackThread(token=SecretStr(TOKEN), channel="C1"))
