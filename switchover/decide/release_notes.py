"""What a release page says: the section of the changelog, and how to get the very bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from switchover.decide.components import Component, ComponentKind

_HEADING = re.compile(r"^## +\[?v?(?P<version>[^\]\s]+)\]?[^\n]*\n", re.MULTILINE)


def read_section(changelog: str, version: str) -> str:
    """The text below the heading of that version, empty when there is none."""
    found = list(_HEADING.finditer(changelog))
    for at, heading in enumerate(found):
        if heading["version"] == version:
            end = found[at + 1].start() if at + 1 < len(found) else len(changelog)
            return changelog[heading.end() : end].strip()
    return ""


def join_notes(texts: Mapping[str, str]) -> str:
    """The text of a page about several components, each below its name; that of one alone stays as it is."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"## {name}\n\n{texts[name]}" for name in sorted(texts))


def write_notes(component: Component, section: str, reference: str, digest: str, commit: str) -> str:
    """The page's text in Markdown."""
    parts = [section or "No changes were written down."]
    if component.kind is ComponentKind.NPM and reference:
        parts.append(f"```sh\nnpm install {component.package}@{component.version}\n```")
    if component.kind is ComponentKind.IMAGE and reference:
        parts.append(f"```sh\ndocker pull {reference}\n```")
    lines = [f"Digest `{digest}`"] if digest else []
    parts.append(" · ".join([*lines, f"made of commit {commit}"]))
    return "\n\n".join(parts) + "\n"
