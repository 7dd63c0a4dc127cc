"""The port `Router` on Envoy with file-based discovery."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from contextlib import ExitStack

from switchover.adapters.environment_folder import EnvironmentFolder
from switchover.adapters.envoy_admin import EnvoyAdmin
from switchover.adapters.envoy_config import (
    COLOUR_HEADER,
    SAMPLE_HEADER,
    WORKERS,
    boundary_samples,
    cluster_name,
    probe_listener_name,
    read_weights,
    render_route,
)
from switchover.adapters.envoy_counters import Json
from switchover.adapters.envoy_files import EnvoyFiles, parse_version
from switchover.adapters.unix_http import UnixHTTPConnection
from switchover.adapters.waiting import wait_until
from switchover.errors import FencedError, TargetError
from switchover.model import Colour, Route
from switchover.ports import Fence

_ACCEPT_SECONDS = 5.0
_CONFIRM_SECONDS = 3.0
_PROBE_SECONDS = 2.0
_LOG_TAIL_BYTES = 4096
_MOST_CONNECTIONS = 4 * WORKERS


class EnvoyRouter:
    """Weights are written to a file that Envoy watches; Envoy's own word and probes say when they hold."""

    def __init__(self, folder: EnvironmentFolder, files: EnvoyFiles, admin: EnvoyAdmin, fence: Fence) -> None:
        self._folder = folder
        self._files = files
        self._admin = admin
        self._fence = fence

    def set_route(self, service: str, route: Route, *, epoch: int) -> None:
        """Replace the weights and return when Envoy has accepted that very version.

        Raises `FencedError` before (nothing is changed) or while waiting (a higher epoch was faster),
        `InputError` for an unknown service, `TargetError` when Envoy refuses it or is silent for 5 s.
        """
        self._files.read_service(service)
        self.apply(service, render_route(service, route), epoch=epoch)

    def apply(self, service: str, configuration: Json, *, epoch: int) -> None:
        """Replace the whole route configuration of a service, as `set_route` does with the weights."""
        with self._fence.holding(epoch), self._folder.lock():
            before = self._files.read_route_document(service)
            refused_before = self._refused(service)
            version = self._files.write_route(service, configuration, epoch)
        refused = False

        def decided() -> bool:
            nonlocal refused
            refused = self._refused(service) > refused_before
            return refused or self._accepted(service, version)

        accepted = wait_until(decided, _ACCEPT_SECONDS, 0.005)
        if refused and not self._accepted(service, version):
            self._take_back(service, version, before, epoch)
            raise self._refusal(service, version)
        if not accepted:
            raise TargetError(
                f"the route of {service} was not accepted in time",
                expected=f"Envoy at version {version} within {_ACCEPT_SECONDS:.0f} s",
                found="no answer from Envoy" if not self._admin.is_ready() else "an older version",
                next_step="repeat; if it stays so, look at envoy.log in the environment's state folder",
            )

    def read_route(self, service: str) -> Route | None:
        """The split that Envoy applies now; None when it does not run or knows no such service.

        A service that was never routed reads as 100 % blue, where nothing runs.
        """
        try:
            applied = self._admin.read_route(service)
        except TargetError:
            return None
        return None if applied is None else read_weights(applied.configuration)

    def confirm_route(self, service: str, route: Route) -> Mapping[Colour, int]:
        """Prove the split on every worker thread of Envoy, by probes on both sides of its border.

        The probes ask the health path and are counted nowhere. Raises `TargetError` when they show another
        split for 3 s.
        """
        self._files.read_service(service)
        seen: list[str] = []

        def shown() -> bool:
            seen[:] = self._deviations(service, route)
            return not seen

        if not wait_until(shown, _CONFIRM_SECONDS):
            raise TargetError(
                f"the traffic of {service} does not follow its route",
                expected=f"blue {route.blue_percent} %, green {route.green_percent} %",
                found="; ".join(seen),
                next_step="repeat; if it stays so, look at envoy.log in the environment's state folder",
            )
        return {}

    def read_active_requests(self, service: str, colour: Colour) -> int:
        """Requests in flight to `colour`, probes included."""
        name = f"cluster.{cluster_name(service, colour)}.upstream_rq_active"
        return self._admin.read_numbers(f"^{name.replace('.', chr(92) + '.')}$").get(name, 0)

    def _accepted(self, service: str, version: str) -> bool:
        try:
            applied = self._admin.read_route(service)
        except TargetError:
            return False  # Envoy may just be restarting; the file is there and it will read it.
        written = self._files.read_route_version(service)
        if parse_version(written)[0] != parse_version(version)[0]:
            raise FencedError(
                f"the route of {service} was taken over",
                expected=f"version {version}",
                found=f"version {written}",
                next_step="nothing; the newer rollout or rollback decides",
            )
        return applied is not None and applied.version == written

    def _refused(self, service: str) -> int:
        try:
            return self._admin.read_rejected_routes(service)
        except TargetError:
            return 0

    def _take_back(self, service: str, version: str, before: Json, epoch: int) -> None:
        # A refused file does no harm until Envoy is started again, and then the service would have no route.
        with self._fence.holding(epoch), self._folder.lock():
            if self._files.read_route_version(service) == version:
                self._files.restore_route(service, before)

    def _refusal(self, service: str, version: str) -> TargetError:
        return TargetError(
            f"Envoy refused the route of {service}",
            expected=f"version {version} to be accepted",
            found=self._last_refusal(),
            next_step="the route before is still in force; correct the configuration and repeat",
        )

    def _last_refusal(self) -> str:
        found = ""

        def logged() -> bool:
            nonlocal found
            text = self._folder.envoy_log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
            found = " ".join(text.rpartition("config update rejected: ")[2].split())
            return "config update rejected: " in text

        # The supervisor copies Envoy's output into the file a moment after Envoy has counted the refusal.
        wait_until(logged, 1.0)
        return found or "no reason in envoy.log"

    def _deviations(self, service: str, route: Route) -> list[str]:
        found: list[str] = []
        before = self._admin.read_worker_connections(probe_listener_name(service))
        with ExitStack() as stack:
            # Envoy gives connections that are open at the same time to different workers; its counters tell
            # whether each worker has had one.
            for _ in range(_MOST_CONNECTIONS):
                connection = UnixHTTPConnection(str(self._folder.probe_socket(service)), _PROBE_SECONDS)
                stack.callback(connection.close)
                try:
                    found += self._ask_all(connection, service, route)
                except (OSError, http.client.HTTPException) as error:
                    return [f"a probe through Envoy failed: {error}"]
                after = self._admin.read_worker_connections(probe_listener_name(service))
                if sum(count > before.get(worker, 0) for worker, count in after.items()) == WORKERS:
                    return found
        return [*found, "a worker of Envoy took no probe"]

    def _ask_all(self, connection: UnixHTTPConnection, service: str, route: Route) -> list[str]:
        routed = self._files.read_service(service)
        answers = [
            (point, colour, _ask(connection, routed.health_path(colour), point))
            for point, colour in boundary_samples(route)
        ]
        return [
            f"point {point} of 100 goes to {shown or 'neither colour'}, not to {colour}"
            for point, colour, shown in answers
            if shown != colour
        ]


def _ask(connection: UnixHTTPConnection, path: str, point: int) -> str | None:
    connection.request("GET", path, headers={SAMPLE_HEADER: str(point), "user-agent": "switchover-probe"})
    answer = connection.getresponse()
    answer.read()
    return answer.getheader(COLOUR_HEADER)
