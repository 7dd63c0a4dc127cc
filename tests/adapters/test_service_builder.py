from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from switchover.adapters.service_builder import ServiceBuilder
from switchover.decide.components import Component, ComponentKind, Service
from switchover.decide.packages import Kind, Package
from switchover.errors import InputError, MissingProgramError, TargetError
from tests.git_repository import Repository, new_workspace

CART = Component("cart", "cart", "1.0.0", ComponentKind.SERVICE, "services/cart", "cart@1.0.0")
BUNDLED = (Package("@acme/ui", "packages/ui", "1.0.0", Kind.NPM),)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_workspace(tmp_path / "repository")


def build(repository: Repository, folder: Path, *command: str, commit: str = "HEAD", seconds: float = 60) -> Path:
    service = Service("cart", "services/cart", "cart", command)
    sha = repository.git("rev-parse", commit)
    return ServiceBuilder(repository.root, build_seconds=seconds).build(CART, service, BUNDLED, sha, folder)


def test_an_archive_holds_the_service_and_the_packages_that_it_needs(repository: Repository, tmp_path: Path) -> None:
    with tarfile.open(build(repository, tmp_path / "work")) as tar:
        members = tar.getmembers()
    assert [each.name for each in members] == [
        "main.py",
        "package.json",
        "packages/@acme/ui/index.js",
        "packages/@acme/ui/package.json",
    ]
    assert {(each.uid, each.gid, each.uname, each.mode) for each in members} == {(0, 0, "", 0o644)}
    assert {str(each.mtime) for each in members} == {repository.git("log", "-1", "--format=%ct")}


def test_the_same_commit_gives_the_same_bytes_whatever_lies_in_the_work_tree(
    repository: Repository, tmp_path: Path
) -> None:
    first = build(repository, tmp_path / "one")
    repository.write("services/cart/main.py", "not committed")
    repository.write("services/cart/rubbish.txt", "rubbish")
    second = build(repository, tmp_path / "two")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()


def test_executable_files_stay_executable(repository: Repository, tmp_path: Path) -> None:
    (repository.root / "services/cart/main.py").chmod(0o755)
    repository.commit("chore: run it")
    with tarfile.open(build(repository, tmp_path / "work")) as tar:
        assert tar.getmember("main.py").mode == 0o755


def test_a_build_command_decides_what_is_in_the_archive(repository: Repository, tmp_path: Path) -> None:
    code = "import pathlib, sys, os; pathlib.Path(sys.argv[1], 'made').write_text(os.environ['SOURCE_DATE_EPOCH'])"
    with tarfile.open(build(repository, tmp_path / "work", "{python}", "-c", code, "{output}")) as tar:
        assert tar.getnames() == ["made"]
        made = tar.extractfile("made")
        assert made is not None
        assert made.read().decode() == repository.git("log", "-1", "--format=%ct")


def test_a_build_that_fails_says_what_it_said(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exit status 3: no flour"):
        build(repository, tmp_path, "{python}", "-c", "import sys; print('no flour'); sys.exit(3)")
    with pytest.raises(InputError, match=r"files in \{output\}"):
        build(repository, tmp_path, "{python}", "-c", "pass")
    with pytest.raises(MissingProgramError, match="no-such-program"):
        build(repository, tmp_path, "no-such-program")
    with pytest.raises(TargetError, match="does not end"):
        build(repository, tmp_path, "{python}", "-c", "import time; time.sleep(60)", seconds=0.5)


@pytest.mark.parametrize(("mode", "words"), [(0o644, "Permission denied"), (0o755, "Exec format error")])
def test_a_build_command_that_cannot_be_executed_is_named(
    repository: Repository, tmp_path: Path, mode: int, words: str
) -> None:
    repository.write("build.sh", "no first line\n")
    (repository.root / "build.sh").chmod(mode)
    repository.commit("chore: a script")
    with pytest.raises(InputError, match=rf"(?s)build of cart.*\./build\.sh.*{words}"):
        build(repository, tmp_path / "work", "./build.sh", "{output}")


def test_a_link_out_of_the_repository_is_refused(repository: Repository, tmp_path: Path) -> None:
    (repository.root / "services/cart/link").symlink_to("/etc/passwd")
    repository.commit("feat: a link")
    with pytest.raises(TargetError, match="cannot be exported"):
        build(repository, tmp_path / "work")


def test_a_service_with_a_folder_packages_of_its_own_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.commit("feat: own packages", {"services/cart/packages/x.txt": "x"})
    with pytest.raises(InputError, match="no folder 'packages'"):
        build(repository, tmp_path / "work")
