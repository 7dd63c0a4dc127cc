"""Every object against Kubernetes' own types, as the Python client carries them: no misspelt field, no wrong type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes_asyncio.client import models

from tests.manifests.rendering import Rendered
from tests.manifests.runs import make_run

PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "object": object,
    "datetime": str,
}
# Custom resources, which the client does not know.
UNKNOWN_KINDS = {"Gateway", "HTTPRoute", "Certificate"}


def find_model(api_version: str, kind: str) -> str:
    return api_version.rpartition("/")[2].capitalize() + kind


def find_mistakes(value: Any, wanted: str, path: str) -> Iterator[str]:
    if container := re.fullmatch(r"(list|dict)[\[(](?:str, )?(.+)[\])]", wanted):
        if not isinstance(value, {"list": list, "dict": dict}[container[1]]):
            yield f"{path}: {value!r} is no {wanted}"
            return
        for key, each in enumerate(value) if isinstance(value, list) else value.items():
            yield from find_mistakes(each, container[2], f"{path}/{key}")
    elif wanted in PLAIN or not hasattr(models, wanted):
        allowed = PLAIN.get(wanted, (str, int))  # what has no model is a number or a text, like a quantity
        if not isinstance(value, allowed) or (isinstance(value, bool) and wanted not in {"bool", "object"}):
            yield f"{path}: {value!r} is no {wanted}"
    elif not isinstance(value, dict):
        yield f"{path}: {value!r} is no {wanted}"
    else:
        yield from find_mistakes_of_object(value, wanted, path)


def find_mistakes_of_object(value: dict[str, Any], wanted: str, path: str) -> Iterator[str]:
    model = getattr(models, wanted)
    fields = {written: field for field, written in model.attribute_map.items()}
    for key, each in value.items():
        if key not in fields:
            yield f"{path}: {wanted} has no field {key}"
        else:
            yield from find_mistakes(each, model.openapi_types[fields[key]], f"{path}/{key}")
    known = {fields[key]: each for key, each in value.items() if key in fields}
    try:
        model(**known)  # it asks for what must not be missing
    except ValueError as error:
        yield f"{path}: {error}"


def check(objects: tuple[dict[str, Any], ...]) -> list[str]:
    return [
        mistake
        for each in objects
        if each["kind"] not in UNKNOWN_KINDS
        for mistake in find_mistakes(each, find_model(each["apiVersion"], each["kind"]), each["kind"])
    ]


def test_the_application_has_only_fields_that_kubernetes_knows(application: Rendered) -> None:
    assert check(application.objects) == []


def test_the_deployer_and_its_runs_have_only_fields_that_kubernetes_knows(deployer: Rendered) -> None:
    assert check((*deployer.objects, make_run(deployer))) == []


@pytest.mark.parametrize(
    ("container", "mistake"),
    [
        ({"name": "shop", "readinessprobe": {}}, "no field readinessprobe"),
        ({"name": 7}, "is no str"),
        ({"image": "shop"}, "`name`"),
        ({"name": "shop", "ports": [{"containerPort": "8080"}]}, "is no int"),
        ({"name": "shop", "ports": {"containerPort": 8080}}, "is no list"),
    ],
)
def test_a_mistake_in_a_container_would_be_found(container: dict[str, Any], mistake: str) -> None:
    (found,) = find_mistakes(container, "V1Container", "container")
    assert mistake in found
