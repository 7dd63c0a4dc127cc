"""Envoy's configuration as values: nothing here reads or writes.

Per service there is one public listener, one probe listener (a unix socket that only this user can open) and
one cluster per colour. Both listeners share one route configuration, in which both clusters are always
present and only their weights change. On the probe listener the header `x-switchover-sample: 0…99` picks the
point of the split, so a handful of probes proves it; on the public listener that header is removed before
routing. Every answer carries `x-switchover-colour`.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchover.adapters.envoy_counters import Json, budget_key, render_counters
from switchover.model import Colour, Route

SAMPLE_HEADER = "x-switchover-sample"
COLOUR_HEADER = "x-switchover-colour"
WORKERS = 2
"""Envoy's worker threads; a route counts as confirmed when each of them shows it."""

# Upstream keep-alive ends before that of usual servers (gunicorn 2 s, Node and uvicorn 5 s), so a request never
# meets a connection that its server is just closing.
_UPSTREAM_IDLE = "1s"
_REQUEST_TIMEOUT = "15s"
_TYPE = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class RoutedService:
    """What Envoy needs to know of one service; `port` is the public one and never 0."""

    name: str
    host: str
    port: int
    blue_health_path: str = "/"
    green_health_path: str = "/"
    blue_latency_budget_ms: int = 500
    green_latency_budget_ms: int = 500

    def health_path(self, colour: Colour) -> str:
        """The health path of one colour."""
        return self.blue_health_path if colour is Colour.BLUE else self.green_health_path

    def latency_budget_ms(self, colour: Colour) -> int:
        """From when on an answer of one colour is slow."""
        return self.blue_latency_budget_ms if colour is Colour.BLUE else self.green_latency_budget_ms


def cluster_name(service: str, colour: Colour) -> str:
    """The name of a colour in Envoy, and of its group of programs."""
    return f"{service}-{colour}"


def public_listener_name(service: str) -> str:
    """The name of the listener for users."""
    return f"public-{service}"


def probe_listener_name(service: str) -> str:
    """The name of the listener for probes."""
    return f"probe-{service}"


def render_bootstrap(folder: str, admin_socket: str, key: str) -> Json:
    """The fixed part: everything else is read from files in `folder`, which Envoy watches."""
    return {
        "node": {"id": key, "cluster": "switchover"},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "layered_runtime": {
            "layers": [
                {"name": "budgets", "rtds_layer": {"name": "budgets", "rtds_config": _watched(f"{folder}/rtds.json")}}
            ]
        },
        "dynamic_resources": {
            "lds_config": _watched(f"{folder}/lds.json"),
            "cds_config": _watched(f"{folder}/cds.json"),
        },
    }


def render_discovery(version: str, resources: list[Json]) -> Json:
    """One discovery file."""
    return {"version_info": version, "resources": resources}


def render_listeners(service: RoutedService, folder: str, probe_socket: str) -> list[Json]:
    """The public listener and the probe listener of a service."""
    public = _listener(
        public_listener_name(service.name),
        {"socket_address": {"address": service.host, "port_value": service.port}},
        _connection_manager(service.name, folder)
        | {
            "early_header_mutation_extensions": [_removal(SAMPLE_HEADER)],
            "access_log": render_counters(service.name, _cluster_names(service.name)),
        },
    )
    probe = _listener(
        probe_listener_name(service.name),
        {"pipe": {"path": probe_socket, "mode": 0o600}},
        _connection_manager(service.name, folder),
    )
    return [public, probe]


def render_clusters(service: RoutedService, folder: str) -> list[Json]:
    """Both colours' clusters; their addresses come from a file each."""
    return [_cluster(service, colour, folder) for colour in Colour]


