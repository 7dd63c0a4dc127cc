"""The scan stage: what must not be published stops here."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.release_tools import ReleaseScope, open_release_tools
from switchover.decide.outcome import Outcome
from switchover.operations.release import Built, scan
from tasks.repeating import worth_repeating


@task(
    name="scan",
    task_run_name="scan {built.pending.component}",
    retries=1,
    retry_delay_seconds=2,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=360,
    cache_policy=NO_CACHE,
)
def scan_archive(scope: ReleaseScope, built: Built) -> Outcome:
    """Judge the archive: done, skipped without a scanner, or failed with the findings."""
    return scan(open_release_tools(scope.root, scope.artifacts).scanner, built)
