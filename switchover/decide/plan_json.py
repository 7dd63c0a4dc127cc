"""A version plan as JSON in the shape of `changeset status --output`, and as text for people."""

from __future__ import annotations

from typing import Any

from switchover.decide.changesets import Changeset
from switchover.decide.prerelease import pre_state_to_json
from switchover.decide.versions import PlannedRelease, VersionPlan

MOST_REASONS = 8


def plan_to_json(plan: VersionPlan, notices: tuple[str, ...] = ()) -> dict[str, Any]:
    """Build a JSON document: `changesets` and `releases` as changesets writes them, ours under `switchover`.

    `switchover.commits` maps package names to the commits that asked for their release;
    `switchover.unreleased` names packages whose present version was never released; `notices` are sentences
    about what was left out, the plan's own unless others are given. `preState` is there in prerelease mode only.
    """
    state = {"preState": pre_state_to_json(plan.pre_state, plan.compat)} if plan.pre_state else {}
    return {
        "changesets": [_changeset_to_json(changeset) for changeset in plan.changesets],
        "releases": [_release_to_json(release) for release in plan.releases],
        **state,
        "switchover": {
            "commits": {
                release.name: [
                    {"sha": entry.sha, "type": entry.type, "description": entry.description, "bump": entry.bump.value}
                    for entry in release.commits
                ]
                for release in plan.releases
                if release.commits
            },
            "unreleased": list(plan.unreleased),
            "notices": list(notices or plan.notices),
        },
    }


def plan_to_markdown(plan: VersionPlan) -> str:
    """Write a table with one row per moved version, and what asked for it."""
    if not plan.changes:
        return "No version changes."
    rows = [
        f"| {release.name} | {release.old_version} | **{release.new_version}** | {release.type} | {explain(release)} |"
        for release in plan.changes
    ]
    return "\n".join(["| package | from | to | bump | because of |", "|---|---|---|---|---|", *rows])


def explain(release: PlannedRelease) -> str:
    """What asked for a release, in one line: the weightiest reasons, and how many there are besides."""
    changesets = [f"changeset {identifier}" for identifier in release.changesets]
    # A changeset is written for its readers; of many commits those that decided are worth the room.
    entries = sorted(release.commits, key=lambda entry: -entry.bump.rank)
    parts = [*changesets, *(f"{entry.sha[:7]} {entry.type}: {entry.description}" for entry in entries)]
    if len(parts) > MOST_REASONS:
        parts[MOST_REASONS:] = [f"and {len(parts) - MOST_REASONS} more"]
    return "; ".join(parts).replace("|", "\\|") or "a dependency"


def _changeset_to_json(changeset: Changeset) -> dict[str, Any]:
    releases = [{"name": name, "type": bump.value} for name, bump in changeset.releases]
    return {"releases": releases, "summary": changeset.summary, "id": changeset.id}


def _release_to_json(release: PlannedRelease) -> dict[str, Any]:
    versions = {"oldVersion": release.old_version} if release.old_version else {}
    news = {"newVersion": release.new_version} if release.new_version else {}
    return {
        "name": release.name,
        "type": release.type.value,
        **versions,
        "changesets": list(release.changesets),
        **news,
    }
