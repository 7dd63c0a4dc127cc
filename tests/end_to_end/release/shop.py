"""The example monorepo with a shared repository, and what it lacks: an image, and places that it is released to."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from examples.shop_history import build_shop
from tests.end_to_end.release.parts import HOSTED, Parts
from tests.git_repository import Repository, clone, new_bare
from tests.real_parts.podman import static_busybox

# The example's services and environments stay; what is about releases is ours.
_DESTINATIONS = """
[services.status]
path = "services/status"
container = {{ port = 8080 }}

[release.npm]
registry = "{npm}/"

[release.images]
repository = "{images}/acme/{{service}}"
platforms = ["linux/amd64", "linux/arm64"]
builder = "engine"

[release.scan]
database = "as-is"
cache = "{trivy}"

[release.sign]
required = true

[release.github]
repository = "{hosted}"
api = "{api}"
code_scanning = true
"""
_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY www /www
USER 65534
ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
_CHANGESET = """\
---
"status": minor
---

Say since when.
"""
# A part of the example: one component of every kind that goes somewhere else, so that a cell of the matrix is short.
LEFT_OUT_OF_SMALL = ("packages/ui", "services/shop", "services/catalog", "libraries", "tools")
_PROJECT = """\
[project]
name = "acme-home"

[release]
private_packages = true
remote = "origin"

"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A checkout with its shared repository beside it."""

    root: Path

    @property
    def checkout(self) -> Repository:
        return Repository(self.root / "checkout")

    @property
    def shared(self) -> Repository:
        return Repository(self.root / "shared.git")

    @property
    def config(self) -> Path:
        return self.checkout.root / "switchover.toml"

    @property
    def artifacts(self) -> Path:
        return self.checkout.root / ".switchover" / "artifacts"

    def copy(self, root: Path) -> Shop:
        """The same files elsewhere."""
        shutil.copytree(self.root, root, symlinks=True)
        copied = Shop(root)
        copied.checkout.git("remote", "set-url", "origin", copied.shared.root.as_uri())
        return copied

    def clone_anew(self, name: str) -> Shop:
        """Another machine: a fresh clone beside the checkout, and nothing else of it."""
        other = Shop(self.root / name)
        other.root.mkdir()
        (other.root / "shared.git").symlink_to(self.shared.root)
        clone(self.shared, other.checkout.root)
        return other

    def configure(self, old: str, new: str) -> None:
        """Commit and push a change of switchover.toml."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text, old
        self.commit("chore: configure", {"switchover.toml": text.replace(old, new, 1)})

    def commit(self, message: str, files: dict[str, str] | None = None) -> str:
        """Commit and push."""
        commit = self.checkout.commit(message, dict(files or {}))
        self.checkout.git("push", "--quiet", "origin", "HEAD")
        return commit


def make_shop(root: Path, parts: Parts) -> Shop:
    """The whole example before its first release: packages money, ui; services shop, status, catalog, payments."""
    made = Repository(root / "made")
    build_shop(made.root)
    text = (made.root / "switchover.toml").read_text(encoding="utf-8")
    services = text[text.index("[services.shop]") :]
    return _finish(root, made, parts, f"{_PROJECT}{services}")


def make_small_shop(root: Path, parts: Parts) -> Shop:
    """A part of the example: the package money, the image status, and payments, which is tagged only."""
    made = Repository(root / "made")
    build_shop(made.root)
    for path in LEFT_OUT_OF_SMALL:
        shutil.rmtree(made.root / path)
    (made.root / ".changeset" / "price-element.md").unlink()
    changeset = made.root / ".changeset" / "open-for-business.md"
    left = [line for line in changeset.read_text().splitlines() if not line.startswith(('"shop"', '"catalog"'))]
    changeset.write_text("\n".join(left) + "\n")
    return _finish(root, made, parts, f"{_PROJECT}[environments.production]\n")


def _finish(root: Path, made: Repository, parts: Parts, config: str) -> Shop:
    places = {"npm": parts.npm.url, "images": parts.images.address, "api": parts.api.url}
    shutil.copy(static_busybox(), _folder(made.root / "services/status") / "busybox")
    made.commit(
        "feat(status): tell how the shop is",
        {
            "services/status/package.json": {"name": "status", "version": "1.3.0", "private": True},
            "services/status/Dockerfile": _DOCKERFILE,
            "services/status/www/index.html": "<h1>All is well</h1>\n",
            ".changeset/since-when.md": _CHANGESET,
            "switchover.toml": config + _DESTINATIONS.format(**places, trivy=parts.trivy, hosted=HOSTED),
        },
    )
    shop = Shop(root)
    new_bare(shop.shared.root)
    made.git("push", "--quiet", shop.shared.root.as_uri(), "HEAD:refs/heads/main")
    clone(shop.shared, shop.checkout.root)
    shutil.rmtree(made.root)
    return shop


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
