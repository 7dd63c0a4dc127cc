"""Every version of the example has the fault that the demonstration needs, and no other."""

from __future__ import annotations

import json
import signal
import socket
import statistics
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.shop_history import advance_shop, build_shop, list_changes
from switchover.errors import InputError, TargetError
from tests.examples.shop_process import (
    RunningShop,
    bundle_service,
    cut_release,
    failed_smoke_tests,
    run_git,
    running,
    start_service,
)

SOUND = ("1.0.0", "1.1.0", "1.3.0", "1.3.1", "1.4.0")
OF_THE_PARTNER = (1, 3)


@dataclass(frozen=True, slots=True)
class Releases:
    repository: Path
    folders: dict[str, Path]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Every release of the shop, built."""
    folder = tmp_path_factory.mktemp("shop")
    repository = folder / "repository"
    build_shop(repository)
    built = {}
    for planned in ("1.0.0", *list_changes()):
        if planned != "1.0.0":
            advance_shop(repository, planned)
        version = cut_release(repository)
        bundle_service(repository, "shop", folder / version)
        built[version] = folder / version
    return Releases(repository, built)


def head(repository: Path) -> str:
    return run_git(repository, "rev-parse", "HEAD")


def statuses_of_carts(shop: RunningShop, carts: range) -> list[int]:
    return [shop.ask(f"/?cart={cart}").status for cart in carts]


def test_the_history_has_the_same_commit_ids_every_time(tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        build_shop(tmp_path / name)
        ids.append((head(tmp_path / name), *(advance_shop(tmp_path / name, to) for to in list_changes())))
        assert ids[-1][-1] == head(tmp_path / name)
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_the_changesets_lead_to_the_versions_that_the_folders_are_named_after(releases: Releases) -> None:
    assert tuple(releases.folders) == ("1.0.0", *list_changes())


def test_what_switchover_leaves_in_the_repository_is_ignored(tmp_path: Path) -> None:
    build_shop(tmp_path)
    (tmp_path / ".switchover").mkdir()
    (tmp_path / ".switchover" / "ledger.db").touch()
    assert run_git(tmp_path, "status", "--porcelain") == ""


def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(InputError):
        build_shop(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_unknown_version_is_refused_with_the_known_ones_named(tmp_path: Path) -> None:
    build_shop(tmp_path / "shop")
    with pytest.raises(InputError, match=r"1\.1\.0, 1\.2\.0"):
        advance_shop(tmp_path / "shop", "9.9.9")


def test_changes_that_do_not_fit_leave_the_repository_as_it_was(tmp_path: Path) -> None:
    build_shop(tmp_path / "shop")
    before = head(tmp_path / "shop")
    with pytest.raises(TargetError):
        advance_shop(tmp_path / "shop", "1.4.0")
    assert head(tmp_path / "shop") == before
    advance_shop(tmp_path / "shop", "1.1.0")


@pytest.mark.parametrize("version", SOUND)
def test_a_sound_release_answers_every_cart_and_passes_its_smoke_tests(releases: Releases, version: str) -> None:
    with running(releases.folders[version]) as shop:
        assert set(statuses_of_carts(shop, range(20))) == {200}
        assert failed_smoke_tests(shop, releases.repository) == set()
        assert json.loads(shop.ask("/version").body) == {"name": "shop", "version": version}
        assert shop.ask("/").headers["x-app-version"] == version


def test_the_scripts_of_both_packages_are_served(releases: Releases) -> None:
    with running(releases.folders["1.1.0"]) as shop:
        assert 'from "@acme/money"' in shop.ask("/assets/ui/index.js").body
        assert "export function format" in shop.ask("/assets/money/index.js").body
        assert shop.ask("/assets/../settings.json").status == 404


def test_release_1_2_0_fails_exactly_one_cart_in_five_and_passes_its_smoke_tests(releases: Releases) -> None:
    with running(releases.folders["1.2.0"]) as shop:
        statuses = statuses_of_carts(shop, range(100, 150))
        assert (statuses.count(500), statuses.count(200)) == (10, 40)
        assert failed_smoke_tests(shop, releases.repository) == set()
        assert shop.ask("/healthz").status == 200


def test_release_1_2_1_ends_at_its_start_and_names_the_missing_setting(releases: Releases) -> None:
    process = start_service(releases.folders["1.2.1"], "shop")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CRITICAL settings.json has no key 'discount_ends'" in output
    assert len(output.splitlines()) == 1


def test_release_1_2_2_is_healthy_and_fails_the_smoke_tests_of_its_checkout(releases: Releases) -> None:
    with running(releases.folders["1.2.2"]) as shop:
        assert shop.ask("/healthz").status == 200
        assert set(statuses_of_carts(shop, range(10))) == {200}
        assert failed_smoke_tests(shop, releases.repository) == {"checkout page", "order"}


def test_release_1_2_3_is_over_the_budget_for_two_carts_in_five(releases: Releases) -> None:
    def time_cart(cart: int) -> float:
        begin = time.monotonic()
        assert shop.ask(f"/?cart={cart}").status == 200
        return time.monotonic() - begin

    settings = tomllib.loads((releases.repository / "switchover.toml").read_text())["services"]["shop"]
    with running(releases.folders["1.2.3"]) as shop, ThreadPoolExecutor(8) as threads:
        seconds = dict(enumerate(threads.map(time_cart, range(20))))
        assert failed_smoke_tests(shop, releases.repository) == set()
    slow = [taken for cart, taken in seconds.items() if cart % 5 in OF_THE_PARTNER]
    others = [taken for cart, taken in seconds.items() if cart % 5 not in OF_THE_PARTNER]
    assert min(slow) > settings["latency_budget_ms"] / 1000
    assert statistics.median(others) < min(slow)


def test_sigterm_lets_requests_in_flight_finish_and_says_that_the_connection_ends(releases: Releases) -> None:
    with running(releases.folders["1.2.3"]) as shop:
        connections = [socket.create_connection(("127.0.0.1", shop.port), timeout=30) for _ in range(20)]
        for connection in connections:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n")
            assert b"connection: keep-alive" in connection.recv(65536)
        for connection in connections:
            connection.sendall(b"GET /?cart=1 HTTP/1.1\r\nhost: shop\r\n\r\n")
        shop.process.send_signal(signal.SIGTERM)
        for connection in connections:
            with connection, connection.makefile("rb") as answer:
                whole = answer.read()
            assert whole.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in whole
            assert b"Your cart" in whole
        assert shop.process.wait(timeout=30) == 0


def test_the_catalogue_and_the_payments_run_too(releases: Releases, tmp_path: Path) -> None:
    for service in ("catalog", "payments"):
        bundle_service(releases.repository, service, tmp_path / service)
    with running(tmp_path / "catalog", "catalog") as catalog:
        assert len(json.loads(catalog.ask("/api/products").body)) == 5
    with running(tmp_path / "payments", "payments") as payments:
        paid = [payments.ask("/charge", "POST", f'{{"order": "a", "cents": {cents}}}') for cents in (5, 5, 6)]
        assert [answer.status for answer in paid] == [200, 200, 409]
