"""One process that runs flows one after the other on command: Prefect is imported once, not for every run.

`python -m flows.lane` reads a JSON object a line from standard input, `{"flow": "deploy", "parameters": {...}}`,
and writes one a line to standard output: `ready` when it can work, `log` for what the judge said, `done` when a
run has ended in whatever state. It ends when its input does. Logs go to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any, TextIO

from prefect import Flow
from prefect.client.schemas.objects import State

from flows.deploy import deploy
from flows.release import release
from flows.rollback import rollback

FLOWS: dict[str, Flow[Any, Any]] = {"deploy": deploy, "release": release, "rollback": rollback}
_JUDGED = "at "


class _Forwarder(logging.Handler):
    """Hands what the judge says on to whoever drives this lane."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(logging.INFO)
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith(_JUDGED):
            _say(self._out, kind="log", message=message)


def run_commands(commands: TextIO, out: TextIO) -> None:
    """Run the flow that each line names, until there are no more lines."""
    logging.getLogger("prefect.task_runs").addHandler(_Forwarder(out))
    _say(out, kind="ready")
    for line in commands:
        command = json.loads(line)
        flow: Any = FLOWS[command["flow"]]  # its types depend on the parameters, which are only known now
        state = flow(**command["parameters"], return_state=True)
        _say(out, kind="done", **_describe(state))


def _describe(state: State[Any]) -> dict[str, Any]:
    result = state.result(raise_on_failure=False)
    return {
        "state": state.name,
        "completed": state.is_completed(),
        "message": (state.message or "").strip(),
        "flow_run_id": str(state.state_details.flow_run_id),
        "result": result if isinstance(result, dict) else None,
    }


def _say(out: TextIO, **document: object) -> None:
    out.write(json.dumps(document) + "\n")
    out.flush()


if __name__ == "__main__":
    # Whatever prints to standard output must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    run_commands(sys.stdin, answers)
