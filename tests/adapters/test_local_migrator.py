from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.adapters.local_migrator import LocalMigrator
from switchover.adapters.local_preflight import LocalPreflight
from switchover.adapters.waiting import wait_until
from switchover.errors import FencedError, UnhealthyError
from switchover.model import Artifact, Colour, Container, Migration, Migrations, MigrationStep, Release, Step, Workload
from tests.builders import WORKLOAD
from tests.fakes import FakeFence

STEPS = (Step(100, 0.0),)


class Case:
    """A release with a migration script in it, on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FolderArtifacts(folder / "store")
        self.fence = FakeFence()
        self.trace = folder / "trace"
        environ = {**os.environ, "TOKEN": "a secret"}
        (folder / "unpacked").mkdir()
        self.migrator = LocalMigrator(folder / "migrations", folder / "unpacked", self.store, self.fence, environ)

    def migration(self, script: str, timeout_seconds: float = 30.0) -> Migration:
        (self.folder / "migrate.py").write_text(script)
        archive = self.folder / "release.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(self.folder / "migrate.py", "migrate.py")
        artifact: Artifact = self.store.put("shop", f"1.0.{len(script)}", "service", archive)
        declared = Migrations(expand=("{python}", "migrate.py", str(self.trace)), timeout_seconds=timeout_seconds)
        workload = replace(WORKLOAD, environment={"DEPTH": "3"}, secret_variables=("TOKEN",), migrations=declared)
        return Migration(MigrationStep.EXPAND, Release("shop", artifact.version, artifact, "0" * 40), workload)


SAYS_WHAT_IT_SEES = """\
import os, sys
with open(sys.argv[1], "a") as trace:
    names = ("DEPTH", "TOKEN", "SWITCHOVER_VERSION", "SWITCHOVER_MIGRATION")
    trace.write(" ".join(os.environ.get(name, "-") for name in names) + chr(10))
"""


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_it_runs_in_the_releases_files_with_the_services_variables(case: Case) -> None:
    migration = case.migration(SAYS_WHAT_IT_SEES)
    case.migrator.migrate(migration, "run-1", epoch=1)
    assert case.trace.read_text().split() == ["3", "a", "secret", migration.release.version, "expand"]


def test_what_has_succeeded_in_an_attempt_is_not_run_again_and_in_the_next_attempt_it_is(case: Case) -> None:
    migration = case.migration(SAYS_WHAT_IT_SEES)
    for attempt in ("run-1", "run-1", "run-2"):
        case.migrator.migrate(migration, attempt, epoch=1)
    assert len(case.trace.read_text().splitlines()) == 2


def test_a_failure_says_the_status_and_the_end_of_the_log_and_is_run_again(case: Case) -> None:
    migration = case.migration("print('no such table'); raise SystemExit(3)")
    for _ in range(2):
        with pytest.raises(UnhealthyError) as caught:
            case.migrator.migrate(migration, "run-1", epoch=1)
        assert caught.value.problem.found == "exit status 3; log: no such table"


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(case: Case) -> None:
    migration = case.migration("pass", timeout_seconds=2.0)
    script = f"sleep 60 & echo $! > {case.trace}; wait"
    declared = replace(migration.workload.migrations, expand=("sh", "-c", script))
    migration = replace(migration, workload=replace(migration.workload, migrations=declared))
    with pytest.raises(UnhealthyError, match="ran longer than 2 s"):
        case.migrator.migrate(migration, "run-1", epoch=1)
    assert wait_until(lambda: is_gone(int(case.trace.read_text())), 5.0)


def test_what_runs_of_a_service_is_ended_by_whoever_takes_over(case: Case) -> None:
    """The deployer who waits for it is another process; here it is another thread with an epoch of its own."""
    migration = case.migration("pass")
    script = f"sleep 60 & echo $! > {case.trace}.new; mv {case.trace}.new {case.trace}; wait"
    declared = replace(migration.workload.migrations, expand=("sh", "-c", script))
    migration = replace(migration, workload=replace(migration.workload, migrations=declared))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(case.migrator.migrate, migration, "run-1", epoch=1)
        assert wait_until(case.trace.exists, 20.0)
        case.fence.epoch = 2
        with pytest.raises(FencedError):
            case.migrator.end_migrations("shop", epoch=1)
        case.migrator.end_migrations("cart", epoch=2)
        assert not waiting.done()
        case.migrator.end_migrations("shop", epoch=2)
        with pytest.raises(UnhealthyError, match="exit status -9"):
            waiting.result(20.0)
    assert wait_until(lambda: is_gone(int(case.trace.read_text())), 5.0)
    case.migrator.end_migrations("shop", epoch=2)


def test_a_record_whose_process_is_another_one_by_now_ends_nobody(case: Case) -> None:
    case.migrator.migrate(case.migration("pass"), "run-1", epoch=1)
    assert list((case.folder / "migrations").glob("*.running")) == []
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        record = {"service": "shop", "pid": bystander.pid, "started": 1.0}
        (case.folder / "migrations" / "x.running").write_text(json.dumps(record))
        case.migrator.end_migrations("shop", epoch=1)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_command_that_is_not_there_is_said(case: Case) -> None:
    migration = case.migration("pass")
    declared = replace(migration.workload.migrations, expand=("no-such-program",))
    migration = replace(migration, workload=replace(migration.workload, migrations=declared))
    with pytest.raises(UnhealthyError, match="cannot start no-such-program"):
        case.migrator.migrate(migration, "run-1", epoch=1)


def test_a_fenced_deployer_migrates_nothing(case: Case) -> None:
    migration = case.migration(SAYS_WHAT_IT_SEES)
    case.fence.epoch = 2
    with pytest.raises(FencedError):
        case.migrator.migrate(migration, "run-1", epoch=1)
    assert not case.trace.exists()


# --- what keeps a release from this machine --------------------------------------------------------------


def obstacles(workload: Workload) -> list[str]:
    release = Release("shop", "1.0.0", Artifact("shop", "1.0.0", "service", "sha256:" + "0" * 64, 1), "")
    found = LocalPreflight({}).find_obstacles(release, workload, Colour.BLUE, STEPS)
    return [each.place for each in found]


def test_a_workload_for_a_cluster_only_cannot_come_here() -> None:
    assert obstacles(replace(WORKLOAD, command=())) == ["services.shop"]


def test_a_container_here_migrates_nothing() -> None:
    workload = replace(WORKLOAD, command=(), container=Container(8080), migrations=Migrations(expand=("up",)))
    assert obstacles(workload) == ["services.shop.migrations"]


def test_a_secret_that_is_not_set_is_said_before_anything_changes() -> None:
    assert obstacles(replace(WORKLOAD, secret_variables=("TOKEN",))) == ["services.shop.secret_variables"]


def test_what_can_run_here_meets_no_obstacle() -> None:
    assert obstacles(WORKLOAD) == []
