"""The example released for real, twice: every place then has what it should, and the second run does nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.kubernetes.figures import note_figures
from tests.end_to_end.release.conftest import OpenWorld
from tests.end_to_end.release.state import read_images, read_package, read_pages, read_state, verify_file
from tests.end_to_end.release.world import World
from tests.prefect.server import PrefectServer, shared_server
from tests.real_parts.cosign import make_key_pair
from tests.real_parts.slack import TOKEN, Slack, receiving

pytestmark = [pytest.mark.release, pytest.mark.timeout(600)]

RELEASED = {"@acme/money@0.3.0", "@acme/ui@0.3.0", "catalog@1.0.0", "payments@1.0.0", "shop@1.0.0", "status@1.4.0"}
_MAKE_BLOCK = """\
import sys
from pydantic import SecretStr
from blocks.slack_thread import SlackThread
SlackThread(token=SecretStr(sys.argv[1]), channel="C1", api=sys.argv[2]).save("release-e2e", overwrite=True)
"""
_PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with shared_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


def test_everything_is_where_it_belongs_and_a_second_run_sends_nothing(world: World, tmp_path: Path) -> None:
    done = world.release()
    assert done.status == 0, done.complained
    report, requests = done.report(), world.requests()
    assert report["changed"]
    assert {each["tag"] for each in report["components"]} == RELEASED
    require_npm(world, report)
    require_image(world, report, tmp_path)
    require_pages(world, report)
    require_git(world, report["commit"])
    assert len(world.hosted.sarifs) == 5  # of the sources, and of what was built: two packages, a service and an image
    assert {(commit, ref) for commit, ref, _ in world.hosted.sarifs} == {(report["commit"], "refs/heads/main")}
    assert not world.complaints()
    require_silence(world, done.printed + done.complained)

    before = world.state()
    world.forget_requests()
    again = world.release()
    assert again.status == 0, again.complained
    assert (again.report()["changed"], again.report()["components"]) == (False, [])
    assert world.writes() == {}
    assert world.state() == before
    note_figures(
        "the example released, and again",
        components=len(RELEASED),
        seconds=done.seconds,
        seconds_again=again.seconds,
        requests=requests,
        requests_again=world.requests(),
    )


def require_npm(world: World, report: dict[str, Any]) -> None:
    """The bytes that npm packed once are those in the registry, on the page and in every list."""
    for name in world.packages:
        (told,) = (each for each in report["components"] if each["name"] == name)
        found = read_package(world.parts, name)
        assert found["tags"] == {"latest": "0.3.0"}
        integrity = found["versions"]["0.3.0"][0]
        assert told["digest"] == integrity
        plain = name.removeprefix("@").replace("/", "-")
        address = f"http://{world.parts.npm.target}/{name}/-/{name.partition('/')[2]}-0.3.0.tgz"
        with urllib.request.urlopen(address, timeout=20) as answer:
            tarball = answer.read()
        assert integrity == f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
        page = read_files(world, f"{name}@0.3.0")
        assert page[f"{plain}-0.3.0.tgz"] == tarball
        digest = hashlib.sha256(tarball).hexdigest()
        assert f"{digest}  {plain}-0.3.0.tgz\n" in page["SHA256SUMS"].decode()
        manifest = json.loads(page["manifest.json"])
        assert manifest["source_commit"] == report["commit"]
        assert manifest["builder"].startswith("switchover ")
        assert manifest["published"] == {"reference": f"{name}@0.3.0", "digest": integrity}
        sizes = {each["name"]: (each["digest"], each["size_bytes"]) for each in manifest["artifacts"]}
        assert sizes[f"{plain}-0.3.0.tgz"] == (f"sha256:{digest}", len(tarball))
        assert verify_file(world.parts, tarball, page[f"{plain}-0.3.0.tgz.sigstore.json"])
        assert not verify_file(world.parts, tarball + b"!", page[f"{plain}-0.3.0.tgz.sigstore.json"])
        stored = read_state(world.parts, world.shop, world.hosted, packages=world.packages)["store"][name]
        assert stored[1]["0.3.0 npm"] == f"sha256:{digest}"


def require_image(world: World, report: dict[str, Any], folder: Path) -> None:
    """One index of two platforms under its version and the moving tags, signed, with its inventory."""
    (told,) = (each for each in report["components"] if each["name"] == "status")
    images = read_images(world.parts, "acme/status")
    assert set(images) == {"1.4.0", "1.4", "1", "latest"}
    for digest, platforms, statements, missing in images.values():
        assert digest == told["digest"]
        assert platforms == ["linux/amd64", "linux/arm64"]
        assert statements == ["https://cyclonedx.org/bom", "https://sigstore.dev/cosign/sign/v1"]
        assert missing == []
    assert told["reference"].endswith(f"/acme/status@{told['digest']}")
    image = told["reference"].partition("@")[0] + ":1.4"
    verified = world.switchover("verify", image, "--key", str(world.parts.keys.public))
    assert verified.status == 0, verified.complained
    other = make_key_pair(folder / "others")
    assert world.switchover("verify", image, "--key", str(other.public)).status == 1


def require_pages(world: World, report: dict[str, Any]) -> None:
    """A published page for each tag, with exactly its files."""
    pages = {page[0]: page for page in read_pages(world.parts, world.hosted)}
    assert set(pages) == RELEASED
    assert not any(page[1] for page in pages.values())
    files = {tag: sorted(page[5]) for tag, page in pages.items()}
    beside = ["SHA256SUMS", "manifest.json"]
    archive = ["shop-1.0.0.tar.gz", "shop-1.0.0.tar.gz.cdx.json", "shop-1.0.0.tar.gz.sigstore.json"]
    assert files["shop@1.0.0"] == sorted([*beside, *archive])
    assert files["status@1.4.0"] == sorted([*beside, "status-1.4.0.image.tar.cdx.json"])
    assert files["catalog@1.0.0"] == beside
    assert "Say since when." in pages["status@1.4.0"][4]
    assert pages["shop@1.0.0"][5]["shop-1.0.0.tar.gz.sigstore.json"] == "valid"
    assert {each["page"] for each in report["components"]} == {
        release["html_url"] for release in world.hosted.releases.values()
    }


def require_git(world: World, commit: str) -> None:
    """Annotated tags at the release commit in the shared repository, and nothing left over."""
    shape = "--format=%(refname) %(objecttype) %(*objectname)"
    tags = world.shop.shared.git("for-each-ref", shape, "refs/tags").splitlines()
    assert sorted(tags) == sorted(f"refs/tags/{tag} tag {commit}" for tag in RELEASED)
    refs = world.shop.shared.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    assert [ref for ref in refs if not ref.startswith("refs/tags/")] == [f"refs/heads/main {commit}"]
    assert world.shop.checkout.git("for-each-ref", "refs/switchover") == ""


def require_silence(world: World, said: str) -> None:
    """No secret in what a release says, nor in any file that it leaves."""
    environ = world.parts.environ()
    secrets = [environ[name] for name in ("COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD", "NPM_TOKEN", "GITHUB_TOKEN")]
    kept = b"".join(each.read_bytes() for each in sorted(world.shop.artifacts.rglob("*")) if each.is_file())
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in kept


def read_files(world: World, tag: str) -> dict[str, bytes]:
    """The files of a page."""
    (page,) = (each for each in world.hosted.releases.values() if each["tag_name"] == tag)
    return {asset["name"]: world.hosted.contents[asset["id"]] for asset in page["assets"]}


def test_a_flow_run_on_a_real_server_ends_as_a_release_without_one_and_is_told_once(
    open_small_world: OpenWorld, prefect: PrefectServer, tmp_path: Path
) -> None:
    direct = open_small_world(tmp_path / "direct")
    with receiving() as slack:
        tell(direct, prefect, slack)
        start = direct.shop.checkout.git("rev-parse", "HEAD")
        assert direct.release().status == 0
        wanted = direct.state()
        assert slack.messages == {}

        world = open_small_world(tmp_path / "flow")
        tell(world, prefect, slack)
        assert world.shop.checkout.git("rev-parse", "HEAD") == start
        done = world.switchover("release", "--json", variables=connect(prefect))
        assert done.status == 0, done.complained
        assert world.state() == wanted
        assert not world.complaints()
        (message,) = slack.messages
        assert "status 1.4.0" in slack.read(message)

        world.forget_requests()
        again = world.switchover("release", "--json", variables=connect(prefect))
        assert again.status == 0, again.complained
        assert not again.report()["changed"]
        assert (world.writes(), slack.calls) == ({}, ["chat.postMessage"])
    note_figures("the small part released by a flow run, and again", seconds=done.seconds, seconds_again=again.seconds)
    require_silence(world, done.printed + done.complained)


def tell(world: World, prefect: PrefectServer, slack: Slack) -> None:
    """Let flow runs tell the receiver."""
    make = ["-c", _MAKE_BLOCK, TOKEN, slack.api]
    with world.start(*make, program=Path(sys.executable), folder=_PROJECT, variables=connect(prefect)) as process:
        _, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained
    world.shop.configure('remote = "origin"\n', 'remote = "origin"\nnotify = ["switchover-slack-thread/release-e2e"]\n')


def connect(prefect: PrefectServer) -> dict[str, str]:
    """The variables that lead to the server."""
    return {name: value for name, value in prefect.environ().items() if name.startswith("PREFECT_")}
