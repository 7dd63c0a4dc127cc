"""`make demo`: the whole main job on this machine, with real parts, its load and its promises.

Exit status: 0 every promise was kept, 1 one was broken, 2 the arguments are wrong, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from switchover.cli.main import run
from switchover.demo.live_view import LiveView
from switchover.demo.load import HIGHEST_RATE
from switchover.demo.lock import hold_alone
from switchover.demo.parts import end_leftovers
from switchover.demo.performance import Performance, perform
from switchover.demo.plain_view import PlainView
from switchover.demo.progress import Progress, View
from switchover.demo.report import print_report, report_to_json
from switchover.demo.stage import Stage
from switchover.demo.story import plan_scenes

WORK_FOLDER = ".switchover-demo"
_REPORT = "report.json"
_LOWEST_RATE = 50.0
_MOST_BAD_RUNS = 10
_PIPE_WIDTH = 140


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="Write JSON on standard output, progress on standard error.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Folder for the report, the pictures and the logs.",
)
@click.option("--keep", is_flag=True, help="Leave the Prefect server and the environment up afterwards.")
@click.option("--stop", "stop_only", is_flag=True, help="Only end what --keep, or a killed demonstration, left up.")
@click.option(
    "--rate",
    type=click.FloatRange(_LOWEST_RATE, HIGHEST_RATE),
    default=300.0,
    show_default=True,
    help="Requests a second.",
)
@click.option(
    "--repeat-bad",
    type=click.IntRange(1, _MOST_BAD_RUNS),
    default=1,
    show_default=True,
    help="Deploy the release with errors so many times; from 3 on half of them must be fast.",
)
def demo(*, as_json: bool, output: Path, keep: bool, stop_only: bool, rate: float, repeat_bad: int) -> int:
    """Run the whole main job on this machine: release, deploy, judge, take back.

    Everything is real: a Prefect server of its own, Envoy, processes, git. Needs about two minutes.
    """
    stage = Stage(Path(WORK_FOLDER).resolve(), output.resolve())
    console = _open_console(as_json=as_json)
    stage.open()
    with hold_alone(stage.work), _ending_in_order():
        ended = end_leftovers(stage, os.environ)
        if ended or stop_only:
            console.print(f"ended {ended} processes of an earlier demonstration")
        if stop_only:
            return 0
        stage.clear()
        progress = Progress(plan_scenes(repeat_bad))
        with _open_view(console, progress, stage, as_json=as_json) as view:
            done = perform(stage, os.environ, progress, view, rate=rate, keep=keep)
    return _finish(stage, console, progress, done, as_json=as_json)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration with these arguments; return the exit status. No traceback leaves."""
    return run(["demo", *(sys.argv[1:] if argv is None else argv)])


def _finish(stage: Stage, console: Console, progress: Progress, done: Performance, *, as_json: bool) -> int:
    pictures = _draw(stage, console, done)
    report = stage.output / _REPORT
    document = report_to_json(done.played, done.promises, time.time() - progress.began, (report, *pictures))
    document["addresses"] = list(done.addresses)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    report.write_text(text + "\n", encoding="utf-8")
    if as_json:
        click.echo(text)
    else:
        print_report(console, done.played, done.promises)
        console.print(f"Report and timeline: {stage.output}", soft_wrap=True, highlight=False)
    for address in done.addresses:
        console.print(address, soft_wrap=True, highlight=False)
    if done.addresses:
        ways = "`make demo-stop`, or `switchover demo --stop` in this folder"
        console.print(f"They stay up until {ways}.", highlight=False)
    broken = [promise.name for promise in done.promises if not promise.kept]
    if broken:
        click.echo(f"broken promises: {', '.join(broken)}", err=True)
    return 1 if broken else 0


def _draw(stage: Stage, console: Console, done: Performance) -> tuple[Path, ...]:
    try:
        # It takes a second to import, and everything else works without it.
        from switchover.demo.timeline import draw_timeline  # noqa: PLC0415
    except ModuleNotFoundError as error:
        console.print(f"no timeline picture: {error.name} is missing (pip install 'switchover\\[demo]')")
        return ()
    return draw_timeline(stage.output, done.played, done.load)


def _open_console(*, as_json: bool) -> Console:
    console = Console(stderr=as_json, highlight=False)
    # A pipe has no width of its own, and a table squeezed into 80 columns cannot be read.
    return console if console.is_terminal else Console(stderr=as_json, highlight=False, width=_PIPE_WIDTH)


@contextmanager
def _open_view(console: Console, progress: Progress, stage: Stage, *, as_json: bool) -> Iterator[View]:
    if console.is_terminal and not as_json:
        with LiveView(progress, stage.load_file, console) as live:
            yield live
    else:
        yield PlainView(progress, sys.stderr if as_json else sys.stdout)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demonstration as Ctrl-C does: with everything that it started.

    Ctrl-C is taken by name too: a shell starts programs in the background deaf to it.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = [(number, signal.signal(number, interrupt)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
