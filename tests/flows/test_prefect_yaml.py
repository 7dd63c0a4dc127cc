"""Prefect ignores what it does not know in prefect.yaml; these tests do not."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.cli.deploy._models import (
    ConcurrencyLimitSpec,
    DeploymentConfig,
    PrefectYamlModel,
    RawScheduleConfig,
    WorkPoolConfig,
)
from prefect.deployments.steps import core, set_working_directory
from prefect.workers.process import ProcessJobConfiguration
from pydantic import BaseModel

from flows.serve import FLOWS, SCHEDULES

_FILE = Path(__file__).parents[2] / "prefect.yaml"
_DOCUMENT: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
_DEPLOYMENTS: list[dict[str, Any]] = _DOCUMENT["deployments"]
_ANCHORS = {"definitions"}


def _known(model: type[BaseModel]) -> set[str]:
    return {name for key, field in model.model_fields.items() for name in (key, field.alias) if name}


def find_unknown_keys(document: dict[str, Any]) -> Iterator[str]:
    """The dotted name of every key that Prefect would read past."""
    yield from _unknown("", document, _known(PrefectYamlModel) | _ANCHORS)
    for index, deployment in enumerate(document["deployments"]):
        here = f"deployments.{index}."
        yield from _unknown(here, deployment, _known(DeploymentConfig))
        pool = deployment["work_pool"]
        yield from _unknown(f"{here}work_pool.", pool, _known(WorkPoolConfig))
        yield from _unknown(f"{here}job_variables.", pool["job_variables"], _known(ProcessJobConfiguration))
        for schedule in deployment.get("schedules", []):
            yield from _unknown(f"{here}schedules.", schedule, _known(RawScheduleConfig))
        if "concurrency_limit" in deployment:
            limit = deployment["concurrency_limit"]
            yield from _unknown(f"{here}concurrency_limit.", limit, _known(ConcurrencyLimitSpec))


def _unknown(prefix: str, found: dict[str, Any], known: set[str]) -> Iterator[str]:
    yield from (prefix + key for key in found if key not in known)


def _load(deployment: dict[str, Any]) -> Flow[..., Any]:
    module, _, name = deployment["entrypoint"].rpartition(".")
    found = getattr(import_module(module), name)
    assert isinstance(found, Flow)
    return found


def test_every_key_is_one_that_prefect_reads() -> None:
    assert list(find_unknown_keys(_DOCUMENT)) == []


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ([], "deployment"),
        (["deployments", 0], "parameter"),
        (["deployments", 0, "work_pool"], "queue"),
        (["deployments", 0, "work_pool", "job_variables"], "stream_outputs"),
        (["deployments", 3, "schedules", 0], "every"),
        (["deployments", 3, "concurrency_limit"], "max"),
    ],
)
def test_a_misspelt_key_is_found_wherever_it_stands(place: list[Any], key: str) -> None:
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    section = document
    for part in place:
        section = section[part]
    section[key] = 1
    assert any(found.endswith(key) for found in find_unknown_keys(document))


def test_prefect_accepts_the_file() -> None:
    assert len(PrefectYamlModel.model_validate(_DOCUMENT).deployments) == len(_DEPLOYMENTS)


@pytest.mark.parametrize("deployment", _DEPLOYMENTS, ids=lambda each: each["entrypoint"])
def test_an_entrypoint_is_a_flow_of_a_module_and_takes_the_parameters(deployment: dict[str, Any]) -> None:
    assert ":" not in deployment["entrypoint"]
    flow = _load(deployment)
    schema = flow.parameters.model_dump()
    unknown = set(deployment["parameters"]) - set(schema["properties"])
    assert not unknown
    given = dict.fromkeys(schema["required"], "x") | deployment["parameters"]
    flow.validate_parameters(given)


@pytest.mark.parametrize("deployment", _DEPLOYMENTS, ids=lambda each: each["entrypoint"])
def test_every_field_of_a_form_has_a_type_and_a_description(deployment: dict[str, Any]) -> None:
    for name, field in _load(deployment).parameters.properties.items():
        assert field.get("description"), name
        assert "type" in field or "enum" in field or "anyOf" in field or "const" in field, name


def test_every_flow_has_a_deployment_and_the_served_ones_are_the_same() -> None:
    assert {_load(each).name for each in _DEPLOYMENTS} == {flow.name for flow in FLOWS.values()}


def test_a_served_flow_has_the_schedule_of_the_file() -> None:
    of_file = {_load(each).name: each["schedules"] for each in _DEPLOYMENTS if "schedules" in each}
    served = {
        FLOWS[name].name: [
            {"slug": each.slug}
            | ({"interval": each.interval.total_seconds()} if each.interval else {})
            | ({"cron": each.cron, "timezone": each.timezone} if each.cron else {})
        ]
        for name, each in SCHEDULES.items()
    }
    assert served == of_file


def test_every_deployment_says_what_it_does_and_is_found_by_its_tag() -> None:
    for deployment in _DEPLOYMENTS:
        assert deployment["description"]
        assert "switchover" in deployment["tags"]
        assert deployment["enforce_parameter_schema"] is True


def test_the_pull_step_is_a_function_of_prefect_with_these_inputs() -> None:
    (step,) = _DOCUMENT["pull"]
    (name,) = step
    assert core._get_function_for_step(name) is set_working_directory
    assert set(step[name]) == {"directory"}
