"""The port `Migrator` on Kubernetes: a migration is a Job with the release's own image and configuration."""

from __future__ import annotations

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_events import read_events
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import JOB, POD, KubeObject, name_of
from switchover.adapters.kube_logs import read_stamped, without_stamps
from switchover.adapters.kube_pod_status import find_last_warning, find_pod_blocks, is_ended
from switchover.adapters.kube_restarts import read_containers
from switchover.adapters.waiting import wait_until
from switchover.decide.colour_names import LABEL_MIGRATION, migration_name
from switchover.decide.kube_values import mapping_at, mappings_at
from switchover.decide.migration_job import migration_job
from switchover.errors import InputError, TargetError, UnhealthyError
from switchover.model import Migration
from switchover.ports import Clock

_JOB_OF_POD = "batch.kubernetes.io/job-name"
_POLL_SECONDS = 0.5
_SLACK_SECONDS = 30.0
_END_SECONDS = 60.0
_LOG_LINES = 20


class KubeMigrator:
    """The Job of an attempt stays for a week, for people, and so that it is not run again."""

    def __init__(self, *, api: KubeApi, fence: KubeFence, copies: KubeCopies, clock: Clock) -> None:
        self._api = api
        self._fence = fence
        self._copies = copies
        self._clock = clock

    def migrate(self, migration: Migration, attempt: str, *, epoch: int) -> None:
        """Run it once for this attempt and wait for its end; what an earlier attempt left running is ended first.

        Raises `UnhealthyError` with the end of its log when it fails, cannot start or takes too long, now and
        whenever it is asked for the same attempt again; `FencedError` as soon as the environment has another owner.
        """
        manifest = migration.workload.manifest
        if not migration.command:
            return
        if manifest is None:
            raise _without_manifest(migration)
        name = migration_name(migration, attempt)
        self._fence.require(epoch)
        self._end_others(migration.release.service, name, epoch)
        if self._api.read(JOB, name) is None:
            self._copies.ensure(manifest.copies, epoch=epoch)
            self._fence.apply(migration_job(migration, manifest, attempt), epoch)
        self._await_end(migration, name, manifest.container, epoch)

    def end_migrations(self, service: str, *, epoch: int) -> None:
        """Delete those Jobs of the service that still run, and wait until their pods have ended.

        Who may not even look at Jobs has never made one. Raises `FencedError`, and `TargetError` when one of them does
        not end.
        """
        self._fence.require(epoch)
        try:
            self._api.list(JOB, {LABEL_MIGRATION: service})
        except InputError:
            return
        self._end_others(service, "", epoch)

    def _await_end(self, migration: Migration, name: str, container: str, epoch: int) -> None:
        deadline = self._clock.now() + migration.workload.migrations.timeout_seconds + _SLACK_SECONDS
        log: tuple[str, ...] = ()
        while True:
            self._fence.require(epoch)
            job = self._api.read(JOB, name)
            pods = self._api.list(POD, {_JOB_OF_POD: name})
            log = self._read_log(pods, container) or log  # a pod that took too long is deleted, and its log with it
            ended = _read_end(job)
            if ended == "Complete":
                return
            if ended:
                raise _failed(migration, self._explain(job, pods) or ended, log)
            blocked = self._find_block(pods)
            if blocked or self._clock.now() >= deadline:
                # It must not begin after all when nobody waits for it any more.
                self._fence.delete(JOB, name, epoch)
                raise _failed(migration, blocked or "it neither ended nor failed in time", log)
            self._clock.sleep(_POLL_SECONDS)

    def _end_others(self, service: str, name: str, epoch: int) -> None:
        """Two migrations at once could undo each other."""
        labels = {LABEL_MIGRATION: service}
        others = [each for each in self._api.list(JOB, labels) if name_of(each) != name and not _read_end(each)]
        for other in others:
            self._fence.delete(JOB, name_of(other), epoch)

        def ended() -> bool:
            running = (pod for pod in self._api.list(POD, labels) if not is_ended(pod))
            return all(mapping_at(pod, "metadata", "labels").get(_JOB_OF_POD) == name for pod in running)

        if others and not wait_until(ended, _END_SECONDS, _POLL_SECONDS):
            raise TargetError(
                f"an earlier migration of {service} does not end",
                expected=f"no pod of {', '.join(map(name_of, others))}",
                found=f"one that still runs after {_END_SECONDS:g} s",
                next_step="look at it (`kubectl get pods`), then repeat",
            )

    def _find_block(self, pods: tuple[KubeObject, ...]) -> str:
        waiting = [pod for pod in pods if mapping_at(pod, "status").get("phase") == "Pending"]
        if not waiting:
            return ""
        events, now = read_events(self._api, waiting), self._clock.now()
        return next((block for pod in waiting for block in find_pod_blocks(pod, events, now)), "")

    def _explain(self, job: KubeObject | None, pods: tuple[KubeObject, ...]) -> str:
        conditions = [each for each in mappings_at(job, "status", "conditions") if each.get("type") == "Failed"]
        said = [f"{each.get('reason')}: {each.get('message', '')}".rstrip(": ") for each in conditions]
        events = read_events(self._api, pods)
        warnings = [find_last_warning(each, events) for each in (*pods, *([job] if job else []))]
        return "; ".join(dict.fromkeys(filter(None, (*said, *map(_say_exit, pods), *warnings))))

    def _read_log(self, pods: tuple[KubeObject, ...], container: str) -> tuple[str, ...]:
        """The end of the log of the container that failed, else of the one that runs the command."""
        newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)
        if newest is None:
            return ()
        failed = [str(each.get("name")) for each in read_containers(newest) if _exit_status(each)]
        stamped = read_stamped(self._api, name_of(newest), (failed or [container])[0], tail=_LOG_LINES)
        return without_stamps(stamped)


def _read_end(job: KubeObject | None) -> str:
    """`Complete`, `Failed`, or empty while it runs; a Job that is gone has failed."""
    if job is None:
        return "somebody deleted its Job"
    ended = (
        str(each.get("type"))
        for each in mappings_at(job, "status", "conditions")
        if each.get("status") == "True" and each.get("type") in {"Complete", "Failed"}
    )
    return next(ended, "")


def _exit_status(container: KubeObject) -> int:
    return int(mapping_at(container, "state", "terminated").get("exitCode") or 0)


def _say_exit(pod: KubeObject) -> str:
    failed = [each for each in read_containers(pod) if _exit_status(each)]
    return ", ".join(
        f"container {each.get('name')} ended with status {_exit_status(each)}"
        f" ({mapping_at(each, 'state', 'terminated').get('reason')})"
        for each in failed
    )


def _failed(migration: Migration, why: str, log: tuple[str, ...]) -> UnhealthyError:
    name = f"the migration `{migration.step}` of {migration.release.service} {migration.release.version}"
    return UnhealthyError(
        f"{name} failed",
        expected=f"`{' '.join(migration.command)}` to end with status 0"
        f" within {migration.workload.migrations.timeout_seconds:g} s",
        found=f"{why}; log: " + (" | ".join(log) or "empty"),
        next_step="correct the migration and deploy the next version; what it did so far is not undone",
    )


def _without_manifest(migration: Migration) -> InputError:
    return InputError(
        f"the migration `{migration.step}` of {migration.release.service} cannot run here",
        expected="a workload with manifests",
        found="one without",
        next_step="give the service a section `kubernetes` in switchover.toml",
    )
