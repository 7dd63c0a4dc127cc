"""The ended rollouts of an environment: a ConfigMap for each, found by the labels of environment and service."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_documents import damaged, document_data, read_document, require_room
from switchover.adapters.kube_kinds import CONFIG_MAP, KubeObject, name_of
from switchover.adapters.kube_names import label_value, object_name
from switchover.adapters.record_json import dump_entry, load_entry
from switchover.decide.colour_names import LABEL_MANAGED_BY, LABEL_SERVICE, MANAGED_BY
from switchover.decide.unneeded_copies import KEPT_RELEASES
from switchover.errors import LedgerUnreadableError
from switchover.model import HistoryEntry, Phase

KEPT_ENTRIES = 500
LABEL_HISTORY = "switchover.dev/history"
_ENDED_AT = "switchover.dev/ended-at"
_WRITTEN_AT = "switchover.dev/written-at"
_PRUNED_EVERY = 20
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class KubeHistory:
    """Of each service the newest 500 are kept, and whatever else is one of the last 10 that came live."""

    def __init__(self, api: KubeApi, environment: str) -> None:
        self._api = api
        self._environment = environment

    def append(self, entry: HistoryEntry) -> None:
        """Keep an entry; the same id again replaces it. Raises `InputError` for one that is too large."""
        document = dump_entry(entry)
        require_room(document, f"the history entry {entry.id} of {self._environment}")
        name = object_name("switchover", self._environment, "history", entry.id)
        self._api.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name,
                    "labels": {LABEL_MANAGED_BY: MANAGED_BY, **self._labels(entry.service)},
                    # Of two that ended at the same time the later written is the newer.
                    "annotations": {_ENDED_AT: repr(entry.ended_at), _WRITTEN_AT: str(time.time_ns())},
                },
                "data": document_data(document),
            }
        )
        if is_pruning(name):
            self._prune(entry.service)

    def read(self, service: str | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Newest first. A damaged entry is left out with a warning: the others are needed for rollbacks."""
        return tuple(islice((entry for _, entry in self._list(service)), limit))

    def _prune(self, service: str) -> None:
        came_live = 0
        for number, (name, entry) in enumerate(self._list(service), start=1):
            came_live += entry.outcome == Phase.LIVE.value
            needed = entry.outcome == Phase.LIVE.value and came_live <= KEPT_RELEASES
            if number > KEPT_ENTRIES and not needed:
                self._api.delete(CONFIG_MAP, name)

    def _list(self, service: str | None) -> Iterator[tuple[str, HistoryEntry]]:
        """Names and entries, newest first; those that can be read."""
        stored = self._api.list(CONFIG_MAP, self._labels(service))
        ordered = sorted(_readable(stored, lambda each: (_order(each), each)), key=lambda pair: pair[0], reverse=True)
        return _readable((each for _, each in ordered), lambda each: (name_of(each), load_entry(read_document(each))))

    def _labels(self, service: str | None) -> dict[str, str]:
        of_service = {LABEL_SERVICE: label_value(service)} if service is not None else {}
        return {LABEL_HISTORY: label_value(self._environment), **of_service}


def is_pruning(name: str) -> bool:
    """Whether writing the entry of this name is one of those, about every 20th, that look for old ones.

    To look is to list the whole history of the service, which no rollout should have to wait for.
    """
    return hashlib.sha256(name.encode()).digest()[0] % _PRUNED_EVERY == 0


def _order(stored: KubeObject) -> tuple[float, int]:
    annotations = stored["metadata"].get("annotations") or {}
    try:
        return float(annotations[_ENDED_AT]), int(annotations[_WRITTEN_AT])
    except (KeyError, ValueError):
        raise damaged(stored, f"no {_ENDED_AT} and {_WRITTEN_AT}") from None


def _readable(stored: Iterable[KubeObject], read: Callable[[KubeObject], _Result]) -> Iterator[_Result]:
    """What `read` makes of each; what it cannot read is told and left out."""
    for each in stored:
        try:
            result = read(each)
        except LedgerUnreadableError as error:
            _log.warning("a history entry is left out: ConfigMap %s: %s", name_of(each), error)
        else:
            yield result
