"""A real container engine for tests, and a tiny HTTP service as an image: busybox alone, from scratch."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from switchover.adapters.container_engine import ContainerEngine, OpenClient, open_client_from
from switchover.adapters.image_archive import rewrite_image
from switchover.adapters.waiting import wait_until
from switchover.errors import MissingProgramError, SwitchoverError
from switchover.model import Container, Release, Workload
from tests.fakes import InMemoryArtifactStore
from tests.local_target_fixtures import make_workload

PORT = 8080
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE_CONF = """
[storage]
driver = "vfs"
runroot = "{folder}/runroot"
graphroot = "{folder}/graph"
"""
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
    found = shutil.which("busybox")
    if found is None or b"ld-linux" in Path(found).read_bytes()[:4096]:
        pytest.skip("no container test: there is no static busybox (Debian: busybox-static)")
    (folder / "www" / "cgi-bin").mkdir(parents=True)
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "start").write_text(START)
    for name in ("health", "index.html"):
        (folder / "www" / name).write_text("well\n")
    for name, script in CGI.items():
        path = folder / "www" / "cgi-bin" / name
        path.write_text(f"#!/bin/busybox sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n{script}\n")
        path.chmod(0o755)
    shutil.copy(found, folder / "busybox")
    return folder


@contextlib.contextmanager
def container_engine(folder: Path) -> Iterator[EngineCase]:
    """The engine of `DOCKER_HOST`, else a podman of our own below `folder`; a skip that says why where neither is."""
    with _podman() if "DOCKER_HOST" not in os.environ else contextlib.nullcontext(os.environ) as environ:
        open_client = open_client_from(environ)
        engine = ContainerEngine(open_client)
        try:
            engine.read_containers({"switchover.environment": "none"})
        except MissingProgramError as error:
            pytest.skip(f"no container test: {error.problem.found}")
        tag = f"localhost/switchover-tests:{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        (folder / "context").mkdir()
        engine.build(write_context(folder / "context"), "Dockerfile", tag)
        engine.save(tag, folder / "saved.tar")
        engine.untag(tag)
        archive = folder / "tiny.image.tar"
        rewrite_image(folder / "saved.tar", archive, "tiny", 1_700_000_000)
        yield EngineCase(environ["DOCKER_HOST"], open_client, engine, archive)


@contextlib.contextmanager
def _podman() -> Iterator[dict[str, str]]:
    program = shutil.which("podman")
    if program is None:
        pytest.skip("no container test: DOCKER_HOST is not set and podman is not installed")
    # pytest's folders have paths too long for sockets, podman's own among them.
    home = Path(tempfile.mkdtemp(prefix="swp-"))
    environ = dict(os.environ)
    for name, text in (("CONTAINERS_CONF", CONTAINERS_CONF), ("CONTAINERS_STORAGE_CONF", STORAGE_CONF)):
        (home / name).write_text(text.format(folder=home))
        environ[name] = str(home / name)
    address = f"unix://{home}/s"
    with (home / "log").open("wb") as log:
        command = (program, "system", "service", "--time", "0", address)
        service = subprocess.Popen(command, env=environ, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        environ["DOCKER_HOST"] = address
        if not wait_until(partial(_answers, environ, service), 15.0, 0.1):
            pytest.skip(f"no container test: podman does not start: {(home / 'log').read_text()[-300:]}")
        yield environ
    finally:
        service.terminate()
        service.wait(20)
        subprocess.run(
            (program, "rm", "--all", "--force", "--time", "0"), env=environ, capture_output=True, check=False
        )
        shutil.rmtree(home, ignore_errors=True)


def _answers(environ: dict[str, str], service: subprocess.Popen[bytes]) -> bool:
    assert service.poll() is None, "podman ended"
    try:
        ContainerEngine(open_client_from(environ)).read_containers({"switchover.environment": "none"})
    except SwitchoverError:
        return False
    return True
