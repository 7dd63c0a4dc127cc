"""The objects of an emulated API server: versions, preconditions, server-side apply, JSON patches."""

from __future__ import annotations

import base64
import copy
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jsonpatch

from switchover.adapters.kube_kinds import CONFIG_MAP, NAMESPACE, SECRET, Kind, KubeObject, kind_of, name_of
from tests.kube_faults import Refused

Key = tuple[Kind, str, str]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MOST_DATA_BYTES = 1024 * 1024
_WITHOUT_GENERATION = {"ConfigMap", "Secret", "Event", "Namespace", "Service", "Pod", "EndpointSlice", "Endpoints"}
_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("port", "containerPort"),
    "imagePullSecrets": ("name",),
    "listeners": ("name",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}


@dataclass(slots=True)
class KubeStore:
    """Thread-safe. `react` is called after every change, under the lock, until nothing changes any more."""

    namespaces: set[str] = field(default_factory=lambda: {"default"})
    react: list[Callable[[KubeStore], None]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _objects: dict[Key, KubeObject] = field(default_factory=dict)
    _applied: dict[tuple[Key, str], KubeObject] = field(default_factory=dict)
    _version: int = 100
    _reacting: bool = False

    def find(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        with self.lock:
            found = self._objects.get(_key(kind, namespace, name))
            return copy.deepcopy(found)

    def read(self, kind: Kind, namespace: str, name: str) -> KubeObject:
        found = self.find(kind, namespace, name)
        if found is None and kind is NAMESPACE and name in self.namespaces:
            return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}}
        if found is None:
            raise Refused(404, "NotFound", f'{kind.plural} "{name}" not found', name=name, kind=kind.plural)
        return found

    def list(self, kind: Kind, namespace: str, selector: str | Mapping[str, str] = "") -> list[KubeObject]:
        with self.lock:
            return [
                copy.deepcopy(obj)
                for (each, place, _), obj in self._objects.items()
                if each is kind and (place == namespace or not kind.namespaced) and _matches(obj, selector)
            ]

    def create(self, kind: Kind, namespace: str, obj: KubeObject) -> KubeObject:
        with self._changing():
            if self.find(kind, namespace, name_of(obj)):
                message = f'{kind.plural} "{name_of(obj)}" already exists'
                raise Refused(409, "AlreadyExists", message, name=name_of(obj), kind=kind.plural)
            if obj["metadata"].get("resourceVersion"):
                raise Refused(400, "BadRequest", "resourceVersion should not be set on objects to be created")
            return self._put(kind, namespace, _without_status(obj))

    def replace(self, kind: Kind, namespace: str, obj: KubeObject) -> KubeObject:
        with self._changing():
            now = self.read(kind, namespace, name_of(obj))
            self._require_version(kind, now, obj["metadata"].get("resourceVersion"))
            return self._put(kind, namespace, {**_without_status(obj), **_status(now)})

    def apply(self, kind: Kind, namespace: str, obj: KubeObject, manager: str) -> KubeObject:
        with self._changing():
            key = _key(kind, namespace, name_of(obj))
            now, wanted = self.find(kind, namespace, name_of(obj)), _without_status(obj)
            if "managedFields" in obj["metadata"]:
                raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
            version, uid = wanted["metadata"].pop("resourceVersion", None), wanted["metadata"].get("uid")
            if now is None and uid:
                raise Refused(409, "Conflict", f"uid mismatch: the provided object specified uid {uid}")
            if now is None:
                merged = wanted
            else:
                self._require_version(kind, now, version)
                before = self._applied.get((key, manager), {})
                merged = _merge(_prune(now, before, wanted), wanted)
            written = self._put(kind, namespace, merged)
            self._applied[key, manager] = wanted
            return written

    def patch(self, kind: Kind, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]) -> KubeObject:
        with self._changing():
            now = self.read(kind, namespace, name)
            try:
                changed = jsonpatch.apply_patch(now, operations)
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
                message = "the server rejected our request due to an error in our request"
                raise Refused(422, "Invalid", f"{message}: {error}") from None
            return self._put(kind, namespace, {**changed, **_status(now)})

    def delete(self, kind: Kind, namespace: str, name: str, preconditions: Mapping[str, str] | None = None) -> None:
        with self._changing():
            now = self.read(kind, namespace, name)
            for field_name, value in (preconditions or {}).items():
                if now["metadata"][field_name] != value:
                    raise Refused(409, "Conflict", f"Precondition failed: {field_name}", name=name, kind=kind.plural)
            self._remove(_key(kind, namespace, name))

    def set_status(self, kind: Kind, namespace: str, name: str, status: KubeObject) -> KubeObject:
        """What a controller does: the status alone, whatever the version."""
        with self._changing():
            return self._put(kind, namespace, {**self.read(kind, namespace, name), "status": copy.deepcopy(status)})

    def put(self, namespace: str, obj: KubeObject) -> KubeObject:
        """Make or replace an object as it is, status and all, unless it is so already."""
        with self._changing():
            kind = kind_of(obj)
            now = self.find(kind, namespace, name_of(obj)) or {"metadata": {}}
            return self._put(kind, namespace, {**obj, "metadata": {**now["metadata"], **obj["metadata"]}})

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self.lock:
            yield
            if self._reacting:
                return
            self._reacting = True
            try:
                version = -1
                while version != self._version:
                    version = self._version
                    for each in self.react:
                        each(self)
            finally:
                self._reacting = False

    def _put(self, kind: Kind, namespace: str, obj: KubeObject) -> KubeObject:
        key, obj = _key(kind, namespace, name_of(obj)), copy.deepcopy(obj)
        now = self._objects.get(key)
        metadata = obj["metadata"]
        if kind is SECRET and "stringData" in obj:
            data = {name: base64.b64encode(text.encode()).decode() for name, text in obj.pop("stringData").items()}
            obj["data"] = {**obj.get("data", {}), **data}
        self._require_valid(kind, namespace, obj, now)
        kept = ("uid", "creationTimestamp", "resourceVersion", "generation", "namespace")
        if now is None:
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now(), "generation": 1}
            metadata |= {"namespace": namespace} if kind.namespaced else {}
        else:
            metadata |= {name: now["metadata"][name] for name in kept if name in now["metadata"]}
            if obj == now:
                return copy.deepcopy(now)
            if _meaning(obj) != _meaning(now) and "generation" in metadata:
                metadata["generation"] += 1
        if kind.kind in _WITHOUT_GENERATION:
            metadata.pop("generation", None)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self._objects[key] = obj
        return copy.deepcopy(obj)

    def _remove(self, key: Key) -> None:
        gone = self._objects.pop(key, None)
        self._version += 1
        for pair in [pair for pair in self._applied if pair[0] == key]:
            del self._applied[pair]
        if gone is None:
            return
        for each, obj in list(self._objects.items()):
            owners = obj["metadata"].get("ownerReferences", ())
            if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                self._remove(each)

    def _require_version(self, kind: Kind, now: KubeObject, version: str | None) -> None:
        if version not in (None, "", now["metadata"]["resourceVersion"]):
            message = (
                f'Operation cannot be fulfilled on {kind.plural} "{name_of(now)}": the object has been modified; '
                "please apply your changes to the latest version and try again"
            )
            raise Refused(409, "Conflict", message, name=name_of(now), kind=kind.plural)

    def _require_valid(self, kind: Kind, namespace: str, obj: KubeObject, now: KubeObject | None) -> None:
        name = name_of(obj)
        if kind.namespaced and namespace not in self.namespaces:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found', name=namespace, kind="namespaces")
        if not _NAME.fullmatch(name):
            raise _invalid(kind, name, "metadata.name", "a lowercase RFC 1123 subdomain must consist of ...")
        if kind in (CONFIG_MAP, SECRET):
            size = sum(len(text) for text in obj.get("data", {}).values())
            if size > _MOST_DATA_BYTES:
                raise _invalid(kind, name, "data", f"Too long: may not be more than {_MOST_DATA_BYTES} bytes")
            if now and now.get("immutable") and now.get("data", {}) != obj.get("data", {}):
                raise _invalid(kind, name, "data", "Forbidden: field is immutable when `immutable` is set")


