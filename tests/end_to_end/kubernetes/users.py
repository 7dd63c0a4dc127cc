"""Constant load on the gateway's real address, every answer kept."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from switchover.adapters.waiting import wait_until
from switchover.model import Colour
from tests.end_to_end.kubernetes.asking import Plan

# Four users with a connection that they keep and one with a new one each time: about 300 requests a second.
KEPT, FRESH = 4, 1
PAUSE_SECONDS = 0.012
TIMEOUT_SECONDS = 5.0
MOST_SECONDS = 600.0
MOST_REQUESTS = 300_000
_ENDING_SECONDS = TIMEOUT_SECONDS + 5.0
_PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one user got for one request, started at this second of the epoch.

    `kind` is `ok`, `4xx`, `5xx`, `error` (of the connection) or `timeout`; `colour` empty: the answer named none.
    """

    at: float
    seconds: float
    kind: str
    status: str
    colour: str
    connection: str

    @property
    def failed(self) -> bool:
        return self.kind != "ok"


@dataclass(slots=True)
class Users:
    """Those of one scenario. `answers` has all of them once they have ended, and as many as there are before."""

    file: Path
    answers: tuple[Answer, ...] = field(default=())

    @property
    def requests(self) -> int:
        return len(self.answers)

    @property
    def failures(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.failed)

    @property
    def failure_counts(self) -> dict[str, int]:
        """How many of each kind, with what they were."""
        return dict(Counter(f"{each.kind} {each.status} {each.connection} {each.colour}" for each in self.failures))

    def slower_than(self, seconds: float) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.seconds > seconds)

    def of(self, colour: Colour) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.colour == colour)

    def since(self, at: float) -> tuple[Answer, ...]:
        """Those that were asked from this second of the epoch on."""
        return tuple(answer for answer in self.answers if answer.at >= at)

    def last_from(self, colour: Colour) -> float:
        """When the last request was made that this colour has answered; 0 for none."""
        return max((answer.at for answer in self.of(colour)), default=0.0)

    def await_more(self, requests: int, within: float = 20.0) -> None:
        """Wait until they have asked so many more."""
        self.read()
        goal = self.requests + requests

        def asked() -> bool:
            self.read()
            return self.requests >= goal

        assert wait_until(asked, within, 0.1), f"{self.requests} requests, {goal} were expected"

    def read(self) -> None:
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        self.answers = tuple(Answer(*json.loads(line)) for line in whole.splitlines())


@contextlib.contextmanager
def asking(address: str, host: str, file: Path, *, path: str = "/", pause: float = PAUSE_SECONDS) -> Iterator[Users]:
    """Users ask from here to the end of the block, each pausing so many seconds; bounded in time and number anyway."""
    plan = Plan(address, host, path, str(file), KEPT, FRESH, pause, TIMEOUT_SECONDS, MOST_SECONDS, MOST_REQUESTS)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.kubernetes.asking", json.dumps(asdict(plan))],
        cwd=_PROJECT,
        stdin=subprocess.PIPE,
    )
    users = Users(file)
    try:
        users.await_more(20)
        yield users
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_ENDING_SECONDS)
        finally:
            process.kill()
            users.read()
