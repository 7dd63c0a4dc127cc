"""What a release says when an npm registry does not do as asked."""

from __future__ import annotations

import re
from collections.abc import Container

from switchover.decide.components import Component
from switchover.decide.pointers import LATEST
from switchover.decide.ranges import is_range
from switchover.errors import InputError, SwitchoverError, TargetError

_BURNT = re.compile(r"previously published|publish over|been unpublished|once been published", re.IGNORECASE)
# npm refuses what a URL would have to escape.
_TAG = re.compile(r"[A-Za-z0-9._!~*'()-]+")
_UNFIT_TOKEN = re.compile(r"[\s\x00-\x1f\x7f]|[^\x00-\x7f]")
_SET_TOKEN = "put a token with that right into the variable that release.npm.token_variable names"  # noqa: S105 a hint
_RIGHTS = {
    "ENEEDAUTH": ("a token, or a login of npm", _SET_TOKEN),
    "E401": ("a token that the registry knows", _SET_TOKEN),
    "E402": ("the right to publish restricted packages", 'set release.npm.access = "public", or pay for the other'),
    "E403": ("a token with the right to publish the package", _SET_TOKEN),
    "E404": ("a token with the right to publish the package; npm says 404 for want of it", _SET_TOKEN),
    "EOTP": ("a token that needs no one-time password", "use an automation token, or OIDC"),
    "EUSAGE": ("settings that npm can follow", "correct the section release.npm"),
    "E400": ("a package that the registry accepts", "correct the package's manifest"),
    "E422": ("a package that the registry accepts", "correct the package's manifest, or release.npm.provenance"),
}


def require_token(token: str) -> str:
    """The token without blanks around it; `InputError`, which does not show it, when no header can hold it."""
    stripped = token.strip()
    if _UNFIT_TOKEN.search(stripped):
        raise InputError(
            "the token of the npm registry cannot be used",
            expected="visible ASCII characters",
            found="others among them",
            next_step="set the variable that release.npm.token_variable names again",
        )
    return stripped


def other_bytes(component: Component, registry: str, present: str, ours: str) -> InputError:
    """For a version that has other bytes."""
    return InputError(
        f"{component.package}@{component.version} is in {registry} with other bytes",
        expected=present,
        found=ours,
        next_step="release these bytes under a new version; a published one never changes",
    )


def burnt_version(component: Component, found: str) -> InputError:
    """For a version that was used up."""
    return InputError(
        f"{component.package}@{component.version} can never be published again",
        expected="a version that was never used: npm gives none out twice, even after it was unpublished",
        found=found,
        next_step="release a new version",
    )


def failed_publication(
    component: Component, registry: str, code: str, said: str, silence: str, *, expected: str = "it there"
) -> SwitchoverError:
    """The error for what npm did not bring about. `said` is npm's word, `silence` why the registry could not be asked.

    `InputError` where npm names a mistake of the user, else a `TargetError`, which can be repeated.
    """
    name = f"{component.package}@{component.version}"
    if silence:
        return TargetError(
            f"whether {registry} took {name} is not known",
            expected=f"an answer whether {expected} is",
            found=f"{silence}; {said}",
            next_step="run again when the registry answers: it is asked first, and nothing is done twice",
        )
    if code == "E403" and _BURNT.search(said):
        return burnt_version(component, said)
    if code in _RIGHTS:
        right, next_step = _RIGHTS[code]
        return InputError(f"{registry} did not take {name}", expected=right, found=said, next_step=next_step)
    return TargetError(
        f"{registry} did not take {name}",
        expected=expected,
        found=f"it is not; {said}",
        next_step="run again: the registry is asked first, and nothing is done twice",
    )


def require_movable(component: Component, pointer: str, version: str, known: Container[str], *, may_move: bool) -> None:
    """Raise `InputError` for a tag or a version that npm does not take, `TargetError` where no tag can be moved."""
    failed = f"the tag {pointer} of {component.package} cannot be moved"
    if not _TAG.fullmatch(pointer) or is_range(pointer):
        raise InputError(
            failed,
            expected="letters, digits and `-._`, and nothing that npm can read as a range of versions",
            found=repr(pointer),
            next_step="choose another name",
        )
    if version and version not in known:
        raise InputError(
            failed,
            expected="a version that is in the registry",
            found=f"{version}, which is not",
            next_step="publish it first",
        )
    if not version and pointer == LATEST:
        raise InputError(
            failed,
            expected="a version: no package of npm is without `latest`",
            found="none",
            next_step="move it to another version",
        )
    if not may_move:
        raise TargetError(
            failed,
            expected="a token in the variable that release.npm.token_variable names",
            found="none, and neither OIDC nor npm's own login moves tags from here",
            next_step="set a token, or run `npm dist-tag` by hand",
        )
