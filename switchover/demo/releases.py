"""The releases of the demonstration, made one after the other while the deployments go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from switchover.demo.lanes import Lane
from switchover.demo.stage import SERVICE, ShopHistory, Stage
from switchover.errors import SwitchoverError, TargetError

_POLL_SECONDS = 0.2
_MOST_SECONDS = 300.0


@dataclass(slots=True)
class ReleaseLine:
    """Commits what each version is made of, then runs the `release` flow on it. `say` is told what was released."""

    stage: Stage
    history: ShopHistory
    lane: Lane
    say: Callable[[str], None]
    _released: set[str] = field(default_factory=set)
    _trouble: SwitchoverError | None = None

    def release(self, version: str) -> None:
        """Release what the repository holds, which must make this version of the service."""
        run = self.lane.run("release", config=str(self.stage.config))
        made = run.result["components"] if run.result else []
        if not any((each["name"], each["version"]) == (SERVICE, version) and each["digest"] for each in made):
            raise TargetError(
                f"{SERVICE} {version} was not released",
                expected=f"the release flow to publish {SERVICE} {version}",
                found=run.message or ", ".join(f"{each['name']} {each['version']}" for each in made) or "nothing",
                next_step=f"look at {self.lane.child.log}",
            )
        self._released.add(version)
        self.say("released " + ", ".join(f"{each['name']} {each['version']}" for each in made))

    def begin(self, versions: Sequence[str]) -> None:
        """Make these releases in this order, in the background."""
        threading.Thread(target=self._make, args=(tuple(versions),), name="releases", daemon=True).start()

    def wait_for(self, version: str) -> None:
        """Return when this version is released; raise what went wrong otherwise."""
        remaining = _MOST_SECONDS
        while version not in self._released:
            if self._trouble is not None:
                raise self._trouble
            if remaining <= 0:
                raise self.lane.child.trouble(f"release {version} within {_MOST_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
            remaining -= _POLL_SECONDS

    def _make(self, versions: tuple[str, ...]) -> None:
        try:
            for version in versions:
                self.history.advance_shop(self.stage.repository, version)
                self.release(version)
        except SwitchoverError as error:
            self._trouble = error
