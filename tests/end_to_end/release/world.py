"""A checkout with everything that it is released to, of which each test has one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.release.doomed import ALIVE, Nursery, Order
from tests.end_to_end.release.parts import Parts
from tests.end_to_end.release.shop import Shop
from tests.end_to_end.release.state import read_state
from tests.real_parts.github_repository import HostedRepository

_SECONDS = 200
_NONE: Mapping[str, str] = {}
_PROGRAM = Path(sys.executable).parent / "switchover"


@dataclass(frozen=True, slots=True)
class Said:
    """How the command line ended, what it printed, and how long it took."""

    status: int
    printed: str
    complained: str
    seconds: float

    def report(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.printed)

    def outcomes(self, name: str) -> dict[str, str]:
        """What became of each stage of a component."""
        (component,) = (each for each in self.report()["components"] if each["name"] == name)
        stages: dict[str, str] = component["stages"]
        return stages


@dataclass(slots=True)
class World:
    """`memory` is the folder of what is built and scanned once, as `remembering` says."""

    parts: Parts
    shop: Shop
    hosted: HostedRepository
    nursery: Nursery
    folder: Path
    memory: str = ""
    runs: int = 0

    @property
    def packages(self) -> tuple[str, ...]:
        """The npm packages of the repository."""
        return tuple(
            f"@acme/{name}" for name in ("money", "ui") if self.shop.shared.git("ls-tree", "main", f"packages/{name}")
        )

    def state(self, shop: Shop | None = None) -> dict[str, Any]:
        """What is there now; `shop` is another checkout of the same repository."""
        return read_state(self.parts, shop or self.shop, self.hosted, packages=self.packages)

    def run(self, moment: int = ALIVE, *, shop: Shop | None = None) -> tuple[int, list[str]]:
        """Release in a process that may die at a moment; its exit status and the effects that it began."""
        self.runs += 1
        effects = self.folder / f"{self.runs}.effects"
        effects.touch()
        order = Order(
            config=str((shop or self.shop).config),
            environ=self.parts.environ(),
            report=str(self.folder / f"{self.runs}.report"),
            log=str(self.folder / f"{self.runs}.log"),
            effects=str(effects),
            memory=self.memory,
            moment=moment,
        )
        return self.nursery.run(order), effects.read_text(encoding="utf-8").splitlines()

    def release_or_refuse(self, shop: Shop | None = None) -> Said:
        """Release in a process that lives; how it ended, with what it complained of."""
        began = time.monotonic()
        status, _ = self.run(shop=shop)
        log = self.folder / f"{self.runs}.log"
        return Said(status, "", log.read_text(encoding="utf-8") if log.exists() else "", time.monotonic() - began)

    def finish(self, shop: Shop | None = None) -> dict[str, Any]:
        """Release undisturbed; what it reports."""
        status, _ = self.run(shop=shop)
        assert status == 0, (self.folder / f"{self.runs}.log").read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads((self.folder / f"{self.runs}.report").read_text(encoding="utf-8"))
        return report

    def switchover(self, *arguments: str, shop: Shop | None = None, variables: Mapping[str, str] = _NONE) -> Said:
        """The command line in the checkout, as people run it. An empty variable is one that is not there."""
        began = time.monotonic()
        with self.start(*arguments, shop=shop, variables=variables) as process:
            try:
                printed, complained = process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Said(process.returncode, printed, complained, time.monotonic() - began)

    def release(self, *arguments: str, shop: Shop | None = None, variables: Mapping[str, str] = _NONE) -> Said:
        """`switchover release --direct --json`."""
        return self.switchover("release", "--direct", "--json", *arguments, shop=shop, variables=variables)

    def withdraw(self, version: str, reason: str = "It loses orders.") -> Said:
        """`switchover release --withdraw`."""
        return self.switchover("release", "--json", "--withdraw", version, "--reason", reason)

    def start(
        self,
        *arguments: str,
        shop: Shop | None = None,
        program: Path = _PROGRAM,
        folder: Path | None = None,
        variables: Mapping[str, str] = _NONE,
    ) -> subprocess.Popen[str]:
        """The command line, or another program in another folder, as a process beside the test."""
        environ = self.parts.environ() | dict(variables)
        return subprocess.Popen(
            [program, *arguments],
            cwd=folder or (shop or self.shop).checkout.root,
            env={name: value for name, value in environ.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def writes(self) -> dict[str, list[str]]:
        """What was asked of each place that may have changed something."""
        return {name: gate.writes for name, gate in self.parts.gates.items() if gate.writes}

    def requests(self) -> dict[str, int]:
        """How many requests each place had."""
        return {name: len(gate.asked) for name, gate in self.parts.gates.items()}

    def forget_requests(self) -> None:
        """Begin to count anew, complaints too, and let nothing go wrong any more."""
        for gate in self.parts.gates.values():
            gate.reset()
        self.parts.github.witness.complaints.pop(self.hosted.name, None)

    def complaints(self) -> list[str]:
        """What GitHub's document says is wrong with requests or answers."""
        found = self.parts.github.witness.complaints.get(self.hosted.name, [])
        return [f"{each.request}: {each.status}: {each.words}" for each in found]
