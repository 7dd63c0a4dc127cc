"""Flag debt: found, shown in the UI, and told to those whom the project tells of its releases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.flag_sources import FolderSources
from switchover.adapters.release_tools import read_release_scope
from switchover.cli.flags_place import find_settings
from switchover.decide.release_message import Message
from switchover.flags.debt_report import render_findings, write_summary
from switchover.operations.flag_debt import DebtReport, find_debt, sum_counts
from tasks.flag_place import FlagPlace
from tasks.notify import tell
from tasks.repeating import worth_repeating
from tasks.report import publish


@task(
    name="find-flag-debt",
    retries=2,
    retry_delay_seconds=5,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=1800,
    cache_policy=NO_CACHE,
)
def find_flag_debt(flags: FlagPlace) -> DebtReport:
    """Look through the set, its history, the counts and the code."""
    settings, root = find_settings(Path(flags.config))
    records = flags.open_records()
    return find_debt(
        flags.open(),
        FolderSources(tuple(root / folder for folder in settings.sources)),
        lambda: datetime.now(UTC),
        counts=None if records is None else sum_counts(records.read_counts()),
        stale_days=settings.stale_days,
    )


@task(name="show-flag-debt", retries=0, timeout_seconds=30, cache_policy=NO_CACHE)
def show_flag_debt(environment: str, report: DebtReport) -> None:
    """The report, in the UI."""
    looked_at = f"{report.flags} flags and {report.files} Python files looked at"
    remarks = [f"not looked at: {each.file}: {each.reason}" for each in report.unread]
    remarks += [f"asks for a computed key: {each.file}:{each.line}: {each.expression}" for each in report.computed]
    publish(f"flag debt {environment}", render_findings(report.findings, looked_at, remarks))


@task(name="tell-flag-debt", retries=0, timeout_seconds=120, cache_policy=NO_CACHE)
def tell_flag_debt(config: str, environment: str, report: DebtReport) -> None:
    """One message to the blocks of `release.notify`, where there is something to tell that was not told last."""
    if not report.findings:
        return
    subject = f"{len(report.findings)} findings of flag debt in {environment}"
    scope = read_release_scope(Path(config))
    # What was told last is kept by project: a message about flags is none about a release.
    told = replace(scope, project=f"{scope.project}-flags")
    tell(told, Message(subject, write_summary(report.findings), good=True), get_run_logger())
