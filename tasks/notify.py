"""Who is told about a release: Prefect's notification blocks, and Slack channels whose one message is kept up to date.

A message that cannot be delivered is logged and never stops a release. Of what was said last a variable of the server
keeps a fingerprint, so that the same is not told twice, and which message of Slack it was, so that the success takes
the place of the failure before it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import get_run_logger, task
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.variables import Variable

from blocks.server_call import single_try
from blocks.slack_thread import SlackThread
from switchover.adapters.release_tools import ReleaseScope
from switchover.decide.harmless_text import defuse
from switchover.decide.release_message import Message, list_released, write_success
from switchover.errors import InputError, SwitchoverError
from switchover.operations.release_page import read_notes
from tasks.release_scope import open_tools

# They write addresses into their logs, and the address of a webhook is a secret.
_TALKATIVE = ("apprise", "httpx", "httpcore", "requests", "urllib3")


@task(name="notify", retries=0, timeout_seconds=120, cache_policy=NO_CACHE)
def tell_release(scope: ReleaseScope, report: dict[str, Any]) -> None:
    """Tell what was released; nothing where nothing was. Never raises: the release is out."""
    if not scope.config.notify:
        return
    log = get_run_logger()
    try:
        tools = open_tools(scope)
        notes = {each["name"]: read_notes(tools, each["folder"], each["version"]) for each in list_released(report)}
    except Exception as error:  # noqa: BLE001 the message goes out without them
        log.warning("the changelogs could not be read: %s", type(error).__name__)
        notes = {}
    message = write_success(report, notes)
    if message is not None:
        tell(scope, message, log)


def tell(scope: ReleaseScope, message: Message, log: Any) -> None:
    """Deliver one message to every block that `release.notify` names. Never raises."""
    for slug in scope.config.notify:
        try:
            with single_try(), _silence():
                _deliver(scope.project, slug, message)
        except SwitchoverError as error:
            log.warning("%s was not told: %s: %s", slug, error.problem.failed, error.problem.found)
        except Exception as error:  # noqa: BLE001 whatever a service or the server does, the release goes on
            # Others' words may hold the address of a webhook, which is a secret.
            log.warning("%s was not told: %s", slug, type(error).__name__)


@contextmanager
def _silence() -> Iterator[None]:
    """Within: the libraries that deliver messages log nothing."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _deliver(project: str, slug: str, message: Message) -> None:
    key = f"switchover_told__{project}__{slug.replace('/', '__')}"
    said = _read(key)
    if said.get("told") == message.fingerprint:
        return
    text = f"{message.body}\n{message.address}".strip()
    block: Any = Block.load(slug)
    written = ""
    if isinstance(block, SlackThread):
        written = block.tell(message.subject, text, str(said.get("message", "")))
    elif isinstance(block, NotificationBlock):
        _notify(block, defuse(message.subject), defuse(text))
    else:
        raise InputError(
            f"{slug} cannot tell anybody",
            expected="one of Prefect's notification blocks, or a Switchover Slack Thread",
            found=f"a block of type {type(block).__name__}",
            next_step="correct release.notify in switchover.toml",
        )
    # After a success the next release begins a message of its own.
    kept = {"told": message.fingerprint, "message": "" if message.good else written}
    Variable.set(key, kept, overwrite=True)


def _notify(block: NotificationBlock, subject: str, text: str) -> None:
    with block.raise_on_failure():
        told: Any = block.notify(text, subject)
        # Prefect's own blocks are synchronous here, others need not be.
        if inspect.iscoroutine(told):
            asyncio.run(told)


def _read(key: str) -> dict[str, Any]:
    """What was said last; nothing where that is not known: better told twice than never."""
    try:
        said: Any = Variable.get(key, default={})
    except Exception:  # noqa: BLE001 whatever the server does, people are told
        return {}
    return said if isinstance(said, dict) else {}
