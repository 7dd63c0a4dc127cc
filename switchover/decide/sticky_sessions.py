"""Rules and filters of an HTTPRoute by which a user who was on the new colour stays there while it is a canary.

The new colour's answers set a cookie that names colour and epoch, and a rule of its own leads whoever has it back.
With the canary's end both go; a cookie of an earlier rollout names another epoch and matches nothing.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from switchover.decide.http_routes import (
    COOKIE_PREFIX,
    Json,
    Operation,
    backend_places,
    is_sticky,
    read_split,
    rules_of,
    traffic_rules,
)
from switchover.errors import SwitchoverError
from switchover.model import WHOLE, Colour, Route

MOST_RULES = 16
_COOKIE_SECONDS = 24 * 3600
_MODIFIER = "ResponseHeaderModifier"
_VALUE = re.compile(r"=(blue|green)-")


def sticky_operations(route: Json, service: str, wanted: Route, epoch: int) -> list[Operation]:
    """The JSON patch of cookie rules and filters that suit `wanted`; empty when the route has them.

    Meant to follow the weights in the same patch: it changes no weight and moves no rule that is not its own.
    """
    new = _find_new(route, service, wanted)
    cookie = None if new is None else f"{COOKIE_PREFIX}{service}={new}-{epoch}"
    rules = rules_of(route)
    operations = [
        operation
        for index in traffic_rules(route, service)
        for operation in _filters(rules[index], index, service, new, cookie)
    ]
    held = [index for index, rule in enumerate(rules) if is_sticky(rule)]
    added = (
        []
        if new is None or cookie is None
        else [_sticky_rule(rules[index], service, new, cookie) for index in traffic_rules(route, service)]
    )
    if [rules[index] for index in held] != added:
        operations += [{"op": "remove", "path": f"/spec/rules/{index}"} for index in reversed(held)]
        operations += [{"op": "add", "path": "/spec/rules/-", "value": rule} for rule in added]
    return operations


def find_sticky_trouble(route: Json, service: str) -> str:
    """Why this route cannot have sticky sessions; empty: it can."""
    rules = rules_of(route)
    traffic = traffic_rules(route, service)
    own = sum(is_sticky(rule) for rule in rules)
    if len(rules) - own + len(traffic) > MOST_RULES:
        return f"{len(rules) - own} rules and {len(traffic)} more for cookies, where a route may have {MOST_RULES}"
    for index in traffic:
        for match in rules[index].get("matches") or ():
            if any(str(header.get("name", "")).lower() == "cookie" for header in match.get("headers") or ()):
                return f"spec.rules[{index}] matches a cookie already"
    return ""


def _find_new(route: Json, service: str, wanted: Route) -> Colour | None:
    """The colour whose users stay: the one that rises from nothing, later the one that has cookie rules already."""
    if WHOLE in (wanted.blue_percent, wanted.green_percent):
        return None
    for rule in rules_of(route):
        if is_sticky(rule) and (said := _VALUE.search(str(rule["matches"]))):
            return Colour(said[1])
    try:
        before = read_split(route, service)
    except SwitchoverError:
        return None  # weights that disagree say nothing about who is new
    return next((colour for colour in Colour if before.percent(colour) == 0), None)


def _sticky_rule(rule: Json, service: str, new: Colour, cookie: str) -> dict[str, Any]:
    copied = copy.deepcopy(dict(rule))
    copied.pop("name", None)
    header = {"type": "RegularExpression", "name": "Cookie", "value": f"^(.*; *)?{cookie}(;.*)?$"}
    matches = copied.get("matches") or [{"path": {"type": "PathPrefix", "value": "/"}}]
    copied["matches"] = [{**match, "headers": [*(match.get("headers") or ()), header]} for match in matches]
    for colour, place in backend_places(copied, service).items():
        ref = copied["backendRefs"][place]
        ref["weight"] = 1 if colour is new else 0
        _set_filters(ref, _without_cookie(ref.get("filters") or (), service))
    return copied


def _filters(rule: Json, index: int, service: str, new: Colour | None, cookie: str | None) -> list[Operation]:
    operations: list[Operation] = []
    for colour, place in backend_places(rule, service).items():
        ref = rule["backendRefs"][place]
        now = list(ref.get("filters") or ())
        wanted = _without_cookie(now, service)
        if colour is new and cookie is not None:
            wanted = _with_cookie(wanted, cookie)
        if wanted != now:
            path = f"/spec/rules/{index}/backendRefs/{place}/filters"
            operations.append(
                {"op": "add", "path": path, "value": wanted} if wanted else {"op": "remove", "path": path}
            )
    return operations


def _with_cookie(filters: list[dict[str, Any]], cookie: str) -> list[dict[str, Any]]:
    """The cookie goes into the modifier that is there: gateways refuse or ignore a second one."""
    value = f"{cookie}; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
    header = {"name": "Set-Cookie", "value": value}
    if not any(each.get("type") == _MODIFIER for each in filters):
        return [*filters, {"type": _MODIFIER, "responseHeaderModifier": {"add": [header]}}]
    return [_with_header(each, header) if each.get("type") == _MODIFIER else each for each in filters]


def _with_header(modifier: Json, header: dict[str, str]) -> dict[str, Any]:
    headers = modifier.get("responseHeaderModifier", {})
    return {**modifier, "responseHeaderModifier": {**headers, "add": [*(headers.get("add") or ()), header]}}


def _without_cookie(filters: Any, service: str) -> list[dict[str, Any]]:
    kept = []
    for each in filters:
        headers = dict(each.get("responseHeaderModifier") or {})
        left = [header for header in headers.get("add") or () if not _is_ours(header, service)]
        if len(left) == len(headers.get("add") or ()):
            kept.append(each)
            continue
        headers.pop("add")
        headers |= {"add": left} if left else {}
        if headers:
            kept.append({**each, "responseHeaderModifier": headers})
    return kept


def _is_ours(header: Json, service: str) -> bool:
    name = str(header.get("name", "")).lower()
    return name == "set-cookie" and str(header.get("value", "")).startswith(f"{COOKIE_PREFIX}{service}=")


def _set_filters(ref: dict[str, Any], filters: list[dict[str, Any]]) -> None:
    ref.pop("filters", None)
    if filters:
        ref["filters"] = filters
