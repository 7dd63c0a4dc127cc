"""Bring a release live in several environments, one wave after the other, and stop at the first bad one."""

from __future__ import annotations

from prefect import flow

from flows.deploy import Strategy, deploy
from flows.names import name_waves
from flows.wave_hooks import take_back_wave
from switchover.config import FILE_NAME
from switchover.decide.deployment import DeployPlan
from switchover.model import HistoryEntry
from switchover.operations.deployment import AS_CONFIGURED
from tasks.prepare import choose_environments


@flow(
    name="deploy-waves",
    flow_run_name=name_waves,
    on_failure=[take_back_wave],
    on_cancellation=[take_back_wave],
    on_crashed=[take_back_wave],
    persist_result=False,
)
def deploy_waves(
    service: str,
    version: str,
    waves: str,
    strategy: Strategy = AS_CONFIGURED,
    config: str = FILE_NAME,
    dry_run: bool = False,
) -> tuple[HistoryEntry | DeployPlan, ...]:
    """Deploy to every environment of the waves in their order. A bad one is taken back, and the rest waits.

    Environments that were deployed before the bad one keep the new version: they passed their own tests and bake.

    Args:
        service: The service, as in switchover.toml.
        version: A released version, for example 1.2.0.
        waves: A table `waves.<name>` of switchover.toml.
        strategy: How the traffic moves.
        config: Path of switchover.toml where the flow runs.
        dry_run: Show the plans and stop.
    """
    return tuple(
        deploy(service, version, environment, strategy, config, dry_run)
        for environment in choose_environments(config, waves)
    )
