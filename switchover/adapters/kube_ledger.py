"""The ledger of the target `kubernetes`: ConfigMaps in the namespace of the environment.

One holds the record and is replaced by compare-and-swap; each ended rollout has one of its own. No secret is ever
written here: a record names copies of Secrets, and never holds their content.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_errors import KubeConflictError
from switchover.adapters.kube_kinds import CONFIG_MAP, LABEL_HISTORY, KubeObject, name_of
from switchover.adapters.kube_names import label_value, object_name
from switchover.adapters.record_json import dump_entry, dump_record, load_entry, load_record
from switchover.errors import InputError, LedgerConflictError, LedgerUnreadableError, TargetError
from switchover.model import EnvironmentRecord, HistoryEntry

SCHEMA_VERSION = 1
KEPT_ENTRIES = 500
_MOST_BYTES = 1_000_000  # the API server stores 1 MiB per ConfigMap, names included
_DOCUMENT = "document"
_FORMAT = "format"
_ENDED_AT = "switchover.dev/ended-at"
_WRITTEN_AT = "switchover.dev/written-at"
_MANAGED = {"app.kubernetes.io/managed-by": "switchover"}


class KubeLedger:
    """Port `Ledger`.

    `find_traces` names what would not be there if nothing had ever been written, the colours that run: while there
    is something, a missing record is a lost one.
    """

    def __init__(self, api: KubeApi, environment: str, find_traces: Callable[[], tuple[str, ...]] = tuple) -> None:
        self._api = api
        self._environment = environment
        self._name = object_name("switchover", environment)
        self._find_traces = find_traces

    def read(self) -> EnvironmentRecord:
        """The document as it is now; revision 0 when nothing was ever written."""
        stored = self._api.read(CONFIG_MAP, self._name)
        if stored is None:
            self._require_no_traces()
            return EnvironmentRecord(self._environment)
        return self._load(stored)

    def read_epoch(self) -> int:
        """The highest fencing epoch handed out."""
        return self.read().epoch

    def write(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Replace the document if nobody else has since `record.revision`; `InputError` when it got too large."""
        following = replace(record, revision=record.revision + 1)
        document = dump_record(following)
        self._require_room(document, "the ledger")
        try:
            self._swap(record.revision, document)
        except KubeConflictError as error:
            raise self._changed_meanwhile(record.revision, error.problem.found) from None
        except TargetError:
            # The answer may be all that was lost.
            if not self._holds(document):
                raise
        return following

    def append_history(self, entry: HistoryEntry) -> None:
        """Keep a finished rollout; the same id again replaces it. Of an environment the newest 500 are kept."""
        document = dump_entry(entry)
        self._require_room(document, f"the history entry {entry.id}")
        self._api.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": object_name("switchover", self._environment, "history", entry.id),
                    "labels": {**_MANAGED, LABEL_HISTORY: label_value(self._environment)},
                    # Of two that ended at the same time the later written is the newer.
                    "annotations": {_ENDED_AT: repr(entry.ended_at), _WRITTEN_AT: str(time.time_ns())},
                },
                "data": {_FORMAT: str(SCHEMA_VERSION), _DOCUMENT: document},
            }
        )
        for old in self._list_history()[KEPT_ENTRIES:]:
            self._api.delete(CONFIG_MAP, name_of(old))

    def read_history(self, service: str | None = None, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """Newest first."""
        found: list[HistoryEntry] = []
        for stored in self._list_history():
            if len(found) == limit:
                break
            entry = load_entry(self._document(stored))
            if service in (None, entry.service):
                found.append(entry)
        return tuple(found)

    def _list_history(self) -> list[KubeObject]:
        stored = self._api.list(CONFIG_MAP, {LABEL_HISTORY: label_value(self._environment)})
        return sorted(stored, key=self._order, reverse=True)

    def _order(self, stored: KubeObject) -> tuple[float, int]:
        annotations = stored["metadata"].get("annotations") or {}
        try:
            return float(annotations[_ENDED_AT]), int(annotations[_WRITTEN_AT])
        except (KeyError, ValueError):
            raise self._damaged(stored, f"no {_ENDED_AT} and {_WRITTEN_AT}") from None

    def _swap(self, revision: int, document: str) -> None:
        """Store `document` if the revision is still that one; else raise `KubeConflictError`."""
        data = {_FORMAT: str(SCHEMA_VERSION), _DOCUMENT: document}
        if revision == 0:
            metadata = {"name": self._name, "labels": _MANAGED}
            self._api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
            return
        stored = self._api.read(CONFIG_MAP, self._name)
        found = None if stored is None else self._load(stored).revision
        if stored is None or found != revision:
            raise self._changed_meanwhile(revision, "none" if found is None else f"revision {found}")
        self._api.replace({**stored, "data": data})

    def _holds(self, document: str) -> bool:
        stored = self._api.read(CONFIG_MAP, self._name)
        return stored is not None and stored.get("data", {}).get(_DOCUMENT) == document

    def _load(self, stored: KubeObject) -> EnvironmentRecord:
        record = load_record(self._document(stored))
        if record.environment != self._environment:
            raise LedgerUnreadableError(
                f"the ledger in ConfigMap {self._name} is that of another environment",
                expected=self._environment,
                found=record.environment,
                next_step="give each environment a namespace of its own in switchover.toml; nothing was changed",
            )
        return record

    def _document(self, stored: KubeObject) -> str:
        data = stored.get("data") or {}
        version = str(data.get(_FORMAT, ""))
        if version.isdecimal() and int(version) > SCHEMA_VERSION:
            raise LedgerUnreadableError(
                f"the ledger in ConfigMap {name_of(stored)} is from a newer switchover",
                expected=f"format {SCHEMA_VERSION} or older",
                found=f"format {version}",
                next_step="install the newer version again; nothing was changed",
            )
        if not version.isdecimal() or _DOCUMENT not in data:
            raise self._damaged(stored, f"the fields {', '.join(sorted(data)) or '(none)'}")
        return str(data[_DOCUMENT])

    def _damaged(self, stored: KubeObject, found: str) -> LedgerUnreadableError:
        return LedgerUnreadableError(
            f"the ledger in ConfigMap {name_of(stored)} is damaged",
            expected=f"the fields {_FORMAT} and {_DOCUMENT} and the annotations as switchover wrote them",
            found=found,
            next_step="restore the ConfigMap from a backup of the namespace; nothing was changed",
        )

    def _require_no_traces(self) -> None:
        traces = self._find_traces()
        if traces:
            raise LedgerUnreadableError(
                f"the ledger, ConfigMap {self._name}, is missing",
                expected=f"it to be in namespace {self._api.namespace}: something runs in " + ", ".join(traces),
                found="no such object",
                next_step=(
                    "restore it from a backup of the namespace; or begin anew: delete these Deployments; "
                    "nothing was changed"
                ),
            )

    def _require_room(self, document: str, what: str) -> None:
        size = len(document.encode())
        if size > _MOST_BYTES:
            raise InputError(
                f"{what} of {self._environment} does not fit into a ConfigMap",
                expected=f"at most {_MOST_BYTES:,} bytes",
                found=f"{size:,} bytes",
                next_step="spread the services over several environments, or make their manifests smaller",
            )

    def _changed_meanwhile(self, revision: int, found: str) -> LedgerConflictError:
        return LedgerConflictError(
            f"the ledger of {self._environment} changed meanwhile",
            expected=f"revision {revision}",
            found=found,
            next_step="read it again and decide again",
        )
