"""Which flags have had their time: once a week, as a report and a message."""

from __future__ import annotations

from prefect import flow

from flows.names import name_hygiene
from switchover.config import FILE_NAME
from tasks.flag_place import FlagPlace
from tasks.flag_report import find_flag_debt, show_flag_debt, tell_flag_debt


@flow(name="flag-hygiene", flow_run_name=name_hygiene, persist_result=False)
def flag_hygiene(environment: str, config: str = FILE_NAME) -> int:
    """Find flags that are stale, expired, fully rolled out, unused or without an owner; return how many findings.

    Args:
        environment: Whose flags.
        config: Path of switchover.toml where the flow runs; its [flags] names the folders of code to look through.
    """
    report = find_flag_debt(FlagPlace(config, environment))
    show_flag_debt(environment, report)
    tell_flag_debt(config, environment, report)
    return len(report.findings)
