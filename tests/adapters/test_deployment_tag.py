from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from switchover.adapters.deployment_tag import tag_deployed
from switchover.decide.outcome import Done, Skipped
from switchover.model import HistoryEntry
from tests.builders import an_entry
from tests.git_repository import Repository, new_repository


@pytest.fixture
def checkout(tmp_path: Path) -> Repository:
    repository = new_repository(tmp_path)
    repository.git("commit", "--quiet", "--allow-empty", "-m", "feat: first")
    return repository


def entry_at(commit: str) -> HistoryEntry:
    entry = an_entry("1.2.0")
    assert entry.release is not None
    return replace(entry, release=replace(entry.release, source_commit=commit))


def test_the_deployed_commit_is_tagged_once(checkout: Repository) -> None:
    head = checkout.git("rev-parse", "HEAD")
    assert isinstance(tag_deployed(checkout.root, "production", entry_at(head)), Done)
    assert checkout.git("rev-parse", "deployed/production/shop/1.2.0^{commit}") == head
    again = tag_deployed(checkout.root, "production", entry_at(head))
    assert isinstance(again, Skipped)
    assert "already" in again.reason


def test_a_tag_of_another_commit_stays_and_is_a_skip_that_says_where_it_is(checkout: Repository) -> None:
    first = checkout.git("rev-parse", "HEAD")
    tag_deployed(checkout.root, "production", entry_at(first))
    checkout.git("commit", "--quiet", "--allow-empty", "-m", "feat: second")
    found = tag_deployed(checkout.root, "production", entry_at(checkout.git("rev-parse", "HEAD")))
    assert isinstance(found, Skipped)
    assert f"the tag at {first[:12]}" in found.reason
    assert checkout.git("rev-parse", "deployed/production/shop/1.2.0^{commit}") == first


def test_a_commit_that_the_checkout_does_not_have_is_a_skip_with_that_reason(checkout: Repository) -> None:
    found = tag_deployed(checkout.root, "production", entry_at("1" * 40))
    assert isinstance(found, Skipped)
    assert "does not have the commit 111111111111" in found.reason


def test_without_a_checkout_there_is_nothing_to_tag(tmp_path: Path) -> None:
    assert isinstance(tag_deployed(tmp_path, "production", entry_at("1" * 40)), Skipped)
