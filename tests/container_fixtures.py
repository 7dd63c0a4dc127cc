"""A real container engine for tests, and a tiny HTTP service as an image: busybox alone, from scratch."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from switchover.adapters.container_engine import ContainerEngine, OpenClient, open_client_from
from switchover.adapters.image_archive import rewrite_image
from switchover.errors import MissingProgramError
from switchover.model import Container, Release, Workload
from tests.fakes import InMemoryArtifactStore
from tests.local_target_fixtures import make_workload
from tests.real_parts import podman

PORT = 8080
DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY www /www
COPY start /start
ENTRYPOINT ["/bin/busybox", "sh", "/start"]
"""
# A first process gets no signal that it has no handler for, and cannot be killed from inside.
START = """
trap '/bin/busybox sleep "${LAST_SECONDS:-0}"; echo ended; exit 0' TERM
trap 'exit 3' USR1
trap 'hoard=aaaaaaaaaaaaaaaa; while :; do hoard=$hoard$hoard; done' USR2
if [ -n "$CRASH_AT_START" ]; then echo "ERROR cannot start"; exit "$CRASH_AT_START"; fi
/bin/busybox httpd -f -p "$PORT" -h /www &
echo listening
wait $!
"""
CGI = {
    "log": """echo "$(/bin/busybox httpd -d "${QUERY_STRING#line=}")" > /proc/1/fd/1""",
    "environment": "/bin/busybox env",
    "signal": """kill -s "$QUERY_STRING" 1""",
    "write": "echo x > /www/x || echo refused; echo x > /tmp/x && echo written",
    "burn": "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done",
}


@dataclass(slots=True)
class EngineCase:
    """A running engine and an archive of the tiny image."""

    address: str
    open_client: OpenClient
    engine: ContainerEngine
    archive: Path

    def publish(self, store: InMemoryArtifactStore, service: str, version: str) -> Release:
        """The tiny image as a release; the same one when it is published already."""
        published = store.find(service, version)
        if published is not None:
            return published
        artifact = store.put(service, version, "image", self.archive)
        release = Release(service, version, artifact, hashlib.sha256(version.encode()).hexdigest()[:7])
        store.publish(release)
        return release


def container_workload(**changes: object) -> Workload:
    """One replica of the tiny image."""
    return make_workload(**({"command": (), "container": Container(PORT)} | changes))


def write_context(folder: Path, dockerfile: str = DOCKERFILE) -> Path:
    """What the tiny image is built from. Skips the test where there is no static busybox."""
    try:
        busybox = podman.static_busybox()
    except MissingProgramError as error:
        pytest.skip(f"no container test: there is no static busybox: {error.problem.found}")
    (folder / "www" / "cgi-bin").mkdir(parents=True)
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "start").write_text(START)
    for name in ("health", "index.html"):
        (folder / "www" / name).write_text("well\n")
    for name, script in CGI.items():
        path = folder / "www" / "cgi-bin" / name
        path.write_text(f"#!/bin/busybox sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n{script}\n")
        path.chmod(0o755)
    shutil.copy(busybox, folder / "busybox")
    return folder


@contextlib.contextmanager
def container_engine(folder: Path) -> Iterator[EngineCase]:
    """The engine of `DOCKER_HOST`, else a podman of our own; a skip that says why where neither is."""
    with contextlib.ExitStack() as stack:
        try:
            environ = dict(os.environ)
            if "DOCKER_HOST" not in environ:
                environ["DOCKER_HOST"] = stack.enter_context(podman.serving()).address
            open_client = open_client_from(environ)
            engine = ContainerEngine(open_client)
            engine.read_containers({"switchover.environment": "none"})
        except MissingProgramError as error:
            pytest.skip(f"no container test: {error.problem.failed}: {error.problem.found}")
        tag = f"localhost/switchover-tests:{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        (folder / "context").mkdir()
        engine.build(write_context(folder / "context"), "Dockerfile", tag)
        engine.save(tag, folder / "saved.tar")
        engine.untag(tag)
        archive = folder / "tiny.image.tar"
        rewrite_image(folder / "saved.tar", archive, "tiny", 1_700_000_000)
        yield EngineCase(environ["DOCKER_HOST"], open_client, engine, archive)
