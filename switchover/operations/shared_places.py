"""The places that a release goes to, and that others share: registries, the forge, the remote repository."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from switchover.decide.components import Component
from switchover.decide.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Published:
    """A version as a destination has it.

    `reference` is how its users name the very bytes (`registry/repository@sha256:…`, `name@version`), `digest` the
    destination's own (`sha256:…`; of npm `sha512-…`), `source_commit` is empty where it does not say.
    """

    reference: str
    digest: str
    source_commit: str = ""


class Destination(Protocol):
    """Where components of one kind are published. It is asked first, and nothing in it is ever replaced.

    Every method may raise `InputError` for credentials without the right, `TargetError` for a destination that does
    not answer, answers with an error, or left it open whether something was done.
    """

    @property
    def moves_pointers(self) -> bool:
        """Whether moving tags can be moved with the rights that there are."""

    def find(self, component: Component) -> Published | None:
        """The component's version as it is there, or None."""

    def identify(self, component: Component, archive: Path) -> Published:
        """What `find` would say of these bytes once they are published. Asks nobody.

        Raises `InputError` for bytes that cannot be published here under this component.
        """

    def stage(self, component: Component, archive: Path) -> Outcome:
        """Bring the bytes there by digest only, under no name that anybody looks for; a skip where that is not a thing.

        What is there already is not sent again.
        """

    def publish(self, component: Component, archive: Path) -> Published:
        """Give the bytes their version. Repeating is a no-op; other bytes an `InputError` with both digests."""

    def list_versions(self, component: Component) -> tuple[str, ...]:
        """All versions of the component that are there, in no order."""

    def read_pointers(self, component: Component) -> dict[str, str]:
        """The moving tags (`latest`, `1.4`) with the version behind each, empty for one that is no version there."""

    def move_pointer(self, component: Component, pointer: str, version: str) -> None:
        """Let the moving tag stand for that version; an empty version removes it. Repeating is a no-op."""

    def withdraw(self, component: Component, reason: str) -> Outcome:
        """Warn everybody off this version as far as the destination can; a skip says what it cannot."""


@dataclass(frozen=True, slots=True)
class ForgeRelease:
    """A release page. `assets` maps names to `sha256:…`, empty for one that is not completely there."""

    identifier: int
    tag: str
    draft: bool
    url: str
    assets: Mapping[str, str]


class Forge(Protocol):
    """The place where people look for releases and merge pull requests. Errors as those of `Destination`."""

    def find_release(self, tag: str) -> ForgeRelease | None:
        """The page of a tag, a draft too; None when there is none."""

    def draft_release(self, tag: str, title: str, notes: str, *, prerelease: bool) -> ForgeRelease:
        """The draft of a tag that was pushed: made, or brought to this text. A published page stays as it is."""

    def upload_asset(self, release: ForgeRelease, file: Path) -> Outcome:
        """Have this file on the page; a skip when the same bytes are there.

        Other bytes under its name are replaced on a draft, and an `InputError` once the page is published.
        """

    def publish_release(self, release: ForgeRelease, *, latest: bool) -> str:
        """Let everybody see the page; `latest` moves the mark of the newest one here. Returns its address."""

    def mark_withdrawn(self, release: ForgeRelease, note: str) -> None:
        """Begin the page's text with the note, once, and take the mark of the newest one away."""

    def propose(self, branch: str, base: str, title: str, body: str) -> str:
        """The address of the one open pull request from `branch` into `base`, made or brought to this text."""

    def upload_sarif(self, sarif: Path, commit: str, ref: str) -> Outcome:
        """Show findings where code is looked at; a skip where the forge does not offer that."""


class Remote(Protocol):
    """The shared Git repository. Every write is a compare-and-swap. Errors as those of `Destination`."""

    def alone(self, holder: str) -> AbstractContextManager[None]:
        """Be the only release of the shared repository, renewed while it lasts; `BusyError` names who holds it."""

    def require_alone(self) -> None:
        """Raise `FencedError` when `alone` is no longer true; to be asked before what cannot be taken back."""

    def catch_up(self) -> None:
        """Fetch, and bring the branch forward to the remote's; `InputError` when the two have diverged.

        A release commit on top that nobody else has seen is taken back first: it is made anew.
        """

    def is_level(self) -> bool:
        """Whether the branch here is what `catch_up` has seen there."""

    def push_branch(self) -> None:
        """Bring the branch that is checked out there, if nobody else has moved it meanwhile (`BusyError`)."""

    def push_commit(self, commit: str, branch: str) -> None:
        """Let a branch of ours (the release's pull request) be at this commit, whatever it was."""

    def read_tags(self) -> dict[str, str]:
        """All tags there with the commits that they stand for."""

    def push_marks(self, tags: tuple[str, ...]) -> None:
        """Bring the marks of `History` for these tags there."""

    def drop_marks(self, tags: tuple[str, ...]) -> None:
        """Remove the marks for these tags there; those that are not there are no matter."""

    def push_tag(self, tag: str) -> Outcome:
        """Bring our tag there: a skip when it is there, an `InputError` when it is elsewhere there."""
