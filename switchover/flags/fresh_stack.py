"""Calls a function where the stack is as good as empty: in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def on_fresh_stack(call: Callable[[], T]) -> T:
    """What `call` returns. Raises what it raises, and RuntimeError where no thread can be started."""
    returned: list[T] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            returned.append(call())
        except Exception as error:  # noqa: BLE001 - raised to the caller
            raised.append(error)

    thread = threading.Thread(target=run, name="switchover-flags-compile", daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return returned[0]
