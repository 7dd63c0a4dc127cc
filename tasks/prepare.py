"""Before anything changes: plan, take the environment, write the intent."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from switchover.adapters.connect import read_histories
from switchover.config import load_config
from switchover.decide.deployment import DeployPlan
from switchover.model import Rollout
from switchover.operations.deployment import plan_deploy
from switchover.operations.lease import Claim, acquire
from switchover.operations.rollout import begin
from tasks.place import Place
from tasks.repeating import worth_repeating


@task(
    name="plan",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def plan_deployment(place: Place, service: str, version: str, strategy: str) -> DeployPlan:
    """Plan against what is there. No effect."""
    config, ports = place.load(), place.connect()
    histories = read_histories(config, place.environment, service)
    return plan_deploy(config, ports, service, version, place.environment, strategy, histories=histories)


@task(
    name="claim",
    retries=0,  # a busy environment is a person's decision, not a matter of patience
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def claim_environment(place: Place, plan: DeployPlan, holder: str) -> Claim:
    """Take the environment: the only deployment in it from here on."""
    return acquire(place.connect(), holder, plan.lease_seconds)


@task(
    name="begin",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def begin_rollout(place: Place, claim: Claim, plan: DeployPlan, flow_run_id: str, attempt: int) -> Rollout:
    """Write the rollout into the ledger, with the flow run's id: hooks and automations find it by that.

    A run that is retried in the UI has the same id; its second attempt is a rollout of its own in the history.
    """
    rollout_id = flow_run_id if attempt <= 1 else f"{flow_run_id}.{attempt}"
    return begin(place.connect(), claim, plan, rollout_id=rollout_id, flow_run_id=flow_run_id)


@task(
    name="choose-environments",
    retries=0,
    timeout_seconds=30,
    cache_policy=NO_CACHE,
)
def choose_environments(config: str, waves: str) -> tuple[str, ...]:
    """The environments of the waves, in their order."""
    return load_config(Path(config)).waves_in_order(waves)
