"""What a release asks of the world, beside the ports that a rollout needs too."""

from __future__ import annotations

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
from switchover.decide.versions import Commit
from switchover.model import Artifact
from switchover.ports import ArtifactStore


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """The packages and the intents that lie in a checkout."""

    packages: tuple[Package, ...]
    changesets: tuple[Changeset, ...]
    config: ChangesetConfig


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

    def read_tags(self) -> tuple[str, ...]:
        """Tags of commits that HEAD contains."""

    def read_commits(self, since_tag: str) -> tuple[Commit, ...]:
        """Commits after the tag (empty: all), newest first."""

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

    def tag(self, tag: str, commit: str, message: str) -> bool:
        """Put an annotated tag; False when it is there already. `InputError` when it is somewhere else."""

    def has_tag(self, tag: str) -> bool:
        """Whether the tag exists."""


class ReleaseStore(ArtifactStore, Protocol):
    """The artifact store, asked before anything is made twice."""

    def find_artifact(self, name: str, version: str, kind: str) -> Artifact | None:
        """What `put` stored under these three, or None."""


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


class Scanner(Protocol):
    """Looks for what must not be published."""

    def scan(self, archive: Path) -> Outcome:
        """Judge the content of an archive. Without a scanner a skip, with a broken one a failure."""


class Signer(Protocol):
    """Vouches for bytes."""

    def sign(self, file: Path, signature: Path) -> Outcome:
        """Write a signature of `file` to `signature`. Without a program or a key a skip with the reason."""


@dataclass(frozen=True, slots=True)
class ReleaseTools:
    """Everything that the stages of a release work with."""

    workspace: Workspace
    history: History
    store: ReleaseStore
    builder: Builder
    packer: Packer
    scanner: Scanner
    signer: Signer
