"""The API server of one cluster, for one namespace: objects are plain dictionaries, as their JSON is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import quote

from switchover.adapters.kube_credentials import Credentials
from switchover.adapters.kube_errors import Answer, Call, explain
from switchover.adapters.kube_kinds import (
    FIELD_MANAGER,
    POD,
    SELF_SUBJECT_ACCESS_REVIEW,
    SERVICE,
    Kind,
    KubeObject,
    kind_of,
    name_of,
)
from switchover.adapters.kube_transport import KubeTransport
from switchover.errors import InputError
from switchover.model import SmokeTest

NEVER_WRITTEN = "1"
"""The resource version of no object: with it `apply` makes an object, or conflicts when there is one."""

_MOST_LOG_BYTES = 16 * 1024 * 1024
_OK = range(200, 300)
_NOT_FOUND = 404
_NOT_STARTED = 400
_NO_SUCH_CONTAINER = b"is not valid for pod"
_BY_THE_API_SERVER = (401, 403, 404)
_MANAGER = (("fieldManager", FIELD_MANAGER),)
_NOT_SENT = ("managedFields", "resourceVersion")


class KubeApi:
    """Synchronous and thread-safe. Every call is bounded in time; `namespace` is where objects are unless said.

    Every method may raise: `InputError` when the API server refuses (403 names verb, resource and what to grant;
    a missing kind or namespace is named), `TargetError` when it does not answer, is overloaded or no longer knows
    the credentials (they are read again once), and `KubeConflictError` as each method says.
    """

    def __init__(self, credentials: Credentials, namespace: str, *, timeout_seconds: float = 10.0) -> None:
        self.namespace = namespace
        self._transport = KubeTransport(credentials, timeout_seconds)

    def close(self) -> None:
        """Close the connections to the API server."""
        self._transport.close()

    def read(self, kind: Kind, name: str, *, namespace: str | None = None) -> KubeObject | None:
        """The object as it is now, None when there is none."""
        answer = self._transport.send(call := self._call("read", "GET", kind, name, namespace=namespace, safe=True))
        if answer.status == _NOT_FOUND and (answer.status_object().get("details") or {}).get("name"):
            return None
        return _value(call, answer)

    def list(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        namespace: str | None = None,
    ) -> tuple[KubeObject, ...]:
        """All objects of a kind that have these labels, by name; with `apiVersion` and `kind` like those read.

        `fields` are some that the API server selects by, other ones for each kind: `{"type": "Warning"}` of events.
        """
        asked = (("labelSelector", labels), ("fieldSelector", fields))
        query = tuple((name, ",".join(f"{key}={value}" for key, value in each.items())) for name, each in asked if each)
        call = self._call("list", "GET", kind, namespace=namespace, query=query, safe=True)
        items = _value(call, self._transport.send(call))["items"]
        said = {"apiVersion": kind.api_version, "kind": kind.kind}
        return tuple(sorted(({**said, **item} for item in items), key=name_of))

    def apply(self, obj: KubeObject, *, resource_version: str | None = None) -> KubeObject:
        """Server-side apply as `switchover`, by force: the object has these fields then, and none that we set before.

        With a `resource_version`, `KubeConflictError` unless the object has it (`NEVER_WRITTEN`: unless there is
        none). Repeating is safe.
        """
        kind, metadata = kind_of(obj), _metadata_to_send(obj)
        if resource_version is not None:
            metadata["resourceVersion"] = resource_version
        query = (*_MANAGER, ("force", "true"))
        body = {**obj, "metadata": metadata}
        safe = resource_version is None
        return self._write("apply", "PATCH", kind, body, "application/apply-patch+yaml", query=query, safe=safe)

    def create(self, obj: KubeObject) -> KubeObject:
        """Make an object; `KubeConflictError` when there is one of that name."""
        kind = kind_of(obj)
        # A review is a question: asking it twice makes nothing.
        safe = kind == SELF_SUBJECT_ACCESS_REVIEW
        return self._write("create", "POST", kind, {**obj, "metadata": _metadata_to_send(obj)}, safe=safe)

    def replace(self, obj: KubeObject) -> KubeObject:
        """Put it in the place of the object whose `metadata.resourceVersion` it has; else `KubeConflictError`."""
        return self._write("replace", "PUT", kind_of(obj), obj)

    def patch(self, kind: Kind, name: str, operations: Sequence[Mapping[str, Any]]) -> KubeObject:
        """Change it by a JSON patch (RFC 6902); `KubeConflictError` when a `test` fails or there is no object."""
        call = self._call(
            "patch",
            "PATCH",
            kind,
            name,
            query=_MANAGER,
            body=json.dumps(list(operations)).encode(),
            content_type="application/json-patch+json",
        )
        return _value(call, self._transport.send(call))

    def delete(self, kind: Kind, name: str, *, resource_version: str | None = None) -> None:
        """Delete it, and in the background what it owns. Nothing to delete is fine.

        With a `resource_version`, `KubeConflictError` unless the object has it.
        """
        options: KubeObject = {"propagationPolicy": "Background"}
        if resource_version is not None:
            options["preconditions"] = {"resourceVersion": resource_version}
        body = json.dumps(options).encode()
        call = self._call("delete", "DELETE", kind, name, body=body, safe=resource_version is None)
        answer = self._transport.send(call)
        if answer.status != _NOT_FOUND:
            _value(call, answer)

    def read_log(
        self,
        pod: str,
        container: str,
        *,
        since: str | None = None,
        tail: int | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> str:
        """What a container has logged; empty while it has not started, and when there is no such pod.

        `since` is an RFC 3339 time (the API server counts whole seconds), `tail` a number of lines; `timestamps`
        puts the time and a blank before each line; `previous` is the container before its last restart.
        """
        asked = {
            "container": container,
            "sinceTime": since,
            "tailLines": None if tail is None else str(tail),
            "timestamps": "true" if timestamps else None,
            "previous": "true" if previous else None,
            "limitBytes": str(_MOST_LOG_BYTES),
        }
        query = tuple((name, value) for name, value in asked.items() if value is not None)
        call = self._call("read_log", "GET", POD, pod, subresource="log", query=query, safe=True)
        answer = self._transport.send(call)
        if answer.status in (_NOT_FOUND, _NOT_STARTED) and _NO_SUCH_CONTAINER not in answer.body:
            return ""
        return _accepted(call, answer).body.decode(errors="replace")

    def ask_service(
        self, name: str, port: int | str, request: SmokeTest, *, namespace: str | None = None
    ) -> tuple[int, str, float]:
        """Send `request` to a Service through the API server: status, body (its first megabyte) and seconds.

        Redirects are not followed. The API server says 502 to 504 itself when no pod answers. `TargetError` when
        there is no answer within the request's time; what the request expects is not looked at.
        """
        call = self._call(
            "ask_service",
            request.method,
            SERVICE,
            f"{name}:{port}",
            namespace=namespace,
            subresource="proxy",
            below=quote("/" + request.path.lstrip("/"), safe="/?&=%+:;,@!$'()*~[]"),
            body=request.body.encode() or None,
            content_type=None,
            timeout_seconds=request.within_ms / 1000,
        )
        answer = self._transport.send(call)
        if answer.status in _BY_THE_API_SERVER and answer.status_object():
            raise explain(call, answer)
        return answer.status, answer.body.decode(errors="replace"), answer.seconds

    def has(self, kind: Kind) -> bool:
        """Whether the cluster serves this kind, as its custom resource definitions say."""
        call = Call("discover", "GET", kind.root, kind, self.namespace, safe=True)
        answer = self._transport.send(call)
        if answer.status == _NOT_FOUND:
            return False
        return any(each["name"] == kind.plural for each in _value(call, answer)["resources"])

    def _write(
        self,
        verb: str,
        method: Literal["PATCH", "POST", "PUT"],
        kind: Kind,
        obj: KubeObject,
        content_type: str = "application/json",
        *,
        query: tuple[tuple[str, str], ...] = _MANAGER,
        safe: bool = False,
    ) -> KubeObject:
        self._require_own_namespace(kind, obj)
        place = "" if method == "POST" else name_of(obj)
        body = json.dumps(obj).encode()
        call = self._call(verb, method, kind, place, query=query, body=body, content_type=content_type, safe=safe)
        call = replace(call, name=name_of(obj))
        return _value(call, self._transport.send(call))

    def _call(
        self,
        verb: str,
        method: str,
        kind: Kind,
        name: str = "",
        *,
        namespace: str | None = None,
        subresource: str = "",
        below: str = "",
        **more: Any,
    ) -> Call:
        place = namespace or self.namespace
        path = kind.path(place, *(part for part in (name, subresource) if part)) + below
        return Call(verb, method, path, kind, place, name, subresource, **more)

    def _require_own_namespace(self, kind: Kind, obj: KubeObject) -> None:
        said = obj["metadata"].get("namespace", self.namespace)
        if kind.namespaced and said != self.namespace:
            raise InputError(
                f"{kind} {name_of(obj)} belongs to another namespace",
                expected=f"namespace {self.namespace}, that of the environment",
                found=f"metadata.namespace {said}",
                next_step="take the namespace out of the manifest, or correct `namespace` in switchover.toml",
            )


def _metadata_to_send(obj: KubeObject) -> KubeObject:
    return {name: value for name, value in obj["metadata"].items() if name not in _NOT_SENT}


def _accepted(call: Call, answer: Answer) -> Answer:
    if answer.status not in _OK:
        raise explain(call, answer)
    return answer


def _value(call: Call, answer: Answer) -> KubeObject:
    value: KubeObject = json.loads(_accepted(call, answer).body)
    return value
