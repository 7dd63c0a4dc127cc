"""Which versions of which packages are released, as the tags say it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from switchover.decide.version_text import parse_version


@dataclass(frozen=True, slots=True)
class TaggedVersions:
    """The released versions of one package from the highest down, each with its tag."""

    versions: tuple[tuple[str, str], ...] = ()

    @property
    def last(self) -> tuple[str, str]:
        """The highest version and its tag, two empty texts where there is none."""
        return self.versions[0] if self.versions else ("", "")

    @property
    def last_stable(self) -> tuple[str, str]:
        """The highest version that is no prerelease and its tag, two empty texts where there is none."""
        return next((each for each in self.versions if not is_prerelease(each[0])), ("", ""))


# How others write the tags of releases.
KNOWN_FORMATS = (
    "{name}@{version}",
    "{name}@v{version}",
    "{name}-v{version}",
    "{name}-{version}",
    "{name}/v{version}",
    "{name}_v{version}",
    "v{version}",
    "{version}",
)


def find_other_format(tag_format: str, versions: Mapping[str, str], tags: Collection[str]) -> tuple[str, str]:
    """The known format by which most packages are tagged at their present version, and one of those tags.

    `versions` are the present ones by name. Formats with the name go first; empty texts where no format fits.
    """
    there = frozenset(tags)
    best: tuple[str, list[str]] = ("", [])
    for known in KNOWN_FORMATS:
        wanted = (known.replace("{name}", name).replace("{version}", version) for name, version in versions.items())
        found = [tag for tag in wanted if tag in there]
        # A tag without a name fits every package of that version.
        if known != tag_format and len(found) > len(best[1]) and not (best[1] and "{name}" not in known):
            best = (known, found)
    return best[0], best[1][0] if best[1] else ""


def is_prerelease(version: str) -> bool:
    """Whether the text is a version with something like `-beta.1`."""
    parsed = parse_version(version)
    return parsed is not None and parsed.prerelease is not None


def sort_tags(tag_format: str, names: Iterable[str], tags: Iterable[str]) -> dict[str, TaggedVersions]:
    """The tags of each package; tags of anything else are left out."""
    ordered = sorted(tags)
    return {name: _find_versions(tag_format, name, ordered) for name in names}


def _find_versions(tag_format: str, name: str, ordered: list[str]) -> TaggedVersions:
    before, _, after = tag_format.replace("{name}", name).partition("{version}")
    found: list[tuple[str, str]] = []
    at = bisect_left(ordered, before)
    while at < len(ordered) and ordered[at].startswith(before):
        tag = ordered[at]
        version = tag[len(before) : len(tag) - len(after)]
        if tag.endswith(after) and parse_version(version) is not None:
            found.append((version, tag))
        at += 1
    return TaggedVersions(tuple(sorted(found, key=lambda each: (*_rank(each[0]), each[1]), reverse=True)))


def _rank(version: str) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
    """What sorts versions as semver does; its own comparison is too slow for ten thousands of tags."""
    parsed = parse_version(version)
    if parsed is None:
        unreachable = f"only versions are ranked: {version}"
        raise AssertionError(unreachable)
    identifiers = parsed.prerelease.split(".") if parsed.prerelease else []
    parts = tuple((not each.isdecimal(), int(each) if each.isdecimal() else 0, each) for each in identifiers)
    return parsed.major, parsed.minor, parsed.patch, not parts, parts
