from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from switchover.adapters.npm_packer import NpmPacker
from switchover.decide.components import Component, ComponentKind
from switchover.errors import InputError, MissingProgramError, TargetError
from tests.git_repository import Repository, new_repository, new_workspace
from tests.real_parts.node import environment

UI = Component("@acme/ui", "@acme/ui", "1.0.0", ComponentKind.NPM, "packages/ui", "@acme/ui@1.0.0")
ROOT = Component("tool", "tool", "1.0.0", ComponentKind.NPM, "", "v1.0.0")


def packer(repository: Repository, **settings: Any) -> NpmPacker:
    return NpmPacker(repository.root, environment(), **settings)


def read(archive: Path, name: str) -> str:
    with tarfile.open(archive) as tar:
        content = tar.extractfile(f"package/{name}")
        assert content is not None
        return content.read().decode()


def with_manifest(root: Path, manifest: dict[str, Any], **files: str | dict[str, Any]) -> tuple[Repository, str]:
    repository = new_workspace(root)
    stated = {"name": "@acme/ui", "version": "1.0.0", **manifest}
    return repository, repository.commit("fix: more", {"packages/ui/package.json": stated, **files})


def test_npm_packs_what_is_committed_and_twice_the_same(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    commit = repository.git("rev-parse", "HEAD")
    repository.write("packages/ui/index.js", "not committed")
    first, second = (packer(repository).pack(UI, commit, tmp_path / each) for each in ("one", "two"))
    assert first.parent == tmp_path / "one"
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        assert sorted(tar.getnames()) == ["package/index.js", "package/package.json"]
    assert read(first, "index.js") == "export const ui = 1\n"
    assert read(first, "package.json") == repository.git("show", f"{commit}:packages/ui/package.json") + "\n"


def test_the_scripts_before_publishing_run_in_their_order_and_make_the_same_bytes_twice(tmp_path: Path) -> None:
    scripts = {
        "prepublishOnly": "echo prepublishOnly >> made.txt",
        "prepack": 'echo "[" && echo prepack $SOURCE_DATE_EPOCH >> made.txt && cat ../core/index.js >> made.txt',
        "prepare": "echo prepare >> made.txt",
    }
    repository, commit = with_manifest(tmp_path / "repository", {"files": ["made.txt"], "scripts": scripts})
    first, second = (packer(repository).pack(UI, commit, tmp_path / each) for each in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    time = repository.git("log", "-1", "--format=%ct")
    lines = ["prepublishOnly", f"prepack {time}", "export const core = 2", "prepare"]
    assert sorted(read(first, "made.txt").splitlines()) == sorted(lines)
    assert read(first, "made.txt").startswith("prepublishOnly\n")
    assert not (repository.root / "packages/ui/made.txt").exists()


def test_scripts_have_what_the_lock_file_names_and_installing_it_runs_nothing(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "repository")
    tool = {"name": "baker", "version": "1.0.0", "bin": "bake.js", "scripts": {"install": "touch ../../ran"}}
    link = {"version": "1.0.0", "bin": {"baker": "bake.js"}, "dev": True}
    lock = {
        "name": "acme",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {
            "": {"name": "acme", "workspaces": ["packages/*"]},
            "node_modules/@acme/ui": {"resolved": "packages/ui", "link": True},
            "node_modules/baker": {"resolved": "packages/baker", "link": True},
            "packages/baker": link,
            "packages/ui": {"name": "@acme/ui", "version": "1.0.0", "devDependencies": {"baker": "1.0.0"}},
        },
    }
    ui = {
        "name": "@acme/ui",
        "version": "1.0.0",
        "files": ["bread.txt"],
        "scripts": {"prepack": "baker && test ! -e ../../ran"},
        "devDependencies": {"baker": "1.0.0"},
    }
    commit = repository.commit(
        "feat: bake",
        {
            "package.json": {"name": "acme", "private": True, "workspaces": ["packages/*"]},
            "package-lock.json": lock,
            "packages/baker/package.json": tool,
            "packages/baker/bake.js": "#!/usr/bin/env node\nrequire('fs').writeFileSync('bread.txt', 'bread')\n",
            "packages/ui/package.json": ui,
        },
    )
    assert read(packer(repository).pack(UI, commit, tmp_path / "work"), "bread.txt") == "bread"


def test_a_lock_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    manifest = {"scripts": {"prepack": "true"}, "dependencies": {"baker": "1.0.0"}}
    lock = {"name": "@acme/ui", "lockfileVersion": 3, "packages": {"": {"name": "@acme/ui"}}}
    repository, commit = with_manifest(tmp_path / "repository", manifest, **{"packages/ui/package-lock.json": lock})
    offline = {**environment(), "npm_config_offline": "true"}
    with pytest.raises(InputError, match=r"npm ci of @acme/ui@1\.0\.0 failed"):
        NpmPacker(repository.root, offline).pack(UI, commit, tmp_path / "work")


def test_workspace_ranges_are_those_of_the_commit_and_nothing_else_changes(tmp_path: Path) -> None:
    manifest = {
        "dependencies": {"@acme/core": "workspace:^", "left-pad": "^1.3.0"},
        "peerDependencies": {"@acme/core": "workspace:*"},
        "zzz": "café",
    }
    repository, commit = with_manifest(tmp_path / "repository", manifest)
    repository.commit("feat: later", {"packages/core/package.json": {"name": "@acme/core", "version": "2.0.0"}})
    archive = packer(repository).pack(UI, commit, tmp_path / "work")
    committed = repository.git("show", f"{commit}:packages/ui/package.json") + "\n"
    expected = committed.replace("workspace:^", "^1.0.0").replace("workspace:*", "1.0.0")
    assert read(archive, "package.json") == expected
    assert json.loads(expected)["dependencies"] == {"@acme/core": "^1.0.0", "left-pad": "^1.3.0"}


def test_a_repository_that_is_one_package_is_packed(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "repository")
    commit = repository.commit("feat: start", {"package.json": {"name": "tool", "version": "1.0.0"}, "tool.js": "1\n"})
    archive = packer(repository).pack(ROOT, commit, tmp_path / "work")
    assert read(archive, "tool.js") == "1\n"


def test_what_a_script_refuses_is_said(tmp_path: Path) -> None:
    for name, command in (("prepack", "pack"), ("prepublishOnly", "run")):
        manifest = {"scripts": {name: "echo no flour; echo no water >&2; exit 3"}}
        repository, commit = with_manifest(tmp_path / name, manifest)
        with pytest.raises(InputError, match=rf"npm {command} of @acme/ui@1\.0\.0 failed") as refused:
            packer(repository).pack(UI, commit, tmp_path / "work")
        assert "no flour" in refused.value.problem.found
        assert "no water" in refused.value.problem.found


def test_scripts_do_not_see_what_is_hidden_from_them(tmp_path: Path) -> None:
    scripts = {"prepack": 'echo "${NPM_TOKEN-none}" "${COLOUR-none}" > seen.txt'}
    repository, commit = with_manifest(tmp_path / "repository", {"files": ["seen.txt"], "scripts": scripts})
    given = {**environment(), "NPM_TOKEN": "secret", "COLOUR": "blue"}
    archive = NpmPacker(repository.root, given, hidden=frozenset({"NPM_TOKEN"})).pack(UI, commit, tmp_path / "work")
    assert read(archive, "seen.txt") == "none blue\n"


def test_an_npm_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "npm").write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/pid\nwait\n", encoding="utf-8")
    (programs / "npm").chmod(0o755)
    repository = new_workspace(tmp_path / "repository")
    stuck = NpmPacker(repository.root, {"PATH": f"{programs}{os.pathsep}{os.defpath}"}, seconds=2.0)
    with pytest.raises(TargetError, match=r"npm pack of @acme/ui@1\.0\.0 does not end"):
        stuck.pack(UI, repository.git("rev-parse", "HEAD"), tmp_path / "work")
    started = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert not psutil.pid_exists(started) or psutil.Process(started).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    repository = new_workspace(tmp_path / "repository")
    commit = repository.commit("fix: break it", {"packages/ui/package.json": content})
    with pytest.raises(InputError, match=r"a JSON object in packages/ui/package\.json"):
        packer(repository).pack(UI, commit, tmp_path / "work")


def test_without_npm_the_missing_program_is_named(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    empty = {"PATH": str(tmp_path / "nowhere")}
    with pytest.raises(MissingProgramError, match="the program npm"):
        NpmPacker(repository.root, empty).pack(UI, repository.git("rev-parse", "HEAD"), tmp_path / "work")
