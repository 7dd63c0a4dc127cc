"""Pushing to Debian's registry, and what it and others see there afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import httpx
import pytest

from switchover.adapters.image_registry import ImageRegistry
from switchover.adapters.oci_layout import read_layout
from switchover.decide.outcome import Done, Skipped
from switchover.errors import InputError, MissingProgramError, TargetError
from switchover.operations.shared_places import Published
from tests.image_layouts import COMMIT, image_component, write_image
from tests.real_parts.crane_registry import crane_program
from tests.real_parts.docker_registry import PASSWORD, USER, docker_registry
from tests.real_parts.faulty_proxy import Fault, FaultyProxy, faulty_proxy

ACCEPT = {
    "Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
}
_NUMBERS = count()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def path() -> str:
    """A repository that nothing is in yet."""
    return f"acme/shop-{next(_NUMBERS)}"


@pytest.fixture
def proxy(served: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(served) as proxy:
        yield proxy


def images(
    address: str, path: str, home: Path, environ: Mapping[str, str] | None = None, *, seconds: float = 20
) -> ImageRegistry:
    return ImageRegistry({"shop": f"{address}/{path}"}, {"HOME": str(home), **(environ or {})}, seconds=seconds)


def read_state(address: str, path: str) -> dict[str, str]:
    """The digest of every tag, each of which has all that it names."""
    state = {}
    with httpx.Client(base_url=f"http://{address}/v2/{path}") as client:
        tags = client.get("/tags/list").json().get("tags") or []
        for tag in tags:
            index = client.get(f"/manifests/{tag}", headers=ACCEPT)
            state[tag] = index.headers["Docker-Content-Digest"]
            for child in index.json()["manifests"]:
                manifest = client.get(f"/manifests/{child['digest']}", headers=ACCEPT).raise_for_status().json()
                for part in (manifest["config"], *manifest["layers"]):
                    held = client.head(f"/blobs/{part['digest']}").raise_for_status()
                    assert int(held.headers["Content-Length"]) == part["size"]
    return state


def test_a_version_is_the_index_of_all_its_platforms(served: str, path: str, tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    target, layout = images(served, path, tmp_path), read_layout(archive)
    assert target.find(shop) is None
    expected = Published(f"{served}/{path}@{layout.index.digest}", layout.index.digest, COMMIT)
    assert target.identify(shop, archive) == expected

    assert target.stage(shop, archive) == Done("stage", f"5 blobs, {_bytes_of(archive)} bytes sent")
    assert target.find(shop) is None, "what is staged has no name"
    assert read_state(served, path) == {}

    assert target.publish(shop, archive) == expected
    assert images(served, path, tmp_path).find(shop) == expected
    assert read_state(served, path) == {"1.4.2": layout.index.digest}
    assert len(layout.manifests) == 2


def test_what_is_there_is_not_sent_again(proxy: FaultyProxy, path: str, tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    images(proxy.address, path, tmp_path).stage(shop, archive)
    first = images(proxy.address, path, tmp_path).publish(shop, archive)
    proxy.reset(lambda _number, _line: Fault.NONE)
    again = images(proxy.address, path, tmp_path)
    assert again.stage(shop, archive) == Skipped("stage", "already there")
    assert again.publish(shop, archive) == first
    assert {line.partition(" ")[0] for line in proxy.seen} == {"HEAD", "GET"}


def test_of_the_next_version_only_what_is_new_is_sent(served: str, path: str, tmp_path: Path) -> None:
    target = images(served, path, tmp_path)
    target.publish(image_component("1.0.0"), write_image(tmp_path / "a.tar", version="1.0.0"))
    newer = write_image(tmp_path / "b.tar", version="1.1.0", content=b"changed")
    staged = target.stage(image_component("1.1.0"), newer)
    assert isinstance(staged, Done)
    assert staged.detail.startswith("4 blobs, "), "two layers and two configurations; the shared layer is there"


def test_other_bytes_for_a_version_are_refused_with_both_digests(served: str, path: str, tmp_path: Path) -> None:
    target, shop = images(served, path, tmp_path), image_component()
    first = target.publish(shop, write_image(tmp_path / "a.tar"))
    other = write_image(tmp_path / "b.tar", content=b"other")
    with pytest.raises(InputError) as caught:
        target.publish(shop, other)
    assert first.digest in str(caught.value)
    assert read_layout(other).index.digest in str(caught.value)
    assert read_state(served, path) == {"1.4.2": first.digest}


@pytest.mark.parametrize(
    ("fault", "methods"),
    [
        (Fault.BEFORE, ("HEAD", "GET", "POST", "PUT")),
        (Fault.WITHIN, ("PUT",)),
        (Fault.AFTER, ("POST", "PUT")),
        (Fault.ERROR, ("POST", "PUT")),
    ],
)
def test_a_release_that_is_broken_off_at_any_request_ends_the_same_when_repeated(
    proxy: FaultyProxy, path: str, tmp_path: Path, fault: Fault, methods: tuple[str, ...]
) -> None:
    archive, shop = write_image(tmp_path / "shop.tar", platforms=["linux/amd64"]), image_component()
    digest = read_layout(archive).index.digest

    def release(path: str) -> None:
        target = images(proxy.address, path, tmp_path)
        target.stage(shop, archive)
        target.publish(shop, archive)
        target.move_pointer(shop, "latest", "1.4.2")

    def break_off(broken: int) -> Callable[[int, str], Fault]:
        numbers = count()
        return lambda _number, line: fault if line.split(" ")[0] in methods and next(numbers) == broken else Fault.NONE

    release(f"{path}/undisturbed")
    requests = sum(line.split(" ")[0] in methods for line in proxy.seen)
    for broken in range(requests):
        proxy.reset(break_off(broken))
        with pytest.raises(TargetError):
            release(f"{path}/{broken}")
        assert set(read_state(proxy.upstream, f"{path}/{broken}").values()) <= {digest}
        proxy.reset(lambda _number, _line: Fault.NONE)
        release(f"{path}/{broken}")
        assert read_state(proxy.upstream, f"{path}/{broken}") == {"1.4.2": digest, "latest": digest}
    assert requests >= 7


def test_an_error_says_what_was_being_sent(proxy: FaultyProxy, path: str, tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar", platforms=["linux/amd64"]), image_component()
    layout, target = read_layout(archive), images(proxy.address, path, tmp_path)
    proxy.reset(lambda _number, line: Fault.ERROR if line.startswith("PUT") else Fault.NONE)
    with pytest.raises(TargetError, match=r"did not take sha256:\w+ \(\d+ bytes of .*\n.*\n.*status 500") as caught:
        target.stage(shop, archive)
    assert any(each.digest in str(caught.value) for each in layout.blobs)
    proxy.reset(lambda _number, line: Fault.ERROR if "PUT" in line and "/manifests/1.4.2" in line else Fault.NONE)
    with pytest.raises(TargetError, match=r"did not take \S+index\S+ 1\.4\.2 ") as caught:
        target.publish(shop, archive)
    assert layout.index.digest in str(caught.value)


def test_a_registry_that_hangs_is_given_up(proxy: FaultyProxy, path: str, tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    for method in ("HEAD", "POST", "PUT"):
        proxy.reset(lambda _number, line, method=method: Fault.HANG if line.startswith(method) else Fault.NONE)  # type: ignore[misc]
        with pytest.raises(TargetError, match=r"within 0\.5 s"):
            images(proxy.address, path, tmp_path, seconds=0.5).stage(shop, archive)


def test_nothing_is_tagged_when_a_platform_could_not_be_sent(proxy: FaultyProxy, path: str, tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    child = read_layout(archive).manifests[1].digest
    proxy.reset(lambda _number, line: Fault.ERROR if line.startswith("PUT") and child in line else Fault.NONE)
    with pytest.raises(TargetError, match=child):
        images(proxy.address, path, tmp_path).publish(shop, archive)
    assert not any("PUT" in line and "/manifests/1.4.2" in line for line in proxy.seen)
    assert read_state(proxy.upstream, path) == {}


def test_a_platform_that_was_deleted_meanwhile_is_sent_again_before_the_tag(
    served: str, path: str, tmp_path: Path
) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    target = images(served, path, tmp_path)
    target.stage(shop, archive)
    child = read_layout(archive).manifests[0].digest
    httpx.delete(f"http://{served}/v2/{path}/manifests/{child}").raise_for_status()
    target.publish(shop, archive)
    assert set(read_state(served, path)) == {"1.4.2"}


def test_moving_tags_are_the_versions_that_they_stand_for(served: str, path: str, tmp_path: Path) -> None:
    target, shop = images(served, path, tmp_path), image_component()
    for version in ("1.4.1", "1.4.2", "2.0.0-beta.1+build.7"):
        archive = write_image(tmp_path / "shop.tar", version=version, content=version.encode())
        target.publish(image_component(version), archive)
    for pointer, version in {"latest": "1.4.1", "1.4": "1.4.2", "beta": "2.0.0-beta.1+build.7"}.items():
        target.move_pointer(shop, pointer, version)
    with httpx.Client(base_url=f"http://{served}/v2/{path}/manifests") as client:
        index = client.get("/1.4.2", headers=ACCEPT)
        foreign = index.content + b"\n"
        kind = {"Content-Type": index.headers["Content-Type"]}
        client.put("/main", content=foreign, headers=kind).raise_for_status()
        client.put(f"/sha256-{'0' * 64}.sig", content=foreign, headers=kind).raise_for_status()
    assert target.read_pointers(shop) == {"latest": "1.4.1", "1.4": "1.4.2", "beta": "2.0.0-beta.1+build.7", "main": ""}
    assert set(target.list_versions(shop)) == {"1.4.1", "1.4.2", "2.0.0-beta.1+build.7"}
    target.move_pointer(shop, "latest", "1.4.2")
    assert target.read_pointers(shop)["latest"] == "1.4.2"
    assert set(target.list_versions(shop)) == {"1.4.1", "1.4.2", "2.0.0-beta.1+build.7"}


def test_images_without_annotations_are_known_by_digest_and_label(served: str, path: str, tmp_path: Path) -> None:
    target, shop = images(served, path, tmp_path), image_component()
    label = {"org.opencontainers.image.revision": "feed123"}
    for version in ("1.4.1", "1.4.2"):
        archive = write_image(tmp_path / "shop.tar", content=version.encode(), labels=label, annotated=False)
        published = target.publish(image_component(version), archive)
        assert published.source_commit == "feed123"
        assert target.find(image_component(version)) == published
    target.move_pointer(shop, "latest", "1.4.1")
    assert target.read_pointers(shop) == {"latest": "1.4.1"}


def test_a_moving_tag_that_is_where_it_belongs_is_not_written(proxy: FaultyProxy, path: str, tmp_path: Path) -> None:
    target, shop = images(proxy.address, path, tmp_path), image_component()
    target.publish(shop, write_image(tmp_path / "shop.tar"))
    target.move_pointer(shop, "latest", "1.4.2")
    proxy.reset(lambda _number, _line: Fault.NONE)
    target.move_pointer(shop, "latest", "1.4.2")
    target.move_pointer(shop, "beta", "")
    assert {line.partition(" ")[0] for line in proxy.seen} == {"HEAD", "GET"}


def test_what_cannot_be_a_moving_tag_is_refused(served: str, path: str, tmp_path: Path) -> None:
    target, shop = images(served, path, tmp_path), image_component()
    published = target.publish(shop, write_image(tmp_path / "shop.tar"))
    with pytest.raises(InputError, match=r"no tag 9\.9\.9"):
        target.move_pointer(shop, "latest", "9.9.9")
    for pointer in ("1.4.2", "v1.4.3"):
        with pytest.raises(InputError, match="does not move"):
            target.move_pointer(shop, pointer, "1.4.2")
    for pointer in ("../blobs", "-x", "x" * 129, ""):
        with pytest.raises(InputError, match="cannot be a tag"):
            target.move_pointer(shop, pointer, "1.4.2")
    assert read_state(served, path) == {"1.4.2": published.digest}


def test_this_registry_removes_no_tag_and_that_is_told(served: str, path: str, tmp_path: Path) -> None:
    target, shop = images(served, path, tmp_path), image_component()
    target.publish(shop, write_image(tmp_path / "shop.tar"))
    target.move_pointer(shop, "latest", "1.4.2")
    with pytest.raises(TargetError, match="does not remove the tag latest") as caught:
        target.move_pointer(shop, "latest", "")
    assert "not only an image by digest" in str(caught.value)
    assert target.read_pointers(shop) == {"latest": "1.4.2"}


def test_a_registry_that_deletes_nothing_says_so(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", deletes=False, relative=True) as address:
        target, shop = images(address, "acme/shop", tmp_path), image_component()
        target.publish(shop, write_image(tmp_path / "shop.tar"))
        target.move_pointer(shop, "latest", "1.4.2")
        with pytest.raises(TargetError, match="status 4"):
            target.move_pointer(shop, "latest", "")


def test_a_withdrawn_version_can_still_be_pulled_and_that_is_said(served: str, path: str, tmp_path: Path) -> None:
    target, shop = images(served, path, tmp_path), image_component()
    missing = target.withdraw(shop, "it loses orders")
    assert missing == Skipped("withdraw", f"{served}/{path}:1.4.2 is not there")
    published = target.publish(shop, write_image(tmp_path / "shop.tar"))
    said = target.withdraw(shop, "it loses orders")
    assert isinstance(said, Skipped)
    assert f"{published.reference} can be pulled as before" in said.reason
    assert target.find(shop) == published


def test_credentials_are_needed_where_the_registry_wants_them(tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    with docker_registry(tmp_path / "registry", passwords=True) as address:
        with pytest.raises(InputError, match=r"may not read \S+/acme/shop") as caught:
            images(address, "acme/shop", tmp_path).stage(shop, archive)
        assert "without any" in str(caught.value)
        wrong = {"SWITCHOVER_REGISTRY_USER": USER, "SWITCHOVER_REGISTRY_PASSWORD": "guessed word"}
        with pytest.raises(InputError, match="docker login") as caught:
            images(address, "acme/shop", tmp_path, wrong).publish(shop, archive)
        assert "guessed" not in str(caught.value)
        given = {"SWITCHOVER_REGISTRY_USER": USER, "SWITCHOVER_REGISTRY_PASSWORD": PASSWORD}
        target = images(address, "acme/shop", tmp_path, given)
        assert isinstance(target.stage(shop, archive), Done)
        assert target.publish(shop, archive) == target.find(shop)


def test_a_large_layer_is_never_held_in_memory(served: str, path: str, tmp_path: Path) -> None:
    size_bytes = 20 << 20
    # Such bytes gzip makes no smaller.
    noise = hashlib.shake_128(b"noise").digest(size_bytes)
    archive = write_image(tmp_path / "shop.tar", platforms=["linux/amd64"], content=noise)
    assert archive.stat().st_size > size_bytes
    target = images(served, path, tmp_path)
    tracemalloc.start()
    try:
        staged = target.stage(image_component(), archive)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(staged, Done)
    assert peak_bytes < 4 << 20


def test_another_file_and_a_service_without_a_repository_are_refused(served: str, tmp_path: Path) -> None:
    (tmp_path / "shop.tar").write_bytes(b"no tar")
    with pytest.raises(TargetError, match="no image"):
        images(served, "acme/none", tmp_path).stage(image_component(), tmp_path / "shop.tar")
    with pytest.raises(InputError, match=r"release\.images"):
        images(served, "acme/none", tmp_path).find(image_component(name="cart"))


def test_another_program_pulls_and_validates_what_was_pushed(served: str, path: str, tmp_path: Path) -> None:
    try:
        crane = crane_program()
    except MissingProgramError as error:
        pytest.skip(str(error))
    archive = write_image(tmp_path / "shop.tar")
    published = images(served, path, tmp_path).publish(image_component(), archive)

    def run(*words: str) -> str:
        environment = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
        done = subprocess.run(
            [str(crane), *words], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("digest", f"{served}/{path}:1.4.2").strip() == published.digest
    assert json.loads(run("manifest", f"{served}/{path}:1.4.2")) == json.loads(read_layout(archive).index.content)
    for platform in read_layout(archive).platforms:
        run("validate", "--remote", f"{served}/{path}:1.4.2", "--platform", platform)


def _bytes_of(archive: Path) -> int:
    layout = read_layout(archive)
    documents = sum(len(each.content) for each in (*layout.manifests, layout.index))
    return documents + sum(each.size_bytes for each in layout.blobs)
