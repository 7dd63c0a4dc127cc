"""A release in a process of its own that ends itself with SIGKILL right before or right after one of its effects.

`python -m tests.end_to_end.release.doomed` reads one JSON object a line, as `Order` writes it, runs each release in a
fork of itself (so that Python's modules are loaded once), and answers with the exit status, negative for a signal.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from switchover.adapters.github_forge import GithubForge
from switchover.adapters.release_tools import open_release_tools, read_release_scope
from switchover.cli.failures import show_problem
from switchover.decide.components import Component
from switchover.errors import SwitchoverError
from switchover.model import Release
from switchover.operations.planning import ReleaseSettings
from switchover.operations.release import release
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.release_report import report_to_json
from switchover.operations.shared_places import Destination, ForgeRelease
from tests.end_to_end.release.remembering import remember

EFFECTS: Mapping[str, tuple[str, ...]] = {
    "history": ("commit_edits", "write_commit", "reserve", "mark", "tag", "drop_mark"),
    "store": ("put", "publish", "forget"),
    "destination": ("stage", "publish", "move_pointer"),
    "signer": ("sign_file", "sign_image"),
    "forge": ("propose", "draft_release", "upload_asset", "publish_release", "upload_sarif"),
    "remote": ("push_branch", "push_commit", "push_marks", "push_tag", "drop_marks"),
}
ALIVE = -1
_DIGITS = re.compile(r"[0-9a-f]{40}")
_SECONDS = 240
_PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Order:
    """One release. It dies at `moment`: an even one is right before effect `moment / 2`, an odd one right after it.

    `effects` is the file for the names of its effects, `report` that for what it says in the end, `log` for the rest.
    With the folder `memory` nothing is built or scanned a second time, as `remembering` says.
    """

    config: str
    environ: Mapping[str, str]
    report: str
    log: str
    effects: str = os.devnull
    memory: str = ""
    moment: int = ALIVE


class Fate:
    """Counts effects, and ends the whole process at the chosen one."""

    def __init__(self, order: Order) -> None:
        self._moment = order.moment
        self._effects = Path(order.effects)
        self._count = 0

    def watch(self, tools: ReleaseTools) -> ReleaseTools:
        """The same tools, with this around their effects."""
        choose = tools.destination_of

        def choose_watched(component: Component) -> Destination | None:
            chosen = choose(component)
            return chosen and self._around("destination", chosen)

        watched = {name: self._around(name, getattr(tools, name)) for name in EFFECTS if name != "destination"}
        return replace(tools, destination_of=choose_watched, **watched)

    def _around(self, port: str, inner: object) -> Any:
        return _Watched(inner, {name: f"{port}.{name}" for name in EFFECTS[port]}, self.pass_through)

    def pass_through(self, name: str, effect: Callable[..., object], *given: object, **named: object) -> object:
        """Let it happen, unless this is the end."""
        number = self._count
        self._count += 1
        with self._effects.open("a", encoding="utf-8") as file:
            file.write(f"{name} {_describe(given)}".strip() + "\n")
        self._end_at(2 * number)
        answer = effect(*given, **named)
        self._end_at(2 * number + 1)
        return answer

    def _end_at(self, moment: int) -> None:
        if moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class _Watched:
    inner: object
    effects: Mapping[str, str]
    around: Callable[..., object]

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)
        return (
            (lambda *given, **named: self.around(self.effects[name], real, *given, **named))
            if (name in self.effects)
            else real
        )


def _describe(given: tuple[object, ...]) -> str:
    """What an effect is about, without hashes and addresses: a name, the file, the moving tag."""
    if not given:
        return ""
    first = given[0]
    if isinstance(first, Component | str):
        name = "" if _DIGITS.search(str(first)) else str(first).partition(":")[0]
    elif isinstance(first, ForgeRelease):
        name = first.tag
    else:
        name = first.service if isinstance(first, Release) else ""
    texts = [name, *(each.name for each in given if isinstance(each, Path))]
    if isinstance(given[0], Component) and isinstance(given[1], str):
        texts.append(given[1])
    return " ".join(texts).strip()


def run(order: Order) -> int:
    """Release in this process; the exit status is that of the command line."""
    os.environ.clear()
    os.environ.update(order.environ)
    project, fate = read_release_scope(Path(order.config)).project, Fate(order)

    def reopen() -> tuple[ReleaseTools, ReleaseSettings]:
        scope = read_release_scope(Path(order.config))
        tools = open_release_tools(scope, os.environ)
        return fate.watch(remember(tools, Path(order.memory)) if order.memory else tools), scope.settings

    try:
        with tempfile.TemporaryDirectory(prefix="switchover-release-") as folder:
            done = release(reopen, Path(folder))
    except SwitchoverError as error:
        return show_problem(error, as_json=False)
    Path(order.report).write_text(json.dumps(report_to_json(project, done)), encoding="utf-8")
    return 0


@dataclass(slots=True)
class Nursery:
    """The process that releases are forked from."""

    process: subprocess.Popen[str]
    orders: int = field(default=0)

    def run(self, order: Order) -> int:
        """Run one release to its end, whichever that is; return the exit status, negative for a signal."""
        assert self.process.stdin
        assert self.process.stdout
        self.orders += 1
        self.process.stdin.write(json.dumps(asdict(order)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process that releases are forked from has ended"
        return int(answer)


@contextmanager
def open_nursery() -> Iterator[Nursery]:
    """Start it, and end it with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.release.doomed"],
        cwd=_PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Nursery(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(_SECONDS)


def _fork(order: Order) -> int:
    child = os.fork()
    if child == 0:
        status = 70
        try:
            log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for stream in (1, 2):
                os.dup2(log, stream)
            signal.alarm(_SECONDS)
            status = run(order)
        except BaseException:  # noqa: BLE001 whatever it was, the child must not go on as its parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Serve until nobody orders any more."""
    _ = GithubForge  # loaded before the first fork
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(Order(**json.loads(line)))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
