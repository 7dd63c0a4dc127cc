"""What can go wrong with a server that keeps a set, in one line, without secrets, and what to do about it."""

from __future__ import annotations

import errno
import os
import re

import redis
from redis.exceptions import AskError, ReadOnlyError, RedisError
from redis.sentinel import MasterNotFoundError

from switchover.errors import TargetError
from switchover.flags.redis_place import RedisPlace

TROUBLE = (RedisError, OSError)
"""What a connection can raise."""


class NoPrimaryError(RedisError):
    """No node says that it keeps the set."""


class ElsewhereError(RedisError):
    """Another server keeps the set now."""


ELSEWHERE = (redis.ConnectionError, ReadOnlyError, AskError, ElsewhereError)
"""Of these, what may be over at once with another connection: a failover has happened, or a proxy began anew."""

_MOST_SAID = 300
_LEAST_REPLACED = 6
_REFUSED, _WRONG, _LATE = "connection refused", "wrong user or password", "no answer in time"
_MISSING_USER = ("NOAUTH", "Authentication required")
_WRONG_USER = ("WRONGPASS", "invalid username-password", "invalid password")
_KNOWN = (
    (_MISSING_USER, "it asks for a user and a password"),
    (_WRONG_USER, _WRONG),
    ((os.strerror(errno.ECONNREFUSED),), _REFUSED),
)

_ADVICE = (
    ((*_MISSING_USER, *_WRONG_USER), "correct the user and password"),
    (("NOPERM", "no permissions", "No permissions"), "grant the rights that `switchover.flags.redis_connection` names"),
    (("READONLY", "read only replica", "previous master"), "name the primary, or its Sentinels (redis+sentinel:)"),
    (("OOM", "maxmemory"), "free memory of the server or raise its maxmemory, then repeat"),
    (("MISCONF",), "let the server save to its disk again, then repeat"),
    (("NOREPLICAS",), "bring the server's replicas back, then repeat"),
    (("LOADING", "loading the dataset"), "wait until the server has loaded its data"),
    (
        ("MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT"),
        "name the Cluster (redis+cluster:), and have all slots served",
    ),
    (("WRONGTYPE",), "remove the foreign key, or choose another `set`"),
    (("CERTIFICATE_VERIFY_FAILED",), "name the authority's file by `ca`, and a host that it vouches for"),
    (("certificate", "_ssl.c"), "see whether the server speaks TLS, and asks for a certificate (`cert` and `key`)"),
)


def explain(error: BaseException, place: RedisPlace) -> str:
    """What went wrong, in one line, without secrets."""
    known = _name_known(error, place)
    if known:
        return known
    text = _without_secrets(" ".join(_words_of(error).split()), error, place)
    return text[:_MOST_SAID] or type(error).__name__


def _name_known(error: BaseException, place: RedisPlace) -> str:
    """What is met every day, in words of our own, which no secret can be a part of; empty for anything else."""
    known = _name_in(str(error))
    if isinstance(error, MasterNotFoundError):
        return f"no Sentinel knows the primary {place.primary}" + (f"; of some of them: {known}" if known else "")
    if known:
        return known
    if isinstance(error, redis.AuthenticationError):
        return _WRONG
    if isinstance(error, ConnectionRefusedError):
        return _REFUSED
    return _LATE if isinstance(error, redis.TimeoutError | TimeoutError) else ""


def _name_in(text: str) -> str:
    return next((said for words, said in _KNOWN if any(word in text for word in words)), "")


def _without_secrets(text: str, error: BaseException, place: RedisPlace) -> str:
    """The text with *** for each secret that is a word of its own; the error's class alone where that is not safe.

    A short secret may be a part of any word: replacing it would say it, and garble the rest. A user is no secret
    inside another word, a password is one everywhere.
    """
    for credentials in (place.credentials, place.sentinel_credentials):
        for secret in (credentials.password, credentials.username):
            if not secret:
                continue
            word = rf"(?<!\w){re.escape(secret)}(?!\w)"
            if len(secret) >= _LEAST_REPLACED:
                text = re.sub(word, "***", text)
            if re.search(word, text) or (secret == credentials.password and secret in text):
                return type(error).__name__
    return text


def advise(error: BaseException) -> str:
    """What to do about it."""
    text = _words_of(error)
    found = (advice for words, advice in _ADVICE if any(word in text for word in words))
    return next(found, "see that the server runs and can be reached, then repeat")


def trouble(error: BaseException, place: RedisPlace, failed: str) -> TargetError:
    """In the words of the command line."""
    return TargetError(failed, expected=f"an answer of {place}", found=explain(error, place), next_step=advise(error))


def _words_of(error: BaseException) -> str:
    if isinstance(error, redis.TimeoutError):
        return _LATE
    if isinstance(error, AskError):
        return f"MOVED: another node of the Cluster has the slot: {error}"
    return str(error)
