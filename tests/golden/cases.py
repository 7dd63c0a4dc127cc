"""All golden cases: workspaces on which the real `changeset version` and ours have to leave the same bytes."""

from __future__ import annotations

from tests.golden.layout_cases import CHANGELOGS, LAYOUT, SECTIONS
from tests.golden.oracle import Case
from tests.golden.step_cases import STEPS
from tests.golden.workspace_cases import WORKSPACES

CASES = [*SECTIONS, *LAYOUT, *CHANGELOGS, *WORKSPACES, *STEPS]
OLDER = [
    Case(f"2: {case.name}", case.files, case.changesets, case.config, case.steps, case.committed, major=2)
    for case in CASES
    if case.name
    in {
        "dependencies by minor",
        "devDependencies by major",
        "peerDependencies by patch",
        "peerDependencies by minor",
        "optionalDependencies by major",
        "a manifest with tabs",
        "a manifest with four spaces",
        "a changelog without a title",
        "many changesets for one package",
        "a summary of many lines",
        "an entry of paragraphs before others",
        "several dependencies of one package",
        "a root package with dependencies",
        "a fixed group",
        "a linked group",
        "none beside a minor",
        "an ignored package with a changeset of its own",
        "a private dependent",
        "a prerelease",
        "two prereleases",
        "a prerelease and the end of it with more",
        "a snapshot",
    }
]
