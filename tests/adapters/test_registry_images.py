"""The registry adapter against a small registry of the test's own, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from switchover.adapters.docker_credentials import RegistryCredentials, find_credentials
from switchover.adapters.registry_images import RegistryImages
from switchover.decide.image_references import (
    Repository,
    choose_manifest,
    find_revision,
    find_version,
    parse_challenge,
    parse_repository,
    pointers_of,
    tags_of,
    uses_plain_http,
    version_of,
    versions_of,
)
from switchover.errors import InputError, MissingProgramError, TargetError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LABEL = "org.opencontainers.image.revision"


@dataclass(slots=True)
class Registry:
    """Tags, manifests and blobs of `acme/shop`. With a `word` it wants a token, and gives it for `me` and the word."""

    tags: dict[str, str] = field(default_factory=dict)
    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    word: str = ""
    page: int = 100
    address: str = ""
    seen: list[str] = field(default_factory=list)
    said_digest: str = ""
    elsewhere: str = ""

    def put(self, document: object, kind: str = MANIFEST) -> str:
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.stored[digest] = kind, body
        return digest

    def put_image(self, *tags: str, revision: str = "") -> str:
        labels = {LABEL: revision} if revision else None
        config = self.put({"config": {"Labels": labels}, "tags": tags})
        digest = self.put({"mediaType": MANIFEST, "config": {"digest": config}})
        self.tags |= dict.fromkeys(tags, digest)
        return digest

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        self.seen.append(f"{path} {authorization.partition(' ')[0]}".strip())
        basic = "Basic " + base64.b64encode(f"me:{self.word}".encode()).decode()
        if path.startswith("/token"):
            assert "scope=repository%3Aacme%2Fshop%3Apull" in path
            return (200, {}, b'{"token": "open"}') if authorization == basic else (401, {}, b"{}")
        if self.word and authorization != "Bearer open" and not path.startswith("/elsewhere"):
            realm = f'Bearer realm="http://{self.address}/token",service="r",scope="repository:acme/shop:pull"'
            return 401, {"WWW-Authenticate": realm}, b"{}"
        if path.startswith("/v2/acme/shop/tags/list"):
            return self._list(path)
        kind, _, reference = path.removeprefix("/v2/acme/shop/").partition("/")
        if kind == "blobs" and self.elsewhere:
            return 307, {"Location": f"http://{self.elsewhere}/elsewhere/{reference}"}, b""
        found = self.stored.get(self.tags.get(reference, path.rpartition("/")[2]))
        if found is None:
            return 404, {}, b'{"errors": []}'
        return (
            200,
            {"Content-Type": found[0], **({"Docker-Content-Digest": self.said_digest} if self.said_digest else {})},
            found[1],
        )

    def _list(self, path: str) -> tuple[int, dict[str, str], bytes]:
        names = sorted(self.tags)
        begin = names.index(path.partition("last=")[2]) + 1 if "last=" in path else 0
        shown = names[begin : begin + self.page]
        more = begin + self.page < len(names)
        link = {"Link": f'</v2/acme/shop/tags/list?n=2&last={shown[-1]}>; rel="next"'} if more else {}
        return 200, link, json.dumps({"tags": shown}).encode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    held = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = held.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield held
    server.shutdown()
    server.server_close()
    thread.join(10)


def images(registry: Registry, tmp_path: Path, **environ: str) -> RegistryImages:
    return RegistryImages({"shop": f"{registry.address}/acme/shop"}, {"HOME": str(tmp_path), **environ})


def test_a_version_is_the_digest_that_its_tag_names_now(registry: Registry, tmp_path: Path) -> None:
    digest = registry.put_image("1.4.2", revision="0123abc")
    release = images(registry, tmp_path).find("shop", "1.4.2")
    assert release is not None
    assert (release.version, release.source_commit, release.artifact.digest) == ("1.4.2", "0123abc", digest)
    assert release.artifact.size_bytes == len(registry.stored[digest][1])
    images(registry, tmp_path).check(release)


def test_a_tag_may_begin_with_v_and_a_version_that_is_not_there_is_none(registry: Registry, tmp_path: Path) -> None:
    registry.put_image("v1.4.3")
    found = images(registry, tmp_path).find("shop", "1.4.3")
    assert found is not None
    assert (found.version, found.source_commit) == ("1.4.3", "")
    assert images(registry, tmp_path).find("shop", "9.9.9") is None


def test_an_index_is_run_by_its_own_digest_and_labelled_by_one_of_its_images(
    registry: Registry, tmp_path: Path
) -> None:
    image = registry.put_image(revision="feed")
    index = {"mediaType": INDEX, "manifests": [{"mediaType": MANIFEST, "digest": image}]}
    digest = registry.put(index, INDEX)
    registry.tags["2.0.0"] = digest
    found = images(registry, tmp_path).find("shop", "2.0.0")
    assert found is not None
    assert (found.artifact.digest, found.source_commit) == (digest, "feed")


def test_only_versions_are_releases_newest_first_over_all_pages(registry: Registry, tmp_path: Path) -> None:
    registry.page = 2
    registry.put_image("latest", "1.2.0", "1.10.0", "v1.9.0", "main-0123")
    assert [each.version for each in images(registry, tmp_path).list_releases("shop")] == ["1.10.0", "1.9.0", "1.2.0"]


def test_a_digest_that_is_gone_is_told(registry: Registry, tmp_path: Path) -> None:
    registry.put_image("1.0.0")
    release = images(registry, tmp_path).find("shop", "1.0.0")
    assert release is not None
    gone = replace(release, artifact=replace(release.artifact, digest="sha256:" + "0" * 64))
    with pytest.raises(TargetError, match=f"@sha256:{'0' * 64}"):
        images(registry, tmp_path).check(gone)


def test_bytes_that_are_not_those_of_the_digest_are_refused(registry: Registry, tmp_path: Path) -> None:
    registry.put_image("1.0.0")
    registry.said_digest = "sha256:" + "1" * 64
    with pytest.raises(TargetError, match="not what it says"):
        images(registry, tmp_path).find("shop", "1.0.0")


def test_a_token_is_fetched_with_the_credentials_of_docker_login(registry: Registry, tmp_path: Path) -> None:
    registry.word = "secret"
    registry.put_image("1.0.0", revision="a1")
    (tmp_path / ".docker").mkdir()
    auth = base64.b64encode(b"me:secret").decode()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": auth}}}))
    assert images(registry, tmp_path).find("shop", "1.0.0") is not None
    assert sum("/token" in each for each in registry.seen) == 1, "a token is used again"


def test_wrong_credentials_are_told_without_showing_them(registry: Registry, tmp_path: Path) -> None:
    registry.word = "secret"
    given = {"SWITCHOVER_REGISTRY_USER": "me", "SWITCHOVER_REGISTRY_PASSWORD": "guessed"}
    with pytest.raises(InputError, match="docker login") as caught:
        images(registry, tmp_path, **given).find("shop", "1.0.0")
    assert "guessed" not in str(caught.value)
    with pytest.raises(InputError, match="without any"):
        images(registry, tmp_path).find("shop", "1.0.0")


def test_a_token_does_not_follow_a_blob_to_another_host(registry: Registry, tmp_path: Path) -> None:
    registry.word = "secret"
    registry.put_image("1.0.0", revision="a1")
    registry.elsewhere = registry.address.replace("127.0.0.1", "localhost")
    given = {"SWITCHOVER_REGISTRY_USER": "me", "SWITCHOVER_REGISTRY_PASSWORD": "secret"}
    found = images(registry, tmp_path, **given).find("shop", "1.0.0")
    assert found is not None
    assert found.source_commit == "a1"
    (followed,) = [each for each in registry.seen if each.startswith("/elsewhere")]
    assert not followed.endswith("Bearer")


def test_a_registry_that_is_not_there_or_says_too_much_is_silent(registry: Registry, tmp_path: Path) -> None:
    registry.stored["sha256:big"] = MANIFEST, b" " * (4 * 1024 * 1024 + 1)
    registry.tags["1.0.0"] = "sha256:big"
    with pytest.raises(TargetError, match="more than"):
        images(registry, tmp_path).find("shop", "1.0.0")
    with pytest.raises(TargetError, match="did not say"):
        RegistryImages({"shop": "127.0.0.1:1/shop"}, {"HOME": str(tmp_path)}).find("shop", "1.0.0")
    with pytest.raises(InputError, match="cart"):
        images(registry, tmp_path).find("cart", "1.0.0")


def test_a_helper_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"credHelpers": {"registry.example.com": "ecr-login"}}')
    environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path)}
    with pytest.raises(MissingProgramError, match="docker-credential-ecr-login"):
        find_credentials("registry.example.com", environ)
    helper = tmp_path / "docker-credential-ecr-login"
    helper.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"AWS\\", \\"Secret\\": \\"for $host\\"}"\n')
    helper.chmod(0o755)
    environ["PATH"] += ":/bin:/usr/bin"
    assert find_credentials("registry.example.com", environ) == RegistryCredentials("AWS", "for registry.example.com")
    assert find_credentials("other.example.com", environ) == RegistryCredentials()


def test_a_broken_configuration_of_docker_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json"):
        find_credentials("registry.example.com", {"DOCKER_CONFIG": str(tmp_path)})
    (tmp_path / "config.json").write_text('{"auths": {"registry.example.com": {"auth": "no base64!"}}}')
    with pytest.raises(InputError, match="docker login"):
        find_credentials("registry.example.com", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.com/acme/shop", Repository("registry.example.com", "registry.example.com", "acme/shop")),
        ("localhost:5000/shop", Repository("localhost:5000", "localhost:5000", "shop")),
        ("acme/shop", Repository("docker.io", "registry-1.docker.io", "acme/shop")),
        ("docker.io/acme/shop", Repository("docker.io", "registry-1.docker.io", "acme/shop")),
        ("shop", Repository("docker.io", "registry-1.docker.io", "library/shop")),
    ],
)
def test_a_repository_is_split_into_registry_and_path(text: str, expected: Repository) -> None:
    assert parse_repository(text) == expected


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("10.0.0.1:5000", False),
        ("127.0.0.1.example.com", False),
        ("registry.local:5000", True),
        ("other.local", True),
        ("registry.local:6000", False),
    ],
)
def test_plain_http_is_for_this_machine_and_for_what_the_operator_names(address: str, *, plain: bool) -> None:
    assert uses_plain_http(address, ("registry.local:5000", "other.local")) is plain


def test_names_of_tags_and_challenges_are_understood() -> None:
    assert tags_of("1.0.0+build.1") == ("1.0.0_build.1", "v1.0.0_build.1")
    assert versions_of(["1.0.0-rc.1", "v1.0.0", "latest", "1.0", "1.0.0_build.1"])[-1] == "1.0.0-rc.1"
    assert parse_challenge('Bearer realm="https://a/b",service="s",scope="x:y,z"') == (
        "bearer",
        {"realm": "https://a/b", "service": "s", "scope": "x:y,z"},
    )
    platforms = [{"digest": f"sha256:{on}", "platform": {"architecture": on}} for on in ("arm64", "amd64")]
    assert choose_manifest({"manifests": platforms}) == "sha256:amd64"
    assert choose_manifest({}) is None


def test_tags_that_move_are_told_from_versions_and_from_what_is_attached() -> None:
    tags = [
        "main",
        "1.4.2",
        "v1.4.3",
        "1.4",
        "1.0.0_build.1",
        f"sha256-{'0' * 64}.sig",
        f"sha256-{'0' * 64}",
        "1",
        "latest",
    ]
    assert pointers_of(tags) == ("latest", "1", "1.4", "main")
    assert [version_of(tag) for tag in ("1.0.0_build.1", "v1.4.3", "1.4")] == ["1.0.0+build.1", "1.4.3", ""]


def test_what_others_wrote_into_a_document_is_read_only_where_it_is_text() -> None:
    names = "org.opencontainers.image.revision", "org.opencontainers.image.version"
    assert find_revision({"annotations": {names[0]: "a1"}}, {}) == "a1"
    assert find_revision({"annotations": [names[0]]}, {"config": {"Labels": {names[0]: "b2"}}}) == "b2"
    assert find_revision({"annotations": {names[0]: 7}}, {"config": None}) == ""
    assert find_version({"annotations": {names[1]: "1.4.2"}}) == "1.4.2"
    assert find_version({"annotations": None}) == ""
