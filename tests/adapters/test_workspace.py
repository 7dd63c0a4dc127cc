from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchover.adapters.workspace import FolderWorkspace
from switchover.decide.packages import Dependency, Kind, Section
from switchover.decide.prerelease import Mode, PreState
from switchover.errors import InputError
from tests.git_repository import new_workspace


def write(root: Path, files: dict[str, object]) -> FolderWorkspace:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return FolderWorkspace(root)


def test_npm_workspaces_are_read_through_their_globs(tmp_path: Path) -> None:
    workspace = write(
        tmp_path,
        {
            "package.json": {"workspaces": {"packages": ["packages/*", "!packages/left-out"]}},
            "packages/b/package.json": {"name": "b", "version": "1.0.0", "peerDependencies": {"a": "^1.0.0"}},
            "packages/a/package.json": {"name": "a", "version": "1.0.0", "private": True},
            "packages/left-out/package.json": {"name": "c", "version": "1.0.0"},
            "packages/no-package/readme.txt": "x",
        },
    )
    packages = workspace.read(()).packages
    assert [(each.name, each.folder, each.private) for each in packages] == [
        ("a", "packages/a", True),
        ("b", "packages/b", False),
    ]
    assert packages[1].dependencies == (Dependency("a", "^1.0.0", Section.PEER),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pnpm-workspace.yaml", "packages:\n  - packages/*\n"),
        ("pyproject.toml", '[tool.uv.workspace]\nmembers = ["packages/*"]\n'),
    ],
)
def test_pnpm_and_uv_workspaces_are_read_too(tmp_path: Path, name: str, content: str) -> None:
    members = {
        "packages/a/package.json": {"name": "a", "version": "1.0.0"},
        "packages/p/pyproject.toml": '[project]\nname = "p"\nversion = "2.0.0"\n'
        """dependencies = ["q>=1.2,<2; python_version>'3'"]\n""",
    }
    packages = write(tmp_path, {name: content, **members}).read(()).packages
    assert [(each.name, each.kind, each.version) for each in packages] == [
        ("a", Kind.NPM, "1.0.0"),
        ("p", Kind.PYTHON, "2.0.0"),
    ]
    assert packages[1].dependencies == (Dependency("q", ">=1.2 <2", Section.RUN),)


def test_a_repository_that_is_one_project_has_one_package_at_its_root(tmp_path: Path) -> None:
    text = '[project]\nname = "solo"\nversion = "0.1.0"\n[project.optional-dependencies]\nall = ["solo[x]"]\n'
    package = write(tmp_path, {"pyproject.toml": text}).read(()).packages[0]
    assert (package.name, package.folder, package.manifest) == ("solo", "", "pyproject.toml")
    assert package.dependencies == ()


def test_services_outside_of_the_workspace_belong_to_it(tmp_path: Path) -> None:
    workspace = write(
        tmp_path,
        {"package.json": {"workspaces": []}, "apps/cart/package.json": {"name": "cart", "version": "1.0.0"}},
    )
    assert [each.name for each in workspace.read(("apps/cart",)).packages] == ["cart"]


def test_a_service_without_a_manifest_has_the_version_of_its_file(tmp_path: Path) -> None:
    workspace = write(
        tmp_path,
        {
            "package.json": {"workspaces": ["services/*"]},
            "services/edge/VERSION": "1.4.0\r\n",
            "services/new/Dockerfile": "FROM scratch\n",
            "services/other/VERSION": "of no interest: nobody says that this is a service",
            "VERSION": "9.0.0\n",
        },
    )
    packages = workspace.read(("services/edge", "services/new", "services/gone", "")).packages
    assert [(each.name, each.version, each.manifest) for each in packages] == [
        ("edge", "1.4.0", "services/edge/VERSION"),
        ("new", "0.0.0", "services/new/VERSION"),
    ]
    assert {(each.kind, each.private, each.dependencies) for each in packages} == {(Kind.PLAIN, True, ())}


def test_a_service_whose_manifest_names_no_package_needs_the_file(tmp_path: Path) -> None:
    files: dict[str, object] = {"edge/pyproject.toml": "[tool.x]\n", "cart/package.json": {"name": "cart"}}
    workspace = write(tmp_path, files)
    assert [each.name for each in workspace.read(("edge", "cart")).packages] == ["cart"]
    write(tmp_path, {"edge/VERSION": "1.4.0\n", "cart/VERSION": "9.9.9\n"})
    assert [(each.name, each.kind) for each in workspace.read(("edge", "cart")).packages] == [
        ("cart", Kind.NPM),
        ("edge", Kind.PLAIN),
    ]


def test_a_service_called_like_another_private_package_is_refused(tmp_path: Path) -> None:
    manifest = {"name": "edge", "version": "1.0.0", "private": True}
    workspace = write(tmp_path, {"services/edge/VERSION": "1.4.0\n", "package.json": manifest})
    with pytest.raises(InputError, match=r"(?s)two packages are called edge.*package\.json and services/edge/VERSION"):
        workspace.read(("services/edge",))


def test_what_others_need_is_never_a_service_without_a_manifest(tmp_path: Path) -> None:
    needs = {"redis": "^4.0.0", "b": "^1.0.0"}
    workspace = write(
        tmp_path,
        {
            "package.json": {"workspaces": ["*"]},
            "a/package.json": {"name": "a", "version": "1.0.0", "dependencies": needs},
            "p/pyproject.toml": '[project]\nname = "p"\nversion = "1.0.0"\ndependencies = ["redis>=4", "b>=1"]\n',
            "redis/VERSION": "4.0.0\n",
        },
    )
    packages = {each.name: each for each in workspace.read(("redis", "p")).packages}
    assert [each.name for each in packages["a"].dependencies] == ["b"]
    assert [each.name for each in packages["p"].dependencies] == ["b"]


def test_changesets_come_by_name_without_what_is_for_readers(tmp_path: Path) -> None:
    changeset = "---\na: minor\n---\n\nx\n"
    state = write(
        tmp_path,
        {
            "package.json": {"name": "a", "version": "1.0.0"},
            ".changeset/z.md": changeset,
            ".changeset/b.md": changeset,
            ".changeset/README.md": "# read me",
            ".changeset/.hidden.md": "hidden",
            ".changeset/config.json": {"ignore": ["b"], "fixed": [["a"]], "privatePackages": {"version": True}},
        },
    ).read(())
    assert [each.id for each in state.changesets] == ["b", "z"]
    assert (state.config.ignore, state.config.fixed, state.config.private_packages) == (("b",), (("a",),), True)


def test_globs_of_folders_have_braces_and_leave_out_what_is_installed(tmp_path: Path) -> None:
    manifest = {"name": "x", "version": "1.0.0"}
    names = ["apps/web", "libs/a", "libs/b/inner", "libs/node_modules/dep", "libs/.hidden", "tools/c"]
    files = {f"{name}/package.json": {**manifest, "name": name} for name in names}
    workspace = write(tmp_path, {"package.json": {"workspaces": ["{apps,libs}/**", "./tools/[a-c]/"]}, **files})
    assert [each.folder for each in workspace.read(()).packages] == ["apps/web", "libs/a", "libs/b/inner", "tools/c"]


def test_changesets_that_a_prerelease_has_used_come_last(tmp_path: Path) -> None:
    changeset = "---\na: minor\n---\n\nx\n"
    state = write(
        tmp_path,
        {
            "package.json": {"name": "a", "version": "1.0.0"},
            ".changeset/z.md": changeset,
            ".changeset/pre/b.md": changeset,
            ".changeset/pre/README.md": "# read me",
            ".changeset/pre.json": {"mode": "pre", "tag": "beta"},
        },
    ).read(())
    assert [(each.id, each.path) for each in state.changesets] == [
        ("z", ".changeset/z.md"),
        ("pre/b", ".changeset/pre/b.md"),
    ]
    assert state.pre_state == PreState(Mode.PRE, "beta")


def test_of_private_packages_with_one_name_the_last_counts(tmp_path: Path) -> None:
    files: dict[str, object] = {
        f"tests/{at}/package.json": {"name": "trial", "version": f"0.0.{at}", "private": True} for at in range(3)
    }
    workspace = write(tmp_path, {"package.json": {"workspaces": ["tests/*"]}, **files})
    assert [(each.name, each.version, each.folder) for each in workspace.read(()).packages] == [
        ("trial", "0.0.2", "tests/2")
    ]


def test_a_version_that_is_null_is_none(tmp_path: Path) -> None:
    workspace = write(tmp_path, {"package.json": {"name": "a", "version": None}})
    assert workspace.read(()).packages[0].version == ""


@pytest.mark.parametrize(
    ("manifest", "pnpm", "major"),
    [
        ({"devDependencies": {"@changesets/cli": "^2.29.0"}}, None, 2),
        ({"dependencies": {"@changesets/cli": "~3.0.3"}}, None, 3),
        ({"devDependencies": {"@changesets/cli": "npm:@changesets/cli@2.31.1"}}, None, 2),
        ({"devDependencies": {"@changesets/cli": "^1.0.0"}}, None, 2),
        ({"devDependencies": {"@changesets/cli": "catalog:"}}, 'catalog:\n  "@changesets/cli": ^2.1.0\n', 2),
        ({"devDependencies": {"@changesets/cli": "catalog:x"}}, 'catalogs:\n  x:\n    "@changesets/cli": 3.0.0\n', 3),
        ({"devDependencies": {"@changesets/cli": "latest"}}, None, None),
        ({"devDependencies": {"@changesets/cli": "catalog:"}}, None, None),
        ({}, None, None),
    ],
)
def test_the_major_of_changesets_is_the_one_that_the_root_manifest_asks_for(
    tmp_path: Path, manifest: dict[str, object], pnpm: str | None, major: int | None
) -> None:
    files: dict[str, object] = {"package.json": {"name": "a", "version": "1.0.0", **manifest}}
    workspace = write(tmp_path, {**files, **({"pnpm-workspace.yaml": pnpm} if pnpm else {})})
    assert workspace.read(()).changesets_major == major


def test_a_python_dependency_is_found_however_its_name_is_spelt(tmp_path: Path) -> None:
    packages = (
        write(
            tmp_path,
            {
                "pyproject.toml": '[tool.uv.workspace]\nmembers = ["p", "q"]\n',
                "p/pyproject.toml": '[project]\nname = "My_Core"\nversion = "1.0.0"\n',
                "q/pyproject.toml": '[project]\nname = "q"\nversion = "1.0.0"\ndependencies = ["my-core>=1"]\n',
            },
        )
        .read(())
        .packages
    )
    assert [each.name for each in packages[1].dependencies] == ["My_Core"]


def test_what_a_sparse_checkout_leaves_out_is_read_from_its_commit(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path)
    repository.commit("chore: ümlaut", {"packages/ui/CHANGELOG.md": "# ü\n", "packages/core/readme.md": "ü"})
    whole = FolderWorkspace(tmp_path).read(())
    repository.git("sparse-checkout", "set", "--cone", "services/cart")
    assert not (tmp_path / "packages").exists()
    assert FolderWorkspace(tmp_path).read(()) == whole
    assert "@acme/ui" in FolderWorkspace(tmp_path).read_texts(("packages/ui/package.json",))["packages/ui/package.json"]
    repository.git("sparse-checkout", "set", "--no-cone", "/package.json")
    assert FolderWorkspace(tmp_path).read(()) == whole
    assert FolderWorkspace(tmp_path).read_texts(("packages/ui/CHANGELOG.md",)) == {"packages/ui/CHANGELOG.md": "# ü\n"}
    (tmp_path / "package.json").unlink()
    with pytest.raises(InputError, match="nothing to release"):
        FolderWorkspace(tmp_path).read(())


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "nothing": ({}, "nothing to release"),
    "broken JSON": ({"package.json": "{"}, r"package\.json cannot be read"),
    "a list": ({"package.json": "[]"}, "a JSON object"),
    "broken TOML": ({"pyproject.toml": "["}, r"pyproject\.toml cannot be read"),
    "a number as version": ({"package.json": {"name": "a", "version": 1}}, "a text as version"),
    "dependencies as a list": ({"package.json": {"name": "a", "dependencies": ["b"]}}, "'dependencies'"),
    "pre mode of no kind": ({"package.json": {"name": "a"}, ".changeset/pre.json": {"mode": "on"}}, "'mode'"),
    "pre mode without a tag": ({"package.json": {"name": "a"}, ".changeset/pre.json": {"mode": "pre"}}, "'tag'"),
    "pre mode with a tag that is none": (
        {"package.json": {"name": "a"}, ".changeset/pre.json": {"mode": "pre", "tag": "next/1"}},
        "'next/1'",
    ),
    "versions of pre mode as a list": (
        {"package.json": {"name": "a"}, ".changeset/pre.json": {"mode": "pre", "tag": "b", "initialVersions": []}},
        "'initialVersions'",
    ),
    "used changesets as a text": (
        {"package.json": {"name": "a"}, ".changeset/pre.json": {"mode": "pre", "tag": "b", "changesets": "x"}},
        "'changesets'",
    ),
    "a tag without a version": (
        {"package.json": {"name": "a"}, ".changeset/config.json": {"privatePackages": {"version": False, "tag": True}}},
        r"privatePackages\.tag",
    ),
    "a snapshot as a text": (
        {"package.json": {"name": "a"}, ".changeset/config.json": {"snapshot": "x"}},
        "'snapshot'",
    ),
    "an empty template": (
        {"package.json": {"name": "a"}, ".changeset/config.json": {"snapshot": {"prereleaseTemplate": ""}}},
        "prereleaseTemplate",
    ),
    "private packages as a text": (
        {"package.json": {"name": "a"}, ".changeset/config.json": {"privatePackages": "yes"}},
        "'privatePackages'",
    ),
    "a glob that only shells know": ({"package.json": {"workspaces": ["!(a)b"]}}, r"(?s)package\.json.*'workspaces'"),
    "alternatives over folders": ({"package.json": {"workspaces": ["!(a/b)"]}}, r"(?s)package\.json.*'workspaces'"),
    "a broken configuration": ({"package.json": {"name": "a"}, ".changeset/config.json": "{"}, r"config\.json"),
    "ignore is no list": ({"package.json": {"name": "a"}, ".changeset/config.json": {"ignore": "a"}}, "'ignore'"),
    "no pnpm YAML": ({"pnpm-workspace.yaml": "packages: [\n"}, r"pnpm-workspace\.yaml cannot be read"),
    "pnpm as a list": ({"pnpm-workspace.yaml": "- a\n"}, r"pnpm-workspace\.yaml cannot be read"),
    "pnpm packages as a text": (
        {"pnpm-workspace.yaml": "packages: packages/*\n"},
        r"(?s)pnpm-workspace\.yaml.*'packages'.*'packages/\*'",
    ),
    "workspaces as a number": ({"package.json": {"workspaces": 5}}, r"(?s)package\.json.*'workspaces'"),
    "workspaces as false": ({"package.json": {"workspaces": False}}, r"(?s)package\.json.*'workspaces'"),
    "workspaces as a text": ({"package.json": {"workspaces": "packages/*"}}, r"(?s)package\.json.*'workspaces'"),
    "a number among workspaces": ({"package.json": {"workspaces": [1]}}, r"(?s)package\.json.*'workspaces'"),
    "workspaces.packages as a text": (
        {"package.json": {"workspaces": {"packages": "a"}}},
        r"(?s)package\.json.*'workspaces\.packages'",
    ),
    "an absolute workspace": ({"package.json": {"workspaces": ["/abs/*"]}}, r"(?s)package\.json.*'workspaces'.*/abs"),
    "a workspace outside": ({"package.json": {"workspaces": ["../*"]}}, r"(?s)package\.json.*'workspaces'.*\.\./"),
    "tool as a text": ({"pyproject.toml": 'tool = "x"\n'}, r"(?s)pyproject\.toml.*'tool'"),
    "uv as a text": ({"pyproject.toml": '[tool]\nuv = "x"\n'}, r"(?s)pyproject\.toml.*'tool\.uv'"),
    "uv workspace as a list": (
        {"pyproject.toml": "[tool.uv]\nworkspace = []\n"},
        r"(?s)pyproject\.toml.*'tool\.uv\.workspace'",
    ),
    "uv members as a text": (
        {"pyproject.toml": '[tool.uv.workspace]\nmembers = "a"\n'},
        r"(?s)pyproject\.toml.*'tool\.uv\.workspace\.members'",
    ),
    "Python dependencies as a number": (
        {"pyproject.toml": '[project]\nname = "a"\ndependencies = 5\n'},
        r"(?s)pyproject\.toml.*'project\.dependencies'",
    ),
    "a number among Python dependencies": (
        {"pyproject.toml": '[project]\nname = "a"\ndependencies = [5]\n'},
        r"(?s)pyproject\.toml.*'project\.dependencies'",
    ),
    "optional dependencies as a list": (
        {"pyproject.toml": '[project]\nname = "a"\noptional-dependencies = ["x"]\n'},
        r"(?s)pyproject\.toml.*'project\.optional-dependencies'",
    ),
    "an extra as a text": (
        {"pyproject.toml": '[project]\nname = "a"\noptional-dependencies = {x = "y"}\n'},
        r"(?s)pyproject\.toml.*'project\.optional-dependencies\.x'",
    ),
    "classifiers as a number": (
        {"pyproject.toml": '[project]\nname = "a"\nclassifiers = 5\n'},
        r"(?s)pyproject\.toml.*'project\.classifiers'",
    ),
    "two of one name": (
        {
            "package.json": {"workspaces": ["*"]},
            "x/package.json": {"name": "a"},
            "y/package.json": {"name": "a"},
        },
        "two packages are called a",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_file(tmp_path: Path, case: str) -> None:
    files, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        write(tmp_path, files).read(())
