"""Builds by the real Buildx on a real BuildKit."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from switchover.adapters.buildx_builder import choose_buildx, find_buildx
from switchover.adapters.container_engine import ContainerEngine
from switchover.adapters.image_builder import ImageBuilder
from switchover.adapters.oci_layout import open_blob, read_layout
from switchover.decide.components import Component, ComponentKind, Service
from switchover.errors import InputError, MissingProgramError, TargetError
from tests.container_fixtures import write_context
from tests.git_repository import Repository, new_repository
from tests.real_parts import buildkit

BOTH = ("linux/amd64", "linux/arm64")
SHOP = Service("shop", "shop", dockerfile="Dockerfile", context="shop")
COMPONENT = Component("shop", "shop", "1.2.0", ComponentKind.IMAGE, "shop", "shop@1.2.0")
COPIED = "FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL at=$SOURCE_DATE_EPOCH\nCOPY www /www\nCOPY start /deep/er/start\n"
RUN = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "touch", "/made"]\n'
# The header of a program for another processor: s390x, which nothing here is.
FOREIGN_PROGRAM = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16\x00\x00\x00\x01" + bytes(64)
NOBODY = {"PATH": "/nowhere"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environ() -> Iterator[Mapping[str, str]]:
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(buildkit.serving())
        except MissingProgramError as error:
            pytest.skip(f"no test of buildx: {error.problem.failed}: {error.problem.found}")
        yield started


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = new_repository(tmp_path / "repository")
    write_context(repository.root / "shop", COPIED)
    repository.commit("feat: start")
    return repository


def build(repository: Repository, environ: Mapping[str, str], folder: Path, *platforms: str) -> Path:
    def no_engine(_: str) -> ContainerEngine:
        raise AssertionError("an engine was asked")

    builder = ImageBuilder(repository.root, no_engine, platforms, choose_buildx=lambda: choose_buildx("auto", environ))
    return builder.build(COMPONENT, SHOP, repository.git("rev-parse", "HEAD"), folder)


def test_a_commit_built_twice_for_two_platforms_is_the_same_bytes(
    repository: Repository, environ: Mapping[str, str], tmp_path: Path
) -> None:
    first, second = (build(repository, environ, tmp_path / place, *BOTH) for place in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    layout = read_layout(first)
    assert layout.platforms == BOTH
    for manifest, platform in zip(layout.manifests, BOTH, strict=True):
        with open_blob(first, json.loads(manifest.content)["config"]["digest"]) as stream:
            config = json.load(stream)
        assert f"linux/{config['architecture']}" == platform
        assert config["config"]["Labels"]["at"] == repository.git("log", "-1", "--format=%ct")


def test_a_step_that_runs_and_no_platform_give_an_image_of_this_machine(
    repository: Repository, environ: Mapping[str, str], tmp_path: Path
) -> None:
    repository.commit("feat: run", {"shop/Dockerfile": RUN})
    (platform,) = read_layout(build(repository, environ, tmp_path)).platforms
    assert platform in BOTH


def test_a_recipe_that_fails_says_what_it_said(
    repository: Repository, environ: Mapping[str, str], tmp_path: Path
) -> None:
    for recipe in ("FROM scratch\nCOPY no-such-file /x\n", "FORM no-such-file\n"):
        repository.commit("fix: break it", {"shop/Dockerfile": recipe})
        with pytest.raises(InputError, match="no-such-file"):
            build(repository, environ, tmp_path, *BOTH)


def test_a_platform_whose_programs_no_node_can_run_is_told(
    repository: Repository, environ: Mapping[str, str], tmp_path: Path
) -> None:
    (repository.root / "shop" / "busybox").write_bytes(FOREIGN_PROGRAM)
    repository.commit("feat: run", {"shop/Dockerfile": RUN})
    with pytest.raises(InputError, match="for linux/s390x failed") as caught:
        build(repository, environ, tmp_path, "linux/s390x")
    assert "exec format error" in caught.value.problem.found


def test_a_builder_that_is_gone_is_a_failure_of_the_world(
    repository: Repository, environ: Mapping[str, str], tmp_path: Path
) -> None:
    found = find_buildx(dict(environ) | {"BUILDX_BUILDER": "nobody"})
    assert found is not None
    assert found.read_driver() == ""
    with pytest.raises(TargetError, match="nobody"):
        found.build(repository.root / "shop", "Dockerfile", tmp_path / "x", platform="", arguments={})


def test_the_setting_chooses_who_builds(environ: Mapping[str, str]) -> None:
    assert choose_buildx("engine", environ) is None
    assert choose_buildx("buildx", environ) is not None
    found = choose_buildx("auto", environ)
    assert found is not None
    assert found.read_driver() == "remote"
    # The engine's own BuildKit builds for one platform only.
    assert choose_buildx("auto", dict(environ) | {"BUILDX_CONFIG": os.devnull}) is None


def test_without_buildx_the_engine_builds_unless_it_was_asked_for() -> None:
    assert choose_buildx("auto", NOBODY) is None
    with pytest.raises(MissingProgramError, match="docker buildx is not on this machine"):
        choose_buildx("buildx", NOBODY)
