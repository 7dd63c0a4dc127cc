"""One event loop per process, in a thread of its own, for a client library that only speaks asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

_T = TypeVar("_T")


def run_coroutine(coroutine: Coroutine[Any, Any, _T], within_seconds: float) -> _T:
    """Run it on the loop of this process and return its result; from any thread but the loop's own.

    Raises `TimeoutError` after `within_seconds`; the coroutine is then cancelled.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, _loop())
    try:
        return future.result(within_seconds)
    finally:
        future.cancel()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="switchover-kubernetes", daemon=True).start()
    return loop
