"""One performance of the whole demonstration: everything is started, every phase played, everything ended."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from switchover.config import load_config
from switchover.demo.figures import measure_phase
from switchover.demo.load_report import LoadReport, read_load
from switchover.demo.parts import Parts, end_leftovers
from switchover.demo.progress import Progress, View
from switchover.demo.promises import Played, Promise, judge_promises
from switchover.demo.records import LOAD_NUMBER, Ending, Kind, Scene
from switchover.demo.releases import ReleaseLine
from switchover.demo.stage import ENVIRONMENT, SERVICE, ShopHistory, Stage, open_shop_history
from switchover.demo.story import LATER_VERSIONS, Story
from switchover.errors import SwitchoverError

# The load goes on for a moment after the last phase, so that the record shows what the users were left with.
_AFTER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of it. `addresses` name what was left up, with `keep`."""

    played: tuple[Played, ...]
    promises: tuple[Promise, ...]
    load: LoadReport
    addresses: tuple[str, ...] = ()


def perform(
    stage: Stage, environ: Mapping[str, str], progress: Progress, view: View, *, rate: float, keep: bool
) -> Performance:
    """Play every scene of `progress` and judge the promises. Whatever happens, nothing is left running.

    With `keep` the Prefect server and the environment stay up.
    """
    parts = Parts.gather(stage, environ, view.hear, view.moved)
    story: list[Story] = []
    addresses: tuple[str, ...] = ()
    stopped_by, ended_well = "", False
    history = open_shop_history()
    try:
        _play(parts, history, progress, view, rate, story)
        time.sleep(_AFTER_SECONDS)
        parts.stop_load()
        if keep:
            addresses = _keep_up(parts, view)
        ended_well = True
    except SwitchoverError as error:
        if not (story and story[0].records):
            raise  # nothing was played: there is nothing to report but the trouble itself
        stopped_by = f"{error.problem.failed}: {error.problem.found}; {error.problem.next_step}"
        view.say(str(error))
        parts.stop_load()
    finally:
        view.say("ending what was started" if not (keep and ended_well) else "ending the load and the deployers")
        with _undisturbed():
            left_running = parts.end(keep=keep and ended_well)
            if not ended_well:
                end_leftovers(stage, environ)  # interrupted while a process was just being started, say
    load = read_load(stage.load_file)
    records = story[0].records if story else []
    played = tuple((record, measure_phase(record, load)) for record in records)
    ending = Ending(len(played), len(progress.scenes), left_running, stopped_by)
    return Performance(played, judge_promises(played, load, rate, ending), load, addresses)


def _play(parts: Parts, history: ShopHistory, progress: Progress, view: View, rate: float, story: list[Story]) -> None:
    stage = parts.stage
    view.say("starting a Prefect server of its own, building the example's repository")
    parts.server.begin_afresh()
    parts.server.start()
    history.build_shop(stage.repository)
    releases, deploys = parts.start_lane("releases"), parts.start_lane("deploys")
    parts.open_environment()
    progress.sight = parts.see
    parts.server.wait_ready()
    parts.server.remember_empty()
    view.say(f"Prefect is at {parts.server.address}, the shop at {parts.shop_address}")
    line = ReleaseLine(stage, history, releases, view.say)
    releases.wait_ready()
    line.release(progress.scenes[0].version)
    deploys.wait_ready()
    story.append(Story(parts, line, deploys, view.say))
    for scene in progress.scenes:
        _play_scene(story[0], scene, progress, view)
        if scene.kind is Kind.FIRST:
            parts.note_processes()
            parts.start_load(rate, load_config(stage.config).service(SERVICE).latency_budget_ms)
            view.say(f"{LOAD_NUMBER}. constant load: {rate:g} requests/s from a process of its own, to the end")
            line.begin(LATER_VERSIONS)


def _play_scene(story: Story, scene: Scene, progress: Progress, view: View) -> None:
    progress.playing = scene
    view.begin(scene)
    try:
        record = story.play(scene)
    finally:
        progress.playing = None
    figures = measure_phase(record, read_load(story.parts.stage.load_file))
    progress.ended[scene.title] = (record, figures)
    view.end(record, figures)


def _keep_up(parts: Parts, view: View) -> tuple[str, ...]:
    """Bring the server back with the flows to run on it, and say where everything is."""
    view.say("starting the Prefect server again, to look around in")
    parts.server.start()
    parts.server.wait_ready()
    for name, flows in (("serve-rollback", ("rollback",)), ("serve", ("deploy", "release", "check"))):
        only = [word for flow in flows for word in ("--only", flow)]
        command = ["-m", "flows.serve", "--environment", ENVIRONMENT, "--config", str(parts.stage.config), *only]
        parts.crew.start(name, (sys.executable, *command))
    return (f"Prefect: {parts.server.address}", f"the shop: {parts.shop_address}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not keep the first one from ending everything."""
    before = [
        (number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