def render_endpoints(cluster: str, addresses: tuple[str, ...]) -> Json:
    """The addresses (`host:port`) of one colour."""
    endpoints = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        endpoints.append({"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}})
    return {
        "@type": _TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": endpoints}],
    }


def render_route(service: str, route: Route) -> Json:
    """The route configuration of a service: all requests, split by weight."""
    clusters = [
        {
            "name": cluster_name(service, colour),
            "weight": route.percent(colour),
            "response_headers_to_add": [
                {"header": {"key": COLOUR_HEADER, "value": colour}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            ],
        }
        for colour in Colour
    ]
    action = {
        "timeout": _REQUEST_TIMEOUT,
        "weighted_clusters": {"header_name": SAMPLE_HEADER, "clusters": clusters},
    }
    return {
        "@type": _TYPE + "envoy.config.route.v3.RouteConfiguration",
        "name": service,
        "virtual_hosts": [{"name": service, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": action}]}],
    }


def render_budgets(services: tuple[RoutedService, ...]) -> Json:
    """The latency budgets in milliseconds, as runtime values: changing one drains no listener."""
    return {
        "@type": _TYPE + "envoy.service.runtime.v3.Runtime",
        "name": "budgets",
        "layer": {
            budget_key(cluster_name(service.name, colour)): service.latency_budget_ms(colour)
            for service in services
            for colour in Colour
        },
    }


def read_weights(route_configuration: Json) -> Route | None:
    """The split in a route configuration of ours, or None when it is not one."""
    try:
        action = route_configuration["virtual_hosts"][0]["routes"][0]["route"]
        weights = {
            cluster["name"]: int(cluster.get("weight", 0)) for cluster in action["weighted_clusters"]["clusters"]
        }
        name = route_configuration["name"]
        return Route(weights[cluster_name(name, Colour.BLUE)], weights[cluster_name(name, Colour.GREEN)])
    except (KeyError, IndexError, ValueError):
        return None


_LAST_POINT = 99


def boundary_samples(route: Route) -> tuple[tuple[int, Colour], ...]:
    """The points that prove a split: both ends and both sides of the border, each with the colour to expect."""
    blue = route.blue_percent
    points = sorted({point for point in (0, blue - 1, blue, _LAST_POINT) if 0 <= point <= _LAST_POINT})
    return tuple((point, Colour.BLUE if point < blue else Colour.GREEN) for point in points)


def _watched(path: str) -> Json:
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _listener(name: str, address: Json, connection_manager: Json) -> Json:
    return {
        "@type": _TYPE + "envoy.config.listener.v3.Listener",
        "name": name,
        "stat_prefix": name,
        "address": address,
        # Without this a second program of the same user could bind the same port and take half of the requests.
        "enable_reuse_port": False,
        "connection_balance_config": {"exact_balance": {}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connection_manager}]}
        ],
    }


def _connection_manager(service: str, folder: str) -> Json:
    return {
        "@type": _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": service,
        "use_remote_address": True,
        "normalize_path": True,
        "server_header_transformation": "PASS_THROUGH",
        "rds": {"route_config_name": service, "config_source": _watched(f"{folder}/rds-{service}.json")},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }


def _cluster_names(service: str) -> tuple[str, ...]:
    return tuple(cluster_name(service, colour) for colour in Colour)


def _removal(header: str) -> Json:
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": _TYPE + "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [{"remove": header}],
        },
    }


def _cluster(service: RoutedService, colour: Colour, folder: str) -> Json:
    name = cluster_name(service.name, colour)
    return {
        "@type": _TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": _watched(f"{folder}/eds-{name}.json")},
        # A replica that is taken out gets no new request, however healthy it still is.
        "ignore_health_on_host_removal": True,
        # A colour without a healthy replica answers 503: sending to unhealthy ones would hide it.
        # By default Envoy lets its workers know of a recovered replica up to 1 s after it says so itself.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [_without_limits()]},
        "health_checks": [_health_check(service.health_path(colour))],
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http_1()},
    }


def _without_limits() -> Json:
    many = 1_000_000
    return {"max_connections": many, "max_pending_requests": many, "max_requests": many}


def _health_check(path: str) -> Json:
    return {
        # Generous, so that a busy machine does not make Envoy give up on replicas that only answer late.
        "timeout": "2s",
        "interval": "1s",
        "no_traffic_interval": "0.25s",
        "no_traffic_healthy_interval": "1s",
        "unhealthy_interval": "0.25s",
        "healthy_threshold": 1,
        "unhealthy_threshold": 2,
        "http_health_check": {"path": path},
    }


def _http_1() -> Json:
    return {
        "@type": _TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": _UPSTREAM_IDLE},
        "explicit_http_config": {"http_protocol_options": {}},
    }
