"""Writes that only the highest epoch can make, without a lock that somebody could die with.

A write reads the object, then the ledger's epoch, and goes through only if the object is still the one that was
read. Whoever takes a higher epoch after our look at the ledger writes after our read, so one of the two writes meets
a conflict: ours is then refused, theirs is repeated and wins. Every object carries the epoch it was last written
under; a write that would change nothing but that is still made, or one on its way from an older epoch would find the
object as it was read. Whoever takes over may have seen that an object is not there and want nothing of it, so who has
made one looks at the ledger once more, and takes it away again when it was too late.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from switchover.adapters.file_fence import fenced
from switchover.adapters.kube_api import NEVER_WRITTEN, KubeApi
from switchover.adapters.kube_errors import KubeConflictError
from switchover.adapters.kube_kinds import ANNOTATION_APPLIED, ANNOTATION_EPOCH, Kind, KubeObject, kind_of, name_of
from switchover.errors import FencedError, InputError, SwitchoverError, TargetError

Operations = Sequence[Mapping[str, Any]]
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
_ATTEMPTS = 12
_PAUSE_SECONDS = 0.02  # grows with each attempt: controllers write the status of an object that has just changed


class KubeFence:
    """`read_epoch` reads the ledger's epoch. Every method raises `FencedError` when `epoch` is not the highest.

    Beyond what `KubeApi` raises: `KubeConflictError` when the object was another one at every attempt.
    """

    def __init__(self, api: KubeApi, read_epoch: Callable[[], int]) -> None:
        self._api = api
        self._read_epoch = read_epoch

    def require(self, epoch: int) -> None:
        """Only that `epoch` is the ledger's; for effects that are no writes of objects."""
        current = self._read_epoch()
        if current != epoch:
            raise fenced(epoch, current)

    def apply(self, obj: KubeObject, epoch: int) -> KubeObject:
        """Let the object have these fields, made if need be; skipped when this epoch has done that already."""
        kind, name = kind_of(obj), name_of(obj)
        wanted = _with_annotations(obj, {ANNOTATION_EPOCH: str(epoch)})
        document = json.dumps(wanted, sort_keys=True).encode()
        wanted = _with_annotations(wanted, {ANNOTATION_APPLIED: hashlib.sha256(document).hexdigest()})

        def write(now: KubeObject | None) -> KubeObject:
            if now is None:
                made = self._api.apply(wanted, resource_version=NEVER_WRITTEN)
                self._require_still(epoch, kind, made)
                return made
            if _contains(now, wanted):
                return now
            # With its uid, an object that was deleted meanwhile is a conflict and is not made again.
            identified = {**wanted, "metadata": {**wanted["metadata"], "uid": now["metadata"]["uid"]}}
            return self._api.apply(identified, resource_version=now["metadata"]["resourceVersion"])

        return self._write(kind, name, epoch, write)

    def patch(
        self, kind: Kind, name: str, make_operations: Callable[[KubeObject], Operations], epoch: int
    ) -> KubeObject:
        """Change an object by what `make_operations` makes of its present state (nothing: it is as wanted).

        It may be called several times. Raises `TargetError` when there is no such object.
        """

        def write(now: KubeObject | None) -> KubeObject:
            if now is None:
                raise _absent(kind, name, self._api.namespace)
            # In this order there are annotations by the time that one is changed.
            operations = [*_stamp(now, epoch), *make_operations(now)]
            if not operations:
                return now
            version = {"op": "test", "path": "/metadata/resourceVersion", "value": now["metadata"]["resourceVersion"]}
            return self._api.patch(kind, name, [version, *operations])

        return self._write(kind, name, epoch, write)

    def delete(self, kind: Kind, name: str, epoch: int) -> None:
        """Let there be no such object."""

        def write(now: KubeObject | None) -> None:
            if now is not None:
                self._api.delete(kind, name, resource_version=now["metadata"]["resourceVersion"])

        self._write(kind, name, epoch, write)

    def _require_still(self, epoch: int, kind: Kind, made: KubeObject) -> None:
        """Take away what was made just now when `epoch` is not the highest any more."""
        try:
            self.require(epoch)
        except FencedError:
            try:
                self._take_back(epoch, kind, made)
            except SwitchoverError as error:
                _log.warning("%s %s was made too late and could not be taken away: %s", kind, name_of(made), error)
            raise

    def _take_back(self, epoch: int, kind: Kind, made: KubeObject) -> None:
        """Unless the newer epoch has made it its own. A controller may write its status meanwhile."""
        for attempt in range(1, _ATTEMPTS + 1):
            now = self._api.read(kind, name_of(made))
            own = now is not None and now["metadata"]["uid"] == made["metadata"]["uid"]
            if now is None or not own or read_object_epoch(now) > epoch:
                return
            try:
                self._api.delete(kind, name_of(made), resource_version=now["metadata"]["resourceVersion"])
            except KubeConflictError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_PAUSE_SECONDS * attempt)
            else:
                return

    def _write(self, kind: Kind, name: str, epoch: int, write: Callable[[KubeObject | None], _Result]) -> _Result:
        for attempt in range(1, _ATTEMPTS + 1):
            now = self._api.read(kind, name)
            self.require(epoch)
            _require_not_newer(now, epoch)
            try:
                return write(now)
            except KubeConflictError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError  # pragma: no cover  the last attempt returns or raises


def read_object_epoch(obj: Mapping[str, Any]) -> int:
    """The epoch that an object was last written under; 0 when switchover never wrote it."""
    said = (obj["metadata"].get("annotations") or {}).get(ANNOTATION_EPOCH, "0")
    if not str(said).isdecimal():
        raise InputError(
            f"{obj.get('kind')} {name_of(obj)} has an epoch that is no number",
            expected=f"the annotation {ANNOTATION_EPOCH} as switchover wrote it",
            found=repr(said),
            next_step=f"remove the annotation (`kubectl annotate … {ANNOTATION_EPOCH}-`), then repeat",
        )
    return int(said)


def _require_not_newer(now: KubeObject | None, epoch: int) -> None:
    found = read_object_epoch(now) if now is not None else 0
    if found > epoch:
        raise fenced(epoch, found)


def _with_annotations(obj: KubeObject, more: Mapping[str, str]) -> KubeObject:
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **more}}}


def _stamp(now: KubeObject, epoch: int) -> list[KubeObject]:
    annotations = now["metadata"].get("annotations")
    if annotations and annotations.get(ANNOTATION_EPOCH) == str(epoch):
        return []
    if not annotations:
        return [{"op": "add", "path": "/metadata/annotations", "value": {ANNOTATION_EPOCH: str(epoch)}}]
    return [{"op": "add", "path": f"/metadata/annotations/{escape(ANNOTATION_EPOCH)}", "value": str(epoch)}]


def escape(name: str) -> str:
    """A field's name as part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _contains(now: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; the API server adds defaults beside it."""
    if isinstance(now, dict) and isinstance(wanted, dict):
        return all(name in now and _contains(now[name], value) for name, value in wanted.items())
    if isinstance(now, list) and isinstance(wanted, list):
        return len(now) == len(wanted) and all(map(_contains, now, wanted))
    return bool(now == wanted)


def _absent(kind: Kind, name: str, namespace: str) -> TargetError:
    return TargetError(
        f"cannot change {kind} {name}",
        expected=f"it to be there in namespace {namespace}",
        found="no such object",
        next_step="apply its manifest again, then repeat",
    )
