from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.bumps import Bump
from switchover.decide.changesets import Changeset
from switchover.decide.edit_rules import EditRules
from switchover.decide.edits import Edit, list_edited_files, plan_edits
from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.plan_settings import PlanSettings
from switchover.decide.prerelease import Mode, PreState
from switchover.decide.range_rewriting import RangeRules
from switchover.decide.versions import CommitEntry, PlannedRelease, VersionPlan, plan_versions

NAMES = ("a", "b", "c")
RANGES = st.sampled_from(["^1.0.0", "~1.0.0", "1.0.0", ">=1.0.0 <2.0.0", "*", "workspace:^", "workspace:*", "latest"])
LINES = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(list(Section))), RANGES, max_size=4)
WORKSPACES = st.fixed_dictionaries(dict.fromkeys(NAMES, LINES))
BUMPS = st.sampled_from(list(Bump))
CHANGESETS = st.lists(st.dictionaries(st.sampled_from(NAMES), BUMPS, max_size=3), max_size=3)


def make(workspace: dict[str, dict[tuple[str, Section], str]]) -> tuple[tuple[Package, ...], dict[str, str]]:
    packages: list[Package] = []
    texts: dict[str, str] = {"package.json": '{"name": "root", "devDependencies": {"a": "1.0.0", "x": "^1"}}\n'}
    for name, lines in workspace.items():
        known = {key: text for key, text in lines.items() if key[0] != name}
        dependencies = tuple(Dependency(other, text, section) for (other, section), text in known.items())
        packages.append(Package(name, f"packages/{name}", "1.0.0", Kind.NPM, dependencies=dependencies))
        manifest: dict[str, object] = {"name": name, "version": "1.0.0"}
        for section in Section:
            found = {each.name: each.range for each in dependencies if each.section is section}
            if found:
                manifest[section.value] = found
        texts[f"packages/{name}/package.json"] = json.dumps(manifest, indent="\t")
    return tuple(packages), texts


def write(texts: dict[str, str], edits: tuple[Edit, ...]) -> dict[str, str]:
    written = {**texts, **{each.path: each.content for each in edits if each.content is not None}}
    return {path: text for path, text in written.items() if Edit(path, None) not in edits}


@given(WORKSPACES, CHANGESETS, st.sampled_from([2, 3]), st.booleans(), st.booleans())
def test_applying_the_same_plan_twice_changes_nothing(
    workspace: dict[str, dict[tuple[str, Section], str]],
    wishes: list[dict[str, Bump]],
    compat: int,
    in_mode: bool,  # noqa: FBT001 - an example
    snapshot: bool,  # noqa: FBT001 - an example
) -> None:
    packages, texts = make(workspace)
    changesets = tuple(Changeset(f"c{at}", tuple(each.items()), f"Words {at}.") for at, each in enumerate(wishes))
    state = PreState(Mode.PRE, "beta") if in_mode else None
    plan = plan_versions(packages, changesets, {}, PlanSettings(compat=compat), pre_state=state)
    rules = EditRules(RangeRules(compat, exact=snapshot))
    texts |= {each.path: "---\n---\n" for each in changesets}
    if in_mode:
        texts[".changeset/pre.json"] = '{"mode": "pre", "tag": "beta"}'
    once = write(texts, plan_edits(packages, plan, texts, rules))
    assert plan_edits(packages, plan, once, rules) == ()
    asked = list_edited_files(packages, plan, texts.get(".changeset/pre.json"))
    assert {path for path in texts if texts[path] != once.get(path)} <= set(asked)
    for path in texts:
        if path.endswith("package.json"):
            assert [line.partition(":")[0] for line in once[path].split("\n")] == [
                line.partition(":")[0] for line in texts[path].split("\n")
            ]


@given(st.sampled_from(["1.0.0", "1.0.0\n", "1.0.0\r\n", "  1.0.0 \n", None]), BUMPS)
def test_the_file_of_a_plain_package_keeps_its_line_end_or_gets_one(text: str | None, bump: Bump) -> None:
    packages, texts = make({"a": {}})
    plain = Package("edge", "services/edge", "1.0.0" if text else "0.0.0", Kind.PLAIN, private=True)
    present = texts | ({plain.manifest: text} if text else {})
    settings = PlanSettings(deployed=frozenset({"edge"}))
    plan = plan_versions((*packages, plain), (Changeset("c", (("edge", bump),), "More."),), {}, settings)
    once = write(present, plan_edits((*packages, plain), plan, present, EditRules()))
    new = next(each.new_version for each in plan.releases if each.name == "edge")
    expected = (text or "0.0.0\n").replace(plain.version, new)
    if bump is Bump.NONE:
        assert once.get(plain.manifest) == text
    else:
        assert once[plain.manifest] == (expected if expected.endswith("\n") else f"{expected}\n")
    assert plan_edits((*packages, plain), plan, once, EditRules()) == ()


