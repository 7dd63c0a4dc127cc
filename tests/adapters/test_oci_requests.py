"""What registries do that Debian's does not: tokens by right, other hosts, refusals in the middle of a body."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from switchover.adapters.image_registry import ImageRegistry
from switchover.adapters.oci_registry import OciRegistry
from switchover.decide.outcome import Done
from switchover.errors import InputError, MissingProgramError, TargetError
from tests.cluster.certificates import Pair, authority
from tests.image_layouts import image_component, write_image
from tests.real_parts.crane_registry import crane_registry
from tests.real_parts.docker_registry import docker_registry
from tests.real_parts.token_server import token_server

RELEASER = {"SWITCHOVER_REGISTRY_USER": "releaser", "SWITCHOVER_REGISTRY_PASSWORD": "word"}
READER = {"SWITCHOVER_REGISTRY_USER": "reader", "SWITCHOVER_REGISTRY_PASSWORD": "word"}
RIGHTS = {
    "releaser:word": frozenset({"pull", "push", "delete"}),
    "reader:word": frozenset({"pull"}),
}


def images(address: str, home: Path, **environ: str) -> ImageRegistry:
    return ImageRegistry({"shop": f"{address}/acme/shop"}, {"HOME": str(home), **environ}, seconds=20)


@dataclass(slots=True)
class Asked:
    method: str
    path: str
    authorization: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Says:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reads_body: bool = True


@dataclass(slots=True)
class Scripted:
    """A server that answers what the test says."""

    address: str = ""
    script: Callable[[Asked], Says] = lambda _asked: Says(404)
    seen: list[Asked] = field(default_factory=list)

    def find(self, method: str) -> list[Asked]:
        return [asked for asked in self.seen if asked.method == method]


@contextmanager
def serving(script: Callable[[Asked], Says] = lambda _asked: Says(404), tls: Pair | None = None) -> Iterator[Scripted]:
    held = Scripted(script=script)

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers.get("authorization", ""), headers)
            held.seen.append(asked)
            says = held.script(asked)
            if says.reads_body:
                self.rfile.read(int(headers.get("content-length", "0")))
            self.send_response(says.status)
            for name, value in says.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(says.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(says.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 the library's names

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.address = f"127.0.0.1:{server.server_port}"
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_token_for_pushing_is_asked_for_once_and_used_for_all_that_is_sent(tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    with token_server(RIGHTS) as tokens, docker_registry(tmp_path / "r", auth=tokens.auth(tmp_path)) as address:
        target = images(address, tmp_path, **RELEASER)
        assert isinstance(target.stage(shop, archive), Done)
        assert target.publish(shop, archive) == target.find(shop)
        # The registry names the two in either order.
        rights = [set(scope.removeprefix("repository:acme/shop:").split(",")) for scope in tokens.asked]
        assert rights == [{"pull"}, {"pull", "push"}]


def test_who_may_only_read_is_told_what_right_is_missing(tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    with token_server(RIGHTS) as tokens, docker_registry(tmp_path / "r", auth=tokens.auth(tmp_path)) as address:
        reader = images(address, tmp_path, **READER)
        assert reader.find(shop) is None
        with pytest.raises(InputError, match=r"may not push to 127\.0\.0\.1:\d+/acme/shop") as caught:
            reader.stage(shop, archive)
        assert "word" not in str(caught.value)
        releaser = images(address, tmp_path, **RELEASER)
        releaser.publish(shop, archive)
        releaser.move_pointer(shop, "latest", "1.4.2")
        with pytest.raises(InputError, match="may not delete from"):
            reader.move_pointer(shop, "latest", "")
        with pytest.raises(InputError, match="may not read"):
            images(address, tmp_path).find(shop)


def test_a_token_server_that_is_ill_is_no_mistake_of_the_user(tmp_path: Path) -> None:
    with token_server(RIGHTS) as tokens, docker_registry(tmp_path / "r", auth=tokens.auth(tmp_path)) as address:
        tokens.broken = True
        with pytest.raises(TargetError, match="from its token server"):
            images(address, tmp_path, **RELEASER).find(image_component())


def test_a_refusal_quotes_the_registry(tmp_path: Path) -> None:
    denied = Says(403, body=b'{"errors": [{"code": "DENIED", "message": "permission denied\\nfor writing"}]}')
    with serving(lambda asked: denied if asked.method == "POST" else Says(404)) as registry:
        with pytest.raises(InputError, match="may not push to") as caught:
            images(registry.address, tmp_path).stage(image_component(), write_image(tmp_path / "shop.tar"))
        assert "status 403: DENIED permission denied for writing" in str(caught.value)


def test_bytes_may_be_wanted_at_another_host_which_is_not_told_who_we_are(tmp_path: Path) -> None:
    basic = f"Basic {base64.b64encode(b'releaser:word').decode()}"

    def take(asked: Asked) -> Says:
        """A registry with a password, that sends uploads and blobs elsewhere."""
        if asked.authorization != basic:
            return Says(401, {"WWW-Authenticate": 'Basic realm="r"'})
        if asked.method == "POST":
            return Says(202, {"Location": f"http://{store.address}/upload?part=1"})
        if "/blobs/" in asked.path:
            return Says(307, {"Location": f"http://{store.address}/blob"})
        return Says(201 if asked.method == "PUT" else 404)

    def store_it(asked: Asked) -> Says:
        return Says(201 if asked.method == "PUT" else 404)

    with serving(store_it) as store, serving(take) as registry:
        archive = write_image(tmp_path / "shop.tar")
        assert isinstance(images(registry.address, tmp_path, **RELEASER).stage(image_component(), archive), Done)
        assert len(store.find("HEAD")) == len(store.find("PUT")) == 5
        assert not store.find("GET"), "a question is redirected as a question"
        assert all("part=1&digest=sha256%3A" in asked.path for asked in store.find("PUT"))
        assert not any(asked.authorization for asked in store.seen)
        assert all(asked.authorization for asked in registry.seen[-3:])


def test_another_host_has_no_business_asking_who_we_are(tmp_path: Path) -> None:
    with serving() as thief, serving() as elsewhere, serving() as registry:
        realm = f'Bearer realm="http://{thief.address}/token",service="s",scope="repository:acme/shop:pull"'
        elsewhere.script = lambda _asked: Says(401, {"WWW-Authenticate": realm})
        registry.script = lambda _asked: Says(307, {"Location": f"http://{elsewhere.address}/blob"})
        with pytest.raises(InputError, match="may not read"):
            images(registry.address, tmp_path, **RELEASER).find(image_component())
        assert elsewhere.seen
        assert not thief.seen


@pytest.mark.parametrize("location", ["", "ftp://127.0.0.1/upload", "http://[", "http://127.0.0.1:x/"])
def test_an_upload_goes_to_no_place_that_is_none(location: str, tmp_path: Path) -> None:
    with serving() as registry:
        registry.script = lambda asked: (
            Says(202, {"Location": location} if location else {}) if asked.method == "POST" else Says(404)
        )
        with pytest.raises(TargetError, match="no place to go on"):
            images(registry.address, tmp_path).stage(image_component(), write_image(tmp_path / "shop.tar"))
        assert not registry.find("PUT")


def test_a_certificate_that_nobody_vouches_for_is_no_place_to_send_to(tmp_path: Path) -> None:
    archive, vouching = write_image(tmp_path / "shop.tar"), authority(tmp_path)
    pair = vouching.server("store", ["127.0.0.1"])
    with serving(lambda _asked: Says(201), pair) as store, serving() as registry:
        registry.script = lambda asked: (
            Says(202, {"Location": f"https://{store.address}/upload"}) if asked.method == "POST" else Says(404)
        )
        with pytest.raises(TargetError, match="CERTIFICATE_VERIFY_FAILED"):
            images(registry.address, tmp_path).stage(image_component(), archive)
        assert not store.seen
        sending = """
