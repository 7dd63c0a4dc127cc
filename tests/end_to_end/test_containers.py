"""A repository whose service is an image: released twice, deployed by canary, and taken back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.connect import LocalEnvironment, open_local
from switchover.adapters.folder_artifacts import FolderArtifacts
from switchover.adapters.release_tools import open_release_tools, read_release_scope
from switchover.config import Config, load_config
from switchover.decide.outcome import Skipped
from switchover.errors import InputError, MissingProgramError
from switchover.model import Phase, Release
from switchover.operations.deployment import plan_deploy
from switchover.operations.lease import acquire
from switchover.operations.release import ReleaseReport, release
from switchover.operations.roll_out import roll_out
from switchover.operations.rollback import RollbackRequest
from tests.container_fixtures import DOCKERFILE, EngineCase, write_context
from tests.end_to_end.tiny_project import Users
from tests.git_repository import Repository, new_repository
from tests.operations.house import bring_back

SWITCHOVER_TOML = """
[project]
name = "boxes"

[services.tiny]
path = "tiny"
health_path = "/health"
drain_seconds = 1

[services.tiny.container]
port = 8080

[release.scan]
scanners = ["secrets", "misconfiguration"]
# The tiny recipe runs as root.
sources = false

[environments.production]
steps = [{ canary_percent = 10, hold_seconds = 0 }, { canary_percent = 100, hold_seconds = 0 }]
bake_seconds = 0
"""


@dataclass(slots=True)
class Boxes:
    """The repository, its configuration and its running environment."""

    repository: Repository
    config: Config
    local: LocalEnvironment
    engine: EngineCase

    def release(self) -> ReleaseReport:
        return self.release_into(self.config.artifacts_folder())

    def release_into(self, artifacts: Path) -> ReleaseReport:
        scope = replace(read_release_scope(self.repository.root), artifacts=artifacts)
        tools = open_release_tools(scope, os.environ | {"DOCKER_HOST": self.engine.address})
        return release(lambda: (tools, scope.settings), artifacts.parent / "made")

    def deploy(self, version: str) -> None:
        plan = plan_deploy(self.config, self.local.ports, "tiny", version, "production", histories={})
        claim = acquire(self.local.ports, f"deploy of {version}", plan.lease_seconds)
        roll_out(self.local.ports, claim, plan, rollout_id=version, kind="deploy")

    def find(self, version: str) -> Release:
        found = self.local.ports.releases.find("tiny", version)
        assert found is not None
        return found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = new_repository(tmp_path / "repository")
    write_context(repository.root / "tiny")
    files: dict[str, str | dict[str, Any]] = {
        "tiny/package.json": {"name": "tiny", "version": "1.0.0", "private": True},
        "switchover.toml": SWITCHOVER_TOML,
        ".gitignore": ".switchover/\n",
        "package.json": {"name": "boxes", "private": True, "workspaces": ["tiny"]},
    }
    repository.commit("feat: start", files)
    return repository


@pytest.fixture
def boxes(repository: Repository, engine: EngineCase) -> Iterator[Boxes]:
    config = load_config(repository.root)
    local = open_local(config, "production", os.environ, engine.open_client)
    try:
        local.ensure_running()
        yield Boxes(repository, config, local, engine)
    finally:
        local.target.stop_environment()
        assert local.target.environment_processes() == ()


def test_an_image_is_released_brought_live_and_taken_back_without_a_lost_request(boxes: Boxes) -> None:
    boxes.release()
    assert boxes.find("1.0.0").artifact.kind == "image"
    boxes.repository.commit("feat(tiny): say more", {"tiny/www/more": "more\n"})
    boxes.release()
    assert boxes.find("1.1.0").artifact.digest != boxes.find("1.0.0").artifact.digest
    boxes.deploy("1.0.0")
    with Users(boxes.local.target.read_address("tiny")).asking() as users:
        boxes.deploy("1.1.0")
        assert live_version(boxes) == "1.1.0"
        bring_back(boxes.local.ports, RollbackRequest("tiny", "1.0.0", "a person", "asked for", "back"))
    assert live_version(boxes) == "1.0.0"
    assert users.failures == []
    assert users.requests > 0
    newest = boxes.local.ports.ledger.read_history("tiny")[0]
    assert (newest.kind, newest.outcome) == ("rollback", Phase.LIVE.value)


def test_an_image_that_is_stored_is_not_built_again(boxes: Boxes) -> None:
    first = boxes.release()
    artifact = boxes.find("1.0.0").artifact
    (boxes.config.artifacts_folder() / "index" / "tiny" / "index.json").unlink()
    store = FolderArtifacts(boxes.config.artifacts_folder())
    made_of = boxes.config.artifacts_folder() / "commit"
    made_of.write_text(first.components[0].pending.commit, encoding="ascii")
    store.put("tiny", "1.0.0", "commit", made_of)
    store.put("tiny", "1.0.0", "image", store.fetch(artifact.digest))
    boxes.repository.git("tag", "--delete", first.components[0].component.tag)
    again = boxes.release()
    assert again.components[0].release == first.components[0].release
    assert str(again.components[0].outcomes[0]) == "skipped: stored by an interrupted run"
    third = boxes.release()
    assert all(isinstance(outcome, Skipped) for each in third.components for outcome in each.outcomes)


def test_two_builds_of_a_commit_are_the_same_bytes(boxes: Boxes, tmp_path: Path) -> None:
    digests = set()
    for place in ("one", "two"):
        (report,) = boxes.release_into(tmp_path / place / "artifacts").components
        assert report.release is not None
        digests.add(report.release.artifact.digest)
    assert len(digests) == 1


def test_a_recipe_that_fails_says_what_it_said(boxes: Boxes) -> None:
    boxes.repository.commit("fix: break it", {"tiny/Dockerfile": f"{DOCKERFILE}COPY no-such-file /x\n"})
    with pytest.raises(InputError, match="no-such-file"):
        boxes.release()


def test_a_commit_without_a_recipe_is_told(boxes: Boxes) -> None:
    boxes.repository.git("rm", "--quiet", "tiny/Dockerfile")
    boxes.repository.commit("fix: no recipe")
    with pytest.raises(InputError, match="a file Dockerfile in tiny"):
        boxes.release()


def test_without_an_engine_an_image_cannot_be_released(repository: Repository, tmp_path: Path) -> None:
    scope = read_release_scope(repository.root)
    tools = open_release_tools(scope, os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/nobody"})
    with pytest.raises(MissingProgramError, match="no container engine"):
        release(lambda: (tools, scope.settings), tmp_path / "made")


def live_version(boxes: Boxes) -> str:
    service = boxes.local.ports.ledger.read().services["tiny"]
    assert service.live is not None
    live = service.slot(service.live).release
    assert live is not None
    return live.version
