"""Users who ask all the time, in a process of their own: `python -m tests.end_to_end.kubernetes.asking PLAN`.

PLAN is JSON as in `Plan`. Each user asks one request after the other, `kept` of them over a connection that is kept,
`fresh` ones over a new connection each time, and writes down every single answer: a line `[started, seconds, kind,
status, colour, connection]` in the plan's file, `kind` being `ok`, `4xx`, `5xx`, `error` or `timeout`. Nothing is asked
again. They end with standard input, after so many seconds or requests.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import TextIO

_FIRST_ERROR = 400
_FIRST_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """Who asks what. `pause` is what a user waits between two requests, `timeout` for an answer, in seconds."""

    address: str
    host: str
    path: str
    file: str
    kept: int
    fresh: int
    pause: float
    timeout: float
    seconds: float
    requests: int


class Users:
    """All of them."""

    def __init__(self, plan: Plan, out: TextIO) -> None:
        self._plan = plan
        self._out = out
        self._lock = threading.Lock()
        self._left = plan.requests
        self.stop = threading.Event()

    def run(self) -> None:
        plan = self._plan
        threads = [
            threading.Thread(target=self._ask, args=(number < plan.kept,)) for number in range(plan.kept + plan.fresh)
        ]
        for thread in threads:
            thread.start()
        self.stop.wait(plan.seconds)
        self.stop.set()
        for thread in threads:
            thread.join()

    def _ask(self, keep: bool) -> None:  # noqa: FBT001 one of two kinds of users
        host, _, port = self._plan.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=self._plan.timeout)
        while not self.stop.wait(self._plan.pause):
            began = time.time()
            kind, status, colour = self._ask_once(connection)
            if not keep or kind in {"error", "timeout"}:
                connection.close()
            line = json.dumps([began, time.time() - began, kind, status, colour, "kept" if keep else "fresh"])
            with self._lock:
                self._out.write(line + "\n")
                self._left -= 1
                if self._left <= 0:
                    self.stop.set()
        connection.close()

    def _ask_once(self, connection: http.client.HTTPConnection) -> tuple[str, str, str]:
        """Kind, status or the name of the error, and the colour by the answer's own word."""
        try:
            connection.request("GET", self._plan.path, headers={"host": self._plan.host})
            answer = connection.getresponse()
            answer.read()
        except TimeoutError as error:
            return "timeout", type(error).__name__, ""
        except (OSError, http.client.HTTPException) as error:
            return "error", f"{type(error).__name__}: {error}", ""
        kind = "ok"
        if answer.status >= _FIRST_ERROR:
            kind = "5xx" if answer.status >= _FIRST_SERVER_ERROR else "4xx"
        return kind, str(answer.status), answer.getheader("x-switchover-colour") or ""


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    with open(plan.file, "w", encoding="utf-8", buffering=1) as out:  # noqa: PTH123 line by line
        users = Users(plan, out)
        threading.Thread(target=_stop_at_the_end_of_input, args=(users,), daemon=True).start()
        users.run()


def _stop_at_the_end_of_input(users: Users) -> None:
    sys.stdin.read()
    users.stop.set()


if __name__ == "__main__":
    main()
