"""Reading and changing the HTTPRoute of a service (Gateway API v1), as plain dictionaries.

Only the rules that carry traffic are looked at: those whose backends are both colours' Services. Rules that lead a
tester by the header `x-switchover-colour`, and rules that were added for sticky sessions, keep what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from switchover.decide.colour_names import colour_name
from switchover.errors import InputError, TargetError
from switchover.model import WHOLE, Colour, Route

Json: TypeAlias = Mapping[str, Any]
Operation: TypeAlias = dict[str, Any]

COLOUR_HEADER = "x-switchover-colour"
COOKIE_PREFIX = "switchover-"
GATEWAY_GROUP = "gateway.networking.k8s.io"
_REQUIRED = ("Accepted", "ResolvedRefs")
_PARENT_DEFAULTS = {"group": GATEWAY_GROUP, "kind": "Gateway", "sectionName": "", "port": 0}


def rules_of(route: Json) -> list[dict[str, Any]]:
    """The rules of a route, those for traffic and the others."""
    return list(route.get("spec", {}).get("rules") or ())


def backend_places(rule: Json, service: str) -> dict[Colour, int]:
    """Where in the rule's `backendRefs` each colour's Service stands; without a colour that it does not list."""
    names = [
        ref.get("name") if ref.get("kind", "Service") == "Service" else None for ref in rule.get("backendRefs") or ()
    ]
    wanted = {colour: colour_name(service, colour) for colour in Colour}
    return {colour: names.index(name) for colour, name in wanted.items() if name in names}


def is_preview(rule: Json) -> bool:
    """Whether only who names a colour in the header comes here."""
    return _all_matches_ask_for(rule, lambda header: str(header.get("name", "")).lower() == COLOUR_HEADER)


def is_sticky(rule: Json) -> bool:
    """Whether only who has a cookie of ours comes here."""
    return _all_matches_ask_for(
        rule,
        lambda header: str(header.get("name", "")).lower() == "cookie" and COOKIE_PREFIX in header.get("value", ""),
    )


def traffic_rules(route: Json, service: str) -> tuple[int, ...]:
    """The indices of the rules whose weights are the split."""
    return tuple(
        index
        for index, rule in enumerate(rules_of(route))
        if len(backend_places(rule, service)) == len(Colour) and not is_preview(rule) and not is_sticky(rule)
    )


def read_split(route: Json, service: str) -> Route:
    """The split that all traffic rules agree on, in whole percent.

    Raises `InputError` when no rule lists both colours, `TargetError` when the rules disagree or give nobody anything.
    """
    places = traffic_rules(route, service)
    if not places:
        raise InputError(
            f"HTTPRoute {_name(route)} does not split the traffic of {service}",
            expected=f"a rule with the backends {service}-blue and {service}-green",
            found=_backends(route),
            next_step=f"list both colours in the route, whatever their weight:\n{minimal_route(service, _name(route))}",
        )
    shares = {index: _green_share(rules_of(route)[index], service) for index in places}
    if len(set(shares.values())) > 1 or None in shares.values():
        raise TargetError(
            f"the rules of HTTPRoute {_name(route)} disagree about {service}",
            expected="the same weights in every rule that lists both colours",
            found="; ".join(f"spec.rules[{index}]: {_said(share)}" for index, share in shares.items()),
            next_step="roll back or deploy again: that gives all of them the same weights",
        )
    share = shares[places[0]]
    assert share is not None  # noqa: S101 refused above
    return Route(WHOLE - share, share)


def weight_operations(route: Json, service: str, wanted: Route) -> list[Operation]:
    """The JSON patch that gives every traffic rule these weights; empty when they have them.

    Each operation is guarded by a test that the backend still stands where it was read.
    """
    operations: list[Operation] = []
    for index in traffic_rules(route, service):
        rule = rules_of(route)[index]
        for colour, place in backend_places(rule, service).items():
            ref = rule["backendRefs"][place]
            if ref.get("weight", 1) != wanted.percent(colour):
                at = f"/spec/rules/{index}/backendRefs/{place}"
                operations.append({"op": "test", "path": f"{at}/name", "value": ref["name"]})
                operations.append({"op": "add", "path": f"{at}/weight", "value": wanted.percent(colour)})
    return operations


def find_unaccepted(route: Json, generation: int) -> tuple[str, ...]:
    """Why the gateways have not accepted this generation of the route, one sentence per parent; empty: they have.

    A parent without a word about the generation (or a newer one) has not accepted it.
    """
    parents = route.get("spec", {}).get("parentRefs") or ()
    if not parents:
        return ("spec.parentRefs is empty: the route belongs to no gateway",)
    namespace = str(route["metadata"].get("namespace", ""))
    said = route.get("status", {}).get("parents") or ()
    found = []
    for parent in parents:
        name = f"{parent.get('kind', 'Gateway')} {parent['name']}"
        entries = [entry for entry in said if _same_parent(entry.get("parentRef", {}), parent, namespace)]
        troubles = [_trouble(entry.get("conditions") or (), generation) for entry in entries]
        if not entries:
            found.append(f"{name} says nothing about it")
        elif all(troubles):
            found.append(f"{name}: {troubles[0]}")
    return tuple(found)


def is_refused(route: Json, generation: int) -> bool:
    """Whether a gateway has looked at this generation and said no, which waiting alone seldom mends."""
    for entry in route.get("status", {}).get("parents") or ():
        for condition in entry.get("conditions") or ():
            bad = "False" if condition.get("type") in _REQUIRED else "True"
            concerns = condition.get("type") in (*_REQUIRED, "PartiallyInvalid")
            if concerns and condition.get("status") == bad and condition.get("observedGeneration", 0) >= generation:
                return True
    return False


def names_colours(route: Json, service: str) -> bool:
    """Whether both backends of every traffic rule name their colour in their answers."""
    return all(
        _names_colour(rules_of(route)[index]["backendRefs"][place], colour)
        for index in traffic_rules(route, service)
        for colour, place in backend_places(rules_of(route)[index], service).items()
    )


def _names_colour(ref: Json, colour: Colour) -> bool:
    """Whether a backend lets its answers name this colour."""
    modifiers = [each.get("responseHeaderModifier") or {} for each in ref.get("filters") or ()]
    headers = [header for each in modifiers for header in (*(each.get("set") or ()), *(each.get("add") or ()))]
    return any(
        str(header.get("name", "")).lower() == COLOUR_HEADER and header.get("value") == colour for header in headers
    )


def probe_path(route: Json, service: str, health_path: str) -> str:
    """The path that probes ask for: the health path where a traffic rule covers it, else the first rule's own."""
    rules = [rules_of(route)[index] for index in traffic_rules(route, service)]
    paths = [match.get("path") or {} for rule in rules for match in _matches(rule)]
    if not paths or any(_covers(path, health_path) for path in paths):
        return health_path
    return str(next((path["value"] for path in paths if path.get("type") != "RegularExpression"), health_path))


