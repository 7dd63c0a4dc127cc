"""A service whose replicas are containers, from the file to the workload and to what is released."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.record_json import dump_record, load_record
from switchover.adapters.release_tools import read_release_scope
from switchover.config import parse_config
from switchover.decide.components import ComponentKind, choose_components
from switchover.decide.packages import Kind, Package
from switchover.decide.plan_settings import PlanSettings
from switchover.errors import InputError
from switchover.model import Container, EnvironmentRecord, ServiceRecord, Slot

TOML = """
[project]
name = "acme"
[services.shop]
path = "services/shop"
{way}
[environments.production]
"""


def workload_of(service: dict[str, Any]) -> Any:
    document = {
        "project": {"name": "acme"},
        "services": {"shop": {"path": "services/shop"} | service},
        "environments": {"production": {}},
    }
    return parse_config(document, Path("switchover.toml").resolve()).workload("production", "shop")


def test_a_container_service_needs_no_command() -> None:
    workload = workload_of({"container": {"port": 3000, "cpus": 0.5, "capabilities": ["CHOWN"]}})
    assert (workload.command, workload.container) == ((), Container(3000, 0.5, True, ("CHOWN",)))  # noqa: FBT003
    assert workload_of({"command": ["./run"]}).container is None


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({}, "a `command`.*or a section `container` or `kubernetes`, got none"),
        ({"command": ["./run"], "container": {}}, "got both"),
        ({"build": ["make"], "container": {}}, "said by its dockerfile"),
        ({"container": {"prot": 80}}, r"unknown key services.shop.container.prot \(did you mean port\?\)"),
    ],
)
def test_a_service_runs_in_exactly_one_way(service: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        workload_of(service)


def test_a_container_workload_survives_the_ledger() -> None:
    workload = workload_of({"container": {"capabilities": ["CHOWN"]}})
    record = EnvironmentRecord("production", services={"shop": ServiceRecord(blue=Slot(workload=workload))})
    assert load_record(dump_record(record)) == record


@pytest.mark.parametrize(
    ("way", "kind", "context"),
    [
        ('command = ["./run"]', ComponentKind.SERVICE, "services/shop"),
        ("[services.shop.container]", ComponentKind.IMAGE, "services/shop"),
        ('[services.shop.container]\ncontext = "."', ComponentKind.IMAGE, ""),
        # Its image comes from elsewhere: here it is versioned and tagged.
        ('kubernetes = { manifests = "k8s", image = "registry.example/shop" }', ComponentKind.TAG, "services/shop"),
    ],
)
def test_a_container_service_is_released_as_an_image(
    tmp_path: Path, way: str, kind: ComponentKind, context: str
) -> None:
    (tmp_path / "switchover.toml").write_text(TOML.format(way=way))
    (service,) = read_release_scope(tmp_path).settings.services
    packages = (Package("shop", "services/shop", "1.0.0", Kind.NPM),)
    (component,) = choose_components(packages, (service,), PlanSettings(), "{name}@{version}")
    assert (component.kind, service.context) == (kind, context)


def test_a_context_outside_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "switchover.toml").write_text(TOML.format(way='[services.shop.container]\ncontext = "../other"'))
    with pytest.raises(InputError, match="outside the repository"):
        read_release_scope(tmp_path)
