"""The phases of the demonstration, each played with the real parts and written down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from switchover.demo.lanes import Lane
from switchover.demo.parts import Parts
from switchover.demo.records import Kind, PhaseRecord, RolloutRecord, Scene
from switchover.demo.releases import ReleaseLine
from switchover.demo.stage import ENVIRONMENT, SERVICE
from switchover.errors import TargetError
from switchover.model import Phase

_KILL_PERCENT = 50
_BETWEEN_STEPS_SECONDS = 2.0
_RECOVERY_SECONDS = 90.0
_COMMAND_SECONDS = 120.0
_POLL_SECONDS = 0.05

SCENES = (
    Scene(1, "1.0.0", Kind.FIRST, "first release 1.0.0", "1.0.0", "instant"),
    Scene(3, "1.1.0", Kind.HEALTHY, "canary 1.1.0", "1.1.0"),
    Scene(4, "1.2.0", Kind.BAD, "errors in 1.2.0", "1.1.0"),
    Scene(5, "1.2.1", Kind.UNSEEN, "crash loop in 1.2.1", "1.1.0"),
    Scene(5, "1.2.2", Kind.UNSEEN, "smoke test fails in 1.2.2", "1.1.0"),
    Scene(5, "1.2.3", Kind.SLOW, "slow answers in 1.2.3", "1.1.0"),
    Scene(6, "1.3.0", Kind.KILLED, "deployer of 1.3.0 killed", "1.1.0"),
    Scene(7, "1.3.0", Kind.HEALTHY, "instant switch to 1.3.0", "1.3.0", "instant"),
    Scene(7, "1.1.0", Kind.BY_HAND, "rollback by hand to 1.1.0", "1.1.0"),
)
LATER_VERSIONS = tuple(dict.fromkeys(scene.version for scene in SCENES[1:]))


def plan_scenes(bad_runs: int) -> tuple[Scene, ...]:
    """The phases, with the bad release played `bad_runs` times."""
    scenes: list[Scene] = []
    for scene in SCENES:
        again = bad_runs if scene.kind is Kind.BAD else 1
        scenes.append(scene)
        scenes.extend(replace(scene, title=f"{scene.title}, run {run}") for run in range(2, again + 1))
    return tuple(scenes)


@dataclass(slots=True)
class Story:
    """Plays scenes. `say` is told what a reader should know."""

    parts: Parts
    releases: ReleaseLine
    lane: Lane
    say: Callable[[str], None]
    records: list[PhaseRecord] = field(default_factory=list)

    def play(self, scene: Scene) -> PhaseRecord:
        """Play one scene and keep its record. Raises `TargetError` when it does not end as planned."""
        self.releases.wait_for(scene.version)
        if scene.kind is Kind.KILLED:
            record = self._play_killed(scene)
        elif scene.kind is Kind.BY_HAND:
            record = self._play_by_hand(scene)
        else:
            record = self._play_deploy(scene)
        self.records.append(record)
        planned = Phase.LIVE if scene.live_after == scene.version else Phase.ROLLED_BACK
        if record.outcome != planned.value:
            raise TargetError(
                f"the phase {scene.title!r} did not go as planned",
                expected=planned.value,
                found=record.outcome,
                next_step=f"look at the logs in {self.parts.stage.logs}",
            )
        return record

    def _play_deploy(self, scene: Scene) -> PhaseRecord:
        begin = time.time()
        run = self.lane.run("deploy", **self._parameters(scene))
        check = self.parts.check(scene.live_after)
        refused = scene.kind not in (Kind.FIRST, Kind.HEALTHY)
        return PhaseRecord(
            scene,
            begin,
            time.time(),
            self._outcome(scene.version, begin) or run.message,
            self._rollout(scene, begin),
            check,
            hook_started_rollback=self.parts.server.has_rollback_of(run.flow_run_id) if refused else None,
        )

    def _play_killed(self, scene: Scene) -> PhaseRecord:
        begin = time.time()
        successor = self.parts.start_lane("deploys-again")
        self.lane.order("deploy", **self._parameters(scene))
        self._await_share(scene, begin)
        time.sleep(_BETWEEN_STEPS_SECONDS)
        self.lane.child.kill()
        killed_at = time.time()
        self.say(f"SIGKILL to process {self.lane.child.pid}, which was deploying {scene.version}")
        check = self.parts.check(scene.live_after, _RECOVERY_SECONDS)
        self.lane = successor
        successor.wait_ready()
        return PhaseRecord(
            scene,
            begin,
            time.time(),
            self._outcome(scene.version, begin) or "still in flight",
            self._rollout(scene, begin),
            check,
            triggered_at=killed_at,
        )

    def _play_by_hand(self, scene: Scene) -> PhaseRecord:
        begin = time.time()
        self.parts.end_lanes()
        self.parts.server.stop()
        self.say("the Prefect server is stopped; a person types: switchover rollback shop 1.1.0")
        asked_at = time.time()
        trouble = self._roll_back_by_hand(scene.version)
        check = self.parts.check(scene.live_after)
        return PhaseRecord(
            scene,
            begin,
            time.time(),
            self._outcome(scene.version, begin) or trouble,
            self._rollout(scene, begin),
            check,
            triggered_at=asked_at,
        )

    def _roll_back_by_hand(self, version: str) -> str:
        """Run the real command; return why it failed, empty when it did not."""
        stage = self.parts.stage
        command = [sys.executable, "-m", "switchover.cli.main", "rollback", SERVICE, version]
        command += ["--environment", ENVIRONMENT, "--config", str(stage.config), "--json"]
        done = subprocess.run(
            command,
            cwd=stage.project,
            env=dict(self.parts.crew.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        (stage.logs / "rollback-by-hand.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        return "" if done.returncode == 0 else json.dumps((done.stderr or done.stdout).strip()[-300:])

    def _await_share(self, scene: Scene, begin: float) -> None:
        """Return when the ledger says that the new colour has its middle share, and Envoy gives it."""
        ends = time.monotonic() + _RECOVERY_SECONDS
        while time.monotonic() < ends and self.lane.child.running:
            rollout = self._rollout(scene, begin)
            sight = self.parts.see()
            share = sight.route.percent(rollout.new_colour) if rollout and sight and sight.route else 0
            if rollout and (rollout.moves[-1].canary_percent, share) == (_KILL_PERCENT, _KILL_PERCENT):
                return
            time.sleep(_POLL_SECONDS)
        raise self.lane.child.trouble(f"{_KILL_PERCENT} % of the traffic on {scene.version}")

    def _parameters(self, scene: Scene) -> dict[str, object]:
        return {
            "service": SERVICE,
            "version": scene.version,
            "environment": ENVIRONMENT,
            "strategy": scene.strategy,
            "config": str(self.parts.stage.config),
        }

    def _rollout(self, scene: Scene, begin: float) -> RolloutRecord | None:
        return self.parts.monitor.find(scene.version, begin) if self.parts.monitor else None

    def _outcome(self, version: str, begin: float) -> str:
        """How the history says that the rollout of this version ended; empty when it says nothing."""
        if self.parts.environment is None:
            return ""
        newest = self.parts.environment.ports.ledger.read_history(SERVICE, 1)
        return next((one.outcome for one in newest if one.to_version == version and one.started_at >= begin), "")
