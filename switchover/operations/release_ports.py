"""What a release asks of the world, beside the ports that a rollout needs too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from switchover.decide.changeset_config import ChangesetConfig
from switchover.decide.changesets import Changeset
from switchover.decide.components import Component, Service
from switchover.decide.edits import Edit
from switchover.decide.outcome import Outcome
from switchover.decide.packages import Package
from switchover.decide.prerelease import PreState
from switchover.decide.versions import Commit
from switchover.model import Artifact
from switchover.operations.shared_places import Destination, Forge, Remote
from switchover.ports import ArtifactStore, Clock


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """The packages and the intents that lie in a checkout.

    `pre_state` is the prerelease mode of changesets, None outside of it. `changesets_major` is the major of
    `@changesets/cli` that the root manifest asks for, None where it does not.
    """

    packages: tuple[Package, ...]
    changesets: tuple[Changeset, ...]
    config: ChangesetConfig
    pre_state: PreState | None = None
    changesets_major: int | None = None


class Workspace(Protocol):
    """The files of a checkout, read as they are."""

    def read(self, service_folders: tuple[str, ...]) -> WorkspaceState:
        """Packages (with those of `service_folders`) in a stable order, and changesets by name."""

    def read_texts(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Content of the files that exist among `paths`."""


class History(Protocol):
    """The Git history of a checkout. Paths are relative to the root of the workspace."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only release of this repository on this machine; `BusyError` when there is another one."""

    def read_tags(self, *, everywhere: bool = False) -> tuple[str, ...]:
        """Tags of commits that HEAD contains, or of all."""

    def read_commits(self, since: tuple[str, ...]) -> dict[str, tuple[Commit, ...]]:
        """For each point (a tag, a hash of a commit, or empty: the beginning) the commits after it, newest first."""

    def find_trailers(self, token: str) -> dict[str, str]:
        """The newest commit for each value of `token: value` as a line of its message."""

    def is_shallow(self) -> bool:
        """Whether the history is cut off somewhere."""

    def read_adding_commits(self, paths: tuple[str, ...]) -> dict[str, str]:
        """For each committed path the hash of the commit that added it."""

    def require_clean(self) -> None:
        """Raise `InputError` unless the work tree is a branch without uncommitted changes.

        What an interrupted `commit_edits` left undone in the work tree is finished here, and nothing else changed.
        """

    def commit_edits(self, edits: tuple[Edit, ...], message: str) -> str:
        """Commit exactly these edits on top of HEAD and bring the work tree there; return the new hash.

        The same edits on the same HEAD give the same hash. Nothing is half-done when it is interrupted:
        either HEAD has moved, and `require_clean` finishes the work tree, or nothing has happened.
        """

    def reserve(self, tag: str, *, stored: bool) -> str:
        """The commit that the release behind `tag` is made from; what no tag says is noted.

        It is the tag's, else the noted one where bytes made of it are `stored` already, else that of HEAD.
        """

    def write_commit(self, edits: tuple[Edit, ...], message: str) -> str:
        """Make the commit that `commit_edits` would make, without moving anything; return its hash."""

    def mark(self, tag: str, commit: str) -> None:
        """Note that the release behind `tag` is under way and made from `commit`."""

    def read_marks(self) -> dict[str, str]:
        """The releases under way: their tags with the commits that they are made from."""

    def drop_mark(self, tag: str) -> None:
        """Forget that the release behind `tag` was under way."""

    def read_withdrawn(self) -> tuple[str, ...]:
        """The tags of withdrawn releases."""

    def withdraw(self, tag: str, reason: str) -> bool:
        """Note for everybody, by a tag, that the release behind `tag` is withdrawn; False when it is noted already."""

    def branch(self) -> str:
        """The branch that is checked out, empty for a detached HEAD."""

    def tag(self, tag: str, commit: str, message: str) -> bool:
        """Put an annotated tag; False when it is there already. `InputError` when it is somewhere else."""

    def has_tag(self, tag: str) -> bool:
        """Whether the tag exists."""


class ReleaseStore(ArtifactStore, Protocol):
    """The artifact store, asked before anything is made twice."""

    def find_artifact(self, name: str, version: str, kind: str) -> Artifact | None:
        """What `put` stored under these three, or None."""

    def forget(self, name: str, version: str) -> None:
        """Drop what `put` stored of a version that was never entered; of one that was, nothing."""


class Tester(Protocol):
    """Runs the repository's own tests."""

    def test(self, commit: str) -> Outcome:
        """Run them on the files of a commit alone: done, or failed with the end of what they said."""


class Builder(Protocol):
    """Makes the bytes of a component."""

    def build(
        self, component: Component, service: Service | None, bundled: tuple[Package, ...], commit: str, folder: Path
    ) -> Path:
        """Write one archive into `folder`. The same commit gives the same bytes."""


class Packer(Protocol):
    """Makes the tarball of an npm package."""

    def pack(self, component: Component, commit: str, folder: Path) -> Path:
        """Write one archive into `folder`; `MissingProgramError` when there is nothing to pack with."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The judgement on an artifact, and the reports there are: Trivy's JSON, SARIF, and a CycloneDX SBOM."""

    outcome: Outcome
    report: Path | None = None
    sarif: Path | None = None
    sbom: Path | None = None


class Scanner(Protocol):
    """Looks for what must not be published."""

    def scan(self, archive: Path, folder: Path) -> Scanned:
        """Judge the content of an archive and write reports into `folder`. A missing or broken scanner is a failure."""


class SourceScanner(Protocol):
    """Looks for what nothing may be built from."""

    def scan_commit(self, commit: str, folder: Path) -> Scanned:
        """Judge the files of a commit alone and write reports into `folder`. A broken scanner is a failure."""


class Signer(Protocol):
    """Vouches for bytes."""

    def sign_file(self, file: Path, signature: Path) -> Outcome:
        """Write a signature of `file` to `signature`. Without a program or a key a skip with the reason."""

    def sign_image(self, reference: str, sbom: Path | None) -> Outcome:
        """Sign the image `repository@sha256:…` in its registry and attest its SBOM there; what is there already stays.

        Without a program or a key a skip with the reason.
        """


@dataclass(frozen=True, slots=True)
class ReleaseTools:
    """Everything that the stages of a release work with.

    A component without a destination is released into the store. `builder_name` says in manifests who made the
    bytes; `shows_findings`: the forge shows what the scanner found; `makes_pages`: it
    has a page for every release. None: there is no such place.
    """

    workspace: Workspace
    history: History
    store: ReleaseStore
    builder: Builder
    packer: Packer
    scanner: Scanner
    signer: Signer
    destination_of: Callable[[Component], Destination | None]
    builder_name: str
    clock: Clock
    forge: Forge | None = None
    remote: Remote | None = None
    tester: Tester | None = None
    source_scanner: SourceScanner | None = None
    shows_findings: bool = False
    makes_pages: bool = False
