from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from switchover.adapters.npm_packer import NpmPacker
from switchover.decide.components import Component, ComponentKind
from switchover.errors import InputError
from tests.git_repository import new_workspace

UI = Component("@acme/ui", "@acme/ui", "1.0.0", ComponentKind.NPM, "packages/ui", "@acme/ui@1.0.0")

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on the PATH")


def test_npm_packs_what_is_committed_and_twice_the_same(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    commit = repository.git("rev-parse", "HEAD")
    repository.write("packages/ui/index.js", "not committed")
    packer = NpmPacker(repository.root)
    first, second = (packer.pack(UI, commit, tmp_path / each) for each in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        assert sorted(tar.getnames()) == ["package/index.js", "package/package.json"]
        content = tar.extractfile("package/index.js")
        assert content is not None
        assert content.read() == b"export const ui = 1\n"


def test_what_npm_refuses_is_said(tmp_path: Path) -> None:
    repository = new_workspace(tmp_path / "repository")
    manifest = {"name": "@acme/ui", "version": "1.0.0", "scripts": {"prepack": "echo no flour >&2; exit 3"}}
    commit = repository.commit("fix: break it", {"packages/ui/package.json": manifest})
    with pytest.raises(InputError, match=r"(?s)npm pack of @acme/ui@1\.0\.0 failed.*no flour"):
        NpmPacker(repository.root).pack(UI, commit, tmp_path / "work")
