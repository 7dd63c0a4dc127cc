"""A Docker-compatible engine (Docker, podman): what slots and builds ask of it, with our own errors.

The package `docker` is imported when an engine is first asked for something: it costs a tenth of a second, and
most environments run no container.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from switchover.adapters.cgroup_cpu import read_cpu_periods
from switchover.adapters.container_values import (
    ContainerEvent,
    ContainerState,
    ContainerWish,
    read_event,
    read_seconds,
    read_state,
)
from switchover.adapters.engine_errors import explain_build, explain_missing, explain_refusal
from switchover.adapters.oci_layout import write_platform
from switchover.adapters.waiting import wait_until
from switchover.errors import TargetError

if TYPE_CHECKING:
    from docker import DockerClient

OpenClient = Callable[[], "DockerClient"]
"""Makes a client of the engine; what it raises without an engine comes out as `MissingProgramError`."""

_MEGABYTE = 1024 * 1024
_NANO = 1_000_000_000
# An engine answers "up to now" from its journal only when that moment is still to come (podman 4.3).
_EVENTS_SECONDS = 0.3
# Both engines write it to a file, bounded, and can read it back.
_LOG_DRIVER = {"type": "json-file", "config": {"max-size": "10m", "max-file": "3"}}
_BUILD_SECONDS = 1800
_REMOVE_SECONDS = 5.0
_ASK_SECONDS = 1.0


def open_client_from(environ: Mapping[str, str] = os.environ) -> OpenClient:
    """The engine that `DOCKER_HOST` and its companions name, else the usual socket of this machine."""

    def open_client() -> DockerClient:
        from docker import DockerClient as Client  # noqa: PLC0415 see the module's docstring

        return Client.from_env(environment=dict(environ))

    return open_client


class ContainerEngine:
    """Asks an engine. Every method raises `MissingProgramError` without one and `TargetError` when it refuses."""

    def __init__(self, open_client: OpenClient) -> None:
        self._open = open_client
        self._client: DockerClient | None = None

    def read_host(self) -> str:
        """The name of the machine that the engine runs on."""
        with self._asking("the engine cannot be looked at") as client:
            return str(client.info()["Name"])

    def read_platform(self) -> str:
        """What the engine runs on: `linux/amd64`."""
        with self._asking("the engine cannot be looked at") as client:
            found = client.version()
            return write_platform({"os": found["Os"], "architecture": found["Arch"]})

    def build(
        self,
        context: Path,
        dockerfile: str,
        tag: str,
        *,
        platform: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image, every step anew, for the engine's own platform unless another is given.

        Raises `InputError` with the end of the build's log when the recipe fails.
        """
        from docker.errors import BuildError  # noqa: PLC0415 see the module's docstring

        with self._asking("the image cannot be built") as client:
            try:
                client.images.build(
                    path=str(context),
                    dockerfile=dockerfile,
                    tag=tag,
                    rm=True,
                    forcerm=True,
                    timeout=_BUILD_SECONDS,
                    platform=platform or None,
                    buildargs=dict(arguments or {}),
                    # A step out of podman's cache may be of another platform: it does not look.
                    nocache=True,
                )
            except BuildError as error:
                log = "".join(str(line.get("stream", "")) for line in error.build_log)
                said = f"{log.strip()} {error.msg}".strip()
                raise explain_build(dockerfile, platform, said, f"the engine on {client.info()['Name']}") from error

    def save(self, tag: str, archive: Path) -> None:
        """Write an image as `docker save` does."""
        with self._asking(f"the image {tag} cannot be saved") as client, archive.open("wb") as file:
            for chunk in client.images.get(tag).save(named=tag):
                file.write(chunk)

    def load(self, archive: Path) -> None:
        """Bring an archive's image into the engine."""
        with self._asking(f"the image in {archive.name} cannot be loaded") as client, archive.open("rb") as file:
            client.images.load(file)

    def read_layers(self, tag: str) -> tuple[str, ...] | None:
        """The digests of an image's unpacked layers, which are its content; None when it is not there."""
        from docker.errors import ImageNotFound  # noqa: PLC0415 see the module's docstring

        with self._asking(f"the image {tag} cannot be looked at") as client:
            try:
                return tuple(client.images.get(tag).attrs["RootFS"]["Layers"])
            except ImageNotFound:
                return None

    def read_image_platform(self, tag: str) -> str:
        """What an image runs on: `linux/arm64`."""
        with self._asking(f"the image {tag} cannot be looked at") as client:
            found = client.images.get(tag).attrs
            stated = {"os": found["Os"], "architecture": found["Architecture"], "variant": found.get("Variant")}
            return write_platform(stated)

    def untag(self, tag: str) -> None:
        """Forget a name of an image, and the image with its last one."""
        with self._asking(f"the image {tag} cannot be removed") as client:
            client.images.remove(tag)

    def run(self, wish: ContainerWish) -> None:
        """Create and start a container. The engine starts it again whenever it ends by itself."""
        with self._asking(f"the container {wish.name} cannot be started") as client:
            client.containers.create(
                wish.image,
                name=wish.name,
                labels=wish.labels,
                environment=wish.environment,
                ports={f"{wish.port}/tcp": ("127.0.0.1", wish.published)},
                restart_policy={"Name": "unless-stopped"},
                mem_limit=None if wish.memory_limit_mb is None else wish.memory_limit_mb * _MEGABYTE,
                nano_cpus=None if wish.cpus is None else round(wish.cpus * _NANO),
                read_only=wish.read_only,
                tmpfs={"/tmp": ""},  # noqa: S108 inside the container
                cap_drop=["ALL"],
                cap_add=list(wish.capabilities),
                security_opt=["no-new-privileges"],
                log_config=_LOG_DRIVER,
            ).start()

    def read_containers(self, labels: Mapping[str, str]) -> tuple[ContainerState, ...]:
        """All containers, dead ones too, with these labels; by name."""
        from docker.errors import NotFound  # noqa: PLC0415 see the module's docstring

        states = []
        with self._asking("the containers cannot be listed") as client:
            for found in client.api.containers(all=True, filters={"label": _filters(labels)}):
                try:
                    states.append(read_state(client.api.inspect_container(found["Id"])))
                except NotFound:
                    continue  # removed meanwhile
        return tuple(sorted(states, key=lambda state: state.name))

    def begin_stopping(self, container: str, stop_seconds: int) -> None:
        """Send a container its stop signal, and SIGKILL after `stop_seconds`; it is not started again.

        Returns when that is asked for; the engine does it even when this process ends.
        """
        asked = threading.Event()

        def stop() -> None:
            # The engine answers when the container has ended. A plain signal would let podman start it again.
            with suppress(TargetError), self._asking("the container cannot be stopped") as client:
                asked.set()
                client.api.stop(container, timeout=stop_seconds)

        threading.Thread(target=stop, daemon=True).start()
        asked.wait(_ASK_SECONDS)

    def remove(self, container: str) -> None:
        """Remove a container, running or not; no-op when it is gone."""

        def removed() -> bool:
            # podman refuses for the moment in which a container is just ending.
            with self._asking("", unless=(404, 409, 500)) as client:
                client.api.remove_container(container, force=True, v=True)
                return True
            return not self._exists(container)

        if not wait_until(removed, _REMOVE_SECONDS, 0.1):
            with self._asking("the container cannot be removed", unless=(404,)) as client:
                client.api.remove_container(container, force=True, v=True)

    def read_log(self, container: str, since: int) -> tuple[tuple[int, bytes], ...]:
        """The lines that a container logged from the second `since` of the epoch on (0: all), each with its second."""
        with self._asking("the container's log cannot be read") as client:
            text: bytes = client.api.logs(container, timestamps=True, since=since or None)
        stamped = (line.partition(b" ") for line in text.split(b"\n") if line)
        return tuple((int(read_seconds(stamp.decode())), line) for stamp, _, line in stamped)

    def read_events(self, container: str, since: float) -> tuple[ContainerEvent, ...]:
        """Starts and ends of a container, in their order, as far back as the engine remembers."""
        filters = {"container": [container], "type": ["container"]}
        with self._asking("the engine's events cannot be read") as client:
            until = f"{time.time() + _EVENTS_SECONDS:.3f}"
            found = list(client.api.events(since=int(since), until=until, filters=filters, decode=True))
        return tuple(event for event in map(read_event, found) if event is not None)

    def read_throttling(self, container: ContainerState) -> tuple[int, int] | None:
        """Scheduling periods with a CPU limit and how many of them ran into it; None when nobody tells."""
        with self._asking("the container's statistics cannot be read", unless=(404, 409, 500)) as client:
            stats = client.api.stats(container.id, stream=False, one_shot=True)
            data = stats.get("cpu_stats", {}).get("throttling_data") or {}
            if data.get("periods"):
                return data["periods"], data["throttled_periods"]
        return read_cpu_periods(container.pid, container.id)  # podman always says 0

    def _exists(self, container: str) -> bool:
        with self._asking("the container cannot be looked at", unless=(404,)) as client:
            client.api.inspect_container(container)
            return True
        return False

    @contextmanager
    def _asking(self, failed: str, unless: tuple[int, ...] = ()) -> Iterator[DockerClient]:
        client = self._client = self._client or _open(self._open)
        from docker.errors import APIError, DockerException  # noqa: PLC0415 see the module's docstring

        try:
            yield client
        except (DockerException, OSError) as error:
            if isinstance(error, APIError) and error.response is not None and error.response.status_code in unless:
                return
            raise explain_refusal(failed, error) from error


def _open(open_client: OpenClient) -> DockerClient:
    try:
        return open_client()
    except Exception as error:  # whatever a caller's own way to an engine raises
        raise explain_missing(error) from error


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]
