"""The registry that the cluster pulls its images from: Debian's `docker-registry`, over plain HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.control_plane import answers
from tests.cluster.debian import program, unpacked
from tests.cluster.processes import Child, await_ready
from tests.cluster.processes import start as start_child

PORT = 5000
_SECONDS_TO_START = 30


@dataclass(frozen=True, slots=True)
class RegistryProgram:
    """What `start` needs."""

    program: Path


def prepare() -> RegistryProgram:
    """Have the registry's program in the cache."""
    return RegistryProgram(program(unpacked("registry", ["docker-registry"]), "docker-registry"))


def start(prepared: RegistryProgram, folder: Path, logs: Path, address: str) -> Child:
    """Serve an empty registry on this "host:port", its blobs in the folder. Returns when it answers."""
    # JSON is YAML.
    configuration = folder / "config.yml"
    configuration.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}, "delete": {"enabled": True}},
                "http": {"addr": address, "secret": "one registry needs no shared secret"},
            }
        )
    )
    child = start_child("registry", [prepared.program, "serve", configuration], logs=logs)
    await_ready(child, lambda: answers(f"http://{address}/v2/"), within=_SECONDS_TO_START)
    return child
