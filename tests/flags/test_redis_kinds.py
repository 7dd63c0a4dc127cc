"""The servers that a set may be on: with TLS, with rights, behind Sentinels, in a Cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from redis.crc import key_slot

import switchover.flags.redis_connection as connection_module
from switchover.errors import InputError, LedgerConflictError, TargetError
from switchover.flags.experiment_store import RedisRecords
from switchover.flags.opening import open_client
from switchover.flags.redis_form import keys_of
from switchover.flags.redis_place import Credentials, Kind, Tls, read_redis_place
from switchover.flags.redis_store import RedisStore
from switchover.flags.snapshot import Json, Snapshot
from tests.flags.redis_cases import NOTE, change, flag, following
from tests.real_parts.redis_groups import (
    Certificates,
    make_certificates,
    move_slot,
    redis_cluster,
    tls_server,
    watched_servers,
)
from tests.real_parts.redis_server import DEBIAN, NEW, OLD, VERSIONS, RedisServer, redis_server, wait_for

KEYS = keys_of("shop")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(certificates: Certificates) -> Iterator[RedisServer]:
    # The wheels were built without TLS.
    with tls_server(DEBIAN, certificates) as server:
        yield server


def test_a_server_with_tls_is_asked_with_an_authority_and_a_certificate(
    encrypted: RedisServer, certificates: Certificates
) -> None:
    place = (
        f"rediss://127.0.0.1:{encrypted.port}/3?set=shop&ca={certificates.ca}"
        f"&cert={certificates.certificate}&key={certificates.key}"
    )
    store = RedisStore(place)
    change(store)
    with following(place) as heard:
        heard.wait_version(1)
        change(store)
        heard.wait_version(2)
        heard.wait_confirmed()
    with encrypted.admin() as admin:
        assert admin.dbsize() == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "certificate"),
        ("&ca={other}", "certificate"),
        ("&ca=/nowhere/ca.pem", "No such file"),
        # The server wants one of the client.
        ("&ca={ca}", "asks for a certificate|closed|reset|roken"),
    ],
)
def test_a_server_that_cannot_be_trusted_is_not(
    encrypted: RedisServer, certificates: Certificates, tmp_path: Path, query: str, found: str
) -> None:
    other = make_certificates(tmp_path).ca
    place = f"rediss://ada:hunter2@127.0.0.1:{encrypted.port}/0?set=shop{query.format(ca=certificates.ca, other=other)}"
    with pytest.raises(TargetError, match=found) as caught:
        RedisStore(place).read()
    assert "hunter2" not in str(caught.value)
    with following(place) as heard:
        wait_for(lambda: heard.lost)
        assert "hunter2" not in heard.lost


def test_the_host_of_a_certificate_is_checked_by_every_version_of_the_library() -> None:
    """Before version 6 the library looked at the authority alone, unless it was asked to look at the host."""
    with connection_module.open_connection("rediss://127.0.0.1:1/0?set=shop") as connection:
        options = connection.connection_pool.connection_kwargs
    assert (options["ssl_check_hostname"], options["ssl_cert_reqs"]) == (True, "required")


def test_a_server_with_the_certificate_of_another_host_is_not_trusted(tmp_path: Path) -> None:
    elsewhere = make_certificates(tmp_path, "192.0.2.1")
    with tls_server(DEBIAN, elsewhere) as server:
        place = (
            f"rediss://127.0.0.1:{server.port}/0?set=shop&ca={elsewhere.ca}"
            f"&cert={elsewhere.certificate}&key={elsewhere.key}"
        )
        with pytest.raises(TargetError, match="IP address mismatch") as caught:
            RedisStore(place).read()
        assert "a host that it vouches for" in caught.value.problem.next_step


def _documented(which: str, version: str) -> str:
    """The rights that the documentation names for the application or the operator."""
    text = " ".join((connection_module.__doc__ or "").split()).replace("NAME", "shop")
    found = re.search(rf"- an {which} [^`]*`([^`]*)`", text)
    assert found
    return found[1].replace("%R~", "~") if version == OLD else found[1]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_documented_rights_are_enough_and_those_of_an_application_change_nothing(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(version) as server, server.admin() as admin:
        for which in ("application", "operator"):
            admin.execute_command("ACL", "SETUSER", which, "on", ">p@ss/word", *_documented(which, version).split())
        places = {
            which: server.place().replace("unix://", f"unix://{which}:{quote('p@ss/word', safe='')}@")
            for which in ("application", "operator")
        }
        operator = RedisStore(places["operator"])
        change(operator)
        with following(places["application"], instance="app") as heard:
            heard.wait_version(1)
            change(operator, {"flags/a": flag()})
            change(operator, {"flags/a": None})
            heard.wait_version(3)
            heard.wait_confirmed()
            assert [ack.instance for ack in operator.acknowledgements()] == ["app"]
        assert len(operator.acknowledgements()) == 0
        assert not heard.losses
        assert "not seen" not in caplog.text
        assert len(operator.history()) == 3
        admin.delete(KEYS.set)
        change(operator)
        with pytest.raises(TargetError, match="grant the rights"):
            change(RedisStore(places["application"]))
        with pytest.raises(TargetError, match="grant the rights"):
            RedisStore(places["operator"].replace("set=shop", "set=other")).read()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_documented_rights_are_enough_for_an_application_that_is_opened_as_usual(
    version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(version) as server, server.admin() as admin:
        for which in ("application", "operator"):
            admin.execute_command("ACL", "SETUSER", which, "on", ">word", *_documented(which, version).split())
        places = {
            which: server.place().replace("unix://", f"unix://{which}:word@") for which in ("application", "operator")
        }
        split: Json = {"fractional": [["on", 50], ["off", 50]]}
        tested: Json = {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": split,
            "metadata": {"switchover.experiment": True},
        }
        change(RedisStore(places["operator"]), {"flags/test": tested})
        with open_client(places["application"], last_known_good=tmp_path / "kept", wait_seconds=30) as client:
            for number in range(20):
                client.is_enabled("test", f"user{number}")
                client.track("purchase", f"user{number}", 2.0)
        records = RedisRecords(places["operator"])
        assert sum(count.count for count in records.read_counts()["test"]) == 20
        found = records.read_experiment("test", "purchase")
        assert sum(one.units for one in found.variants.values()) == 20
        assert found.events == ("purchase",)
        denied = [(each["username"], each["object"]) for each in admin.acl_log()]
        assert denied == []
    assert "not seen" not in caplog.text


def test_who_may_not_say_that_it_lives_follows_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with redis_server(NEW) as server, server.admin() as admin:
        rights = [f"%R~{KEYS.set}", f"%R~{KEYS.changes}", "-@all", "+hgetall", "+hmget", "+xread"]
        admin.execute_command("ACL", "SETUSER", "reader", "on", "nopass", *rights)
        store = RedisStore(server.place())
        change(store)
        with following(server.place().replace("unix://", "unix://reader:x@")) as heard:
            heard.wait_version(1)
            change(store)
            heard.wait_version(2)
            heard.wait_confirmed()
        assert not heard.losses
        assert sum("not seen among the live ones" in line for line in caplog.messages) == 1


def test_user_and_password_may_stand_in_the_environment() -> None:
    place = read_redis_place(
        "redis://h/0", {"SWITCHOVER_FLAGS_USERNAME": "ada", "SWITCHOVER_FLAGS_PASSWORD": "hunter2"}
    )
    assert place.credentials == Credentials("ada", "hunter2")
    assert "hunter2" not in repr(place) + str(place)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_failover_by_sentinels_is_followed(version: str) -> None:
    with watched_servers(version) as group:
        store = RedisStore(group.place())
        change(store)
        with following(group.place()) as heard:
            heard.wait_version(1)
            group.servers[0].kill()
            wait_for(lambda: heard.lost)
            wait_for(lambda: group.primary() is group.servers[1], within=60)
            heard.wait_confirmed()
            change(store)
            heard.wait_version(2)
            heard.wait_confirmed()
            assert heard.snapshot == store.read()
            assert len(store.acknowledgements()) == 1


def test_a_primary_that_was_asked_to_step_down_is_left() -> None:
    with watched_servers(NEW) as group:
        store = RedisStore(group.place())
        change(store)
        with following(group.place()) as heard:
            heard.wait_version(1)
            with group.sentinels[0].admin() as admin:
                admin.execute_command("SENTINEL", "FAILOVER", "flags")
            wait_for(lambda: group.primary() is group.servers[1], within=60)
            wait_for(lambda: _try_change(store))
            heard.wait_version(store.read().version)
            wait_for(lambda: len(store.acknowledgements()) == 1)


def _try_change(store: RedisStore) -> bool:
    try:
        change(store)
    except (TargetError, LedgerConflictError):
        return False
    return True


def test_sentinels_that_know_no_such_primary_are_named() -> None:
    with pytest.raises(TargetError, match=re.escape("redis+sentinel://127.0.0.1:1/flags")):
        RedisStore("redis+sentinel://u:hunter2@127.0.0.1:1/flags").read()


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_set_in_a_cluster_is_followed_when_its_slot_moves(version: str) -> None:
    with redis_cluster(version) as nodes:
        slot = key_slot(KEYS.set.encode())
        share = -(-16384 // len(nodes))
        owner, other = nodes[slot // share], nodes[(slot // share + 1) % len(nodes)]
        # A node that does not have the slot is asked, and one that is not there before it.
        place = f"redis+cluster://127.0.0.1:1,127.0.0.1:{other.port}?set=shop"
        store = RedisStore(place)
        change(store)
        with owner.admin() as admin:
            assert admin.exists(KEYS.set)
        with following(place) as heard:
            heard.wait_version(1)
            change(store)
            heard.wait_version(2)
            move_slot(nodes, slot, owner, other)
            change(store)
            heard.wait_version(3)
            heard.wait_confirmed()
            assert heard.snapshot == store.read()
            assert len(store.acknowledgements()) == 1
        with other.admin() as admin:
            assert admin.exists(KEYS.set)
        with pytest.raises(TargetError, match="name the Cluster"):
            RedisStore(owner.place()).read()


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_documented_rights_are_enough_in_a_cluster(version: str) -> None:
    with redis_cluster(version) as nodes:
        for node in nodes:
            with node.admin() as admin:
                rights = (*_documented("application", version).split(), "+cluster|slots")
                admin.execute_command("ACL", "SETUSER", "app", "on", ">word", *rights)
        place = f"redis+cluster://127.0.0.1:{nodes[0].port}?set=shop"
        store = RedisStore(place)
        change(store)
        with following(place.replace("://", "://app:word@")) as heard:
            heard.wait_version(1)
            change(store)
            heard.wait_version(2)
            heard.wait_confirmed()
        assert not heard.losses


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("redis://h", Kind.SERVER, "redis://h:6379?set=default"),
        ("redis://h:1/2?set=a", Kind.SERVER, "redis://h:1?set=a&db=2"),
        ("rediss://[::1]:1", Kind.SERVER, "rediss://[::1]:1?set=default"),
        ("unix:///run/r.sock?db=3", Kind.SOCKET, "unix:///run/r.sock?set=default&db=3"),
        ("redis+sentinel://a,b:2/m?db=1", Kind.SENTINEL, "redis+sentinel://a:26379,b:2/m?set=default&db=1"),
        ("rediss+cluster://a,b:2", Kind.CLUSTER, "rediss+cluster://a:6379,b:2?set=default"),
    ],
)
def test_places_are_read_and_shown(text: str, kind: Kind, shown: str) -> None:
    place = read_redis_place(text, {})
    assert (place.kind, str(place)) == (kind, shown)
    assert read_redis_place(shown, {}) == place


def test_what_a_place_says_of_tls_and_history_is_kept() -> None:
    place = read_redis_place("rediss://u%40:p%3A@h?ca=/c&cert=/d&key=/e&history=5", {})
    assert place.tls == Tls("/c", "/d", "/e")
    assert place.history == 5
    assert place.credentials == Credentials("u@", "p:")


@pytest.mark.parametrize(
    "text",
    [
        "http://h",
        "redis:",
        "redis://:hunter2@",
        "redis://h:0",
        "redis://h:99999",
        "redis://h:port",
        "redis://a,b",
        "redis://h/x",
        "redis://h/1?db=1",
        "redis://h?db=-1",
        "redis://h?set=a b",
        "redis://h?set={a}",
        "redis://h?set=",
        "redis://h?set=a&set=b",
        "redis://h?history=0",
        "redis://h?timeout=1",
        "redis://h?ca=/c",
        "rediss://h?cert=/c",
        "redis+cluster://h?db=1",
        "redis+cluster://h/1",
        "redis+sentinel://h",
        "unix://host/path",
        "unix:",
        "redis://[h",
        "redis://u:hunter2/x@h",
        "redis://u:hunter2?x@h",
        "redis://u:hunter2#x@h",
        "redis://u:hunter2@h:port?set=s",
        "redis://u:hunter2@h?hunter2=1",
    ],
)
def test_a_place_that_cannot_be_is_refused_without_secrets(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_redis_place(text, {})
    assert "hunter2" not in str(caught.value).replace("found:    hunter2", "")


def test_nothing_was_stored_where_nobody_wrote() -> None:
    with redis_server(OLD) as server:
        assert RedisStore(server.place()).read() == Snapshot()
        assert RedisStore(server.place()).write(Snapshot(), {"flags/a": flag()}, NOTE).version == 1