import sys, urllib.request
from switchover.adapters.oci_transport import build_opener
with open(sys.argv[2], "rb") as body:
    sent = {"Content-Length": sys.argv[3]}
    request = urllib.request.Request(sys.argv[1], data=body, headers=sent, method="PUT")
    print(build_opener().open(request, timeout=20).status)
"""
        words = [sys.executable, "-c", sending, f"https://{store.address}/", str(archive), str(archive.stat().st_size)]
        trusting = {**os.environ, "SSL_CERT_FILE": str(vouching.pair.certificate)}
        done = subprocess.run(words, env=trusting, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "201\n", done.stderr
        assert len(store.seen) == 1


def test_what_is_written_follows_no_redirection(tmp_path: Path) -> None:
    with serving() as elsewhere, serving() as registry:
        registry.script = lambda asked: (
            Says(307, {"Location": f"http://{elsewhere.address}/"}) if asked.method == "POST" else Says(404)
        )
        with pytest.raises(TargetError, match="status 307"):
            images(registry.address, tmp_path).stage(image_component(), write_image(tmp_path / "shop.tar"))
        assert not elsewhere.seen


def test_a_registry_that_takes_something_else_than_was_sent_is_refused(tmp_path: Path) -> None:
    wrong = f"sha256:{'0' * 64}"
    with serving() as registry:
        registry.script = lambda asked: {
            "POST": Says(202, {"Location": "/v2/acme/shop/blobs/uploads/1"}),
            "PUT": Says(201, {"Docker-Content-Digest": wrong}),
        }.get(asked.method, Says(404))
        with pytest.raises(TargetError, match=wrong):
            images(registry.address, tmp_path).stage(image_component(), write_image(tmp_path / "shop.tar"))


def test_a_registry_that_stops_listening_in_the_middle_is_heard(tmp_path: Path) -> None:
    large = Says(413, body=b'{"errors": [{"code": "TOO_LARGE", "message": "at most 1 MB"}]}', reads_body=False)
    with serving() as registry:
        registry.script = lambda asked: {
            "POST": Says(202, {"Location": "/v2/acme/shop/blobs/uploads/1"}),
            "PUT": large if int(asked.headers.get("content-length", "0")) > 1 << 20 else Says(201),
        }.get(asked.method, Says(404))
        # Such bytes gzip makes no smaller.
        noise = hashlib.shake_128(b"noise").digest(8 << 20)
        archive = write_image(tmp_path / "shop.tar", platforms=["linux/amd64"], content=noise)
        with pytest.raises(TargetError, match="status 413: TOO_LARGE at most 1 MB"):
            images(registry.address, tmp_path).stage(image_component(), archive)


def test_a_list_of_tags_without_an_end_is_given_up(tmp_path: Path) -> None:
    page = Says(200, {"Link": '</v2/acme/shop/tags/list?last=x>; rel="next"'}, b'{"tags": ["x"]}')
    with serving(lambda _asked: page) as registry:
        with pytest.raises(TargetError, match="pages of tags"):
            images(registry.address, tmp_path).list_versions(image_component())
        assert len(registry.seen) < 100


def test_a_registry_that_says_no_digest_is_asked_for_the_bytes(tmp_path: Path) -> None:
    with serving(lambda _asked: Says(200, body=b"{}")) as registry:
        asked = OciRegistry(f"{registry.address}/acme/shop", {"HOME": str(tmp_path)})
        assert asked.read_digest("latest").startswith("sha256:44136fa355b3678a")
        with pytest.raises(TargetError, match="not what it says"):
            asked.read_manifest(f"sha256:{'0' * 64}")


def test_a_tag_is_removed_where_the_registry_does_that(tmp_path: Path) -> None:
    archive, shop = write_image(tmp_path / "shop.tar"), image_component()
    try:
        with crane_registry(tmp_path) as address:
            target = images(address, tmp_path)
            published = target.publish(shop, archive)
            target.move_pointer(shop, "latest", "1.4.2")
            assert target.read_pointers(shop) == {"latest": "1.4.2"}
            for _ in range(2):
                target.move_pointer(shop, "latest", "")
                assert target.read_pointers(shop) == {}
            assert target.find(shop) == published
    except MissingProgramError as error:
        pytest.skip(str(error))


def test_a_registry_that_removes_the_image_with_the_tag_is_told_of(tmp_path: Path) -> None:
    there = {"Docker-Content-Digest": f"sha256:{'1' * 64}"}
    with serving() as registry:
        registry.script = lambda asked: (
            Says(202) if asked.method == "DELETE" else Says(404) if registry.find("DELETE") else Says(200, there)
        )
        with pytest.raises(TargetError, match="neither of them"):
            images(registry.address, tmp_path).move_pointer(image_component(), "latest", "")
