"""The container engine of an environment: Prefect Docker's block `Docker Host`, where an operator has saved one.

`base_url` there says where the engine is, for example `unix:///run/podman/podman.sock`; without a block, or with
an empty one, `DOCKER_HOST` and its companions count, else the usual socket of this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_docker import DockerHost

from blocks.server_call import single_try

if TYPE_CHECKING:
    from docker import DockerClient

BUILD_HOST = "switchover-build"
"""The name of the block whose engine builds images."""


def open_container_host(name: str) -> DockerClient:
    """A client of the engine that the block `name` describes.

    A server that does not answer must not keep a rollback from the engine of this machine: then, too, there is
    no block. Raises whatever the package docker raises when the engine does not answer.
    """
    return _load(name).get_client()


def _load(name: str) -> DockerHost:
    with single_try():
        try:
            found = DockerHost.load(name)
        except Exception:  # noqa: BLE001 whatever the server does, there is the engine of this machine
            return DockerHost()
    return found if isinstance(found, DockerHost) else DockerHost()
