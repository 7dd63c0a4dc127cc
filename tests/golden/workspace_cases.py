"""Who follows whom, in workspaces of every kind."""

from __future__ import annotations

from tests.golden.oracle import Case
from tests.golden.parts import CORE_MAJOR, CORE_MINOR, CORE_PATCH, UNSAFE, changeset, many, package, pair, root

WORKSPACES = [
    Case(
        "several dependencies of one package",
        {
            "package.json": root(),
            "packages/a/package.json": package("a"),
            "packages/b/package.json": package("b", dependencies={"a": "^1.0.0"}),
            "packages/c/package.json": package(
                "c", dependencies={"a": "^1.0.0", "b": "^1.0.0"}, peerDependencies={"b": ">=1.0.0"}
            ),
            "packages/d/package.json": package(
                "d", devDependencies={"c": "1.0.0"}, optionalDependencies={"a": "~1.0.0"}
            ),
        },
        {"x": changeset(("a", "minor"), ("c", "patch")), "y": changeset(("a", "major"), ("b", "minor"))},
    ),
    Case("an only-dev dependent that is left", pair("~1.2.3", "devDependencies"), CORE_MINOR),
    Case(
        "a root package with dependencies",
        {
            **pair("^1.2.3"),
            "package.json": root(
                dependencies={"core": "^1.2.3"}, devDependencies={"ui": "workspace:*", "core": "1.2.3"}
            ),
        },
        CORE_MINOR,
    ),
    Case(
        "a single package at the root", {"package.json": package("solo", "0.3.1")}, {"a": changeset(("solo", "minor"))}
    ),
    Case(
        "scoped names",
        {
            "package.json": root(),
            "packages/core/package.json": package("@acme/core"),
            "packages/ui/package.json": package("@acme/ui", dependencies={"@acme/core": "^1.0.0"}),
        },
        {"a": changeset(("@acme/core", "major"))},
    ),
    Case(
        "a private dependent",
        {**pair("^1.2.3"), "packages/ui/package.json": package("ui", private=True, dependencies={"core": "^1.2.3"})},
        CORE_MAJOR,
    ),
    Case(
        "private packages that are versioned",
        {**pair("^1.2.3"), "packages/ui/package.json": package("ui", private=True, dependencies={"core": "^1.2.3"})},
        CORE_MAJOR,
        {"privatePackages": {"version": True, "tag": False}},
    ),
    Case(
        "a private dependent without a version",
        {
            **pair("^1.2.3"),
            "packages/ui/package.json": {"name": "ui", "private": True, "dependencies": {"core": "^1.2.3"}},
        },
        CORE_MAJOR,
    ),
    Case(
        "an ignored package with a changeset of its own",
        {**pair("^1.2.3"), "packages/ui/package.json": package("ui", dependencies={"core": "^1.2.3"})},
        {**CORE_MAJOR, "for-ui": changeset(("ui", "minor"))},
        {"ignore": ["ui"]},
    ),
    Case(
        "a private package with a changeset of its own",
        {**pair("^1.2.3"), "packages/ui/package.json": package("ui", private=True, dependencies={"core": "^1.2.3"})},
        {**CORE_MINOR, "for-ui": changeset(("ui", "minor"))},
    ),
    Case(
        "a fixed group",
        {**pair("^1.2.3"), "packages/third/package.json": package("third", "1.1.0")},
        CORE_MINOR,
        {"fixed": [["core", "third"]]},
    ),
    Case(
        "a linked group",
        {**pair("^1.2.3"), "packages/third/package.json": package("third", "1.1.0")},
        {"a": changeset(("core", "minor"), ("third", "patch"))},
        {"linked": [["core", "third", "ui"]]},
    ),
    Case("a changeset that asks for nothing", pair("^1.2.3"), {"a": changeset(("core", "none"))}),
    Case("none beside a minor", pair("^1.2.3"), {"a": changeset(("core", "none"), ("ui", "minor"))}),
    Case("an empty changeset", pair("^1.2.3"), {"a": "---\n---\n\nNothing.\n"}),
    Case("an empty changeset beside another", pair("^1.2.3"), {"a": "---\n---\n", **CORE_MINOR}),
    Case("update only from minor on: a patch", pair("^1.2.3"), CORE_PATCH, {"updateInternalDependencies": "minor"}),
    Case(
        "update only from minor on: a dependent beside it",
        pair("^1.2.3"),
        {"a": changeset(("core", "patch"), ("ui", "patch"))},
        {"updateInternalDependencies": "minor"},
    ),
    Case(
        "peers only when left: within",
        pair("^1.2.3", "peerDependencies"),
        {"a": changeset(("core", "minor"), ("ui", "patch"))},
        {UNSAFE: {"onlyUpdatePeerDependentsWhenOutOfRange": True}},
    ),
    Case(
        "peers only when left: beyond",
        pair("^1.2.3", "peerDependencies"),
        CORE_MAJOR,
        {UNSAFE: {"onlyUpdatePeerDependentsWhenOutOfRange": True}},
    ),
    Case("dependents that always follow", pair("^1.2.3"), CORE_PATCH, {UNSAFE: {"updateInternalDependents": "always"}}),
    Case(
        "only ranges with the workspace protocol",
        many(["^1.2.3", "workspace:^1.2.3", "workspace:1.2.3", "1.2.3"], "dependencies"),
        CORE_MAJOR,
        {"bumpVersionsWithWorkspaceProtocolOnly": True},
    ),
    Case(
        "a pnpm workspace",
        {
            "package.json": {"name": "root", "private": True},
            "package-lock.json": "",
            "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
            "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
            **{path: text for path, text in pair("workspace:^").items() if path != "package.json"},
        },
        CORE_MAJOR,
    ),
    Case("a yarn workspace", {"yarn.lock": "# yarn lockfile v1\n", **pair("^1.2.3")}, CORE_MAJOR),
    Case(
        "workspaces named by an object",
        {
            **pair("^1.2.3"),
            "yarn.lock": "",
            "package.json": {"name": "root", "private": True, "workspaces": {"packages": ["packages/*"]}},
        },
        CORE_MAJOR,
    ),
    Case("a version that is a prerelease already", pair("^1.2.3-beta.0", core="1.2.3-beta.0"), CORE_MINOR),
]
