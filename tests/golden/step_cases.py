"""Prereleases, snapshots and one version after the other."""

from __future__ import annotations

from tests.golden.oracle import Case
from tests.golden.parts import COMMIT, CORE_MAJOR, CORE_MINOR, EXIT, PLAIN, PRE, RANGES, VERSION, changeset, many, pair

STEPS = [
    Case("a prerelease", many(RANGES, "dependencies"), CORE_MINOR, steps=(PRE, VERSION)),
    Case("a prerelease of peers", many(PLAIN, "peerDependencies"), CORE_MINOR, steps=(PRE, VERSION)),
    Case(
        "two prereleases",
        pair("^1.2.3"),
        CORE_MINOR,
        steps=(PRE, VERSION, COMMIT, ("write", ".changeset/next.md", changeset(("ui", "major"))), COMMIT, VERSION),
    ),
    Case("a prerelease and the end of it", pair("^1.2.3"), CORE_MINOR, steps=(PRE, VERSION, COMMIT, EXIT, VERSION)),
    Case(
        "a prerelease and the end of it with more",
        pair("~1.2.3"),
        CORE_MINOR,
        steps=(
            PRE,
            VERSION,
            COMMIT,
            ("write", ".changeset/next.md", changeset(("core", "major"))),
            COMMIT,
            VERSION,
            COMMIT,
            EXIT,
            COMMIT,
            VERSION,
        ),
    ),
    Case("a prerelease that nobody commits", pair("~1.2.3"), CORE_MINOR, steps=(PRE, VERSION, EXIT, VERSION)),
    Case(
        "another identifier",
        pair("^1.2.3"),
        CORE_MINOR,
        steps=(
            PRE,
            VERSION,
            COMMIT,
            EXIT,
            ("pre", "enter", "rc"),
            ("write", ".changeset/next.md", changeset(("core", "patch"))),
            VERSION,
        ),
    ),
    Case("leaving a mode in which nothing was released", pair("^1.2.3"), CORE_MINOR, steps=(PRE, EXIT, VERSION)),
    Case(
        "a snapshot",
        many(RANGES, "dependencies"),
        CORE_MINOR,
        {"snapshot": {"prereleaseTemplate": "{tag}.{commit}"}},
        steps=(("version", "--snapshot", "canary"),),
    ),
    Case(
        "a snapshot of peers",
        many(PLAIN, "peerDependencies"),
        CORE_MAJOR,
        {"snapshot": {"prereleaseTemplate": "{tag}.{commit}"}},
        steps=(("version", "--snapshot", "canary"),),
    ),
    Case("a snapshot by the time", pair("^1.2.3"), CORE_MAJOR, steps=(("version", "--snapshot"),)),
    Case("a snapshot by tag and time", pair("^1.2.3"), CORE_MAJOR, steps=(("version", "--snapshot", "canary"),)),
    Case(
        "a snapshot of the version to come",
        pair("^1.2.3"),
        CORE_MAJOR,
        {"snapshot": {"useCalculatedVersion": True, "prereleaseTemplate": "{tag}-{commit-short}"}},
        steps=(("version", "--snapshot", "pr7"),),
    ),
    Case(
        "two versions, one after the other",
        pair("^1.2.3"),
        CORE_MINOR,
        steps=(
            VERSION,
            COMMIT,
            ("write", ".changeset/next.md", changeset(("core", "major"), ("ui", "minor"))),
            COMMIT,
            VERSION,
        ),
    ),
]
