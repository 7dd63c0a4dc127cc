"""A data plane for tests without a cluster: it routes real HTTP as the objects of an emulated API server say."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from switchover.adapters.kube_kinds import ENDPOINT_SLICE, HTTP_ROUTE, INGRESS, SERVICE, KubeObject
from switchover.decide.canary_ingress import SERVICE_UPSTREAM, WEIGHT
from switchover.decide.stable_service import ready_addresses
from tests.kube_emulator import KubeEmulator

Choice = tuple[str, list[tuple[str, str]]]
"""The Service that answers, and the headers that the route adds to its answer."""


@dataclass(slots=True)
class KubeGateway:
    """`kind` is which object says where requests go, `name` which one. `late` routes as that object was before."""

    emulator: KubeEmulator
    kind: str = "gateway"
    name: str = "shop"
    names_colours: bool = True
    late: KubeObject | None = None
    lots: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 lots are drawn the same way every time
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""

    @contextmanager
    def serving(self) -> Iterator[KubeGateway]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                status, body, headers = gateway.answer(self.path, dict(self.headers.items()))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes, list[tuple[str, str]]]:
        with self.lock:
            chosen = {"gateway": self._by_route, "ingress-nginx": self._by_ingress, "service": self._by_selector}[
                self.kind
            ]({name.lower(): value for name, value in headers.items()})
        if chosen is None:
            return 404, b"", []
        service, added = chosen
        slices = self.emulator.store.list(
            ENDPOINT_SLICE, self.emulator.namespace, {"kubernetes.io/service-name": service}
        )
        if not ready_addresses(slices):
            return 503, b"", []
        status, body = self.emulator.services[service]("GET", path, "")
        return status, body.encode(), added

    def _by_route(self, headers: Mapping[str, str]) -> Choice | None:
        route = self.late or self.emulator.get(HTTP_ROUTE, self.name)
        fitting = [
            (len(match.get("headers", [])), rule)
            for rule in route["spec"]["rules"]
            for match in rule.get("matches") or [{}]
            if all(_matches(header, headers) for header in match.get("headers", []))
        ]
        if not fitting:
            return None
        rule = max(fitting, key=lambda pair: pair[0])[1]
        refs = rule["backendRefs"]
        ref = self.lots.choices(refs, [each.get("weight", 1) for each in refs])[0]
        modifiers = [each.get("responseHeaderModifier", {}) for each in ref.get("filters", [])]
        added = [header for each in modifiers for header in [*each.get("set", []), *each.get("add", [])]]
        return ref["name"], [(header["name"], header["value"]) for header in added]

    def _by_ingress(self, headers: Mapping[str, str]) -> Choice | None:
        """As ingress-nginx does: without endpoints of the primary the canary is not even looked at."""
        del headers
        primary, canary = (self.emulator.get(INGRESS, name) for name in (self.name, f"{self.name}-canary"))
        first, other = (
            each["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] for each in (primary, canary)
        )
        slices = self.emulator.store.list(
            ENDPOINT_SLICE, self.emulator.namespace, {"kubernetes.io/service-name": first}
        )
        if primary["metadata"]["annotations"].get(SERVICE_UPSTREAM) != "true" and not ready_addresses(slices):
            return self._naming(first)
        weight = int(canary["metadata"]["annotations"][WEIGHT])
        return self._naming(other if self.lots.randrange(100) < weight else first)

    def _by_selector(self, headers: Mapping[str, str]) -> Choice | None:
        del headers
        selector = self.emulator.get(SERVICE, self.name)["spec"]["selector"]
        return self._naming(f"shop-{selector['switchover.dev/colour']}")

    def _naming(self, service: str) -> Choice:
        """Here the pods themselves name their colour."""
        return service, [("x-switchover-colour", service.rpartition("-")[2])] if self.names_colours else []


def a_route(blue: int = 100, green: int = 0, *, named: bool = True, **spec: Any) -> KubeObject:
    """An HTTPRoute of `shop` with one rule for the traffic and one for a preview of green."""
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": ["shop.example.com"],
            "rules": [
                {"matches": [_ROOT], "backendRefs": backends(blue, green, named=named)},
                {"matches": [{**_ROOT, "headers": [_PREVIEW]}], "backendRefs": backends(0, 1, named=named)},
            ],
            **spec,
        },
    }


def backends(blue: int, green: int, *, named: bool = True) -> list[KubeObject]:
    """Both colours, each naming itself."""
    return [
        {"name": f"shop-{colour}", "port": 80, "weight": weight, **({"filters": [_naming(colour)]} if named else {})}
        for colour, weight in (("blue", blue), ("green", green))
    ]


def a_gateway() -> KubeObject:
    """The Gateway of the route."""
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": "Gateway",
        "metadata": {"name": "public"},
        "spec": {"gatewayClassName": "any", "listeners": [listener]},
    }


def ingresses(weight: int = 0, **annotations: str) -> tuple[KubeObject, KubeObject]:
    """A primary Ingress for blue and its canary for green; `annotations` are more of the primary."""
    canary = {"nginx.ingress.kubernetes.io/canary": "true", WEIGHT: str(weight)}
    return (
        _ingress("shop", "shop-blue", {SERVICE_UPSTREAM: "true"} | annotations),
        _ingress("shop-canary", "shop-green", canary),
    )


def a_stable_service(colour: str = "blue") -> KubeObject:
    """A Service that leads to one colour."""
    selector = {"switchover.dev/service": "shop", "switchover.dev/colour": colour}
    spec = {"selector": selector, "clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop-stable"}, "spec": spec}


_ROOT = {"path": {"type": "PathPrefix", "value": "/"}}
_PREVIEW = {"type": "Exact", "name": "x-switchover-colour", "value": "green"}


def _naming(colour: str) -> KubeObject:
    headers = {"set": [{"name": "x-switchover-colour", "value": colour}]}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": headers}


def _ingress(name: str, service: str, annotations: Mapping[str, str]) -> KubeObject:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": INGRESS.api_version,
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": dict(annotations)},
        "spec": {"rules": [{"host": "shop.example.com", "http": {"paths": paths}}]},
    }


def _matches(header: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    said = headers.get(header["name"].lower(), "")
    if header.get("type") == "RegularExpression":
        return re.fullmatch(header["value"], said) is not None
    return said == header["value"]
