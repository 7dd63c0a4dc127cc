"""Random workspaces with changesets, as the cases of the comparison with changesets itself. A seed makes them again."""

from __future__ import annotations

import random
from typing import Any

NAMES = ["a", "b", "c", "@acme/d", "@acme/e", "@acme/f", "g-h", "gi"]
VERSIONS = ["0.0.0", "0.1.0", "0.0.3", "1.0.0", "1.2.3", "1.10.0", "2.0.0-rc.1", "3.1.4"]
PRERELEASES = [
    "1.0.0-beta.0",
    "1.0.1-beta.1",
    "1.1.0-beta.3",
    "2.0.0-beta.10",
    "1.0.0-alpha.2",
    "1.0.0-beta",
    "1.0.0-0",
]
BUMPS = ["major", "minor", "minor", "patch", "patch", "patch", "none"]
SECTIONS = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"]
PATTERNS = [
    "a",
    "b",
    "@acme/d",
    "@acme/*",
    "@acme/{d,e}",
    "{a,b}",
    "g*",
    "**",
    "*",
    "!b",
    "?",
    "[ab]",
    "nobody",
    "@acme/[!d]",
]
TEMPLATES = [
    "{tag}-{commit}",
    "{datetime}",
    "{tag}.{timestamp}",
    "pre-{commit}",
    "{tag}",
    "{tag}-{commit-short}",
    "x_{tag}",
]
RARELY, SOMETIMES, OFTEN = 0.06, 0.25, 0.6


def make_case(chance: random.Random, major: int) -> dict[str, Any]:
    """One question for the engine of this major."""
    mode = chance.choices(["", "pre", "exit"], [6, 2, 2])[0]
    names = chance.sample(NAMES, chance.randint(1, len(NAMES)))
    versions = {name: _make_version(chance, mode) for name in names}
    packages = [_make_package(chance, name, versions) for name in names]
    if chance.random() < OFTEN:
        _hide_dependents(packages)
    changesets = [_make_changeset(chance, f"c{at}", names) for at in range(chance.choice([0, 1, 1, 2, 3, 4]))]
    state = _make_state(chance, mode, major, changesets, versions) if mode else None
    snapshot = mode != "pre" and chance.random() < SOMETIMES / 2
    return {
        "ask": "plan",
        "major": major,
        "packages": packages,
        "config": _make_config(chance, names, major),
        "changesets": changesets,
        "preState": state,
        "snapshot": _make_snapshot(chance) if snapshot else None,
        "now": chance.randrange(10**12, 2 * 10**12),
    }


def _make_version(chance: random.Random, mode: str) -> str:
    if chance.random() < RARELY / 2:
        return ""
    if mode and chance.random() < RARELY / 3:
        return "1.0.0-beta.next"
    return chance.choice(PRERELEASES if mode and chance.random() < OFTEN else VERSIONS)


def _make_package(chance: random.Random, name: str, versions: dict[str, str]) -> dict[str, Any]:
    manifest: dict[str, Any] = {"name": name}
    if versions[name]:
        manifest["version"] = versions[name]
    if chance.random() < RARELY:
        manifest["private"] = True
    for section in SECTIONS:
        others = [
            each for each in versions if chance.random() < SOMETIMES and (each != name or chance.random() < RARELY)
        ]
        if others:
            manifest[section] = {other: _make_range(chance, other, versions[other] or "1.0.0") for other in others}
    return {"folder": _folder(name), "manifest": manifest}


def _hide_dependents(packages: list[dict[str, Any]]) -> None:
    """Whoever needs a private package is private too, as changesets wants it."""
    hidden: set[str] = set()
    while found := {each["manifest"]["name"] for each in packages if each["manifest"].get("private")} - hidden:
        hidden |= found
        for manifest in (each["manifest"] for each in packages):
            if any(hidden & set(manifest.get(section, {})) for section in SECTIONS):
                manifest["private"] = True


def _folder(name: str) -> str:
    return f"packages/{name.rpartition('/')[2]}"


