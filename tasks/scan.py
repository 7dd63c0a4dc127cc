"""The scan stage: what must not be published stops here."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope
from switchover.decide.outcome import Outcome
from switchover.operations.making import scan
from switchover.operations.pending import Pending
from switchover.operations.progress import Progress
from switchover.operations.publishing import report_findings
from switchover.operations.source_scan import scan_sources, show_sources
from tasks.release_scope import open_tools
from tasks.repeating import worth_repeating


@task(
    name="scan-sources",
    task_run_name="scan-sources {scope.project}",
    retries=0,  # its verdict is raised, and would not be another one the second time
    timeout_seconds=900,
    cache_policy=NO_CACHE,
)
def scan_commits(scope: ReleaseScope, pending: tuple[Pending, ...], folder: Path) -> Outcome:
    """Judge the files of every commit that something is built from; the reports go into `folder`."""
    return scan_sources(open_tools(scope), pending, folder)


@task(
    name="code-scanning-sources",
    task_run_name="code-scanning sources {scope.project}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def show_commits(scope: ReleaseScope, pending: tuple[Pending, ...], folder: Path) -> None:
    """Show on the forge, which knows the commits by now, what was found in their files."""
    show_sources(open_tools(scope), pending, folder)


@task(
    name="scan",
    task_run_name="scan {progress.component}",
    retries=1,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=900,
    cache_policy=NO_CACHE,
)
def scan_component(scope: ReleaseScope, progress: Progress, folder: Path) -> Progress:
    """Judge what was built; the reports go into `folder`."""
    return scan(open_tools(scope), progress, folder)


@task(
    name="code-scanning",
    task_run_name="code-scanning {progress.component}",
    retries=2,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=120,
    cache_policy=NO_CACHE,
)
def show_findings(scope: ReleaseScope, progress: Progress) -> Progress:
    """Show on the forge, which knows the commit by now, what the scanner found."""
    return report_findings(open_tools(scope), progress)