def minimal_route(service: str, name: str) -> str:
    """A route to begin with, as YAML."""
    return "\n".join(
        [
            "apiVersion: gateway.networking.k8s.io/v1",
            "kind: HTTPRoute",
            f"metadata: {{name: {name}}}",
            "spec:",
            "  parentRefs: [{name: YOUR-GATEWAY}]",
            "  rules:",
            "    - backendRefs:",
            *(f"        {line}" for colour in Colour for line in _backend_lines(service, colour)),
        ]
    )


def _matches(rule: Json) -> list[Json]:
    """Its matches; a rule without any takes everything, like one match that asks for nothing."""
    return list(rule.get("matches") or ({},))


def _covers(path: Json, wanted: str) -> bool:
    value = str(path.get("value", "/"))
    if path.get("type", "PathPrefix") == "Exact":
        return wanted.partition("?")[0] == value
    return path.get("type", "PathPrefix") == "PathPrefix" and f"{wanted}/".startswith(f"{value.rstrip('/')}/")


def _backend_lines(service: str, colour: Colour) -> list[str]:
    weight = WHOLE if colour is Colour.BLUE else 0
    return [
        f"- name: {colour_name(service, colour)}",
        "  port: 80",
        f"  weight: {weight}",
        "  filters:",
        "    - type: ResponseHeaderModifier",
        f"      responseHeaderModifier: {{set: [{{name: {COLOUR_HEADER}, value: {colour}}}]}}",
    ]


def _all_matches_ask_for(rule: Json, asked: Any) -> bool:
    matches = rule.get("matches") or ()
    return bool(matches) and all(any(asked(header) for header in match.get("headers") or ()) for match in matches)


def _green_share(rule: Json, service: str) -> int | None:
    places = backend_places(rule, service)
    weights = {colour: int(rule["backendRefs"][place].get("weight", 1)) for colour, place in places.items()}
    total = sum(weights.values())
    return round(weights[Colour.GREEN] * WHOLE / total) if total else None


def _said(share: int | None) -> str:
    return "nobody gets anything" if share is None else f"green {share} %"


def _backends(route: Json) -> str:
    listed = [[str(ref.get("name")) for ref in rule.get("backendRefs") or ()] for rule in rules_of(route)]
    return (
        "; ".join(f"spec.rules[{index}]: {', '.join(names) or 'none'}" for index, names in enumerate(listed))
        or "no rules"
    )


def _same_parent(left: Json, right: Json, namespace: str) -> bool:
    defaults = {**_PARENT_DEFAULTS, "namespace": namespace, "name": ""}
    return all((left.get(key) or value) == (right.get(key) or value) for key, value in defaults.items())


def _trouble(conditions: Any, generation: int) -> str:
    """What keeps one parent's word from being a yes; empty: nothing."""
    by_type = {condition.get("type"): condition for condition in conditions}
    for required in _REQUIRED:
        condition = by_type.get(required)
        if condition is None:
            return f"no condition {required}"
        if condition.get("observedGeneration", 0) < generation:
            return f"{required} is about generation {condition.get('observedGeneration', 0)}, not {generation}"
        if condition.get("status") != "True":
            return f"{required} is {condition.get('status')} ({condition.get('reason')}): {condition.get('message')}"
    partly = by_type.get("PartiallyInvalid")
    if partly is not None and partly.get("status") == "True":
        return f"PartiallyInvalid ({partly.get('reason')}): {partly.get('message')}"
    return ""


def _name(route: Json) -> str:
    return str(route.get("metadata", {}).get("name", ""))
