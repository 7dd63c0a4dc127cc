"""What `KubeSlots` promises beyond the contract, on an emulated API server whose controllers act at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from switchover.adapters.kube_kinds import CONFIG_MAP, DEPLOYMENT, ENDPOINT_SLICE, HPA, PDB, POD, SERVICE
from switchover.decide.config_references import Reference
from switchover.errors import FencedError, InputError, TargetError
from switchover.model import Colour, ConfigCopy, Workload
from tests.contracts.kube_case import BUDGET, SCALER, KubeCase, kube_manifest, kube_release, kube_workload
from tests.fakes import FakeClock
from tests.kube_controllers import PodBehaviour, an_event
from tests.kube_emulator import KubeEmulator

GREEN, BLUE = Colour.GREEN, Colour.BLUE


@pytest.fixture
def case(kube_emulator: KubeEmulator) -> Iterator[KubeCase]:
    api = kube_emulator.api()
    yield KubeCase.on(kube_emulator, api)
    api.close()


def scaled(replicas: int = 2, most: int = 10) -> Workload:
    return kube_workload(replicas=replicas, max_replicas=most, manifest=kube_manifest(SCALER, BUDGET))


def replicas_of(case: KubeCase, colour: Colour) -> int:
    return int(case.emulator.get(DEPLOYMENT, f"shop-{colour}")["spec"]["replicas"])


def bounds_of(case: KubeCase, colour: Colour) -> tuple[int, int]:
    spec = case.emulator.get(HPA, f"shop-{colour}")["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


def scale(case: KubeCase, colour: Colour, replicas: int) -> None:
    """As an autoscaler does."""
    case.api.patch(DEPLOYMENT, f"shop-{colour}", [{"op": "replace", "path": "/spec/replicas", "value": replicas}])


def start_badly(case: KubeCase, behaviour: PodBehaviour, colour: Colour = GREEN) -> None:
    case.controllers.images["shop@"] = behaviour
    case.slots.start(case.publish("1.0.0"), colour, kube_workload(replicas=2), epoch=1)


# --- start and stop -------------------------------------------------------------------------------------


def test_a_colour_is_a_deployment_and_what_belongs_to_it(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, scaled(), epoch=1)
    for kind in (DEPLOYMENT, SERVICE, HPA, PDB):
        assert case.emulator.get(kind, "shop-green")["metadata"]["annotations"]["switchover.dev/epoch"] == "1"
    assert case.slots.read_status("shop", GREEN).version == "1.0.0"
    assert case.slots.read_status("shop", GREEN).addresses == ("shop-green:80",)


def test_an_idle_colour_is_empty_and_still_there(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, scaled(), epoch=1)
    case.slots.stop("shop", GREEN, epoch=1)
    assert replicas_of(case, GREEN) == 0
    assert case.pods(GREEN) == []
    assert case.emulator.get(SERVICE, "shop-green")


def test_starting_what_runs_already_does_not_take_replicas_away(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), BLUE, scaled(), epoch=1)
    scale(case, BLUE, 5)
    before = case.pods(BLUE)
    case.slots.start(case.publish("1.0.0"), BLUE, scaled(), epoch=1)
    assert case.pods(BLUE) == before


def test_the_size_is_held_and_given_back(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), BLUE, scaled(), epoch=1)
    scale(case, BLUE, 5)
    case.slots.hold_size("shop", BLUE, epoch=1)
    assert bounds_of(case, BLUE) == (5, 10)
    case.slots.free_size("shop", BLUE, scaled(), epoch=1)
    assert bounds_of(case, BLUE) == (2, 10)


def test_the_own_minimum_comes_back_where_nobody_knows_the_workload(case: KubeCase) -> None:
    """Of a colour that was there before the ledger knew of it."""
    case.slots.start(case.publish("1.0.0"), BLUE, scaled(), epoch=1)
    scaler = case.emulator.get(HPA, "shop-blue")
    case.emulator.put({**scaler, "metadata": {**scaler["metadata"], "annotations": {}}})
    for running in (5, 6):
        scale(case, BLUE, running)
        case.slots.hold_size("shop", BLUE, epoch=1)
        assert bounds_of(case, BLUE) == (running, 10)
    for _ in range(2):
        case.slots.free_size("shop", BLUE, None, epoch=1)
        assert bounds_of(case, BLUE) == (2, 10)
    scale(case, BLUE, 7)
    case.slots.hold_size("shop", BLUE, epoch=1)
    case.slots.free_size("shop", BLUE, scaled(3), epoch=1)
    case.slots.free_size("shop", BLUE, None, epoch=1)
    assert bounds_of(case, BLUE) == (3, 10)


def test_holding_a_size_without_an_autoscaler_is_no_change(case: KubeCase) -> None:
    case.slots.hold_size("shop", BLUE, epoch=1)
    case.slots.start(case.publish("1.0.0"), BLUE, kube_workload(), epoch=1)
    case.slots.hold_size("shop", BLUE, epoch=1)
    case.slots.free_size("shop", BLUE, kube_workload(), epoch=1)
    assert replicas_of(case, BLUE) == 1


def test_an_autoscaler_that_the_release_does_not_have_any_more_is_taken_away(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, scaled(), epoch=1)
    case.slots.start(case.publish("1.1.0"), GREEN, kube_workload(manifest=kube_manifest()), epoch=1)
    assert case.api.read(HPA, "shop-green") is None
    assert case.api.read(PDB, "shop-green") is None


def test_a_stale_epoch_changes_no_bounds(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), BLUE, scaled(), epoch=1)
    case.fence.epoch = 2
    with pytest.raises(FencedError):
        case.slots.free_size("shop", BLUE, scaled(1), epoch=1)
    assert bounds_of(case, BLUE) == (2, 10)


def test_what_somebody_else_installed_is_seen_too(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), BLUE, kube_workload(), epoch=1)
    deployment = case.emulator.get(DEPLOYMENT, "shop-blue")
    deployment["metadata"]["annotations"] = {}
    case.emulator.put(deployment)
    assert case.slots.read_status("shop", BLUE).ready
    assert case.slots.read_log_counts("shop", BLUE) == (0, 0)
    case.slots.start(case.publish("1.0.0"), BLUE, kube_workload(), epoch=1)
    assert case.slots.read_status("shop", BLUE).version == "1.0.0"


# --- pods that do not end -------------------------------------------------------------------------------


def stay(case: KubeCase, *, serving: bool) -> FakeClock:
    """Let the one pod of blue be asked to end, and neither end nor be taken away: as on a node that is lost."""
    case.slots.start(case.publish("1.0.0"), BLUE, kube_workload(), epoch=1)
    case.clock = clock = FakeClock()
    case.controllers.paused = True
    pod = case.emulator.get(POD, case.pod(BLUE))
    ends = datetime.fromtimestamp(clock.now() + 30, UTC).isoformat()
    pod["metadata"] |= {"deletionTimestamp": ends}
    pod["spec"] = {**pod["spec"], "nodeName": "node-7"}
    case.emulator.put(pod)
    (endpoints,) = case.api.list(ENDPOINT_SLICE, {"kubernetes.io/service-name": "shop-blue"})
    endpoints["endpoints"][0]["conditions"] = {"ready": False, "serving": serving, "terminating": True}
    case.emulator.put(endpoints)
    return clock


def test_a_pod_on_a_lost_node_does_not_keep_a_colour_from_stopping(
    case: KubeCase, caplog: pytest.LogCaptureFixture
) -> None:
    clock = stay(case, serving=False)
    began = clock.now()
    case.new_slots().stop("shop", BLUE, epoch=1)
    assert clock.now() - began >= 45, "it had its grace, and some time more"
    assert case.pod(BLUE) in caplog.text
    assert "node-7" in caplog.text
    again = clock.now()
    case.new_slots().stop("shop", BLUE, epoch=1)
    assert clock.now() == again


def test_a_pod_that_still_answers_long_after_its_time_is_not_a_stopped_one(case: KubeCase) -> None:
    stay(case, serving=True)
    with pytest.raises(TargetError, match="did not stop"):
        case.new_slots().stop("shop", BLUE, epoch=1)


# --- status ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason",
    ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff", "ErrImageNeverPull"],
)
def test_what_cannot_get_better_by_itself_blocks(case: KubeCase, reason: str) -> None:
    start_badly(case, PodBehaviour(waiting=reason, message="because"))
    status = case.slots.read_status("shop", GREEN)
    assert (status.ready_replicas, status.failed_replicas) == (0, 2)
    assert f"container app: {reason}: because" in status.blocked


def test_a_pull_that_failed_once_may_get_better(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(waiting="ErrImagePull", message="i/o timeout"))
    assert case.slots.read_status("shop", GREEN).blocked == ""
    event = an_event(POD, case.pod(GREEN), "Failed", "Failed to pull image: i/o timeout") | {"count": 2}
    case.emulator.put(event)
    assert "i/o timeout" in case.slots.read_status("shop", GREEN).blocked


def test_an_image_that_the_registry_does_not_have_blocks_at_once(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(waiting="ErrImagePull", message="rpc error: code = NotFound desc = x"))
    assert "NotFound" in case.slots.read_status("shop", GREEN).blocked


def test_no_room_blocks_with_the_schedulers_word(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(unschedulable="0/1 nodes are available: 1 Insufficient cpu."))
    assert "Insufficient cpu" in case.slots.read_status("shop", GREEN).blocked


def test_no_room_does_not_block_while_a_node_is_on_its_way(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(unschedulable="0/1 nodes are available"))
    for pod in case.pods(GREEN):
        case.emulator.put(an_event(POD, pod, "TriggeredScaleUp", "pod triggered scale-up", "Normal"))
    status = case.slots.read_status("shop", GREEN)
    assert status.blocked == ""
    assert "0/1 nodes" in status.detail


def test_only_warnings_are_listed_and_where_there_is_no_room_what_says_that_a_node_comes(case: KubeCase) -> None:
    asked: list[str] = []
    case.emulator.before_call = lambda _method, path: asked.append(path) if "/events" in path else None
    start_badly(case, PodBehaviour(ready=False))
    case.slots.read_status("shop", GREEN)
    assert len(asked) == 1
    case.controllers.images["shop@"] = PodBehaviour(unschedulable="0/1 nodes are available")
    case.controllers.settle()
    case.slots.read_status("shop", GREEN)
    assert len(asked) == 4


def test_an_exceeded_quota_blocks(case: KubeCase) -> None:
    case.controllers.quota = "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(), epoch=1)
    assert "exceeded quota: q" in case.slots.read_status("shop", GREEN).blocked


def test_the_word_of_the_last_warning_is_told(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(ready=False))
    case.emulator.put(an_event(POD, case.pod(GREEN), "Unhealthy", "Readiness probe failed: 503"))
    status = case.slots.read_status("shop", GREEN)
    assert "Readiness probe failed: 503" in status.detail
    assert status.blocked == ""
    assert status.addresses == ("shop-green:80",)


def test_the_address_stays_while_one_pod_is_unready(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(ready_pods=1))
    status = case.slots.read_status("shop", GREEN)
    assert (status.wanted_replicas, status.ready_replicas) == (2, 1)
    assert status.addresses == ("shop-green:80",)


def test_restarts_and_memory_are_seen(case: KubeCase) -> None:
    start_badly(case, PodBehaviour(restarts=1, terminated="OOMKilled"))
    status = case.slots.read_status("shop", GREEN)
    assert status.out_of_memory
    assert len(status.restart_times) == 2
    assert status.ready


def test_what_runs_is_seen_while_nobody_measures_it(case: KubeCase) -> None:
    def without_token(*_: object) -> bool | None:
        failed = "Prometheus cannot be asked"
        raise InputError(failed, expected="a token", found="nothing", next_step="set it")

    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(), epoch=1)
    case.read_throttled = without_token
    status = case.new_slots().read_status("shop", GREEN)
    assert (status.ready, status.throttled) == (True, None)
    case.read_throttled = lambda *_: True
    assert case.new_slots().read_status("shop", GREEN).throttled


def test_a_change_that_the_controllers_have_not_seen_is_not_ready(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(), epoch=1)
    case.controllers.paused = True
    scale(case, GREEN, 2)
    status = case.slots.read_status("shop", GREEN)
    assert (status.wanted_replicas, status.ready_replicas) == (2, 0)
    assert "have not seen" in status.detail


# --- logs -----------------------------------------------------------------------------------------------


def test_lines_of_one_second_are_counted_once(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(), epoch=1)
    pod, at = case.pod(GREEN), datetime(2026, 1, 1, tzinfo=UTC)
    expected = 0
    for number in range(6):
        case.emulator.write_log(pod, "ERROR the same", at=at + timedelta(milliseconds=300 * number))
        case.emulator.write_log(pod, "ERROR the same", at=at + timedelta(milliseconds=300 * number))
        expected += 2
        assert case.slots.read_log_counts("shop", GREEN) == (expected, expected)
    assert case.slots.read_log_counts("shop", GREEN) == (expected, expected)


def test_what_a_pod_logged_counts_after_its_end(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(replicas=2), epoch=1)
    for pod in case.pods(GREEN):
        case.emulator.write_log(pod, "ERROR x")
    assert case.slots.read_log_counts("shop", GREEN) == (2, 2)
    scale(case, GREEN, 1)
    assert case.slots.read_log_counts("shop", GREEN) == (2, 2)
    assert case.new_slots().read_log_counts("shop", GREEN) == (1, 1)


def test_after_a_stop_counting_begins_anew(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(), epoch=1)
    case.log(GREEN, "ERROR x")
    assert case.slots.read_log_counts("shop", GREEN) == (1, 1)
    case.slots.stop("shop", GREEN, epoch=1)
    assert case.slots.read_log_counts("shop", GREEN) == (0, 0)
    assert case.slots.read_log_tail("shop", GREEN, 3) == ()


def test_the_pattern_is_that_of_the_workload(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(log_error_pattern="oops"), epoch=1)
    case.log(GREEN, "ERROR x")
    case.log(GREEN, "oops")
    assert case.slots.read_log_counts("shop", GREEN) == (2, 1)


# --- configuration --------------------------------------------------------------------------------------


def test_configuration_is_copied_before_the_pods_start(case: KubeCase) -> None:
    case.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    workload = with_config(case)
    case.slots.start(case.publish("1.0.0"), GREEN, workload, epoch=1)
    (copy,) = workload.manifest.copies if workload.manifest else ()
    made = case.emulator.get(CONFIG_MAP, copy.name)
    assert (made["data"], made["immutable"]) == ({"a": "1"}, True)


def test_an_older_release_comes_back_with_its_configuration_when_the_source_is_gone(case: KubeCase) -> None:
    case.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    workload = with_config(case)
    case.slots.start(case.publish("1.0.0"), GREEN, workload, epoch=1)
    case.slots.stop("shop", GREEN, epoch=1)
    case.api.delete(CONFIG_MAP, "c")
    case.slots.start(case.publish("1.0.0"), GREEN, workload, epoch=1)
    assert case.slots.read_status("shop", GREEN).ready


def test_a_stop_takes_the_copies_away_that_nothing_needs(case: KubeCase) -> None:
    case.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    workload = with_config(case)
    case.slots.start(case.publish("1.0.0"), GREEN, workload, epoch=1)
    case.unneeded = workload.manifest.copies if workload.manifest else ()
    case.slots.stop("shop", GREEN, epoch=1)
    assert [each["metadata"]["name"] for each in case.api.list(CONFIG_MAP)] == ["c"]


def test_a_stop_does_not_fail_when_it_may_not_tidy_up(case: KubeCase) -> None:
    case.slots.start(case.publish("1.0.0"), GREEN, kube_workload(), epoch=1)
    case.unneeded = (ConfigCopy("Secret", "s", "s-0123456789"),)
    case.emulator.forbid("get", "secrets")
    case.slots.stop("shop", GREEN, epoch=1)
    assert case.slots.read_status("shop", GREEN).wanted_replicas == 0


def test_configuration_that_is_gone_is_named_and_nothing_is_started(case: KubeCase) -> None:
    lost = replace(kube_manifest(), copies=(ConfigCopy("ConfigMap", "c", "c-0123456789"),))
    with pytest.raises(InputError, match="ConfigMap c-0123456789"):
        case.slots.start(kube_release("shop", "1.0.0"), GREEN, kube_workload(manifest=lost), epoch=1)
    assert case.api.read(DEPLOYMENT, "shop-green") is None


def with_config(case: KubeCase) -> Workload:
    copies, obstacles = case.copies.resolve([Reference("ConfigMap", "c")])
    assert obstacles == ()
    return kube_workload(manifest=replace(kube_manifest(), copies=copies))