def _invalid(kind: Kind, name: str, place: str, why: str) -> Refused:
    message = f'{kind.kind} "{name}" is invalid: {place}: {why}'
    causes = [{"reason": "FieldValueInvalid", "field": place, "message": why}]
    return Refused(422, "Invalid", message, name=name, kind=kind.plural, causes=causes)


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return kind, namespace if kind.namespaced else "", name


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_status(obj: KubeObject) -> KubeObject:
    return {name: copy.deepcopy(value) for name, value in obj.items() if name != "status"}


def _status(obj: KubeObject) -> KubeObject:
    return {"status": obj["status"]} if "status" in obj else {}


def _meaning(obj: KubeObject) -> KubeObject:
    return {name: value for name, value in obj.items() if name not in ("metadata", "status")}


def _matches(obj: KubeObject, selector: str | Mapping[str, str]) -> bool:
    labels = obj["metadata"].get("labels", {})
    if not isinstance(selector, str):
        return all(labels.get(name) == value for name, value in selector.items())
    for term in filter(None, selector.split(",")):
        name, sign, value = re.fullmatch(r"([^=!]+)(==|!=|=)?(.*)", term).groups()  # type: ignore[union-attr]
        held = labels.get(name)
        if (sign is None and held is None) or (sign == "!=" and held == value):
            return False
        if sign in ("=", "==") and held != value:
            return False
    return True


def _list_key(name: str, items: list[Any]) -> str | None:
    """By which field a list of maps is merged, None: it is replaced as a whole."""
    fields = _LIST_KEYS.get(name, ())
    maps = all(isinstance(item, dict) for item in items)
    return next((each for each in fields if maps and all(each in item for item in items)), None)


def _merge(now: Any, wanted: Any, name: str = "") -> Any:
    if isinstance(now, dict) and isinstance(wanted, dict):
        merged = {each: _merge(now[each], value, each) if each in now else value for each, value in wanted.items()}
        return {**now, **merged}
    if isinstance(now, list) and isinstance(wanted, list) and (key := _list_key(name, now + wanted)):
        left = {item[key]: item for item in now}
        left |= {item[key]: _merge(left.get(item[key], {}), item) for item in wanted}
        return list(left.values())
    return copy.deepcopy(wanted)


def _prune(now: Any, before: Any, wanted: Any, name: str = "") -> Any:
    """`now` without what this manager applied before and does not want any more."""
    if isinstance(now, dict) and isinstance(before, dict):
        other = wanted if isinstance(wanted, dict) else {}
        kept = {each: value for each, value in now.items() if each in other or each not in before}
        both = {each for each in kept if each in before and each in other}
        return kept | {each: _prune(kept[each], before[each], other[each], each) for each in both}
    if isinstance(now, list) and isinstance(before, list) and isinstance(wanted, list):
        key = _list_key(name, now + before + wanted)
        if key is not None:
            had, want = ({item[key]: item for item in items} for items in (before, wanted))
            return [
                _prune(item, had[item[key]], want[item[key]]) if item[key] in had else item
                for item in now
                if item[key] in want or item[key] not in had
            ]
    return now
