"""What a release leaves behind, read past our own code: registries, shared repository, pages, checkout and store."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tempfile
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

from switchover.adapters.cosign_verifier import CosignVerifier
from switchover.adapters.folder_artifacts import FolderArtifacts
from tests.end_to_end.release.parts import Parts
from tests.end_to_end.release.shop import Shop
from tests.real_parts.github_repository import HostedRepository

SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
INVENTORY = "https://cyclonedx.org/bom"
INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_SECONDS = 30
_KINDS = ("npm", "service", "image", "report", "sarif", "sbom", "signature")


def read_state(parts: Parts, shop: Shop, hosted: HostedRepository, *, packages: tuple[str, ...]) -> dict[str, Any]:
    """Everything, as values that are equal for two releases of the same commits.

    Of what differs by nature (signatures, and what names their digests) it says whether it is valid.
    """
    refs = "--format=%(refname) %(objectname)"
    return {
        "head": shop.checkout.git("rev-parse", "HEAD"),
        "status": shop.checkout.git("status", "--porcelain"),
        "tags": shop.checkout.git("for-each-ref", refs, "refs/tags"),
        "own refs": shop.checkout.git("for-each-ref", refs, "refs/switchover"),
        "shared": shop.shared.git("for-each-ref", refs).splitlines(),
        "npm": {package: read_package(parts, package) for package in packages},
        "images": read_images(parts, "acme/status"),
        "pages": read_pages(parts, hosted),
        "newest page": hosted.releases[hosted.latest]["tag_name"] if hosted.latest else "",
        "findings": sorted({(commit, ref, _digest(content)) for commit, ref, content in hosted.sarifs}),
        "tags that GitHub had to make": getattr(hosted.tags, "made", None),
        "store": read_store(shop, ("status", "payments", "shop", *packages)),
    }


def read_package(parts: Parts, package: str) -> dict[str, Any]:
    """Versions with their integrity and whether they are deprecated, and dist-tags, of an npm package."""
    found = _find(f"http://{parts.npm.target}/{package.replace('/', '%2f')}")
    if found is None:
        return {}
    packument = json.loads(found)
    versions = {
        version: [each["dist"]["integrity"], each.get("deprecated", "")]
        for version, each in packument["versions"].items()
    }
    return {"versions": versions, "tags": packument["dist-tags"]}


def read_images(parts: Parts, repository: str) -> dict[str, Any]:
    """The tags with digest, platforms, statements, and what cosign misses in them, of what each stands for."""
    home = f"http://{parts.images.target}/v2/{repository}"
    listed = _find(f"{home}/tags/list")
    tags: list[str] = (json.loads(listed)["tags"] or []) if listed else []
    found: dict[str, list[Any]] = {}
    for tag in sorted(tags):
        if tag.startswith("sha256-"):
            continue
        content = _get(f"{home}/manifests/{tag}", INDEX)
        index, digest = json.loads(content), f"sha256:{hashlib.sha256(content).hexdigest()}"
        for each in index["manifests"]:
            _require_whole(home, each["digest"])
        platforms = [f"{each['platform']['os']}/{each['platform']['architecture']}" for each in index["manifests"]]
        found[tag] = [digest, platforms, read_statements(home, digest)]
    verifier = CosignVerifier(parts.cosign, parts.keys.public, parts.environ())
    missing = {
        digest: verifier.find_obstacles(f"{parts.images.target}/{repository}", digest, attestation=True)
        for digest in {each[0] for each in found.values()}
    }
    return {tag: [*each, [obstacle.found for obstacle in missing[each[0]]]] for tag, each in found.items()}


def read_statements(home: str, digest: str) -> list[str]:
    """What is said about an image: the types of the signed statements that lie beside it."""
    beside = _find(f"{home}/manifests/{digest.replace(':', '-')}", INDEX)
    types = []
    for each in json.loads(beside)["manifests"] if beside else []:
        manifest = json.loads(_get(f"{home}/manifests/{each['digest']}", _MANIFEST))
        bundle = json.loads(_get(f"{home}/blobs/{manifest['layers'][0]['digest']}"))
        types.append(json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicateType"])
    return sorted(types)


def read_pages(parts: Parts, hosted: HostedRepository) -> list[Any]:
    """Tag, title, text and files of each page; a signature is valid or not, and so are checksums."""
    pages = []
    for page in sorted(hosted.releases.values(), key=lambda page: str(page["tag_name"])):
        files = {
            asset["name"]: hosted.contents.get(asset["id"], b"") if asset["state"] == "uploaded" else b""
            for asset in page["assets"]
        }
        shown = {name: _describe_file(parts, name, files) for name in sorted(files)}
        pages.append([page["tag_name"], page["draft"], page["prerelease"], page["name"], page["body"], shown])
    return pages


def read_store(shop: Shop, names: tuple[str, ...]) -> dict[str, Any]:
    """What the store of this machine has under each name."""
    store = FolderArtifacts(shop.artifacts)
    found = {}
    for name in names:
        releases = store.list_releases(name)
        kinds = {
            f"{release.version} {kind}": artifact.digest if kind != "signature" else "there"
            for release in releases
            for kind in _KINDS
            if (artifact := store.find_artifact(name, release.version, kind)) is not None
        }
        for release in releases:
            store.check(release)
        found[name] = [[(each.version, each.artifact.digest, each.source_commit) for each in releases], kinds]
    return found


def verify_file(parts: Parts, file: bytes, bundle: bytes) -> bool:
    """Whether cosign finds the signature in the bundle to be of this file, by the release's key."""
    with tempfile.TemporaryDirectory() as made:
        places = {"file": file, "bundle": bundle}
        for name, content in places.items():
            (Path(made) / name).write_bytes(content)
        command = [parts.cosign, "verify-blob", f"--key={parts.keys.public}", f"--bundle={made}/bundle"]
        # There is no transparency log: the key is all.
        command += ["--insecure-ignore-tlog", f"{made}/file"]
        done = subprocess.run(command, env=parts.environ(), capture_output=True, text=True, check=False)
        return done.returncode == 0


