"""The real parts that a release goes to: one set of processes for all tests of a worker, emptied between them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.release.gate import Gate, gate_before
from tests.end_to_end.release.hosted import PushedBranches, PushedTags
from tests.git_repository import IDENTITY, Repository
from tests.real_parts import podman
from tests.real_parts.cosign import PASSWORD, KeyPair, find_cosign, make_key_pair
from tests.real_parts.docker_registry import docker_registry
from tests.real_parts.github import Github, running_github
from tests.real_parts.github_repository import HostedRepository
from tests.real_parts.github_stand_in import TOKEN
from tests.real_parts.node import BIN
from tests.real_parts.trivy_database import Advisory, write_database
from tests.real_parts.verdaccio import Verdaccio, running_verdaccio

HOSTED = "acme/shop"
# Found in nothing that the example has.
ADVISORY = Advisory("CVE-2026-0001", "left-pad", "<1.2.4", "1.2.4", "critical", "pads too far")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a release talks to. Each of the gates stands before one of the services."""

    folder: Path
    verdaccio: Verdaccio
    npm: Gate
    images: Gate
    github: Github
    api: Gate
    uploads: Gate
    keys: KeyPair
    engine: str
    cosign: str

    @property
    def gates(self) -> dict[str, Gate]:
        """The gates by what is behind them."""
        return {"npm": self.npm, "images": self.images, "api": self.api, "uploads": self.uploads}

    @property
    def trivy(self) -> Path:
        """Trivy's cache."""
        return self.folder / "trivy"

    def environ(self) -> dict[str, str]:
        """What a release finds in its environment: every secret, and the programs that it runs."""
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "PYTEST_", "GITHUB_", "NPM_", "npm_", "SWITCHOVER_", "DOCKER_"))
        }
        path = os.pathsep.join([str(Path(self.cosign).parent), str(BIN), own.get("PATH", os.defpath)])
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return (
            own
            | IDENTITY
            | {
                "PATH": path,
                "HOME": str(home),
                "DOCKER_HOST": self.engine,
                "COSIGN_PRIVATE_KEY": self.keys.private,
                "COSIGN_PASSWORD": PASSWORD,
                "NPM_TOKEN": self.verdaccio.token,
                "GITHUB_TOKEN": TOKEN,
            }
        )

    def reset(self, shared: Repository) -> HostedRepository:
        """Empty registries and an empty repository on GitHub, which belongs to this shared one."""
        shutil.rmtree(self.folder / "npm" / "storage" / "@acme", ignore_errors=True)
        shutil.rmtree(self.folder / "images" / "blobs" / "docker", ignore_errors=True)
        hosted = self.github.stand_in.add(HOSTED)
        hosted.uploads = self.uploads.url
        hosted.tags = PushedTags(shared)
        hosted.branches = PushedBranches(shared)
        self.github.witness.complaints.pop(HOSTED, None)
        for gate in self.gates.values():
            gate.reset()
        return hosted


@contextmanager
def running_parts(folder: Path, engine: str | None = None) -> Iterator[Parts]:
    """Start everything and end it with the block. `engine` is the address of one that runs; else Podman is started."""
    with ExitStack() as stack:
        for name in ("npm", "images", "github"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        verdaccio = stack.enter_context(running_verdaccio(folder / "npm"))
        registry = stack.enter_context(docker_registry(folder / "images"))
        github = stack.enter_context(running_github(folder / "github"))
        gates: list[Gate] = [
            stack.enter_context(gate_before(target.removeprefix("http://").rstrip("/")))
            for target in (verdaccio.url, registry, github.witness.address, github.stand_in.address)
        ]
        write_database(folder / "trivy", (ADVISORY,))
        yield Parts(
            folder=folder,
            verdaccio=verdaccio,
            npm=gates[0],
            images=gates[1],
            github=github,
            api=gates[2],
            uploads=gates[3],
            keys=make_key_pair(folder / "keys"),
            engine=engine or stack.enter_context(podman.serving()).address,
            cosign=find_cosign(),
        )
