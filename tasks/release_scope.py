"""The tools of a release as a flow has them: with the secrets and the container hosts that operators keep in blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks.container_host import BUILD_HOST, open_container_host
from blocks.environment_secrets import read_release_environ
from switchover.adapters.release_tools import ReleaseScope, open_release_tools
from switchover.operations.release import alone
from switchover.operations.release_ports import ReleaseTools


def open_tools(scope: ReleaseScope) -> ReleaseTools:
    """Everything that the stages work with.

    A platform without a host of its own is built by the block `switchover-build`, or by the engine of this machine.
    """
    environ, secret = read_release_environ()
    return open_release_tools(
        scope, environ, lambda platform: open_container_host(scope.hosts.get(platform, BUILD_HOST)), secret
    )


@contextmanager
def release_alone(scope: ReleaseScope, wait_seconds: float) -> Iterator[Path]:
    """Be the only release of the repository while this lasts; what it yields is a folder for what is made."""
    with (
        alone(open_tools(scope), wait_seconds),
        tempfile.TemporaryDirectory(prefix="switchover-release-") as work,
    ):
        yield Path(work)
