"""Reading and changing the pair of Ingresses by which ingress-nginx splits traffic, as plain dictionaries.

The primary Ingress leads to one colour and the canary Ingress to the other, for ever: only the canary's weight
changes, which ingress-nginx takes over without a reload. For that the primary needs `service-upstream`: without it
ingress-nginx answers 503 as soon as the primary's colour has no pods, whatever the canary's weight is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from switchover.decide.colour_names import colour_name
from switchover.errors import InputError
from switchover.model import WHOLE, Colour, Route

Json: TypeAlias = Mapping[str, Any]

PREFIX = "nginx.ingress.kubernetes.io/"
CANARY = f"{PREFIX}canary"
WEIGHT = f"{PREFIX}canary-weight"
TOTAL = f"{PREFIX}canary-weight-total"
SERVICE_UPSTREAM = f"{PREFIX}service-upstream"


def canary_name(primary: str) -> str:
    """The name of the canary Ingress that belongs to a primary one."""
    return f"{primary}-canary"


def find_colour(ingress: Json, service: str) -> Colour | None:
    """The one colour that all paths of an Ingress lead to; None when it is none or both."""
    names = set(_backends(ingress))
    found = [colour for colour in Colour if names == {colour_name(service, colour)}]
    return found[0] if found else None


def read_split(canary: Json, service: str) -> Route:
    """The split that the canary Ingress makes; raise `InputError` when it is not one of ours."""
    colour = find_colour(canary, service)
    if colour is None:
        raise InputError(
            f"Ingress {_name(canary)} does not split the traffic of {service}",
            expected=f"all its paths at either {service}-blue or {service}-green",
            found=", ".join(_backends(canary)) or "no backend",
            next_step="correct its backends; switchover changes its weight and nothing else",
        )
    weight, total = _number(canary, WEIGHT, 0), _number(canary, TOTAL, WHOLE)
    share = round(weight * WHOLE / total) if _annotations(canary).get(CANARY) == "true" else 0
    return Route.giving(colour, min(share, WHOLE))


def weight_operations(canary: Json, service: str, wanted: Route) -> list[dict[str, Any]]:
    """The JSON patch that gives the canary its share; empty when it has it."""
    colour = find_colour(canary, service)
    if colour is None or read_split(canary, service) == wanted:
        return []
    value = str(wanted.percent(colour) * _number(canary, TOTAL, WHOLE) // WHOLE)
    return [{"op": "add", "path": f"/metadata/annotations/{WEIGHT.replace('/', '~1')}", "value": value}]


def first_host(ingress: Json) -> str | None:
    """The first host name that an Ingress is for."""
    return next((str(rule["host"]) for rule in ingress.get("spec", {}).get("rules") or () if rule.get("host")), None)


def uses_tls(ingress: Json) -> bool:
    """Whether its hosts are asked for over TLS."""
    return bool(ingress.get("spec", {}).get("tls"))


def _annotations(ingress: Json) -> Mapping[str, str]:
    return ingress.get("metadata", {}).get("annotations") or {}


def _number(ingress: Json, annotation: str, default: int) -> int:
    text = _annotations(ingress).get(annotation, "")
    return int(text) if text.isdigit() and (annotation != TOTAL or int(text) > 0) else default


def _backends(ingress: Json) -> list[str]:
    spec = ingress.get("spec", {})
    paths = [path for rule in spec.get("rules") or () for path in rule.get("http", {}).get("paths") or ()]
    backends = [path.get("backend", {}) for path in paths] + (
        [spec["defaultBackend"]] if "defaultBackend" in spec else []
    )
    return [str(backend.get("service", {}).get("name", "")) for backend in backends]


def _name(ingress: Json) -> str:
    return str(ingress.get("metadata", {}).get("name", ""))
