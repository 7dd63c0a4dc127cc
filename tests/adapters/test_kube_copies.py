from __future__ import annotations

import pytest

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_copies import KubeCopies
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import CONFIG_MAP, SECRET, KubeObject
from switchover.decide.config_references import Reference
from switchover.errors import FencedError, InputError
from switchover.model import ConfigCopy
from tests.fakes import FakeFence
from tests.kube_emulator import KubeEmulator

OPAQUE: KubeObject = {"type": "Opaque", "stringData": {"t": "x"}}
CONFIG, KEYS = Reference("ConfigMap", "config"), Reference("Secret", "keys")


@pytest.fixture
def epochs() -> FakeFence:
    return FakeFence()


@pytest.fixture
def copies(kube_api: KubeApi, epochs: FakeFence) -> KubeCopies:
    kube_api.create(a_config({"a": "1"}))
    kube_api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, **OPAQUE})
    return KubeCopies(kube_api, KubeFence(kube_api, lambda: epochs.epoch), "production")


def a_config(data: dict[str, str]) -> KubeObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": data}


def resolve(copies: KubeCopies, *references: Reference) -> tuple[ConfigCopy, ...]:
    found, obstacles = copies.resolve(references)
    assert obstacles == ()
    return found


def test_a_copy_has_the_content_and_cannot_be_changed(kube_api: KubeApi, copies: KubeCopies) -> None:
    config, keys = resolve(copies, CONFIG, KEYS)
    copies.ensure([config, keys], epoch=1)
    copies.ensure([config, keys], epoch=1)
    made, secret = kube_api.read(CONFIG_MAP, config.name), kube_api.read(SECRET, keys.name)
    assert made is not None
    assert secret is not None
    assert (made["data"], made["immutable"]) == ({"a": "1"}, True)
    assert (secret["data"], secret["type"]) == ({"t": "eA=="}, "Opaque")


def test_other_content_has_another_name_and_the_same_content_the_same(kube_api: KubeApi, copies: KubeCopies) -> None:
    (first,) = resolve(copies, CONFIG)
    assert resolve(copies, CONFIG) == (first,)
    kube_api.apply(a_config({"a": "2"}))
    (second,) = resolve(copies, CONFIG)
    assert second.name != first.name
    kube_api.apply(a_config({"a": "1"}))
    assert resolve(copies, CONFIG) == (first,)


def test_a_source_that_changed_since_the_plan_is_refused(kube_api: KubeApi, copies: KubeCopies) -> None:
    (config,) = resolve(copies, CONFIG)
    kube_api.apply(a_config({"a": "2"}))
    assert "other content" in copies.find_lost([config])[0].found
    with pytest.raises(InputError, match="other content"):
        copies.ensure([config], epoch=1)


def test_a_copy_outlives_its_source(kube_api: KubeApi, copies: KubeCopies) -> None:
    (config,) = resolve(copies, CONFIG)
    copies.ensure([config], epoch=1)
    kube_api.delete(CONFIG_MAP, "config")
    copies.ensure([config], epoch=1)
    assert copies.find_lost([config]) == ()


def test_without_copy_and_source_the_source_is_named(kube_api: KubeApi, copies: KubeCopies) -> None:
    (config,) = resolve(copies, CONFIG)
    kube_api.delete(CONFIG_MAP, "config")
    with pytest.raises(InputError, match="ConfigMap config that it is a copy of"):
        copies.ensure([config], epoch=1)


def test_what_is_missing_is_an_obstacle_unless_it_is_optional(copies: KubeCopies) -> None:
    found, obstacles = copies.resolve([Reference("Secret", "a"), Reference("ConfigMap", "b", optional=True)])
    assert found == ()
    assert [each.place for each in obstacles] == ["Secret a"]


def test_only_copies_are_deleted_and_only_those_that_are_named(kube_api: KubeApi, copies: KubeCopies) -> None:
    config, keys = resolve(copies, CONFIG, KEYS)
    copies.ensure([config, keys], epoch=1)
    sources = (ConfigCopy("ConfigMap", "config", "config"), ConfigCopy("Secret", "keys", "keys"))
    assert copies.prune([keys, *sources], epoch=1) == (keys.name,)
    assert copies.prune([keys, *sources], epoch=1) == ()
    assert kube_api.read(CONFIG_MAP, config.name) is not None
    assert kube_api.read(CONFIG_MAP, "config") is not None
    assert kube_api.read(SECRET, "keys") is not None


def test_a_secret_that_may_not_be_deleted_stops_no_other(kube_emulator: KubeEmulator, epochs: FakeFence) -> None:
    api = kube_emulator.api()
    kube_emulator.put(
        a_config({"a": "1"}), {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, **OPAQUE}
    )
    copies = KubeCopies(api, KubeFence(api, lambda: epochs.epoch), "production")
    config, keys = resolve(copies, CONFIG, KEYS)
    copies.ensure([config, keys], epoch=1)
    kube_emulator.forbid("delete", "secrets")
    assert copies.prune([keys, config], epoch=1) == (config.name,)
    api.close()


def test_the_limit_counts_what_is_there(kube_api: KubeApi, copies: KubeCopies) -> None:
    gone = [ConfigCopy("ConfigMap", "config", f"config-{number}") for number in range(5)]
    (first,) = resolve(copies, CONFIG)
    copies.ensure([first], epoch=1)
    kube_api.apply(a_config({"a": "2"}))
    (second,) = resolve(copies, CONFIG)
    copies.ensure([second], epoch=1)
    assert copies.prune([*gone, first, second], epoch=1, most=1) == (first.name,)
    assert kube_api.read(CONFIG_MAP, second.name) is not None


def test_two_environments_of_a_namespace_have_copies_of_their_own(kube_api: KubeApi, copies: KubeCopies) -> None:
    other = KubeCopies(kube_api, KubeFence(kube_api, lambda: 1), "staging")
    (mine,), (theirs,) = resolve(copies, CONFIG), resolve(other, CONFIG)
    copies.ensure([mine], epoch=1)
    other.ensure([theirs], epoch=1)
    assert copies.prune([mine, theirs], epoch=1) == (mine.name,)
    assert kube_api.read(CONFIG_MAP, theirs.name) is not None


def test_a_stale_epoch_neither_copies_nor_deletes(kube_api: KubeApi, copies: KubeCopies, epochs: FakeFence) -> None:
    config, keys = resolve(copies, CONFIG, KEYS)
    copies.ensure([config], epoch=1)
    epochs.epoch = 2
    with pytest.raises(FencedError):
        copies.prune([config], epoch=1)
    with pytest.raises(FencedError):
        copies.ensure([keys], epoch=1)
    assert kube_api.read(CONFIG_MAP, config.name) is not None


def test_manifests_that_say_something_else_than_the_cluster_are_told(copies: KubeCopies) -> None:
    assert copies.find_changed([a_config({"a": "1"})], {"config"}) == ()
    (obstacle,) = copies.find_changed([a_config({"a": "2"})], {"config"})
    assert obstacle.place == "ConfigMap config, data"
    assert copies.find_changed([a_config({"a": "2"})], {"other"}) == ()


def test_no_message_has_the_content_of_a_secret(kube_api: KubeApi, copies: KubeCopies) -> None:
    (keys,) = resolve(copies, KEYS)
    kube_api.delete(SECRET, "keys")
    kube_api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"t": "hush"}})
    with pytest.raises(InputError) as raised:
        copies.ensure([keys], epoch=1)
    assert "hush" not in str(raised.value)
    assert "aHVzaA" not in str(raised.value)
