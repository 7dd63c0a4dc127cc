"""npm registries as a destination: read over HTTP, published to by the program npm."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from switchover.adapters.npm_api import NpmApi
from switchover.adapters.npm_documents import (
    Packument,
    PublishedVersion,
    compute_integrity,
    read_own_access,
    require_packed,
)
from switchover.adapters.npm_program import NpmAnswer
from switchover.adapters.npm_publisher import NpmPublisher
from switchover.adapters.npm_refusals import (
    burnt_version,
    failed_publication,
    other_bytes,
    require_movable,
    require_token,
)
from switchover.decide.components import Component
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.decide.pointers import PENDING
from switchover.errors import InputError, TargetError
from switchover.operations.shared_places import Published

NO_RIGHT = frozenset({"ENEEDAUTH", "E401", "E402", "EOTP"})
_CANNOT_DEPRECATE = frozenset({"E405", "E501"})
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for an answer of the registry, for a run of npm, and before each look at what that run did."""

    answer: float = 30.0
    npm: float = 180.0
    looks: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0)


class NpmRegistry:
    """Port `Destination` on an npm registry. The digest of a version is its `dist.integrity`.

    A new version gets the tag `switchover-pending`, or the one that `final_tag` says, and moving tags come later. The
    one exception is npm's own: the first version of a package is `latest` at once. `source_commit` is what the
    registry says as `gitHead`, which npm states of no tarball.

    `token` empty: npm publishes with the login that it knows in `root`, or by OIDC, reads are those that anybody may
    do, and no tag can be moved afterwards; so `final_tag` has to say the right one.
    """

    def __init__(
        self,
        registry: str,
        *,
        access: str,
        provenance: bool,
        token: str,
        root: Path,
        environ: Mapping[str, str],
        final_tag: Callable[[Component], str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        secret = require_token(token)
        self._api = NpmApi(registry, secret, self._patience.answer)
        self._npm = NpmPublisher(registry, secret, root, environ, self._patience.npm)
        self._may_move = bool(secret)
        self._access = access
        self._provenance = provenance
        self._final_tag = final_tag

    @property
    def moves_pointers(self) -> bool:
        """Only with a token: neither OIDC nor npm's own login moves tags from here."""
        return self._may_move

    def find(self, component: Component) -> Published | None:
        """The component's version as the registry has it, or None. One that was unpublished is not there."""
        return self._describe(component, self._api.read_packument(component.package))

    def identify(self, component: Component, archive: Path) -> Published:
        """What `find` would say of these bytes once they are published. Asks nobody.

        Raises `InputError` for a tarball of something else, or of a package that is meant for another registry.
        """
        require_packed(component, archive)
        read_own_access(component, archive, self._api.registry)
        return Published(_name(component), compute_integrity(archive))

    def stage(self, component: Component, archive: Path) -> Outcome:  # noqa: ARG002 - the port's shape
        """Always a skip."""
        return Skipped("stage", "npm has no bytes without a version")

    def publish(self, component: Component, archive: Path) -> Published:
        """Give the bytes their version.

        The registry is asked before and after npm ran, and only its word counts. Raises `InputError` for other bytes,
        a version that was unpublished, a tarball of something else, and credentials without the right; `TargetError`
        when the version is not there afterwards, which can be repeated.
        """
        wanted = self.identify(component, archive)
        packument = self._api.read_packument(component.package)
        if (found := self._compare(component, wanted, packument)) is not None:
            return found
        if packument is not None and component.version in packument.unpublished:
            raise burnt_version(component, "it was there and has been unpublished")
        tag = self._final_tag(component) if self._final_tag else PENDING
        access = read_own_access(component, archive, self._api.registry) or self._access
        answer = self._npm.publish(component, archive, tag, access, provenance=self._provenance)
        looks = self._patience.looks[:1] if answer.code in NO_RIGHT else self._patience.looks
        found, silence = self._look(component, looks, lambda packument: self._compare(component, wanted, packument))
        if found is not None:
            return found
        raise failed_publication(component, self._api.registry, answer.code, self._api.scrub(answer.explain()), silence)

    def list_versions(self, component: Component) -> tuple[str, ...]:
        """All versions that are there."""
        packument = self._api.read_packument(component.package)
        return tuple(packument.versions) if packument else ()

    def read_pointers(self, component: Component) -> dict[str, str]:
        """The dist-tags."""
        packument = self._api.read_packument(component.package)
        if packument is None:
            return {}
        return {tag: version if version in packument.versions else "" for tag, version in packument.tags.items()}

    def move_pointer(self, component: Component, pointer: str, version: str) -> None:
        """Move a dist-tag. Raises `InputError` for a name or a version that npm cannot take, `latest` without one."""
        packument = self._api.read_packument(component.package)
        if _holds(packument, pointer, version):
            return
        known = packument.versions if packument else {}
        require_movable(component, pointer, version, known, may_move=self._may_move)
        said = ""
        try:
            self._api.set_tag(component.package, pointer, version)
        except TargetError as error:
            said = error.problem.found
        moved, silence = self._look(
            component, self._patience.looks, lambda packument: _holds(packument, pointer, version) or None
        )
        if moved is None:
            raise TargetError(
                f"the tag {pointer} of {component.package} did not move",
                expected=version or "no such tag",
                found=said or silence or "it is where it was",
                next_step="run again: the registry is asked first",
            )

    def withdraw(self, component: Component, reason: str) -> Outcome:
        """Deprecate the version: everybody who installs it reads the reason. Raises as `publish` does."""
        text = " ".join(reason.split())
        if not text:
            raise InputError(
                f"{component} cannot be withdrawn",
                expected="a reason, which everybody reads who installs it",
                found="none",
                next_step="state one",
            )
        before = self._find_version(component, self._api.read_packument(component.package))
        if before is None:
            return Skipped("withdraw", f"{_name(component)} is not in the registry")
        if before.deprecated != text:
            answer = self._npm.deprecate(component, text)
            if answer.code in _CANNOT_DEPRECATE:
                return Skipped("withdraw", "this registry knows no deprecation, and npm lets no version be removed")
            self._require_deprecated(component, before.deprecated, text, answer)
        return Done("withdraw", "deprecated; npm lets a version be neither removed at will nor ever used again")

    def _require_deprecated(self, component: Component, before: str, text: str, answer: NpmAnswer) -> None:
        def look(packument: Packument | None) -> bool | None:
            now = self._find_version(component, packument)
            # A registry may shorten what it is told.
            return (now is not None and now.deprecated not in {"", before}) or None

        done, silence = self._look(component, self._patience.looks, look)
        if done is None:
            raise failed_publication(
                component,
                self._api.registry,
                answer.code,
                self._api.scrub(answer.explain()),
                silence,
                expected=f"the warning {text!r} on it",
            )

    def _look(
        self, component: Component, looks: tuple[float, ...], judge: Callable[[Packument | None], _Found | None]
    ) -> tuple[_Found | None, str]:
        """What `judge` makes of the first packument that it recognises; else None and why the last look saw nothing."""
        silence = ""
        for seconds in looks:
            time.sleep(seconds)
            try:
                found, silence = judge(self._api.read_packument(component.package)), ""
            except TargetError as error:
                found, silence = None, error.problem.found
            if found is not None:
                return found, ""
        return None, silence

    def _find_version(self, component: Component, packument: Packument | None) -> PublishedVersion | None:
        return packument.versions.get(component.version) if packument else None

    def _describe(self, component: Component, packument: Packument | None) -> Published | None:
        version = self._find_version(component, packument)
        if version is None:
            return None
        if not version.integrity:
            raise TargetError(
                f"{self._api.registry} does not say which bytes {_name(component)} has",
                expected="dist.integrity with sha512",
                found="none",
                next_step="ask those who run the registry, or release a new version",
            )
        return Published(_name(component), version.integrity, version.commit)

    def _compare(self, component: Component, wanted: Published, packument: Packument | None) -> Published | None:
        found = self._describe(component, packument)
        if found is not None and found.digest != wanted.digest:
            raise other_bytes(component, self._api.registry, found.digest, wanted.digest)
        return found


def _holds(packument: Packument | None, pointer: str, version: str) -> bool:
    """Whether the tag is where it should be; with no version, whether there is none."""
    return (packument.tags.get(pointer, "") if packument else "") == version


def _name(component: Component) -> str:
    return f"{component.package}@{component.version}"
