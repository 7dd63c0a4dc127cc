"""An API server for tests without a cluster: real HTTP on a loopback port, from a thread of its own.

PyPI's kmock brings the request parsing, the discovery documents and the rendering of errors. Its own objects know
no versions, preconditions, selectors or apply; those are `kube_store.py`. Controllers, for those who want them, are
`kube_controllers.py`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import web
from kmock import KubernetesScaffold, Request, ResourceInfo
from kubernetes_asyncio.client import Configuration

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import (
    EVENT,
    KINDS,
    NAMESPACE,
    POD,
    SELF_SUBJECT_ACCESS_REVIEW,
    SERVICE,
    Kind,
    KubeObject,
    name_of,
)
from tests.kube_faults import Fault, Refused
from tests.kube_store import KubeStore

SELECTED_BY = {(EVENT, "type"), (EVENT, "reason")}
NAMESPACE_OF_TESTS = "shop-production"
ServiceAnswer = Callable[[str, str, str], tuple[int, str]]
"""What a service behind the proxy says: method, path with query, body -> status, body."""


class KubeEmulator:
    """An emulated cluster. Start it with `with`, then script it and look into `store` from the test's thread."""

    def __init__(self, namespace: str = NAMESPACE_OF_TESTS) -> None:
        self.namespace = namespace
        self.store = KubeStore(namespaces={"default", namespace})
        self.kinds = set(KINDS)
        self.faults: list[Fault] = []
        self.tokens: set[str] | None = None
        self.services: dict[str, ServiceAnswer] = {}
        self.logs: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
        self.calls: list[tuple[str, str]] = []
        self.before_call: Callable[[str, str], None] | None = None
        """Called with method and path before a call is served, in the server's thread; may change the store."""
        self._forbidden: set[tuple[str, str]] = set()
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # --- what a test scripts ----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def configuration(self, token: str = "") -> Configuration:
        configuration = Configuration(host=self.url)
        if token:
            configuration.api_key["BearerToken"] = f"Bearer {token}"
        return configuration

    def api(self, **more: Any) -> KubeApi:
        """A client without credentials; close it."""
        return KubeApi(self.configuration, self.namespace, **more)

    def fail(self, status: int, **more: Any) -> Fault:
        """Let calls fail; see `Fault`."""
        self.faults.append(fault := Fault(status, **more))
        return fault

    def forbid(self, verb: str, plural: str) -> None:
        """Take a right away, with RBAC's words: `forbid("patch", "httproutes")`, `forbid("get", "pods/log")`."""
        self._forbidden.add((verb, plural))

    def allow(self, verb: str, plural: str) -> None:
        """Give a right back."""
        self._forbidden.discard((verb, plural))

    def uninstall(self, *kinds: Kind) -> None:
        """Take custom resource definitions away. Before the start."""
        self.kinds -= set(kinds)

    def write_log(self, pod: str, line: str, container: str = "app", at: datetime | None = None) -> None:
        """Let a container log a line."""
        self.logs[pod, container].append((at or datetime.now(UTC), line))

    def put(self, *objects: KubeObject) -> None:
        """Make objects past the API."""
        for obj in objects:
            self.store.put(self.namespace, obj)

    def get(self, kind: Kind, name: str) -> KubeObject:
        """An object as it is; fails when there is none."""
        return self.store.read(kind, self.namespace, name)

    # --- serving ----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, on the same port as before when it was stopped."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        """End serving; the objects stay. New connections are refused."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)
            self._loop = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within: there is no API server."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with _Handler(self) as handler:
            runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True).start()
            self._port = runner.addresses[0][1]
            ready.set()
            await self._stopping.wait()
            await runner.cleanup()

    async def serve(self, request: Request) -> web.StreamResponse | None:
        """The answer to one call; None when it is one of discovery."""
        method, path = request.method.value, request.url.raw_path
        self.calls.append((method, path))
        if self.before_call is not None:
            self.before_call(method, path)
        try:
            self._require_token(request)
            if fault := next((each for each in self.faults if each.meets(method, path)), None):
                return await self._fail(request, fault)
            return self._answer(request)
        except Refused as refused:
            return web.json_response(refused.status, status=refused.code)

    async def _fail(self, request: Request, fault: Fault) -> web.StreamResponse | None:
        fault.use()
        await asyncio.sleep(fault.delay_seconds)
        answer = self._answer(request) if fault.after or not fault.status else None
        if fault.status:
            raise Refused(fault.status, fault.reason, fault.message)
        return answer

    def _require_token(self, request: Request) -> None:
        said = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens is not None and said not in self.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")

    def _answer(self, request: Request) -> web.StreamResponse | None:
        place = self._find(request.url.raw_path)
        if place is None:
            return None
        kind, namespace, name, subresource, below = place
        self._require_right(kind, namespace, _verb(request, name), subresource)
        if subresource == "log" and kind is POD:
            return self._serve_log(namespace, name, dict(request.params))
        if subresource == "proxy" and kind is SERVICE:
            return self._serve_proxy(request, namespace, name, below)
        body = json.loads(request.body) if request.body else {}
        return web.json_response(self._serve_object(request, kind, namespace, name, body))

    def _find(self, path: str) -> tuple[Kind, str, str, str, str] | None:
        for kind in self.kinds:
            parts = path.removeprefix(kind.root + "/").split("/")
            if not path.startswith(kind.root + "/"):
                continue
            namespace = ""
            if kind.namespaced:
                if len(parts) < 3 or parts[0] != "namespaces":
                    continue
                namespace, parts = parts[1], parts[2:]
            if parts[0] == kind.plural and not (kind is NAMESPACE and len(parts) > 2):
                name, subresource = (*parts[1:3], "", "")[:2]
                return kind, namespace, name, subresource, "/" + "/".join(parts[3:])
        return None

    def _serve_object(self, request: Request, kind: Kind, namespace: str, name: str, body: Any) -> KubeObject:
        method, store = request.method.value, self.store
        if method == "GET":
            return self._read(request, kind, namespace, name)
        if method == "POST":
            return self._create(kind, namespace, body)
        if method == "PUT":
            return store.replace(kind, namespace, body)
        if method == "DELETE":
            store.delete(kind, namespace, name, body.get("preconditions"))
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        if "apply-patch" in request.headers.get("Content-Type", ""):
            assert name == name_of(body), "the address names another object than the body"
            return store.apply(kind, namespace, body, request.params["fieldManager"])
        return store.patch(kind, namespace, name, body)

    def _read(self, request: Request, kind: Kind, namespace: str, name: str) -> KubeObject:
        if not name:
            items = self.store.list(kind, namespace, request.params.get("labelSelector", ""))
            for term in filter(None, request.params.get("fieldSelector", "").split(",")):
                name, _, value = term.partition("=")
                if (kind, name) not in SELECTED_BY:
                    raise Refused(400, "BadRequest", f"field label not supported: {name}")
                items = [item for item in items if item.get(name) == value]
            hidden = ("apiVersion", "kind")  # as in every list of the API server
            return {
                "kind": f"{kind.kind}List",
                "apiVersion": kind.api_version,
                "metadata": {},
                "items": [{key: value for key, value in item.items() if key not in hidden} for item in items],
            }
        return self.store.read(kind, namespace, name)

    def _create(self, kind: Kind, namespace: str, body: KubeObject) -> KubeObject:
        if kind is not SELF_SUBJECT_ACCESS_REVIEW:
            return self.store.create(kind, namespace, body)
        asked = body["spec"]["resourceAttributes"]
        plural = "/".join(filter(None, (asked["resource"], asked.get("subresource", ""))))
        return {**body, "status": {"allowed": (asked["verb"], plural) not in self._forbidden}}

    def _serve_log(self, namespace: str, name: str, query: dict[str, str]) -> web.Response:
        container = query["container"]
        pod = self.store.read(POD, namespace, name)
        if container not in [each["name"] for each in pod["spec"]["containers"]]:
            raise Refused(400, "BadRequest", f"container {container} is not valid for pod {name}")
        lines = self.logs[name, container]
        if since := query.get("sinceTime"):
            begins = datetime.fromisoformat(since).replace(microsecond=0)
            lines = [(at, line) for at, line in lines if at >= begins]
        if tail := query.get("tailLines"):
            lines = lines[-int(tail) :] if int(tail) else []
        stamped = query.get("timestamps") == "true"
        texts = [f"{at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')} {line}\n" if stamped else f"{line}\n" for at, line in lines]
        return web.Response(text="".join(texts))

    def _serve_proxy(self, request: Request, namespace: str, name: str, below: str) -> web.Response:
        service = name.partition(":")[0]
        self.store.read(SERVICE, namespace, service)
        answer = self.services.get(service)
        if answer is None:
            message = f'no endpoints available for service "{name}"'
            raise Refused(503, "ServiceUnavailable", message)
        query = f"?{request.url.raw_query_string}" if request.url.raw_query_string else ""
        status, text = answer(request.method.value, below + query, request.body.decode())
        return web.Response(status=status, text=text)

    def _require_right(self, kind: Kind, namespace: str, verb: str, subresource: str) -> None:
        plural = f"{kind.plural}/{subresource}" if subresource else kind.plural
        if (verb, plural) in self._forbidden:
            message = (
                f'{kind.plural} is forbidden: User "system:serviceaccount:{namespace}:deployer" cannot {verb} resource '
                f'"{plural}" in API group "{kind.group}" in the namespace "{namespace}"'
            )
            raise Refused(403, "Forbidden", message, kind=kind.plural)


class _Handler(KubernetesScaffold):
    """kmock's part: it parses requests, and serves discovery and everything that nobody knows."""

    def __init__(self, emulator: KubeEmulator) -> None:
        super().__init__()
        self._emulator = emulator
        for kind in emulator.kinds:
            self.resources[f"{kind.group}/{kind.api_version.rpartition('/')[2]}/{kind.plural}".lstrip("/")] = (
                ResourceInfo(kind=kind.kind, namespaced=kind.namespaced)
            )

    async def _handle(self, request: Request) -> web.StreamResponse:
        answer = await self._emulator.serve(request)
        return answer if answer is not None else await super()._handle(request)


def _verb(request: Request, name: str) -> str:
    verbs = {"GET": "get" if name else "list", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return verbs[request.method.value]
