"""Look after an environment between deployments: end what was abandoned, say where things disagree."""

from __future__ import annotations

from prefect import flow

from flows.names import name_check
from switchover.config import FILE_NAME
from switchover.model import HistoryEntry
from tasks.inspect_environment import require_agreement
from tasks.place import Place
from tasks.recover import end_abandoned


@flow(name="check-environment", flow_run_name=name_check, persist_result=False)
def check_environment(environment: str, config: str = FILE_NAME) -> tuple[HistoryEntry, ...]:
    """End rollouts whose deployer is gone, then fail if ledger, router and processes say different things.

    Args:
        environment: The environment to look after.
        config: Path of switchover.toml where the flow runs.
    """
    place = Place(config, environment)
    ended = end_abandoned(place)
    require_agreement(place)
    return ended
