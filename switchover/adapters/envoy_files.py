"""The files that Envoy reads its configuration from, each replaced by one rename."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from switchover.adapters import envoy_config
from switchover.adapters.environment_folder import EnvironmentFolder
from switchover.adapters.envoy_config import RoutedService
from switchover.adapters.envoy_counters import Json
from switchover.adapters.private_files import read_json_or_none, write_private_json
from switchover.errors import InputError, TargetError
from switchover.model import Colour, Route

_INITIAL_VERSION = "0.0"


class EnvoyFiles:
    """Keeps the set of services and renders it. Callers hold `EnvironmentFolder.lock` while writing."""

    def __init__(self, folder: EnvironmentFolder) -> None:
        self._folder = folder

    @property
    def bootstrap(self) -> Path:
        """The file that Envoy is started with."""
        return self._folder.envoy / "bootstrap.json"

    def read_services(self) -> dict[str, RoutedService]:
        """Every service that has a listener here, by name."""
        found = read_json_or_none(self._folder.state / "services.json") or {}
        try:
            return {name: envoy_config.RoutedService(**fields) for name, fields in found.items()}
        except TypeError as error:
            raise TargetError(
                f"{self._folder.state / 'services.json'} cannot be read",
                expected="what this version of switchover writes there",
                found=str(error).rpartition("__init__() ")[2],
                next_step="use the version that wrote it, or give the environment a new state folder",
            ) from error

    def read_service(self, name: str) -> RoutedService:
        """One service; raises `InputError` for one that is not here."""
        services = self.read_services()
        if name not in services:
            raise InputError(
                f"the environment knows no service {name!r}",
                expected="a service with a listener",
                found=", ".join(sorted(services)) or "no service at all",
                next_step="correct the name, or add the service to switchover.toml",
            )
        return services[name]

    def write_services(self, services: dict[str, RoutedService]) -> None:
        """Let Envoy have exactly these services. A new one sends everything to blue, where nothing runs yet."""
        write_private_json(self._folder.state / "services.json", {name: asdict(one) for name, one in services.items()})
        folder = str(self._folder.envoy)
        bootstrap = envoy_config.render_bootstrap(folder, str(self._folder.admin_socket), self._folder.key)
        write_private_json(self.bootstrap, bootstrap)
        for name in services:
            self._write_absent(f"rds-{name}", _INITIAL_VERSION, envoy_config.render_route(name, Route(100, 0)))
            for colour in Colour:
                cluster = envoy_config.cluster_name(name, colour)
                self._write_absent(f"eds-{cluster}", _INITIAL_VERSION, envoy_config.render_endpoints(cluster, ()))
        ordered = tuple(services[name] for name in sorted(services))
        self._write("rtds", [envoy_config.render_budgets(ordered)])
        self._write("cds", [one for each in ordered for one in envoy_config.render_clusters(each, folder)])
        listeners = (
            envoy_config.render_listeners(each, folder, str(self._folder.probe_socket(each.name))) for each in ordered
        )
        self._write("lds", [one for pair in listeners for one in pair])

    def write_colour(self, name: str, colour: Colour, health_path: str, latency_budget_ms: int) -> None:
        """Set what Envoy asks a colour's replicas, and from when on an answer of it is slow."""
        service = self.read_service(name)
        if colour is Colour.BLUE:
            service = replace(service, blue_health_path=health_path, blue_latency_budget_ms=latency_budget_ms)
        else:
            service = replace(service, green_health_path=health_path, green_latency_budget_ms=latency_budget_ms)
        self.write_services(self.read_services() | {name: service})

    def write_endpoints(self, service: str, colour: Colour, addresses: tuple[str, ...]) -> None:
        """Set the addresses of a colour."""
        cluster = envoy_config.cluster_name(service, colour)
        self._write(f"eds-{cluster}", [envoy_config.render_endpoints(cluster, addresses)])

    def write_route(self, service: str, configuration: Json, epoch: int) -> str:
        """Replace a service's route; return its version, `<epoch>.<counter>`; the counter only grows."""
        counter = parse_version(self.read_route_version(service))[1] + 1
        version = f"{epoch}.{counter}"
        # Envoy ignores a configuration that equals the one before, and its version: so the version is in it.
        stamp = {"metadata": {"filter_metadata": {"switchover": {"version": version}}}}
        self._write(f"rds-{service}", [configuration | stamp], version)
        return version

    def read_route_version(self, service: str) -> str:
        """The version of the route that is written now."""
        return str(read_json_or_none(self._folder.envoy / f"rds-{service}.json")["version_info"])

    def read_route_document(self, service: str) -> Json:
        """The route as it is written now, for `restore_route`."""
        document: Json = read_json_or_none(self._folder.envoy / f"rds-{service}.json")
        return document

    def restore_route(self, service: str, document: Json) -> None:
        """Write an earlier route back, after Envoy has refused the one that replaced it."""
        write_private_json(self._folder.envoy / f"rds-{service}.json", document)

    def _write_absent(self, name: str, version: str, resource: Json) -> None:
        if not (self._folder.envoy / f"{name}.json").exists():
            self._write(name, [resource], version)

    def _write(self, name: str, resources: list[Json], version: str | None = None) -> None:
        version = version or hashlib.sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()[:16]
        document = envoy_config.render_discovery(version, resources)
        write_private_json(self._folder.envoy / f"{name}.json", document)


def parse_version(version: str) -> tuple[int, int]:
    """Epoch and counter of a route's version; (0, 0) for one that is not ours."""
    epoch, _, counter = version.partition(".")
    return (int(epoch), int(counter)) if epoch.isdecimal() and counter.isdecimal() else (0, 0)
