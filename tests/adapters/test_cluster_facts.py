"""What of a configuration reaches the target `kubernetes`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from switchover.adapters.cluster_facts import ClusterFacts
from switchover.config import parse_config
from switchover.model import JudgeSettings

DOCUMENT = """
[project]
name = "acme"
[services.shop]
path = "."
health_path = "/healthz"
[services.shop.kubernetes]
image = "registry.example.com/shop"
manifests = "k8s"
[environments.production]
target = "kubernetes"
{judge}
[environments.production.kubernetes]
namespace = "acme"
[environments.production.services.shop]
"""


@pytest.mark.parametrize(
    ("judge", "expected"), [("judge = { no_data_seconds = 90 }", 90.0), ("", JudgeSettings().no_data_seconds)]
)
def test_how_long_the_judge_waits_is_known_where_the_scrapes_are_measured(
    tmp_path: Path, judge: str, expected: float
) -> None:
    config = parse_config(tomllib.loads(DOCUMENT.format(judge=judge)), tmp_path / "switchover.toml")
    facts = ClusterFacts.of(config, "production")
    assert facts is not None
    assert facts.no_data_seconds == expected
