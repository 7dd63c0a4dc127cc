"""How the status that a cluster keeps of pods is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from switchover.adapters.kube_kinds import KubeObject
from switchover.adapters.kube_pod_status import SeenColour, slot_status
from switchover.adapters.kube_restarts import find_restart_times

BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
ENDED = {"reason": "Error", "exitCode": 3}


def at(seconds: float) -> str:
    return datetime.fromtimestamp(BEGAN + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_pod(name: str = "p1", owner: str = "rs-2", *, ready: bool = True, **container: Any) -> KubeObject:
    status = {"name": "app", "restartCount": 0, "state": {"running": {"startedAt": at(0)}}} | container
    return {
        "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": [{"uid": owner}]},
        "status": {
            "phase": "Running",
            "startTime": at(0),
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [status],
        },
    }


def a_replica_set(uid: str, revision: int) -> KubeObject:
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    return {"metadata": {"uid": uid, "annotations": annotations, "ownerReferences": [{"uid": "d"}]}}


def seen(*pods: KubeObject, reachable: tuple[str, ...] = ("p1", "p2"), replicas: int = 1) -> SeenColour:
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "shop-green", "uid": "d", "generation": 3},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 3},
    }
    endpoints = [{"conditions": {"ready": True}, "targetRef": {"name": name}} for name in reachable]
    sets = (a_replica_set("rs-10", 10), a_replica_set("rs-2", 2))
    return SeenColour(deployment, sets, pods, ({"endpoints": endpoints},))


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, ()),
        (
            {
                "restartCount": 1,
                "state": {"running": {"startedAt": at(60)}},
                "lastState": {"terminated": ENDED | {"startedAt": at(0), "finishedAt": at(59)}},
            },
            (60,),
        ),
        (
            {
                "restartCount": 1,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": ENDED | {"startedAt": at(10), "finishedAt": at(11)}},
            },
            (10,),
        ),
        (
            {
                "restartCount": 2,
                "state": {"terminated": ENDED | {"startedAt": at(30), "finishedAt": at(31)}},
                "lastState": {"terminated": ENDED | {"startedAt": at(10), "finishedAt": at(11)}},
            },
            (10, 30),
        ),
        (
            {
                "restartCount": 5,
                "state": {"running": {"startedAt": at(1000)}},
                "lastState": {"terminated": ENDED | {"startedAt": at(400), "finishedAt": at(900)}},
            },
            (100, 200, 300, 400, 1000),
        ),
    ],
)
def test_restarts_have_the_times_that_the_status_still_knows(container: dict[str, Any], expected: tuple[int]) -> None:
    times = find_restart_times(a_pod(**container))
    assert sorted(round(time - BEGAN) for time in times) == list(expected)


def test_only_pods_of_the_newest_replica_set_count() -> None:
    status = slot_status(seen(a_pod("p1", "rs-2"), a_pod("p2", "rs-10", ready=False)), BEGAN)
    assert status.ready_replicas == 0
    assert slot_status(seen(a_pod("p1", "rs-2", ready=False), a_pod("p2", "rs-10")), BEGAN).ready


def test_a_pod_that_ends_does_not_make_the_colour_unready() -> None:
    ending = a_pod("p2", "rs-10", ready=False)
    ending["metadata"]["deletionTimestamp"] = at(1)
    assert slot_status(seen(a_pod("p1", "rs-10"), ending), BEGAN).ready


def test_an_evicted_pod_does_not_count() -> None:
    evicted = a_pod("p2", "rs-10", ready=False)
    evicted["status"]["phase"] = "Failed"
    status = slot_status(seen(a_pod("p1", "rs-10"), evicted), BEGAN)
    assert (status.ready, status.failed_replicas) == (True, 0)


def test_a_ready_pod_that_the_service_does_not_lead_to_is_not_ready() -> None:
    status = slot_status(seen(a_pod("p1", "rs-10"), reachable=()), BEGAN)
    assert (status.ready_replicas, status.addresses) == (0, ("shop-green:80",))
    assert "not in the Service yet" in status.detail


def test_a_container_that_ran_out_of_memory_is_seen_after_its_restart() -> None:
    killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    assert slot_status(seen(a_pod("p1", "rs-10", restartCount=1, lastState=killed)), BEGAN).out_of_memory


@pytest.mark.parametrize(("age", "blocked"), [(5, False), (20, True)])
def test_a_pod_that_finds_no_node_is_given_a_moment(age: int, *, blocked: bool) -> None:
    pod = a_pod("p1", "rs-10", ready=False)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    pod["status"]["conditions"].append(condition | {"lastTransitionTime": at(0)})
    assert bool(slot_status(seen(pod), BEGAN + age).blocked) is blocked


ONCE: dict[str, Any] = {
    "restartCount": 1,
    "lastState": {"terminated": ENDED | {"startedAt": at(0), "finishedAt": at(59)}},
}
TWICE: dict[str, Any] = ONCE | {"restartCount": 2, "state": {"running": {"startedAt": at(60)}}}


def test_two_pods_that_were_each_restarted_once_are_no_loop() -> None:
    pods = (a_pod(name, "rs-10", ready=False, **ONCE) for name in ("p1", "p2"))
    status = slot_status(seen(*pods, replicas=2), BEGAN + 90)
    assert (status.blocked, len(status.restart_times)) == ("", 2)


def test_a_container_that_restarted_twice_by_itself_blocks() -> None:
    status = slot_status(seen(a_pod("p1", "rs-10", ready=False, **TWICE)), BEGAN + 90)
    assert status.blocked == "p1, container app: it ended with status 3, Error, and was restarted 2 times"


@pytest.mark.parametrize("others", ["initContainerStatuses", "containerStatuses"])
def test_each_container_of_a_pod_counts_for_itself(others: str) -> None:
    pod = a_pod("p1", "rs-10", ready=False, **ONCE)
    pod["status"].setdefault(others, []).append({"name": "proxy", "ready": False, **ONCE})
    assert slot_status(seen(pod), BEGAN + 90).blocked == ""
    pod["status"][others][-1] |= TWICE
    assert "container proxy" in slot_status(seen(pod), BEGAN + 90).blocked


def test_restarts_of_long_ago_do_not_block_a_pod_that_is_unready_for_a_moment() -> None:
    assert slot_status(seen(a_pod("p1", "rs-10", ready=False, **TWICE)), BEGAN + 700).blocked == ""
    ready = a_pod("p1", "rs-10", **TWICE)
    ready["status"]["containerStatuses"][0]["ready"] = True
    assert slot_status(seen(ready, a_pod("p2", "rs-10", ready=False), replicas=2), BEGAN + 90).blocked == ""


def test_a_container_that_runs_between_two_crashes_is_told_with_its_last_end() -> None:
    pod = a_pod(owner="rs-10", ready=False, restartCount=1, lastState={"terminated": ENDED})
    assert slot_status(seen(pod), BEGAN).detail == "p1, container app: it ended with status 3, Error"


@pytest.mark.parametrize(
    ("began", "lost", "failing"),
    [
        (5, 60, 1),  # it ran, was ready, and fails its probe now
        (5, 2, 0),  # it has never been ready: its status was written before its containers began
        (61, 60, 0),  # it was restarted: that is counted as a restart
    ],
)
def test_a_pod_that_lost_its_readiness_fails_and_one_that_starts_does_not(began: int, lost: int, failing: int) -> None:
    pod = a_pod("p1", "rs-10", ready=False, state={"running": {"startedAt": at(began)}})
    pod["status"]["conditions"][0]["lastTransitionTime"] = at(lost)
    assert slot_status(seen(pod, reachable=()), BEGAN + 100).failing_replicas == failing


def test_a_pod_that_is_asked_for_beside_those_that_run_is_no_failure() -> None:
    fresh = a_pod("p2", "rs-10", ready=False)
    fresh["status"]["conditions"][0]["lastTransitionTime"] = at(0)
    status = slot_status(seen(a_pod("p1", "rs-10"), fresh, reachable=("p1",), replicas=2), BEGAN + 3)
    assert (status.ready, status.fails_probes) == (False, False)
