"""The data plane of the test cluster: Contour, a conformant Gateway API implementation, and Envoy."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from switchover.adapters.envoy_program import find_envoy
from tests.cluster.addresses import NODE
from tests.cluster.cache import cached
from tests.cluster.control_plane import answers
from tests.cluster.go_programs import HERE, built
from tests.cluster.objects import Object, Objects, condition
from tests.cluster.processes import Child, await_ready, run
from tests.cluster.processes import start as start_child

CLASS = "contour"
NAMESPACE = "gateway"
NAME = "public"
# Contour has Envoy listen on the port of the Gateway's listener plus 8000.
LISTENER_PORT = 80
ENVOY_PORT = LISTENER_PORT + 8000
STATS_PORT = 8002
ADDRESS = f"{NODE}:{ENVOY_PORT}"
STATS = f"{NODE}:{STATS_PORT}"

_PACKAGE = "github.com/projectcontour/contour/cmd/contour"
_XDS_PORT = 8001
_CONTOUR_PORT = 8003
_SECONDS_TO_START = 60
# Kinds that the standard channel of the Gateway API does not have.
_EXPERIMENTAL = ("tlsroutes", "tcproutes", "backendtlspolicies", "extensionservices")
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
_GATEWAY_PATH = f"{_GATEWAY_API}/namespaces/{NAMESPACE}/gateways/{NAME}"


@dataclass(frozen=True, slots=True)
class GatewayPrograms:
    """What `start` needs: two programs, and a folder with the custom resource definitions."""

    contour: Path
    envoy: Path
    definitions: Path


def prepare() -> GatewayPrograms:
    """Have Contour, Envoy and the custom resource definitions in the cache."""
    pins = [(HERE / "gateway" / name).read_bytes() for name in ("go.mod", "go.sum")]
    return GatewayPrograms(
        contour=built("gateway", package=_PACKAGE),
        envoy=find_envoy(),
        definitions=cached("gateway-definitions", pins, _copy_definitions),
    )


def start_contour(prepared: GatewayPrograms, folder: Path, logs: Path, kubeconfig: Path) -> Child:
    """Install the definitions and the Gateway, and run the control plane.

    Returns when it serves the configuration that Envoy asks for.
    """
    _install(prepared, kubeconfig)
    configuration = folder / "contour.yaml"
    configuration.write_text(json.dumps({"gateway": {"gatewayRef": {"namespace": NAMESPACE, "name": NAME}}}))
    command: list[str | Path] = [prepared.contour, "serve", f"--config-path={configuration}"]
    command += [f"--kubeconfig={kubeconfig}", "--insecure", "--xds-address=127.0.0.1", f"--xds-port={_XDS_PORT}"]
    command += ["--http-address=127.0.0.1", f"--http-port={_CONTOUR_PORT}"]
    command += ["--health-address=127.0.0.1", f"--health-port={_CONTOUR_PORT}"]
    command += [f"--stats-address={NODE}", f"--stats-port={STATS_PORT}", f"--ingress-status-address={NODE}"]
    command += ["--disable-leader-election", *(f"--disable-feature={kind}" for kind in _EXPERIMENTAL)]
    child = start_child("contour", command, logs=logs)
    await_ready(child, lambda: answers(f"http://127.0.0.1:{_CONTOUR_PORT}/healthz"), within=_SECONDS_TO_START)
    return child


def start_envoy(prepared: GatewayPrograms, folder: Path, logs: Path) -> Child:
    """Run the data plane. Returns when it has its first configuration from Contour."""
    bootstrap = folder / "envoy.json"
    xds = ("--xds-address=127.0.0.1", f"--xds-port={_XDS_PORT}")
    admin = folder / "envoy.sock"
    options = [*xds, f"--admin-address={admin}", f"--namespace={NAMESPACE}"]
    run([str(prepared.contour), "bootstrap", str(bootstrap), *options])
    node = ("--service-cluster", NAMESPACE, "--service-node", "envoy")
    # Several Envoys of one machine would meet in the shared memory that hot restarts need.
    command: list[str | Path] = [
        prepared.envoy,
        "-c",
        bootstrap,
        *node,
        "--concurrency",
        "2",
        "--disable-hot-restart",
        "-l",
        "warn",
    ]
    child = start_child("envoy", command, logs=logs)
    await_ready(child, lambda: answers(f"http://{STATS}/ready"), within=_SECONDS_TO_START)
    return child


def await_programmed(kubeconfig: Path) -> None:
    """Wait until the Gateway says that it is programmed and where it is."""
    with Objects(kubeconfig) as objects:
        objects.await_state(_GATEWAY_PATH, _programmed, within=_SECONDS_TO_START)


def _copy_definitions(folder: Path) -> None:
    for module, pattern in (
        ("sigs.k8s.io/gateway-api", "config/crd/standard/*.yaml"),
        ("github.com/projectcontour/contour", "examples/contour/01-crds.yaml"),
    ):
        found = json.loads(run(["go", "-C", str(HERE / "gateway"), "mod", "download", "-json", module]))
        for definition in Path(found["Dir"]).glob(pattern):
            shutil.copyfile(definition, folder / definition.name)


def _install(prepared: GatewayPrograms, kubeconfig: Path) -> None:
    with Objects(kubeconfig) as objects:
        _define(objects, prepared.definitions)
        for path, wanted in _gateway_objects():
            objects.apply(path, wanted)


def _define(objects: Objects, definitions: Path) -> None:
    wanted = [one for path in sorted(definitions.iterdir()) for one in _documents(path)]
    for one in wanted:
        objects.apply(f"{_DEFINITIONS}/{one['metadata']['name']}", one)
    for one in wanted:
        path = f"{_DEFINITIONS}/{one['metadata']['name']}"
        objects.await_state(path, condition("Established"), within=_SECONDS_TO_START)


def _documents(path: Path) -> list[Object]:
    # libyaml is ten times faster, and these are half a megabyte.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [one for one in yaml.load_all(path.read_text(), Loader=loader) if one]


def _gateway_objects() -> tuple[tuple[str, Any], ...]:
    api_version = "gateway.networking.k8s.io/v1"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    gateway_class = {
        "apiVersion": api_version,
        "kind": "GatewayClass",
        "metadata": {"name": CLASS},
        "spec": {"controllerName": "projectcontour.io/gateway-controller"},
    }
    listener = {"name": "http", "protocol": "HTTP", "port": LISTENER_PORT}
    gateway = {
        "apiVersion": api_version,
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": CLASS,
            "listeners": [{**listener, "allowedRoutes": {"namespaces": {"from": "All"}}}],
        },
    }
    return (
        (f"/api/v1/namespaces/{NAMESPACE}", namespace),
        (f"{_GATEWAY_API}/gatewayclasses/{CLASS}", gateway_class),
        (_GATEWAY_PATH, gateway),
    )


def _programmed(gateway: Object) -> bool:
    addresses = gateway.get("status", {}).get("addresses", [])
    return condition("Programmed")(gateway) and any(address["value"] == NODE for address in addresses)
