"""How the ledger's ConfigMaps hold a document each: its format beside it, and never more than fits."""

from __future__ import annotations

from switchover.adapters.kube_kinds import KubeObject, name_of
from switchover.errors import InputError, LedgerUnreadableError

SCHEMA_VERSION = 1
_MOST_BYTES = 1_000_000  # the API server stores 1 MiB per ConfigMap, names included
_DOCUMENT = "document"
_FORMAT = "format"


def document_data(document: str) -> dict[str, str]:
    """The field `data` of a ConfigMap that holds this document."""
    return {_FORMAT: str(SCHEMA_VERSION), _DOCUMENT: document}


def read_document(stored: KubeObject) -> str:
    """The document in a ConfigMap. Raises `LedgerUnreadableError` when it is damaged or from a newer version."""
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
        raise damaged(stored, f"the fields {', '.join(sorted(data)) or '(none)'}")
    return str(data[_DOCUMENT])


def damaged(stored: KubeObject, found: str) -> LedgerUnreadableError:
    """The error for a ConfigMap that is not as switchover wrote it."""
    return LedgerUnreadableError(
        f"the ledger in ConfigMap {name_of(stored)} is damaged",
        expected=f"the fields {_FORMAT} and {_DOCUMENT} and the annotations as switchover wrote them",
        found=found,
        next_step="restore the ConfigMap from a backup of the namespace; nothing was changed",
    )


def require_room(document: str, what: str) -> None:
    """Raise `InputError` for a document that does not fit into a ConfigMap."""
    size = len(document.encode())
    if size > _MOST_BYTES:
        raise InputError(
            f"{what} does not fit into a ConfigMap",
            expected=f"at most {_MOST_BYTES:,} bytes",
            found=f"{size:,} bytes",
            next_step="spread the services over several environments, or make their manifests smaller",
        )
