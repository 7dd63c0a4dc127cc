from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_errors import KubeConflictError
from switchover.adapters.kube_fence import KubeFence, read_object_epoch
from switchover.adapters.kube_kinds import ANNOTATION_EPOCH, CONFIG_MAP, Kind, KubeObject
from switchover.errors import FencedError, InputError, TargetError
from tests.kube_emulator import KubeEmulator


@dataclass(slots=True)
class Epoch:
    """The ledger's epoch; `after_reads` runs something after so many reads of it."""

    value: int = 1
    reads: int = 0
    after_reads: dict[int, Callable[[], object]] = field(default_factory=dict)

    def read(self) -> int:
        self.reads += 1
        value = self.value
        if then := self.after_reads.pop(self.reads, None):
            then()
        return value


def settings(k: str, **more: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"k": k, **more}}


def to(k: str) -> Callable[[KubeObject], list[KubeObject]]:
    """Operations that set `data.k`; none when it is so."""
    return lambda now: [] if now["data"]["k"] == k else [{"op": "replace", "path": "/data/k", "value": k}]


def held(api: KubeApi) -> tuple[str, int] | None:
    now = api.read(CONFIG_MAP, "settings")
    return None if now is None else (now["data"]["k"], read_object_epoch(now))


@pytest.fixture
def epoch() -> Epoch:
    return Epoch()


@pytest.fixture
def fence(kube_api: KubeApi, epoch: Epoch) -> KubeFence:
    return KubeFence(kube_api, epoch.read)


@pytest.fixture
def emulated(kube_emulator: KubeEmulator) -> Iterator[KubeApi]:
    api = kube_emulator.api()
    yield api
    api.close()


def test_what_is_written_carries_the_epoch(kube_api: KubeApi, fence: KubeFence, epoch: Epoch) -> None:
    fence.apply(settings("a"), 1)
    assert held(kube_api) == ("a", 1)
    epoch.value = 2
    fence.patch(CONFIG_MAP, "settings", to("b"), 2)
    assert held(kube_api) == ("b", 2)


@pytest.mark.parametrize("mine", [1, 3])
def test_an_epoch_that_is_not_the_ledgers_changes_nothing(
    kube_api: KubeApi, fence: KubeFence, epoch: Epoch, mine: int
) -> None:
    epoch.value = 2
    fence.apply(settings("a"), 2)
    for effect in (
        lambda: fence.apply(settings("b"), mine),
        lambda: fence.patch(CONFIG_MAP, "settings", to("b"), mine),
        lambda: fence.delete(CONFIG_MAP, "settings", mine),
        lambda: fence.require(mine),
    ):
        with pytest.raises(FencedError):
            effect()
    assert held(kube_api) == ("a", 2)


def test_an_object_with_a_higher_epoch_is_left_alone_whatever_the_ledger_says(
    kube_api: KubeApi, fence: KubeFence, epoch: Epoch
) -> None:
    epoch.value = 2
    fence.apply(settings("a"), 2)
    epoch.value = 1  # a ledger restored from a backup
    with pytest.raises(FencedError):
        fence.apply(settings("b"), 1)
    assert held(kube_api) == ("a", 2)


def verbs_of(fence: KubeFence) -> dict[str, Callable[[str, int], object]]:
    return {
        "apply": lambda k, mine: fence.apply(settings(k), mine),
        "patch": lambda k, mine: fence.patch(CONFIG_MAP, "settings", to(k), mine),
        "delete": lambda _, mine: fence.delete(CONFIG_MAP, "settings", mine),
    }


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pair
        for pair in product(("apply", "patch", "delete"), repeat=2)
        if pair != ("delete", "delete")  # they want the same
    ],
)
def test_whoever_takes_over_before_the_write_wins(
    kube_api: KubeApi, fence: KubeFence, epoch: Epoch, older: str, newer: str
) -> None:
    """The newer epoch does all it wants between the older one's look at the ledger and its write."""
    fence.apply(settings("before"), 1)
    outcome: list[tuple[str, int] | None] = []

    def take_over() -> None:
        epoch.value = 2
        verbs_of(fence)[newer]("newer", 2)
        outcome.append(held(kube_api))

    epoch.after_reads[epoch.reads + 1] = take_over
    with pytest.raises(FencedError):
        verbs_of(fence)[older]("older", 1)
    assert [held(kube_api)] == outcome


@pytest.mark.parametrize("newer", ["before", "newer"])
def test_taking_over_an_object_that_is_as_wanted_already_stops_the_older_one(
    kube_api: KubeApi, fence: KubeFence, epoch: Epoch, newer: str
) -> None:
    fence.apply(settings("before"), 1)

    def take_over() -> None:
        epoch.value = 2
        fence.patch(CONFIG_MAP, "settings", to(newer), 2)

    epoch.after_reads[epoch.reads + 1] = take_over
    with pytest.raises(FencedError):
        fence.patch(CONFIG_MAP, "settings", to("older"), 1)
    assert held(kube_api) == (newer, 2)


class InterruptedApi(KubeApi):
    """Hands the next write to `interrupt` instead of sending it."""

    interrupt: Callable[[Callable[[], KubeObject]], KubeObject] | None = None

    def apply(self, obj: KubeObject, *, resource_version: str | None = None) -> KubeObject:
        return self._send(lambda: KubeApi.apply(self, obj, resource_version=resource_version))

    def patch(self, kind: Kind, name: str, operations: Sequence[Mapping[str, Any]]) -> KubeObject:
        return self._send(lambda: KubeApi.patch(self, kind, name, operations))

    def _send(self, send: Callable[[], KubeObject]) -> KubeObject:
        interrupt, self.interrupt = self.interrupt, None
        return interrupt(send) if interrupt else send()


