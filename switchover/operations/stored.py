"""What the store of this machine has of a version that is not public yet, and which commit it was made of."""

from __future__ import annotations

from pathlib import Path

from switchover.decide.components import Component
from switchover.model import Artifact
from switchover.operations.release_ports import ReleaseStore

COMMIT = "commit"


def store_archive(store: ReleaseStore, component: Component, commit: str, archive: Path) -> Artifact:
    """Store the bytes of a component; first the commit that they were made of, in a file beside `archive`."""
    record = archive.with_name(f"{archive.name}.{COMMIT}")
    record.write_text(commit, encoding="ascii")
    store.put(component.name, component.version, COMMIT, record)
    return store.put(component.name, component.version, component.kind.value, archive)


def read_stored_commit(store: ReleaseStore, component: Component) -> str:
    """The commit that the stored bytes of this version were made of; empty where there are none."""
    if store.find_artifact(component.name, component.version, component.kind.value) is None:
        return ""
    released = store.find(component.name, component.version)
    if released is not None:
        return released.source_commit
    record = store.find_artifact(component.name, component.version, COMMIT)
    return store.fetch(record.digest).read_text(encoding="ascii") if record else ""


def find_stored(store: ReleaseStore, component: Component, commit: str) -> Artifact | None:
    """The stored bytes of this version, if they were made of `commit`.

    Others that nobody was ever given are forgotten, so that this version can be made anew.
    """
    if read_stored_commit(store, component) == commit:
        return store.find_artifact(component.name, component.version, component.kind.value)
    if store.find(component.name, component.version) is None:
        store.forget(component.name, component.version)
    return None