def _describe_file(parts: Parts, name: str, files: dict[str, bytes]) -> Any:
    content = files[name]
    if name.endswith(".sigstore.json"):
        return "valid" if verify_file(parts, files[name.removesuffix(".sigstore.json")], content) else "not valid"
    if name == "SHA256SUMS":
        lines = {name: digest for digest, _, name in (line.partition("  ") for line in content.decode().splitlines())}
        wanted = {each: hashlib.sha256(files[each]).hexdigest() for each in files if each != name}
        return "right" if lines == wanted else f"{lines} instead of {wanted}"
    if name == "manifest.json":
        manifest = json.loads(content)
        listed = {each["name"]: (each["digest"], each["size_bytes"]) for each in manifest.pop("artifacts")}
        present = {each: (_digest(files[each]), len(files[each])) for each in listed}
        manifest.pop("builder")
        return [manifest, sorted(listed), listed == present]
    return _digest(content)


def _require_whole(home: str, digest: str) -> None:
    """Every blob of an image is there."""
    manifest = json.loads(_get(f"{home}/manifests/{digest}", _MANIFEST))
    for each in (manifest["config"], *manifest["layers"]):
        request = urllib.request.Request(f"{home}/blobs/{each['digest']}", method="HEAD")  # noqa: S310 our registry
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 as above
            assert int(answer.headers["Content-Length"]) == each["size"]


def _find(url: str, accept: str = "*/*") -> bytes | None:
    """What is there, or None."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 our own registries
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 as above
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return None
        raise


def _get(url: str, accept: str = "*/*") -> bytes:
    found = _find(url, accept)
    assert found is not None, url
    return found


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
