"""Ranges in every section, manifests and changelogs in every layout."""

from __future__ import annotations

import json

from tests.golden.oracle import Case
from tests.golden.parts import (
    CORE_MAJOR,
    CORE_MINOR,
    HISTORY,
    MANIFEST,
    RANGES,
    SUMMARY,
    changeset,
    many,
    pair,
    solo,
)

SECTIONS = [
    Case(f"{section} by {bump}", many(RANGES, section), {"a": changeset(("core", bump))})
    for section in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
    for bump in ("patch", "minor", "major")
]

LAYOUT = [
    Case("a manifest with tabs", solo(json.dumps(json.loads(MANIFEST), indent="\t") + "\n"), CORE_MINOR),
    Case("a manifest with four spaces", solo(json.dumps(json.loads(MANIFEST), indent=4) + "\n"), CORE_MINOR),
    Case("a manifest on one line", solo(json.dumps(json.loads(MANIFEST))), CORE_MINOR),
    Case("a manifest without a final newline", solo(MANIFEST), CORE_MINOR),
    Case("a manifest with CRLF", solo(MANIFEST.replace("\n", "\r\n") + "\r\n"), CORE_MINOR),
    Case(
        "odd spacing and escapes",
        solo('{ "name":"core"\n\n,"description" : "\\u00e9 é / \\/",\t"version"  :"1.2.3" }\n'),
        CORE_MINOR,
    ),
    Case(
        "a version nested elsewhere",
        solo(json.dumps({"volta": {"version": "1.2.3"}, **json.loads(MANIFEST)}, indent=2)),
        CORE_MINOR,
    ),
]

CHANGELOGS = [
    Case("a changelog with a preamble", solo(**{"packages/core/CHANGELOG.md": HISTORY}), CORE_MINOR),
    Case("a changelog without a title", solo(**{"packages/core/CHANGELOG.md": "## 1.2.3\n\n- old\n"}), CORE_MINOR),
    Case(
        "a changelog with words and no version",
        solo(**{"packages/core/CHANGELOG.md": "# core\n\nWords.\nMore.\n"}),
        CORE_MINOR,
    ),
    Case("a changelog of one line without an end", solo(**{"packages/core/CHANGELOG.md": "# core"}), CORE_MINOR),
    Case(
        "an entry of paragraphs before others",
        solo(),
        {
            "a": changeset(("core", "minor"), summary="First.\n\nMore of it."),
            "b": changeset(("core", "minor"), summary="Points:\n\n- one\n- two"),
            "c": changeset(("core", "minor"), summary="Last."),
        },
    ),
    Case("an empty changelog", solo(**{"packages/core/CHANGELOG.md": ""}), CORE_MINOR),
    Case("a changelog with CRLF", solo(**{"packages/core/CHANGELOG.md": HISTORY.replace("\n", "\r\n")}), CORE_MINOR),
    Case(
        "a changelog with an unreleased section",
        solo(**{"packages/core/CHANGELOG.md": "# core\n\n## Unreleased\n\n- soon\n\n### 1.2.3\n\n- old\n"}),
        CORE_MINOR,
    ),
    Case(
        "a changelog with linked versions",
        solo(**{"packages/core/CHANGELOG.md": "# core\n\n## [1.2.3] - 2026-01-01\n\n- old\n"}),
        CORE_MINOR,
    ),
    Case("no changelog wanted", pair("^1.2.3"), CORE_MAJOR, {"changelog": False}),
    Case(
        "a changelog module named by its own name",
        pair("^1.2.3"),
        CORE_MAJOR,
        {"changelog": ["@changesets/cli/changelog", None]},
    ),
    Case("a summary of many lines", pair("^1.2.3"), {"a": changeset(("core", "minor"), summary=SUMMARY)}),
    Case(
        "a summary with CRLF",
        pair("^1.2.3"),
        {"a": changeset(("core", "minor"), summary=SUMMARY).replace("\n", "\r\n")},
    ),
    Case("an empty summary", pair("^1.2.3"), {"a": changeset(("core", "minor"), summary="")}),
    Case(
        "many changesets for one package",
        pair("^1.2.3"),
        {
            name: changeset(("core", bump), summary=f"About {name}.")
            for name, bump in (("z", "major"), ("b", "patch"), ("m", "minor"), ("a", "minor"))
        },
    ),
    Case("uncommitted changesets", pair("^1.2.3"), CORE_MAJOR, committed=False),
]