def test_no_range_follows_a_plain_package() -> None:
    packages, texts = make({"a": {}})
    texts["package.json"] = '{"dependencies": {"edge": "1.0.0", "a": "1.0.0"}}'
    texts["pyproject.toml"] = '[project]\nname = "x"\nversion = "1.0.0"\ndependencies = ["edge==1.0.0"]\n'
    plain = Package("edge", "services/edge", "1.0.0", Kind.PLAIN, private=True)
    releases = tuple(PlannedRelease(name, Bump.MINOR, "1.0.0", "1.1.0") for name in ("a", "edge"))
    edits = plan_edits((*packages, plain), VersionPlan((), releases), texts, EditRules())
    written = {each.path: each.content for each in edits}
    assert written["package.json"] == '{"dependencies": {"edge": "1.0.0", "a": "1.1.0"}}'
    assert "pyproject.toml" not in written


def plan_of(
    *changesets: Changeset, skipped: frozenset[str] = frozenset(), state: PreState | None = None
) -> VersionPlan:
    releases = (PlannedRelease("a", Bump.MINOR, "1.0.0", "1.1.0", tuple(each.id for each in changesets)),)
    return VersionPlan(changesets, releases, pre_state=state, skipped=skipped)


MORE = Changeset("more", (("a", Bump.MINOR),), "More.")
ABOUT_B = Changeset("about-b", (("b", Bump.MINOR),), "Nobody asked.")


def paths(plan: VersionPlan, texts: dict[str, str] | None = None, rules: EditRules | None = None) -> dict[str, bool]:
    packages, present = make({"a": {}, "b": {}})
    present |= {".changeset/more.md": "m", ".changeset/about-b.md": "b", **(texts or {})}
    chosen = rules or EditRules(skipped=plan.skipped)
    return {each.path: each.content is not None for each in plan_edits(packages, plan, present, chosen)}


def test_a_changeset_about_what_is_never_versioned_stays() -> None:
    found = paths(plan_of(MORE, ABOUT_B, skipped=frozenset({"b"})))
    assert found[".changeset/more.md"] is False
    assert ".changeset/about-b.md" not in found


def test_without_changelogs_none_is_written() -> None:
    assert "packages/a/CHANGELOG.md" in paths(plan_of(MORE))
    assert "packages/a/CHANGELOG.md" not in paths(plan_of(MORE), rules=EditRules(changelog=False))


def test_what_changesets_2_only_noted_as_used_is_put_aside_by_3() -> None:
    old = '{"mode": "pre", "tag": "beta", "initialVersions": {"a": "1.0.0"}, "changesets": ["before"]}'
    texts = {".changeset/pre.json": old, ".changeset/before.md": "before"}
    assert paths(plan_of(MORE, state=PreState(Mode.PRE, "beta")), texts) == {
        ".changeset/before.md": False,
        ".changeset/more.md": False,
        ".changeset/pre.json": True,
        ".changeset/pre/before.md": True,
        ".changeset/pre/more.md": True,
        "package.json": True,
        "packages/a/CHANGELOG.md": True,
        "packages/a/package.json": True,
    }


def test_commits_reach_the_changelog_beside_changesets() -> None:
    packages, texts = make({"a": {}})
    entry = CommitEntry("f" * 40, "fix", "a slip", Bump.PATCH)
    release = PlannedRelease("a", Bump.MINOR, "1.0.0", "1.1.0", ("more",), (entry,))
    edits = plan_edits(packages, VersionPlan((MORE,), (release,)), texts, EditRules())
    written = {each.path: each.content for each in edits}
    assert written["packages/a/CHANGELOG.md"] == (
        "# a\n\n## 1.1.0\n\n### Minor Changes\n\n- More.\n\n### Patch Changes\n\n- fffffff: a slip\n"
    )
