"""GitHub's own OpenAPI document, from the npm package `@octokit/openapi`, cut down to what is used of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.real_parts.node import installed

_FILE = "node_modules/@octokit/openapi/generated/api.github.com.json"
_REPOSITORY = "/repos/{owner}/{repo}"
_USED = {
    "/releases": ("get", "post"),
    "/releases/latest": ("get",),
    "/releases/tags/{tag}": ("get",),
    "/releases/{release_id}": ("get", "patch"),
    "/releases/{release_id}/assets": ("get", "post"),
    "/releases/assets/{asset_id}": ("delete",),
    "/git/ref/{ref}": ("get",),
    "/pulls": ("get", "post"),
    "/pulls/{pull_number}": ("patch",),
    "/code-scanning/sarifs": ("post",),
}


@cache
def used_document() -> dict[str, Any]:
    """The used operations and everything that they refer to: 150 kB of 13 MB, so that Prism starts in a second.

    One word is added: the document's prose on uploading calls the state of an unfinished upload `starter`, its schema
    forgets it.
    """
    whole = json.loads((installed("github") / _FILE).read_bytes())
    paths = {
        f"{_REPOSITORY}{path}": {method: whole["paths"][f"{_REPOSITORY}{path}"][method] for method in methods}
        for path, methods in _USED.items()
    }
    components: dict[str, dict[str, Any]] = {}
    waiting = set(_references(paths))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = whole["components"][kind][name]
            waiting.update(_references(components[kind][name]))
    document = {name: whole[name] for name in ("openapi", "info", "servers")}
    upload = paths[f"{_REPOSITORY}/releases/{{release_id}}/assets"]["post"]
    assert "a state of `starter`" in upload["description"]
    components["schemas"]["release-asset"]["properties"]["state"]["enum"].append("starter")
    return {**document, "paths": paths, "components": components}


def example(name: str) -> Any:
    """One of the document's examples of an answer, as a copy."""
    return copy.deepcopy(used_document()["components"]["examples"][name]["value"])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
