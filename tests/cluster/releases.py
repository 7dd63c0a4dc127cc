"""The releases of the service under test: one program, and for each kind of release an image of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import httpx

from tests.cluster.images import Image, image_of, program_layer, push_image

REPOSITORY = "switchover/app"
# A replica that is told to stop still answers for so long: the gateway learns of its end meanwhile.
SHUTDOWN_DELAY_MS = "3000"

# What the environment of each image says; app/behaviour.go explains the variables.
RELEASES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "healthy-1": {"VERSION": "1.0.1"},
        "healthy-2": {"VERSION": "1.0.2"},
        "healthy-3": {"VERSION": "1.0.3"},
        "healthy-4": {"VERSION": "1.0.4"},
        "errors": {"VERSION": "2.0.0-errors", "ERROR_RATE": "0.3"},
        "slow": {"VERSION": "2.0.0-slow", "DELAY_MS": "800", "SLOW_RATE": "0.5"},
        "error-lines": {"VERSION": "2.0.0-error-lines", "LOG_ERROR_RATE": "0.3"},
        "crash-loop": {"VERSION": "2.0.0-crash-loop", "CRASH_AFTER_S": "0.5"},
        "late-crash": {"VERSION": "2.0.0-late-crash", "CRASH_AFTER_S": "15"},
        "out-of-memory": {"VERSION": "2.0.0-out-of-memory", "OOM": "start"},
        "out-of-memory-on-request": {"VERSION": "2.0.0-out-of-memory-on-request", "OOM": "request"},
        "never-ready": {"VERSION": "2.0.0-never-ready", "NEVER_READY": "1"},
        "late-dead": {"VERSION": "2.0.0-late-dead", "DEAD_AFTER_S": "15"},
        "smoke-fails": {"VERSION": "2.0.0-smoke-fails", "SMOKE_FAILS": "1"},
        "migration-fails": {"VERSION": "2.0.0-migration-fails", "MIGRATION_FAILS": "1"},
    }
)


def release_image(program: Path, environment: Mapping[str, str]) -> Image:
    """The image of a release that behaves as this environment says."""
    return image_of(program_layer(program), {"SHUTDOWN_DELAY_MS": SHUTDOWN_DELAY_MS, **environment})


def publish(registry: str, program: Path, name: str, environment: Mapping[str, str]) -> str:
    """Push one more release under this tag; its reference by digest. `registry` is "host:port"."""
    with _client(registry) as client:
        digest = push_image(client, REPOSITORY, name, release_image(program, environment))
    return f"{registry}/{REPOSITORY}@{digest}"


def publish_all(registry: str, program: Path) -> dict[str, str]:
    """Push every release of `RELEASES`; their references by digest."""
    return {name: publish(registry, program, name, environment) for name, environment in RELEASES.items()}


def _client(registry: str) -> httpx.Client:
    # No proxy of the surroundings stands between two programs of one machine.
    return httpx.Client(base_url=f"http://{registry}", timeout=30, trust_env=False)