def _make_range(chance: random.Random, other: str, version: str) -> str:
    common = [
        f"^{version}",
        f"~{version}",
        version,
        f">={version}",
        f"={version}",
        "*",
        "1.x",
        f"^{chance.choice(VERSIONS)}",
    ]
    odd = ["latest", f"link:../{other}", f"file:../{other}", "npm:other@1.0.0", "", "workspace:", ">=0.1 <2 || 3"]
    odd += [f"workspace:{_folder(other)}", f"workspace:./{_folder(other)}", "workspace:packages/nowhere", "x.1"]
    odd += [f"<={version}", f"<{version} || ^{version}", f"{version} - 4", "workspace:latest"]
    workspace = ["workspace:^", "workspace:~", "workspace:*", f"workspace:^{version}", f"workspace:{version}"]
    return chance.choice(chance.choices([common, workspace, odd], [6, 3, 2])[0])


def _make_changeset(chance: random.Random, identifier: str, names: list[str]) -> dict[str, Any]:
    known = [*names, "nobody"] if chance.random() < RARELY / 3 else names
    chosen = chance.sample(known, chance.randint(0 if chance.random() < RARELY else 1, min(3, len(known))))
    releases = [{"name": name, "type": chance.choice(BUMPS)} for name in chosen]
    return {"id": identifier, "summary": f"What {identifier} does.", "releases": releases}


def _make_state(
    chance: random.Random, mode: str, major: int, changesets: list[dict[str, Any]], versions: dict[str, str]
) -> dict[str, Any]:
    used = [each for each in changesets if chance.random() < SOMETIMES]
    state = {"mode": mode, "tag": chance.choice(["beta", "rc", "next-1"])}
    if major == 2:
        initial = {name: version for name, version in versions.items() if version and chance.random() < OFTEN}
        return {**state, "initialVersions": initial, "changesets": [each["id"] for each in used]}
    for each in used:
        each["id"] = f"pre/{each['id']}"
    changesets.sort(key=lambda each: (each["id"].startswith("pre/"), each["id"]))
    return state


def _make_config(chance: random.Random, names: list[str], major: int) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if chance.random() < SOMETIMES / 2:
        config["ignore"] = _choose_patterns(chance, names, 1)
    free = list(names)
    for key in ("fixed", "linked"):
        for _ in range(chance.randint(1, 2) if chance.random() < SOMETIMES else 0):
            config.setdefault(key, []).append(_choose_patterns(chance, free, 4))
            if chance.random() > RARELY:
                free = [name for name in free if name not in config[key][-1]]
    private = [{"version": True}, {"version": False}, {"version": True, "tag": True}, {}, False]
    private += [{"version": False, "tag": True}] if chance.random() < RARELY else []
    private += [True] if major > 2 else []
    if chance.random() < OFTEN:
        config["privatePackages"] = chance.choice(private)
    if chance.random() < SOMETIMES / 2:
        config["bumpVersionsWithWorkspaceProtocolOnly"] = chance.random() < OFTEN
    experimental = {
        "onlyUpdatePeerDependentsWhenOutOfRange": chance.random() < OFTEN,
        "updateInternalDependents": chance.choice(["always", "out-of-range"]),
        "useCalculatedVersionForSnapshots": chance.random() < OFTEN,
    }
    if chance.random() < SOMETIMES:
        chosen = chance.sample(sorted(experimental), chance.randint(1, 3))
        config["___experimentalUnsafeOptions_WILL_CHANGE_IN_PATCH"] = {key: experimental[key] for key in chosen}
    if chance.random() < SOMETIMES:
        config["snapshot"] = {"useCalculatedVersion": chance.random() < OFTEN}
    if chance.random() < SOMETIMES:
        config.setdefault("snapshot", {})["prereleaseTemplate"] = chance.choice(TEMPLATES)
    return config


def _choose_patterns(chance: random.Random, names: list[str], most: int) -> list[str]:
    """Mostly names, and mostly such as are there."""
    if not names or chance.random() < RARELY:
        return chance.sample(PATTERNS, chance.randint(1, 2))
    return chance.sample(names, min(len(names), chance.randint(1, most)))


def _make_snapshot(chance: random.Random) -> dict[str, str]:
    snapshot = {"commit": "0123456789abcdef0123456789abcdef01234567"} if chance.random() < OFTEN else {}
    return {**snapshot, "tag": chance.choice(["canary", "pr-12"])} if chance.random() < OFTEN else snapshot
