"""Asks a running Envoy what it does, over its administration socket."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from switchover.adapters.envoy_counters import Json
from switchover.adapters.unix_http import UnixHTTPConnection
from switchover.errors import TargetError

_OK = 200
_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class AppliedRoute:
    """The route configuration that Envoy applies now, with the version that it accepted last."""

    version: str
    configuration: Json


class EnvoyAdmin:
    """Reads only. Every method raises `TargetError` when Envoy does not answer."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket_path

    def is_ready(self) -> bool:
        """Whether Envoy is up and takes traffic."""
        try:
            return self._get("/ready").startswith("LIVE")
        except TargetError:
            return False

    def read_route(self, name: str) -> AppliedRoute | None:
        """The route configuration called `name`, or None when Envoy has none."""
        for entry in self._dump("dynamic_route_configs"):
            configuration = entry.get("route_config", {})
            if configuration.get("name") == name:
                return AppliedRoute(entry.get("version_info", ""), configuration)
        return None

    def read_rejected_routes(self, name: str) -> int:
        """How often Envoy has refused a route configuration called `name`."""
        return sum(self.read_numbers(rf"\.rds\.{re.escape(name)}\.update_rejected$").values())

    def read_listener_trouble(self, name: str) -> str | None:
        """None when the listener is active; otherwise what is wrong with it, in Envoy's words."""
        for entry in self._dump("dynamic_listeners"):
            if entry.get("name") == name:
                if "error_state" in entry:
                    return str(entry["error_state"].get("details", "rejected"))
                return None if "active_state" in entry else "not active yet"
        return "not known to Envoy"

    def read_health_check_path(self, cluster: str) -> str | None:
        """The health path that Envoy uses for a cluster now; None while it has no such cluster."""
        for entry in self._dump("dynamic_active_clusters"):
            if entry["cluster"]["name"] == cluster:
                return str(entry["cluster"]["health_checks"][0]["http_health_check"]["path"])
        return None

    def read_healthy_addresses(self, cluster: str) -> frozenset[str]:
        """The addresses (`host:port`) of a cluster that Envoy would send a request to."""
        answer = json.loads(self._get("/clusters?format=json"))
        hosts = [
            host
            for status in answer.get("cluster_statuses", [])
            if status["name"] == cluster
            for host in status.get("host_statuses", [])
        ]
        return frozenset(_address(host) for host in hosts if _is_healthy(host["health_status"]))

    def read_worker_connections(self, listener: str) -> dict[str, int]:
        """How many connections each worker thread has taken from a listener, by the counter's name."""
        return self.read_numbers(rf"^listener\.{re.escape(listener)}\.worker_\d+\.downstream_cx_total$")

    def read_numbers(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression `pattern`."""
        lines = self._get(f"/stats?filter={quote(pattern)}").splitlines()
        pairs = (line.rpartition(": ") for line in lines)
        return {name: int(value) for name, _, value in pairs if value.isdecimal()}

    def _dump(self, resource: str) -> list[Json]:
        configs: list[Json] = json.loads(self._get(f"/config_dump?resource={resource}")).get("configs", [])
        return configs

    def _get(self, path: str) -> str:
        connection = UnixHTTPConnection(str(self._socket), _TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            raise _silent(error.strerror or str(error)) from error
        finally:
            connection.close()
        if answer.status != _OK:
            raise _silent(f"status {answer.status} for {path}: {text.strip()[:200]}")
        return text


def _address(host: Json) -> str:
    address = host["address"]["socket_address"]
    return f"{address['address']}:{address['port_value']}"


def _is_healthy(status: Json) -> bool:
    # Envoy writes a flag only when it is set; the one that is always there says what discovery believes.
    return not any(value for name, value in status.items() if name != "eds_health_status")


def _silent(found: str) -> TargetError:
    return TargetError(
        "Envoy does not answer on its administration socket",
        expected="Envoy running under the environment's supervisor",
        found=found,
        next_step="look at envoy.log in the environment's state folder, then repeat",
    )
