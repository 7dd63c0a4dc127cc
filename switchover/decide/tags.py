"""Which versions of which packages are released, as the tags say it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
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
    return TaggedVersions(tuple(sorted(found, key=lambda each: (parse_version(each[0]), each[1]), reverse=True)))
