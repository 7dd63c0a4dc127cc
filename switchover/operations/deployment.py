"""From configuration, released artifacts and the ledger to a `DeployPlan`. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from switchover.config import Config
from switchover.decide.deployment import DeployPlan, DeployRequest, plan_deployment
from switchover.decide.live import Live, find_live
from switchover.decide.strategy import DEFAULT, OWN_STEPS
from switchover.errors import InputError
from switchover.model import Colour, EnvironmentRecord, HistoryEntry, Phase, Release, ServiceRecord
from switchover.operations.environment import EnvironmentPorts
from switchover.ports import Releases

AS_CONFIGURED: Final = "as configured"


def plan_deploy(
    config: Config,
    ports: EnvironmentPorts,
    service: str,
    version: str,
    environment: str,
    strategy: str = AS_CONFIGURED,
    *,
    histories: Mapping[str, tuple[HistoryEntry, ...]],
) -> DeployPlan:
    """Look everything up and plan; raise `InputError` for what does not exist or is not allowed yet.

    `histories` holds, for each environment named in `gates.after`, what was live there.
    """
    settings = config.environment(environment)
    config.service(service)
    release = _find_release(ports.releases, service, version)
    _pass_gates(release, settings.gates.after, histories)
    request = DeployRequest(
        environment=environment,
        release=release,
        workload=ports.preflight.complete(service, config.workload(environment, service)),
        strategy=choose_strategy(config, environment, strategy),
        own_steps=config.own_steps(environment),
        hold_seconds=settings.hold_seconds,
        bake_seconds=settings.bake_seconds,
        lease_seconds=settings.lease_seconds,
        smoke_tests=config.smoke_tests(service),
        judge=config.judge_settings(environment),
        approval_seconds=config.approval_seconds(environment),
    )
    record = ports.ledger.read()
    return plan_deployment(request, record, detect_live(ports, record, service))


def detect_live(ports: EnvironmentPorts, record: EnvironmentRecord, service: str) -> Live:
    """The live colour by the target's own word; raise `InputError` when the ledger says something else."""
    known = record.services.get(service, ServiceRecord())
    statuses = {colour: ports.slots.read_status(service, colour) for colour in Colour if known.live in (None, colour)}
    return find_live(service, known, ports.router.read_route(service), statuses)


def choose_strategy(config: Config, environment: str, strategy: str) -> str:
    """The strategy asked for, or the environment's own when it is `as configured`."""
    if strategy != AS_CONFIGURED:
        return strategy
    settings = config.environment(environment)
    return OWN_STEPS if settings.steps else settings.strategy or DEFAULT


def _find_release(releases: Releases, service: str, version: str) -> Release:
    release = releases.find(service, version)
    if release is None:
        known = [each.version for each in releases.list_releases(service)]
        raise InputError(
            f"{service} {version} was never released",
            expected="a released version: " + (", ".join(known[:10]) or "none yet"),
            found=version,
            next_step="release it first (`switchover release`), or name one of those",
        )
    return release


def _pass_gates(release: Release, after: list[str], histories: Mapping[str, tuple[HistoryEntry, ...]]) -> None:
    for environment in after:
        live = [entry for entry in histories[environment] if entry.outcome == Phase.LIVE.value]
        if not any(entry.release == release for entry in live):
            raise InputError(
                f"{release.service} {release.version} may not be deployed yet",
                expected=f"it was live in {environment} first (gates.after)",
                found="live there: " + (", ".join(str(entry.to_version) for entry in live[:5]) or "nothing"),
                next_step=f"deploy it to {environment}, then here",
            )
