"""What was committed since each package was released last, read from the history once for all packages."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.decide.components import SINGLE_TAG_FORMAT
from switchover.decide.packages import Package
from switchover.decide.tags import TaggedVersions, find_other_format, is_prerelease, sort_tags
from switchover.decide.versions import PLACEHOLDER, RELEASE_TOKEN, Commit, PackageHistory
from switchover.errors import InputError
from switchover.operations.release_ports import History

# How many packages a sentence names.
MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class _Points:
    """Where the history of a package begins: at a tag or a commit, empty: with the first commit; None: never."""

    version: str
    since: str | None
    stable: str | None
    ours: bool


def read_histories(
    packages: tuple[Package, ...], history: History, tag_format: str, *, commits: bool, has_changesets: bool, far: bool
) -> tuple[dict[str, PackageHistory], tuple[str, ...]]:
    """The history of each package, and sentences about what was not looked at.

    Without `commits` only tags are looked at. `far`: commits since the last stable version are wanted too. Raises
    `InputError` where the history that is needed is cut off.
    """
    tags = history.read_tags()
    released = sort_tags(tag_format, (package.name for package in packages), tags)
    notices = _judge_shallow(packages, released, history, has_changesets=has_changesets) if commits else ()
    notices = notices or _judge_tags(packages, released, tag_format, tags)
    trailers = (
        history.find_trailers(RELEASE_TOKEN) if any(_asks(each, released[each.name]) for each in packages) else {}
    )
    # Numbers of prereleases that another branch has used are used, whatever has become of it.
    taken = sort_tags(tag_format, (package.name for package in packages), history.read_tags(everywhere=True))
    points = {each.name: _find_points(each, released[each.name], trailers, far=far) for each in packages}
    asked = tuple(
        dict.fromkeys(point for each in points.values() for point in (each.since, each.stable) if point is not None)
    )
    read = history.read_commits(asked) if commits and asked else {}
    return {
        name: _gather(each, read, tuple(version for version, _ in taken[name].versions))
        for name, each in points.items()
    }, notices


def _asks(package: Package, released: TaggedVersions) -> bool:
    """Whether a release commit may say what no tag does, or that a prerelease is ours to finish."""
    return (not released.versions and package.version != PLACEHOLDER) or is_prerelease(package.version)


def _find_points(package: Package, released: TaggedVersions, trailers: dict[str, str], *, far: bool) -> _Points:
    marked = trailers.get(f"{package.name}@{package.version}", "")
    version, tag = released.last
    _, stable = released.last_stable
    wants_stable = bool(stable) and (far or is_prerelease(package.version) or is_prerelease(version))
    if not version and marked:
        return _Points(package.version, marked, None, ours=True)
    since = tag or ("" if package.version == PLACEHOLDER else None)
    return _Points(version, since, stable if wants_stable else None, ours=bool(marked))


def _gather(points: _Points, read: dict[str, tuple[Commit, ...]], versions: tuple[str, ...]) -> PackageHistory:
    return PackageHistory(
        tagged_version=points.version,
        commits=read.get(points.since, ()) if points.since is not None else (),
        has_stable=points.stable is not None,
        since_stable=read.get(points.stable, ()) if points.stable is not None else (),
        released=versions,
        ours=points.ours,
    )


def _judge_tags(
    packages: tuple[Package, ...], released: dict[str, TaggedVersions], tag_format: str, tags: tuple[str, ...]
) -> tuple[str, ...]:
    """Where packages look as if they had never been released, what may be the matter."""
    stated = {
        each.name: each.version
        for each in packages
        if each.version != PLACEHOLDER and each.version not in dict(released[each.name].versions)
    }
    if stated and not tags:
        return ("this history has no tags; where releases have some, fetch them: git fetch --tags",)
    other, example = find_other_format(tag_format, stated, tags)
    if "{name}" in other or (other and len(packages) == 1):
        advice = f'set release.tag_format = "{other}" in switchover.toml'
    elif other and len(stated) == len(packages):
        also = "" if other == SINGLE_TAG_FORMAT else f', and release.tag_format = "{other}"'
        advice = f"set release.single_version = true in switchover.toml if all packages share one version{also}"
    else:
        return ()
    return (f"releases are looked for under tags like {tag_format}, but there is {example}: {advice}",)


def _judge_shallow(
    packages: tuple[Package, ...], released: dict[str, TaggedVersions], history: History, *, has_changesets: bool
) -> tuple[str, ...]:
    """A shallow clone will do where every answer lies within it."""
    untagged = [package for package in packages if not released[package.name].versions]
    if not untagged or not history.is_shallow():
        return ()
    if not has_changesets or any(package.version == PLACEHOLDER for package in untagged):
        raise InputError(
            "the history of this clone is cut off",
            expected=f"commits back to the last release of {untagged[0].name}",
            found="a shallow clone without its tag",
            next_step="run: git fetch --unshallow --tags",
        )
    names = ", ".join(each.name for each in untagged[:MOST_NAMES])
    more = f" and {len(untagged) - MOST_NAMES} more" if len(untagged) > MOST_NAMES else ""
    told = f"shallow clone: commits of {names}{more} were not looked at"
    return (f"{told}; to change that: git fetch --unshallow --tags",)
