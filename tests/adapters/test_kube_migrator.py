from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from switchover.adapters.kube_kinds import JOB, POD, KubeObject
from switchover.adapters.kube_migrator import KubeMigrator
from switchover.decide.colour_names import migration_name
from switchover.errors import FencedError, InputError, UnhealthyError
from switchover.model import Migration, Migrations, MigrationStep, Workload
from tests.contracts.kube_case import KubeCase, kube_release, kube_workload
from tests.fakes import FakeClock
from tests.kube_emulator import KubeEmulator


@pytest.fixture
def case(kube_emulator: KubeEmulator) -> Iterator[KubeCase]:
    api = kube_emulator.api()
    yield KubeCase.on(kube_emulator, api)
    api.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def migrator(case: KubeCase, clock: FakeClock) -> KubeMigrator:
    return KubeMigrator(api=case.api, fence=case.kube_fence, copies=case.copies, clock=clock)


def a_migration(
    step: MigrationStep = MigrationStep.EXPAND, workload: Workload | None = None, version: str = "1.0.0"
) -> Migration:
    migrations = Migrations(expand=("app", "up"), down=("app", "down"), timeout_seconds=30.0)
    return Migration(step, kube_release("shop", version), workload or kube_workload(migrations=migrations))


def jobs(case: KubeCase) -> list[str]:
    return [each["metadata"]["name"] for each in case.api.list(JOB)]


def test_a_migration_is_run_once_for_an_attempt(case: KubeCase, migrator: KubeMigrator) -> None:
    migrator.migrate(a_migration(), "run-1", epoch=1)
    before = case.api.list(JOB)
    migrator.migrate(a_migration(), "run-1", epoch=1)
    assert case.api.list(JOB) == before
    migrator.migrate(a_migration(), "run-2", epoch=1)
    assert len(jobs(case)) == 2


def test_one_attempt_goes_down_through_every_version(case: KubeCase, migrator: KubeMigrator) -> None:
    for version in ("1.2.0", "1.1.0"):
        migrator.migrate(a_migration(MigrationStep.DOWN, version=version), "run-1", epoch=1)
    assert len(jobs(case)) == 2


def test_a_step_that_is_not_declared_is_not_run(case: KubeCase, migrator: KubeMigrator) -> None:
    migrator.migrate(a_migration(MigrationStep.CONTRACT), "run-1", epoch=1)
    assert jobs(case) == []


def test_a_workload_without_manifests_is_refused(migrator: KubeMigrator) -> None:
    workload = kube_workload(manifest=None, migrations=Migrations(expand=("x",)))
    with pytest.raises(InputError, match="cannot run here"):
        migrator.migrate(a_migration(workload=workload), "run-1", epoch=1)


def test_a_failed_migration_tells_the_end_of_its_log_every_time(case: KubeCase, migrator: KubeMigrator) -> None:
    name = migration_name(a_migration(), "run-1")
    case.controllers.failing_jobs.add(name)
    case.emulator.write_log(f"{name}-0", "no such table")
    for _ in range(2):
        with pytest.raises(UnhealthyError, match=r"BackoffLimitExceeded.*log: no such table"):
            migrator.migrate(a_migration(), "run-1", epoch=1)
    assert jobs(case) == [name]


def test_a_migration_that_never_ends_is_given_up_and_taken_away(case: KubeCase, migrator: KubeMigrator) -> None:
    case.controllers.running_jobs.add("shop")
    with pytest.raises(UnhealthyError, match="in time"):
        migrator.migrate(a_migration(), "run-1", epoch=1)
    assert jobs(case) == []


def test_an_image_that_cannot_be_pulled_is_not_waited_for(
    case: KubeCase, migrator: KubeMigrator, clock: FakeClock
) -> None:
    case.controllers.running_jobs.add("shop")
    name = migration_name(a_migration(), "run-1")
    began = clock.now()
    clock.on_sleep = lambda _now: case.emulator.put(a_waiting_pod(name, "ImagePullBackOff"))
    with pytest.raises(UnhealthyError, match="ImagePullBackOff: no such image"):
        migrator.migrate(a_migration(), "run-1", epoch=1)
    assert clock.now() - began < 5
    assert jobs(case) == []


def test_what_an_earlier_attempt_left_running_is_ended_first(case: KubeCase, migrator: KubeMigrator) -> None:
    name = migration_name(a_migration(), "run-1")
    case.emulator.put(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": {"switchover.dev/migration": "shop"}},
            "spec": {"template": {"metadata": {}, "spec": {"containers": []}}},
        }
    )
    case.controllers.running_jobs.add(name)
    case.controllers.settle()
    migrator.migrate(a_migration(MigrationStep.DOWN), "run-1", epoch=1)
    assert jobs(case) == [migration_name(a_migration(MigrationStep.DOWN), "run-1")]


def test_what_still_runs_of_a_service_is_ended_and_nothing_else(case: KubeCase, migrator: KubeMigrator) -> None:
    migrator.end_migrations("shop", epoch=1)
    migrator.migrate(a_migration(), "run-0", epoch=1)
    ended = jobs(case)
    case.controllers.running_jobs |= {"shop-down", "cart"}
    for name, service in (("shop-down-1", "shop"), ("cart-expand-1", "cart")):
        case.emulator.put(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "labels": {"switchover.dev/migration": service}},
                "spec": {"template": {"metadata": {}, "spec": {"containers": []}}},
            }
        )
    migrator.end_migrations("shop", epoch=1)
    assert jobs(case) == ["cart-expand-1", *ended]
    case.fence.epoch = 2
    with pytest.raises(FencedError):
        migrator.end_migrations("cart", epoch=1)
    assert "cart-expand-1" in jobs(case)


def test_a_deployer_without_rights_to_jobs_has_none_to_end(case: KubeCase, migrator: KubeMigrator) -> None:
    case.emulator.forbid("list", "jobs")
    migrator.end_migrations("shop", epoch=1)


def test_a_job_that_was_made_after_a_takeover_is_taken_away(case: KubeCase, migrator: KubeMigrator) -> None:
    case.controllers.running_jobs.add("shop")

    def take_over(method: str, path: str) -> None:
        if method == "PATCH" and "/jobs/" in path:
            case.fence.epoch = 2

    case.emulator.before_call = take_over
    with pytest.raises(FencedError):
        migrator.migrate(a_migration(), "run-1", epoch=1)
    assert jobs(case) == []


def test_a_stale_epoch_runs_nothing_and_does_not_wait_on(
    case: KubeCase, migrator: KubeMigrator, clock: FakeClock
) -> None:
    case.controllers.running_jobs.add("shop")

    def take_over(_now: float) -> None:
        case.fence.epoch = 2

    clock.on_sleep = take_over
    with pytest.raises(FencedError):
        migrator.migrate(a_migration(), "run-1", epoch=1)
    with pytest.raises(FencedError):
        migrator.migrate(a_migration(), "run-2", epoch=1)
    assert len(jobs(case)) == 1


def a_waiting_pod(job: str, reason: str) -> KubeObject:
    status = {"name": "app", "state": {"waiting": {"reason": reason, "message": "no such image"}}}
    created = datetime.now(UTC).isoformat()
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": {
            "name": f"{job}-0",
            "labels": {"batch.kubernetes.io/job-name": job},
            "creationTimestamp": created,
        },
        "spec": {"containers": [{"name": "app"}]},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }
