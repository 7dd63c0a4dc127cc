"""The ledger of the target `kubernetes`: ConfigMaps in the namespace of the environment.

One holds the record and is replaced by compare-and-swap; each ended rollout has one of its own. No secret is ever
written here: a record names copies of Secrets, and never holds their content.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_documents import document_data, read_document, require_room
from switchover.adapters.kube_errors import KubeConflictError
from switchover.adapters.kube_history import KubeHistory
from switchover.adapters.kube_kinds import CONFIG_MAP, KubeObject
from switchover.adapters.kube_names import object_name
from switchover.adapters.record_json import dump_record, load_record
from switchover.decide.colour_names import LABEL_MANAGED_BY, MANAGED_BY
from switchover.errors import LedgerConflictError, LedgerUnreadableError, TargetError
from switchover.model import EnvironmentRecord, HistoryEntry

_MANAGED = {LABEL_MANAGED_BY: MANAGED_BY}


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
        self._history = KubeHistory(api, environment)

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
        require_room(document, f"the ledger of {self._environment}")
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
        """Keep a finished rollout; the same id again replaces it. Of each service the newest 500 are kept."""
        self._history.append(entry)

    def read_history(self, service: str | None = None, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """Newest first; what is damaged is left out, with a warning in the log."""
        return self._history.read(service, limit)

    def _swap(self, revision: int, document: str) -> None:
        """Store `document` if the revision is still that one; else raise `KubeConflictError`."""
        data = document_data(document)
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
        return stored is not None and stored.get("data", {}) == document_data(document)

    def _load(self, stored: KubeObject) -> EnvironmentRecord:
        record = load_record(read_document(stored))
        if record.environment != self._environment:
            raise LedgerUnreadableError(
                f"the ledger in ConfigMap {self._name} is that of another environment",
                expected=self._environment,
                found=record.environment,
                next_step="give each environment a namespace of its own in switchover.toml; nothing was changed",
            )
        return record

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

    def _changed_meanwhile(self, revision: int, found: str) -> LedgerConflictError:
        return LedgerConflictError(
            f"the ledger of {self._environment} changed meanwhile",
            expected=f"revision {revision}",
            found=found,
            next_step="read it again and decide again",
        )
