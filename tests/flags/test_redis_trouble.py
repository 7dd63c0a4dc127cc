"""What is said of a server that does not answer as it should: readable, and no secret in it."""

from __future__ import annotations

import pytest
import redis
from redis.sentinel import MasterNotFoundError

from switchover.flags.redis_place import read_redis_place
from switchover.flags.redis_trouble import explain

_REFUSED = "Error 111 connecting to cache:6379. Connection refused."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ConnectionError(_REFUSED), "connection refused"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (redis.TimeoutError("Timeout reading from socket"), "no answer in time"),
        (TimeoutError(), "no answer in time"),
        (redis.AuthenticationError("Client sent AUTH, but no password is set"), "wrong user or password"),
        (redis.ResponseError("WRONGPASS invalid username-password pair"), "wrong user or password"),
        (redis.AuthenticationError("NOAUTH Authentication required."), "it asks for a user and a password"),
        (MasterNotFoundError("No master found for 'main'"), "no Sentinel knows the primary main"),
        (
            MasterNotFoundError(f"No master found for 'main' : sentinel - ConnectionError('{_REFUSED}')"),
            "no Sentinel knows the primary main; of some of them: connection refused",
        ),
    ],
)
@pytest.mark.parametrize("user", ["u:e", "Connection:refused", "master:user"])
def test_what_is_met_every_day_is_readable_whatever_user_and_password_are(
    error: BaseException, said: str, user: str
) -> None:
    assert explain(error, read_redis_place(f"redis+sentinel://{user}@cache/main?set=shop", {})) == said


@pytest.mark.parametrize(
    ("user", "text", "said"),
    [
        ("u:", "unusual", "unusual"),
        ("u:", "ask u", "ConnectionError"),
        ("operator:geheim99", "operator and geheim99 here", "*** and *** here"),
        ("operator:geheim99", "operators", "operators"),
        ("operator:geheim99", "xgeheim99", "ConnectionError"),
        (":abc", "xabcx", "ConnectionError"),
        (":abc", "else", "else"),
        (":geheim99", f"{'x' * 296} geheim99", f"{'x' * 296} ***"),
        ("ann:geheim99", "", "ConnectionError"),
    ],
)
def test_a_secret_is_hidden_as_a_word_or_with_all_that_is_said(user: str, text: str, said: str) -> None:
    place = read_redis_place(f"redis://{user}@cache?set=shop", {})
    assert explain(redis.ConnectionError(text), place) == said
