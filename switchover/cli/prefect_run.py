"""What commands that run a flow in their own process share: is there a server, and no logs of Prefect in between."""

from __future__ import annotations

import os

from switchover.adapters.prefect_api import find_prefect_api
from switchover.errors import InputError

_HEALTH_SECONDS = 2.0
# What the flow logs goes to the server, tracebacks too; the terminal shows the command's own progress.
_QUIET_PREFECT = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


def prepare_prefect(what: str, way_around: str = "") -> None:
    """Call it before Prefect is imported. Raises `InputError` when no server can record `what` (`this release`).

    `way_around` is what to do without one, as the end of a sentence.
    """
    api = find_prefect_api(os.environ)
    if api is None:
        raise InputError(
            f"there is no Prefect API to record {what}",
            expected="PREFECT_API_URL in the environment or in the active Prefect profile",
            found="neither",
            next_step=f"run `prefect server start`, then set PREFECT_API_URL=http://127.0.0.1:4200/api{way_around}",
        )
    trouble = api.find_trouble(_HEALTH_SECONDS)
    if trouble:
        raise InputError(
            f"the Prefect API at {api.url} cannot be used",
            expected=f"an answer from {api.url}/health within {_HEALTH_SECONDS:.0f} s",
            found=trouble,
            next_step=f"start the server (`prefect server start`), or correct PREFECT_API_URL{way_around}",
        )
    for name, value in _QUIET_PREFECT.items():
        os.environ.setdefault(name, value)
