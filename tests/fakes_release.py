"""Fakes of the places that a release goes to. Each passes the contract suite of its port."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

from switchover.decide.components import Component
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import InputError
from switchover.operations.shared_places import Published


@dataclass(slots=True)
class InMemoryDestination:
    """A destination whose content is open to the test.

    `versions`, `pointers` and `warnings` are by package name, `staged` are digests. `effects` notes every change, in
    order, so that a test can say that nothing was done twice.
    """

    versions: dict[str, dict[str, Published]] = field(default_factory=dict)
    pointers: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: dict[str, dict[str, str]] = field(default_factory=dict)
    staged: set[str] = field(default_factory=set)
    effects: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def moves_pointers(self) -> bool:
        return True

    def find(self, component: Component) -> Published | None:
        return self.versions.get(component.package, {}).get(component.version)

    def identify(self, component: Component, archive: Path) -> Published:
        digest = f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}"
        return Published(f"memory/{component.package}@{digest}", digest)

    def stage(self, component: Component, archive: Path) -> Outcome:
        digest = self.identify(component, archive).digest
        if digest not in self.staged:
            self.staged.add(digest)
            self.effects.append(f"stage {component}")
        return Done("stage", digest)

    def publish(self, component: Component, archive: Path) -> Published:
        wanted = self.identify(component, archive)
        with self.lock:
            found = self.find(component)
            if found is None:
                self.versions.setdefault(component.package, {})[component.version] = wanted
                self.effects.append(f"publish {component}")
            elif found.digest != wanted.digest:
                raise InputError(
                    f"{component} is there with other bytes",
                    expected=found.digest,
                    found=wanted.digest,
                    next_step="release a new version",
                )
        return wanted

    def list_versions(self, component: Component) -> tuple[str, ...]:
        return tuple(self.versions.get(component.package, {}))

    def read_pointers(self, component: Component) -> dict[str, str]:
        return dict(self.pointers.get(component.package, {}))

    def move_pointer(self, component: Component, pointer: str, version: str) -> None:
        pointers = self.pointers.setdefault(component.package, {})
        if pointers.get(pointer, "") == version:
            return
        if version and version not in self.list_versions(component):
            raise InputError(
                f"{pointer} of {component.package} cannot be moved",
                expected="a version that is there",
                found=version,
                next_step="publish it first",
            )
        if version:
            pointers[pointer] = version
        else:
            del pointers[pointer]
        self.effects.append(f"point {component.package} {pointer} at {version or 'nothing'}")

    def withdraw(self, component: Component, reason: str) -> Outcome:
        if self.find(component) is None:
            return Skipped("withdraw", f"{component} is not there")
        warnings = self.warnings.setdefault(component.package, {})
        if warnings.get(component.version) != reason:
            warnings[component.version] = reason
            self.effects.append(f"withdraw {component}")
        return Done("withdraw", "warned")
