"""A real BuildKit, built from its Go module, and Debian's Buildx with a builder on it: nothing is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from switchover.adapters.waiting import wait_until
from switchover.errors import MissingProgramError
from tests.cluster import debian
from tests.cluster.go_programs import built
from tests.real_parts.debian import unpacked_newer

RUNTIME = ("runc", "libseccomp2")
SETTINGS = """
root = "{home}/root"
[grpc]
address = ["{address}"]
[worker.oci]
enabled = true
snapshotter = "native"
binary = "{runc}"
networkMode = "host"
[worker.containerd]
enabled = false
"""
_START_SECONDS = 30.0
_END_SECONDS = 20.0


@contextlib.contextmanager
def serving() -> Iterator[Mapping[str, str]]:
    """The environment in which `docker-buildx` builds on a BuildKit of ours.

    Raises `MissingProgramError` where that cannot run.
    """
    if os.geteuid() != 0:
        raise MissingProgramError(
            "BuildKit cannot be run", expected="root", found="another user", next_step="run the tests as root"
        )
    buildx = unpacked_newer("buildx", ("docker-buildx",)) / "usr/libexec/docker/cli-plugins"
    program = str(buildx / "docker-buildx")
    buildkit = built("buildkit", package="github.com/moby/buildkit/cmd/buildkitd")
    runtime = debian.unpacked("runc", RUNTIME)
    # pytest's folders have paths too long for sockets.
    home = Path(tempfile.mkdtemp(prefix="swb-"))
    address = f"unix://{home}/s"
    (home / "settings").write_text(SETTINGS.format(home=home, address=address, runc=debian.program(runtime, "runc")))
    environ = dict(os.environ) | {
        "PATH": os.pathsep.join((str(buildx), os.environ.get("PATH", os.defpath))),
        "BUILDX_CONFIG": str(home / "buildx"),
        "DOCKER_CONFIG": str(home / "docker"),
    }
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        log = stack.enter_context((home / "log").open("wb"))
        command = (str(buildkit), f"--config={home / 'settings'}")
        service = subprocess.Popen(command, env=debian.environment(runtime), cwd=home, stdout=log, stderr=log)
        stack.callback(_end, service)
        create = (program, "create", "--use", "--driver=remote", "--name=tests", address)
        subprocess.run(create, env=environ, check=True, capture_output=True)

        def answers() -> bool:
            # Until it does, buildx lists the builder with an error and no platforms.
            done = subprocess.run((program, "inspect"), env=environ, capture_output=True, text=True, check=False)
            return "running" in done.stdout

        if not wait_until(lambda: service.poll() is not None or answers(), _START_SECONDS, 0.2) or not answers():
            raise MissingProgramError(
                "BuildKit does not start",
                expected="a service that answers on its socket",
                found=(home / "log").read_text()[-300:],
                next_step="look at what this machine forbids",
            )
        yield environ


def _end(service: subprocess.Popen[bytes]) -> None:
    service.terminate()
    try:
        service.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
