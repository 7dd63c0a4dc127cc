"""How a deployment talks to the server beside its work: once, and not for long.

Prefect's client repeats a call for about 74 s when its server is gone, and a deployment that stands still for
longer than its lease counts as dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

ANSWER_SECONDS = 3.0


@contextmanager
def single_try() -> Iterator[None]:
    """Within: a call of the API that fails is not repeated, and none waits longer than `ANSWER_SECONDS`."""
    with temporary_settings(updates={PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: ANSWER_SECONDS}):
        yield