@pytest.mark.parametrize(
    ("older", "newer", "there"),
    [(older, newer, True) for older in ("apply", "patch") for newer in ("apply", "patch")]
    + [("apply", "apply", False)],
)
def test_an_older_write_that_lands_between_the_newer_ones_read_and_write_is_written_over(
    kube_emulator: KubeEmulator, epoch: Epoch, older: str, newer: str, *, there: bool
) -> None:
    api = InterruptedApi(kube_emulator.configuration, kube_emulator.namespace)
    fence = KubeFence(api, epoch.read)
    if there:
        fence.apply(settings("before"), 1)

    def take_over(send_older: Callable[[], KubeObject]) -> KubeObject:
        epoch.value = 2
        landed: list[KubeObject] = []

        def let_older_land(send_newer: Callable[[], KubeObject]) -> KubeObject:
            landed.append(send_older())
            return send_newer()

        api.interrupt = let_older_land
        verbs_of(fence)[newer]("newer", 2)
        return landed[0]

    api.interrupt = take_over
    with nullcontext() if there else pytest.raises(FencedError):  # who makes something looks at the ledger again
        verbs_of(fence)[older]("older", 1)
    assert held(api) == ("newer", 2)
    with pytest.raises(FencedError):
        verbs_of(fence)[older]("older", 1)
    api.close()


def test_what_was_made_after_somebody_else_took_over_is_taken_away_again(
    kube_emulator: KubeEmulator, emulated: KubeApi, epoch: Epoch
) -> None:
    """The newer epoch saw that it is not there, wants nothing of it and will not look again."""
    fence = KubeFence(emulated, epoch.read)
    touched: list[int] = []

    def touch(method: str, _path: str) -> None:
        if method == "PATCH":
            epoch.value = 2
        if method == "DELETE" and not touched:  # as a controller does that writes a status
            touched.append(1)
            now = kube_emulator.get(CONFIG_MAP, "settings")
            kube_emulator.put({**now, "metadata": {**now["metadata"], "labels": {"touched": "1"}}})

    kube_emulator.before_call = touch
    with pytest.raises(FencedError):
        fence.apply(settings("older"), 1)
    assert touched
    assert held(emulated) is None


def test_that_it_could_not_be_taken_away_is_told_and_fenced_all_the_same(
    kube_emulator: KubeEmulator, emulated: KubeApi, epoch: Epoch, caplog: pytest.LogCaptureFixture
) -> None:
    kube_emulator.forbid("delete", "configmaps")
    epoch.after_reads[1] = lambda: setattr(epoch, "value", 2)
    with pytest.raises(FencedError):
        KubeFence(emulated, epoch.read).apply(settings("older"), 1)
    assert "ConfigMap settings was made too late" in caplog.text


def test_a_conflict_with_a_controller_is_read_again(emulated: KubeApi, kube_emulator: KubeEmulator) -> None:
    fence = KubeFence(emulated, lambda: 1)
    fence.apply(settings("a"), 1)
    touched: list[int] = []

    def touch(method: str, _path: str) -> None:
        if method == "PATCH" and len(touched) < 3:
            touched.append(1)
            now = kube_emulator.get(CONFIG_MAP, "settings")
            kube_emulator.put({**now, "metadata": {**now["metadata"], "labels": {"touched": str(len(touched))}}})

    kube_emulator.before_call = touch
    fence.apply(settings("b"), 1)
    assert held(emulated) == ("b", 1)
    assert len(touched) == 3


def test_an_object_that_never_holds_still_is_given_up(emulated: KubeApi, kube_emulator: KubeEmulator) -> None:
    fence = KubeFence(emulated, lambda: 1)
    kube_emulator.fail(409, method="PATCH", times=None, message="the object has been modified", reason="Conflict")
    with pytest.raises(KubeConflictError):
        fence.apply(settings("b"), 1)


def test_what_is_so_already_is_not_written_again(emulated: KubeApi, kube_emulator: KubeEmulator) -> None:
    fence = KubeFence(emulated, lambda: 1)
    fence.apply(settings("a"), 1)
    before = len(kube_emulator.calls)
    fence.apply(settings("a"), 1)
    fence.patch(CONFIG_MAP, "settings", to("a"), 1)
    assert [method for method, _ in kube_emulator.calls[before:]] == ["GET", "GET"]


def test_what_somebody_else_changed_is_put_right_again(kube_api: KubeApi, fence: KubeFence) -> None:
    fence.apply(settings("a"), 1)
    kube_api.patch(CONFIG_MAP, "settings", to("b")({"data": {"k": "a"}}))
    fence.apply(settings("a"), 1)
    assert held(kube_api) == ("a", 1)


def test_what_is_not_wanted_any_more_goes_away(fence: KubeFence) -> None:
    fence.apply(settings("a", extra="1"), 1)
    assert fence.apply(settings("a"), 1)["data"] == {"k": "a"}


def test_an_object_without_annotations_can_be_patched(kube_api: KubeApi, fence: KubeFence) -> None:
    kube_api.create(settings("a"))
    fence.patch(CONFIG_MAP, "settings", to("b"), 1)
    assert held(kube_api) == ("b", 1)


def test_patching_what_is_not_there_says_so(fence: KubeFence) -> None:
    with pytest.raises(TargetError, match="no such object"):
        fence.patch(CONFIG_MAP, "settings", to("b"), 1)


def test_an_epoch_that_is_no_number_is_named(kube_api: KubeApi, fence: KubeFence) -> None:
    obj = settings("a")
    obj["metadata"]["annotations"] = {ANNOTATION_EPOCH: "yes"}
    kube_api.create(obj)
    with pytest.raises(InputError, match="'yes'"):
        fence.apply(settings("b"), 1)
