"""Counts what the pods of a colour log, and reads the end of it."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import KubeObject, name_of
from switchover.adapters.kube_restarts import read_containers

_MOST_READS = 4
_ALMOST_FULL_CHARACTERS = 8 * 1024 * 1024
_ASKED_PODS = 5
_SECOND = len("2026-01-01T00:00:00")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* ")
_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)$")


@dataclass(slots=True)
class _Cursor:
    """What is counted of one pod. `recent` are the lines of the newest second: the API server begins at a second."""

    lines: int = 0
    errors: int = 0
    restarts: int = 0
    since: str | None = None
    recent: Counter[str] = field(default_factory=Counter)


def read_stamped(api: KubeApi, pod: str, container: str, **more: Any) -> list[str]:
    """Lines that end, each with its time in front. What the kubelet says instead of a log has none."""
    text = api.read_log(pod, container, timestamps=True, **more)
    return [line for line in text.split("\n")[:-1] if _STAMP.match(line)]


def without_stamps(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines as they were logged."""
    return tuple(line.partition(" ")[2] for line in lines)


class KubeLogs:
    """Thread-safe. A log is read once as a whole and then only what is new; that of a pod that is gone still counts."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[Hashable, dict[str, _Cursor]]] = {}

    def count(
        self, name: str, run: Hashable, pods: Iterable[KubeObject], container: str, error_pattern: str
    ) -> tuple[int, int]:
        """Lines, and those that match, of `container` in all pods that this `run` of the colour `name` ever had."""
        is_error = re.compile(error_pattern)
        with self._lock:
            if self._runs.get(name, (None, {}))[0] != run:
                self._runs[name] = (run, {})
            cursors = self._runs[name][1]
            for pod in pods:
                cursor = cursors.setdefault(str(pod["metadata"].get("uid") or name_of(pod)), _Cursor())
                self._advance(cursor, pod, container, is_error)
            return sum(each.lines for each in cursors.values()), sum(each.errors for each in cursors.values())

    def forget(self, name: str) -> None:
        """Count this colour from nothing again."""
        with self._lock:
            self._runs.pop(name, None)

    def read_tail(self, pods: Sequence[KubeObject], container: str, lines: int) -> tuple[str, ...]:
        """The last lines of the pod that wrote last."""
        newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
        ends = [self._read_end(pod, container, lines) for pod in newest[:_ASKED_PODS]]
        written = max((each for each in ends if each), key=lambda each: each[-1], default=[])
        return without_stamps(written)

    def _read_end(self, pod: KubeObject, container: str, lines: int) -> list[str]:
        for previous in (False, True):
            if previous and not _restarts(pod, container):
                break
            written = read_stamped(self._api, name_of(pod), container, tail=lines, previous=previous)
            if written:
                return written
        return []

    def _advance(self, cursor: _Cursor, pod: KubeObject, container: str, is_error: re.Pattern[str]) -> None:
        restarts = _restarts(pod, container)
        if restarts != cursor.restarts:
            # What the container before wrote after the last look.
            self._read(cursor, name_of(pod), container, is_error, previous=True)
            cursor.restarts = restarts
        self._read(cursor, name_of(pod), container, is_error, previous=False)

    def _read(self, cursor: _Cursor, pod: str, container: str, is_error: re.Pattern[str], *, previous: bool) -> None:
        for _ in range(_MOST_READS):
            stamped = read_stamped(self._api, pod, container, since=cursor.since, previous=previous)
            _count(cursor, stamped, is_error)
            if sum(map(len, stamped)) < _ALMOST_FULL_CHARACTERS:
                return


def _count(cursor: _Cursor, stamped: list[str], is_error: re.Pattern[str]) -> None:
    known = cursor.recent.copy()
    for line in stamped:
        if known[line] > 0:
            known[line] -= 1
            continue
        cursor.lines += 1
        cursor.errors += is_error.search(line.partition(" ")[2]) is not None
    if stamped:
        newest = max(stamped, key=lambda line: line[:_SECOND])
        zone = _ZONE.search(newest.partition(" ")[0])
        cursor.since = newest[:_SECOND] + (zone[0] if zone else "Z")
        cursor.recent = Counter(line for line in stamped if line.startswith(newest[:_SECOND]))


def _restarts(pod: KubeObject, container: str) -> int:
    return next(
        (int(each.get("restartCount") or 0) for each in read_containers(pod) if each.get("name") == container), 0
    )
